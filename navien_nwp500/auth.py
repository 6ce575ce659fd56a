"""The account, and the two clocks behind it: the access token's and the AWS keys'.

A 401 refreshes the token and repeats the call once; renewals are serialised, because two at once
can invalidate each other (protocol 1.6). A refused password is remembered and never sent again.
With a session file an earlier run's tokens and keys come before any of that, and those that
another process has renewed meanwhile before a renewal of ours.
"""

from __future__ import annotations

import asyncio
from functools import cached_property
from typing import TYPE_CHECKING, Any, Mapping, TypeVar

from ._connection.credentials import (
    AwsCredentials,
    ExpiringCredentials,
    Tokens,
    parse_aws_credentials,
    parse_tokens,
)
from ._connection.rest_client import RestClient
from ._connection.session_file import SavedSession, SessionFile
from .config import NaviLinkConfig
from .exceptions import (
    APIError,
    ConfigurationError,
    InvalidCredentialsError,
    ProtocolError,
    TokenExpiredError,
)
from .protocol.account import UserInfo
from .protocol.fields import decode_fields
from .protocol.redaction import logger

if TYPE_CHECKING:
    import aiohttp

_LOGGER = logger(__name__)

L = TypeVar("L", bound=ExpiringCredentials)


class NaviLinkAuth:
    """The signed-in account: makes REST calls and keeps both its leases alive.

    ``session`` lends an aiohttp session, which its owner closes.
    """

    def __init__(
        self, config: NaviLinkConfig, *, session: aiohttp.ClientSession | None = None
    ) -> None:
        self._rest = RestClient(config, session=session)
        path = config.session_file
        self._file = SessionFile(path, config.base_url) if path is not None else None
        self._email, self._password = config.email, config.password
        self._refused: tuple[str, str] | None = None
        self._tokens: Tokens | None = None
        self._keys: AwsCredentials | None = None
        #: Whose account it is; of a saved session only what topics need.
        self.user: UserInfo | None = None

    def __repr__(self) -> str:
        return f"NaviLinkAuth(signed_in={self._tokens is not None})"

    @property
    def user_id(self) -> str:
        """The account's e-mail, which requests call ``userId``. Raises ConfigurationError."""
        if not self._email:
            raise ConfigurationError(
                "no e-mail: pass it to authenticate(), give it to NaviLinkConfig, or set "
                "NAVILINK_EMAIL"
            )
        return self._email

    @property
    def clock_skew(self) -> float | None:
        """How far the cloud's clock is ahead of this machine's, seconds; None before a call."""
        return self._rest.clock_skew

    async def sign_in(self, email: str | None = None, password: str | None = None) -> UserInfo:
        """Sign in with the password; without arguments with what was configured.

        Raises InvalidCredentialsError when the cloud refuses them (and without asking it, when it
        has refused the same pair before), ConfigurationError when there are none,
        CommunicationError when the cloud cannot be asked.
        """
        async with self._lock:
            if email not in (None, self._email):
                self._tokens = self._keys = self.user = None  # another account's
            self._email, self._password = email or self._email, password or self._password
            return await self._sign_in()

    async def ready(self) -> None:
        """Sign in unless that was done, so that calls and keys can follow. Raises as ``call``."""
        await self._valid_tokens()

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
        tokens = await self._valid_tokens()
        try:
            return await self._rest.send(method, path, body, query, tokens.access_token)
        except APIError as error:
            if not _is_unauthorized(error):
                raise
        _LOGGER.debug("%s: token refused, renewing it", path)
        tokens = await self._valid_tokens(refused=tokens)
        try:
            return await self._rest.send(method, path, body, query, tokens.access_token)
        except APIError as error:
            if not _is_unauthorized(error):
                raise
            raise TokenExpiredError(
                f"{path}: the cloud refuses a token it has just given; sign in again"
            ) from error

    async def aws_keys(self, *, refused: AwsCredentials | None = None) -> AwsCredentials:
        """Keys for the broker, renewed when they near their end or are the ``refused`` ones.

        The cheapest way first: session refresh, secured sign-in, the password last (protocol
        1.16). Raises as ``call``.
        """
        async with self._lock:
            if not _usable(self._keys, refused):
                await self._adopt()
            return _usable(self._keys, refused) or await self._renew_keys()

    async def measure_skew(self) -> float | None:
        """Ask the cloud for its time, signed in or not; returns ``clock_skew``.

        Raises RequestTimeoutError or CommunicationError.
        """
        try:
            await self._rest.send("GET", "")
        except (APIError, ProtocolError) as error:
            _LOGGER.debug("a refusal is dated too: %s", error)
        return self.clock_skew

    async def close(self) -> None:
        """Close what was opened here; a lent session stays open."""
        await self._rest.close()

    # Renewal: all of it runs under the lock

    @cached_property
    def _lock(self) -> asyncio.Lock:
        return asyncio.Lock()

    def _credentials(self) -> tuple[str, str]:
        if self._email and self._password:
            return self._email, self._password
        if self._tokens is not None:
            raise TokenExpiredError(
                "the session has ended and there is no password to sign in with: set "
                "NAVILINK_PASSWORD once more, or call authenticate(email, password)"
            )
        raise ConfigurationError(
            "no e-mail and password, and no saved session: pass them to authenticate(), give them "
            "to NaviLinkConfig, or set NAVILINK_EMAIL and NAVILINK_PASSWORD"
        )

    async def _valid_tokens(self, *, refused: Tokens | None = None) -> Tokens:
        async with self._lock:
            if not _usable(self._tokens, refused):
                await self._adopt()
            if not _usable(self._tokens, refused):
                await self._renew_tokens()
            assert self._tokens is not None
            return self._tokens

    async def _renew_tokens(self) -> None:
        old = self._tokens
        if old is not None:
            body = {"refreshToken": old.refresh_token}
            try:
                await self._keep(await self._rest.send("POST", "/auth/refresh", body))
                return
            except APIError as error:
                if error.status_code >= 500 or _is_throttled(error):
                    raise
                _LOGGER.debug("refresh refused (%s)", error.code)
            await self._adopt()
            if _usable(self._tokens, old):  # another process was quicker, and made ours void
                return
            if self._file is not None:
                await self._file.drop()
        await self._sign_in()

    async def _renew_keys(self) -> AwsCredentials:
        refused, self._keys = self._keys, None
        if self._tokens is not None:
            if refused is not None and refused.fresh:
                await self._save()  # without them: a later run shall not try them again
            if not self._tokens.fresh:
                await self._renew_tokens()
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
                data = await self._rest.send("POST", path, body, token=self._tokens.access_token)
            except APIError as error:
                if token_may_be_old and _is_unauthorized(error):
                    await self._renew_tokens()
                    if self._keys is not None:  # it took a sign-in, which brings keys
                        return None
                    continue
                if _is_throttled(error):
                    raise  # other ways would only add to the calls
                _LOGGER.debug("%s refused (%s), trying the next way", path, error.code)
                return error
            await self._keep(data.get("token", data) if isinstance(data, dict) else {})
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
            data = await self._rest.send("POST", "/user/sign-in", body)
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
        self.user = decode_fields(UserInfo, data.get("userInfo") or {})
        await self._save()
        return self.user

    # What is kept: in memory, and in the file of the session

    async def _adopt(self) -> None:
        """Take from the file what ends later than ours: an earlier run's, or another process's."""
        saved = await self._file.read(self._email) if self._file and self._email else None
        if saved is None:
            return
        self._tokens = _later(self._tokens, saved.tokens)
        self._keys = _later(self._keys, saved.keys)
        if self.user is None:
            self.user = UserInfo(user_seq=saved.user_seq)

    async def _keep(self, token: Any) -> None:
        self._take(token)
        await self._save()

    async def _save(self) -> None:
        if self._file is not None and self._tokens is not None and self._email:
            user_seq = self.user.user_seq if self.user is not None else None
            saved = SavedSession(self._tokens, self._keys, user_seq)
            await self._file.write(self._email, saved)

    def _take(self, token: Any) -> None:
        """Keep what an answer brings; what it leaves out stays as it was (protocol 1.16)."""
        if not isinstance(token, dict):
            raise ProtocolError("the answer holds no token")
        old = self._tokens.refresh_token if self._tokens else ""
        self._tokens = parse_tokens(token, old) or self._tokens
        self._keys = parse_aws_credentials(token) or self._keys


def _usable(lease: L | None, refused: L | None) -> L | None:
    return lease if lease is not None and lease.fresh and lease != refused else None


def _later(ours: L | None, other: L | None) -> L | None:
    if ours is None or other is None:
        return ours or other
    return max(ours, other, key=lambda lease: lease.expires_at)


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
