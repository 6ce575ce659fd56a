"""REST, and the two clocks behind it: the access token's and the AWS keys'.

Every HTTP call of the house is made here and every error of aiohttp ends here. A 401 refreshes the
token and repeats the call once; renewals are serialised, because two at once can invalidate each
other (protocol 1.6). A refused password is remembered and never sent again.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from email.utils import parsedate_to_datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Mapping

from . import wire
from .config import NaviLinkConfig
from .exceptions import (
    APIError,
    CommunicationError,
    ConfigurationError,
    InvalidCredentialsError,
    ProtocolError,
    RequestTimeoutError,
    TokenExpiredError,
)
from .leases import AwsKeys, Tokens
from .models import UserInfo
from .redaction import logger, mask_text
from .version import __version__

if TYPE_CHECKING:
    import aiohttp

_LOGGER = logger(__name__)

#: Clients in the field renew this long before the nominal end (protocol 1.6), seconds.
EARLY = 300.0


class NaviLinkAuth:
    """The signed-in account: makes REST calls and keeps both its leases alive.

    ``session`` lends an aiohttp session; its owner closes it. Without one, one is opened at the
    first call and closed by ``close()``.
    """

    def __init__(
        self, config: NaviLinkConfig, *, session: aiohttp.ClientSession | None = None
    ) -> None:
        self._config = config
        self._lent = session
        self._own: aiohttp.ClientSession | None = None
        self._email, self._password = config.email, config.password
        self._refused: tuple[str, str] | None = None
        self._tokens: Tokens | None = None
        self._keys: AwsKeys | None = None
        self.user: UserInfo | None = None
        #: How far the cloud's clock is ahead of this machine's, seconds; None before a call.
        self.clock_skew: float | None = None

    def __repr__(self) -> str:
        return f"NaviLinkAuth(signed_in={self._tokens is not None})"

    @property
    def user_id(self) -> str:
        """The account's e-mail, which requests call ``userId``. Raises ConfigurationError."""
        email, _ = self._credentials()
        return email

    async def sign_in(self, email: str | None = None, password: str | None = None) -> UserInfo:
        """Sign in; without arguments with what was configured.

        Raises InvalidCredentialsError when the cloud refuses them (and without asking it, when it
        has refused the same pair before), ConfigurationError when there are none,
        CommunicationError when the cloud cannot be asked.
        """
        async with self._lock:
            self._email, self._password = email or self._email, password or self._password
            return await self._sign_in()

    async def call(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Any:
        """Make one call as the signed-in account; returns the ``data`` of the answer.

        Raises AuthenticationError, APIError, ProtocolError, RequestTimeoutError or
        CommunicationError.
        """
        token = await self._access_token()
        try:
            return await self._send(method, path, body, query, token)
        except APIError as error:
            if not _is_unauthorized(error):
                raise
        _LOGGER.debug("%s: token refused, renewing it", path)
        token = await self._access_token(refused=token)
        try:
            return await self._send(method, path, body, query, token)
        except APIError as error:
            if not _is_unauthorized(error):
                raise
            raise TokenExpiredError(
                f"{path}: the cloud refuses a token it has just given; sign in again"
            ) from error

    async def aws_keys(self, *, refused: AwsKeys | None = None) -> AwsKeys:
        """Keys for the broker, renewed when they near their end or are the ``refused`` ones.

        The cheapest way first: session refresh, secured sign-in, the password last (protocol
        1.16). Raises as ``call``.
        """
        async with self._lock:
            if self._keys is None or not self._keys.fresh or self._keys == refused:
                return await self._renew_keys()
            return self._keys

    async def close(self) -> None:
        """Close what was opened here; a lent session stays open."""
        if self._own is not None:
            await self._own.close()
            self._own = None

    # Renewal: all of it runs under the lock

    @cached_property
    def _lock(self) -> asyncio.Lock:
        return asyncio.Lock()

    def _credentials(self) -> tuple[str, str]:
        if not self._email or not self._password:
            raise ConfigurationError(
                "no e-mail and password: pass them to authenticate(), give them to NaviLinkConfig, "
                "or set NAVILINK_EMAIL and NAVILINK_PASSWORD"
            )
        return self._email, self._password

    async def _access_token(self, *, refused: str | None = None) -> str:
        async with self._lock:
            tokens = self._tokens
            if tokens is None or not tokens.fresh or tokens.access_token == refused:
                await self._renew_token()
            assert self._tokens is not None
            return self._tokens.access_token

    async def _renew_token(self) -> None:
        if self._tokens is not None:
            body = {"refreshToken": self._tokens.refresh_token}
            try:
                self._take(await self._send("POST", "/auth/refresh", body))
                return
            except APIError as error:
                if error.status_code >= 500 or _is_throttled(error):
                    raise
                _LOGGER.debug("refresh refused (%s), signing in again", error.code)
        await self._sign_in()

    async def _renew_keys(self) -> AwsKeys:
        self._keys = None
        if self._tokens is not None:
            if not self._tokens.fresh:
                await self._renew_token()
            fault: APIError | None = None
            for path in ("/auth/session/refresh", "/user/secured-sign-in"):
                if self._keys is None:
                    fault = await self._try_renewal(path)
            if self._keys is None and fault is not None and fault.status_code >= 500:
                raise fault  # a server that fails refuses nothing: the password stays at home
        if self._keys is None:
            await self._sign_in()
        if self._keys is None:
            raise ProtocolError("sign-in: the answer holds no AWS keys")
        return self._keys

    async def _try_renewal(self, path: str) -> APIError | None:
        """Ask for new keys; a token that is refused meanwhile is refreshed once.

        Returns why there are none.
        """
        for token_may_be_old in (True, False):
            assert self._tokens is not None
            body = {"userId": self.user_id}
            try:
                data = await self._send("POST", path, body, token=self._tokens.access_token)
            except APIError as error:
                if token_may_be_old and _is_unauthorized(error):
                    await self._renew_token()
                    if self._keys is not None:  # it took a sign-in, which brings keys
                        return None
                    continue
                if _is_throttled(error):
                    raise  # other ways would only add to the calls
                _LOGGER.debug("%s refused (%s), trying the next way", path, error.code)
                return error
            self._take(data.get("token", data) if isinstance(data, dict) else {})
            break
        return None

    async def _sign_in(self) -> UserInfo:
        email, password = self._credentials()
        if self._refused == (email, password):
            raise InvalidCredentialsError(
                "this e-mail and password were refused before; they are not sent again. Check "
                "them in the NaviLink app, correct them and sign in anew"
            )
        body = {"userId": email, "password": password}
        try:
            data = await self._send("POST", "/user/sign-in", body)
        except APIError as error:
            if not _is_refusal(error):
                raise
            self._refused = (email, password)
            raise InvalidCredentialsError(
                f"the cloud refuses this e-mail or password ({error}); check them in the NaviLink "
                "app"
            ) from error
        if not isinstance(data, dict) or not isinstance(data.get("token"), dict):
            raise ProtocolError("sign-in: the answer holds no token")
        self._take(data["token"])
        self.user = wire.decode(UserInfo, data.get("userInfo") or {})
        return self.user

    def _take(self, token: Any) -> None:
        """Keep what an answer brings; what it leaves out stays as it was (protocol 1.16)."""
        if not isinstance(token, dict):
            raise ProtocolError("the answer holds no token")
        now = time.time()
        life = _seconds(token.get("authenticationExpiresIn"), 3600.0)
        access = token.get("accessToken")
        if isinstance(access, str) and access:
            old = self._tokens.refresh_token if self._tokens else ""
            refresh = token.get("refreshToken") or old
            self._tokens = Tokens(_end(now, life), access, str(refresh))
        names = ("accessKeyId", "secretKey", "sessionToken")
        parts = [token.get(name) for name in names]
        if all(isinstance(part, str) and part for part in parts):
            # Missing or null, the token's own lifetime stands for it (protocol 1.5).
            life = _seconds(token.get("authorizationExpiresIn"), life)
            self._keys = AwsKeys(_end(now, life), *map(str, parts))

    # HTTP

    async def _send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
        token: str | None = None,
    ) -> Any:
        import aiohttp

        session = await self._session()
        headers = {"User-Agent": f"navien_nwp500/{__version__}"}
        if token is not None:
            headers["authorization"] = token  # the raw token, no "Bearer" (protocol 1.1)
        url = self._config.base_url + path
        timeout = aiohttp.ClientTimeout(total=self._config.rest_timeout)
        try:
            async with session.request(
                method, url, json=body, params=query, headers=headers, timeout=timeout
            ) as response:
                status, content = response.status, await response.read()
                retry_after = _delay(response.headers.get("Retry-After"))
                self.clock_skew = _skew(response.headers.get("Date"))
        except asyncio.TimeoutError as error:
            raise RequestTimeoutError(
                f"{path}: no answer within {self._config.rest_timeout:g} s; try again later"
            ) from error
        except (aiohttp.ClientError, OSError) as error:
            raise CommunicationError(
                f"{path}: the cloud cannot be reached ({_short(error)}); check the network"
            ) from error
        _LOGGER.debug("%s %s: %d, %d bytes", method, path, status, len(content))
        return _unwrap(path, status, content, retry_after)

    async def _session(self) -> aiohttp.ClientSession:
        if self._lent is not None:
            return self._lent
        async with self._opening:
            if self._own is None:
                loop = asyncio.get_running_loop()
                # Reading certificates (and aiohttp itself) from disk would hold up the loop.
                context = await loop.run_in_executor(None, tls_context, self._config.ca_file)
                import aiohttp

                connector = aiohttp.TCPConnector(ssl=context)
                self._own = aiohttp.ClientSession(
                    connector=connector, cookie_jar=aiohttp.DummyCookieJar()
                )
            return self._own

    @cached_property
    def _opening(self) -> asyncio.Lock:
        return asyncio.Lock()


def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """Trust the given certificates, or the system's."""
    import aiohttp  # noqa: F401  (loaded here, in a thread, once)

    return ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))


def _unwrap(path: str, status: int, content: bytes, retry_after: float | None) -> Any:
    """Open the envelope: the HTTP status and the body's code must both say success."""
    import json

    try:
        envelope = json.loads(content)
    except (ValueError, RecursionError) as error:
        if status == 200:
            raise ProtocolError(f"{path}: the answer is no JSON") from error
        envelope = {}
    if not isinstance(envelope, dict):
        envelope = {}
    code = envelope.get("code")
    code = code if type(code) is int else None
    if status == 200 and code == 200:
        return envelope.get("data")
    message = envelope.get("msg")
    message = message if isinstance(message, str) else "no reason given"
    raise APIError(
        f"{path}: the cloud answers {code or status} {mask_text(message[:200])}",
        status_code=status,
        code=code if code is not None else status,
        retry_after=retry_after,
    )


def _is_unauthorized(error: APIError) -> bool:
    return 401 in (error.status_code, error.code)


def _is_refusal(error: APIError) -> bool:
    """Whether a failed sign-in means wrong credentials; a fault of the server never does.

    Code 401, or a message with these words (protocol 1.3); an unknown user comes with HTTP 200.
    """
    if error.status_code >= 500 or (error.code or 0) >= 500:
        return False
    words = ("invalid", "unauthorized", "user_not_found")
    return error.code == 401 or any(word in str(error).lower() for word in words)


def _is_throttled(error: APIError) -> bool:
    return 429 in (error.status_code, error.code)


def _delay(retry_after: str | None) -> float | None:
    """The header in seconds; as a date it is left out, a wrong clock would misread it."""
    digits = (retry_after or "").strip()
    return float(digits) if digits.isdecimal() and len(digits) < 10 else None


def _skew(date: str | None) -> float | None:
    try:
        return None if date is None else parsedate_to_datetime(date).timestamp() - time.time()
    except (TypeError, ValueError):
        return None


def _end(now: float, life: float) -> float:
    return now + life - min(EARLY, life / 4)


def _seconds(value: Any, default: float) -> float:
    usable = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < 1e9
    return float(value) if usable else default


def _short(error: BaseException) -> str:
    return mask_text(str(error)[:200]) or type(error).__name__
