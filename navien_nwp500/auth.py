"""The signed-in account: tokens and AWS credentials, renewed before they expire.

A 401 refreshes the token and repeats the call once. Renewals are serialised, in this client and among
the processes that share a session file, because two at once can invalidate each other (PROTOCOL 1.6);
a refresh is finished although its caller is cancelled. A rejected password is remembered and never
sent again. With a session file, credentials saved by an earlier run or by another process are used
first.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, AsyncContextManager, Mapping

from ._connection.credentials import (
    AwsCredentials,
    Tokens,
    later_of,
    parse_aws_credentials,
    parse_tokens,
    usable,
)
from ._connection.rest_client import RestClient
from ._connection.rest_errors import is_throttled, is_unauthorized, is_wrong_password
from ._connection.session_file import SavedSession, SessionFile
from ._util.aio import cancel_and_wait, result_of
from .config import NaviLinkConfig, same_email
from .exceptions import (
    APIError,
    ConfigurationError,
    InvalidCredentialsError,
    ProtocolError,
    TokenExpiredError,
)
from .protocol.account import AppVersion, UserInfo
from .protocol.fields import decode_fields
from .protocol.redaction import logger

if TYPE_CHECKING:
    import aiohttp

__all__ = ["AwsCredentials", "NaviLinkAuth"]

_LOGGER = logger("navien_nwp500.auth")

#: Role that is used when the cloud does not tell it (PROTOCOL 1.10).
OWNER = "O"

#: Seconds ``close`` waits for a refresh that is under way: its token may serve only once.
_FINISH_SECONDS = 10.0


class NaviLinkAuth:
    """The signed-in account: makes REST calls and renews its credentials.

    ``session`` is an aiohttp session to use; the caller closes it.
    """

    def __init__(
        self, config: NaviLinkConfig, *, session: aiohttp.ClientSession | None = None
    ) -> None:
        self._rest = RestClient(config, session=session)
        path = config.session_file
        self._file = SessionFile(path, config.base_url) if path is not None else None
        self._email, self._password = config.email, config.password
        self._rejected: tuple[str, str] | None = None
        self._tokens: Tokens | None = None
        self._aws_credentials: AwsCredentials | None = None
        self._refreshing: asyncio.Task[None] | None = None
        #: Owner of the account; after a restored session only ``user_seq`` and ``user_type``.
        self.user: UserInfo | None = None

    def __repr__(self) -> str:
        return f"NaviLinkAuth(signed_in={self._tokens is not None})"

    @property
    def user_id(self) -> str:
        """E-mail of the account, ``userId`` in requests. Raises ConfigurationError without one."""
        if not self._email:
            raise ConfigurationError(
                "no e-mail: pass it to authenticate() or NaviLinkConfig, or set NAVILINK_EMAIL"
            )
        return self._email

    @property
    def clock_skew(self) -> float | None:
        """Seconds the clock of the cloud is ahead of the local clock; None before the first call."""
        return self._rest.clock_skew

    async def sign_in(self, email: str | None = None, password: str | None = None) -> UserInfo:
        """Sign in with e-mail and password; without arguments with the configured ones.

        Raises InvalidCredentialsError when the cloud rejects them (without sending them, when it
        rejected the same pair before), ConfigurationError when there are none, CommunicationError
        when the cloud cannot be reached.
        """
        async with self._lock:
            if self._refreshing is not None:
                await asyncio.wait({self._refreshing})
            if email is not None and not same_email(email, self._email):
                self._tokens = self._aws_credentials = self.user = None  # another account's
            self._email, self._password = email or self._email, password or self._password
            async with self._file_lock():
                return await self._sign_in()

    async def ensure_signed_in(self) -> None:
        """Sign in, unless signed in. Raises as ``call``."""
        await self._valid_tokens()

    async def call(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Any:
        """Make a REST call; returns the ``data`` of the response.

        Raises AuthenticationError, APIError, ProtocolError, RequestTimeoutError or
        CommunicationError.
        """
        tokens = await self._valid_tokens()
        try:
            return await self._rest.send(method, path, body, query, tokens.access_token)
        except APIError as error:
            if not is_unauthorized(error):
                raise
        _LOGGER.debug("%s: token rejected, renewing it", path)
        tokens = await self._valid_tokens(refused=tokens)
        try:
            return await self._rest.send(method, path, body, query, tokens.access_token)
        except APIError as error:
            if not is_unauthorized(error):
                raise
            raise TokenExpiredError(
                f"{path}: the cloud rejects a token that it has just issued; sign in again"
            ) from error

    async def aws_credentials(self, *, refused: AwsCredentials | None = None) -> AwsCredentials:
        """Return valid AWS credentials, renewed near their expiry or when ``refused``.

        The cheapest renewal is tried first: session refresh, secured sign-in, then the password
        (PROTOCOL 1.16). Raises as ``call``.
        """
        async with self._lock:
            if not usable(self._aws_credentials, refused):
                await self._load()
            return usable(self._aws_credentials, refused) or await self._renew_aws_credentials()

    async def user_type(self) -> str:
        """Return the role in the account, which time-of-use calls need (PROTOCOL 1.10).

        ``O`` owner, ``M`` member, else installer. A session saved by an older version of this
        library does not hold it; then the cloud is asked, and ``O`` returned when it does not tell.
        Raises as ``call``, except APIError and ProtocolError.
        """
        await self.ensure_signed_in()
        if self.user is None or self.user.user_type is None:
            try:
                answer = await self.call("POST", "/user/info", body={"userId": self.user_id})
                found = decode_fields(UserInfo, answer)
            except (APIError, ProtocolError) as error:
                _LOGGER.debug("the role in the account is unknown: %s", error)
                return OWNER
            user_seq = self.user.user_seq if self.user is not None else None
            self.user = replace(found, user_seq=user_seq or found.user_seq)
            async with self._lock, self._file_lock():
                await self._load()  # another process may have renewed the credentials
                await self._save()
        return self.user.user_type or OWNER

    async def app_version(self) -> AppVersion:
        """Request which versions of the maker's app the cloud accepts; needs no sign-in.

        Raises MaintenanceError when the cloud announces maintenance, and APIError, ProtocolError,
        RequestTimeoutError or CommunicationError (PROTOCOL 1.17).
        """
        answer = await self._rest.send("POST", "/app/version", {"os": "A"})
        return decode_fields(AppVersion, answer)

    async def measure_skew(self) -> float | None:
        """Measure the clock skew, signed in or not; returns ``clock_skew``.

        Raises RequestTimeoutError or CommunicationError.
        """
        try:
            await self._rest.send("GET", "")
        except (APIError, ProtocolError) as error:
            _LOGGER.debug("an error response has a date too: %s", error)
        return self.clock_skew

    async def close(self) -> None:
        """Close the HTTP session, unless it belongs to the caller.

        A refresh that is under way is finished first, for 10 s at most.
        """
        try:
            if (task := self._refreshing) is not None:
                await asyncio.wait({task}, timeout=_FINISH_SECONDS)
                await cancel_and_wait(task)
        finally:
            await self._rest.close()

    # Renewal, always while holding the lock

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
            "no e-mail and password, and no saved session: pass them to authenticate() or "
            "NaviLinkConfig, or set NAVILINK_EMAIL and NAVILINK_PASSWORD"
        )

    async def _valid_tokens(self, *, refused: Tokens | None = None) -> Tokens:
        async with self._lock:
            if not usable(self._tokens, refused):
                await self._load()
            if not usable(self._tokens, refused):
                await self._renew_tokens()
            assert self._tokens is not None
            return self._tokens

    async def _renew_tokens(self) -> None:
        """Take the tokens another process has renewed, refresh them, or sign in, in this order."""
        old = self._tokens
        if old is not None:
            if self._refreshing is None:
                self._refreshing = asyncio.get_running_loop().create_task(
                    self._refresh(old), name="navilink-refresh"
                )
                self._refreshing.add_done_callback(self._refresh_ended)
            await result_of(self._refreshing)
            if usable(self._tokens, old):
                return
        async with self._file_lock():
            await self._load()
            if not usable(self._tokens, old):
                await self._sign_in()

    async def _refresh(self, old: Tokens) -> None:
        """Refresh the tokens; they stay as they are when they are rejected, or a password is left.

        It runs in a task of its own, because a caller's cancellation would lose the new token while
        the old one may be spent. Only a 401 ends a session and deletes its file (PROTOCOL 1.6).
        """
        async with self._file_lock():
            await self._load()
            if usable(self._tokens, old):
                return
            assert self._tokens is not None
            rejected = self._tokens
            try:
                body = {"refreshToken": rejected.refresh_token}
                await self._store(await self._rest.send("POST", "/auth/refresh", body))
                if self._tokens == rejected:
                    raise ProtocolError("/auth/refresh: the response holds no token")
            except APIError as error:
                if is_unauthorized(error):
                    _LOGGER.debug("the session has ended: %s", error)
                    await self._load()  # a process without the lock may have renewed it
                    if not usable(self._tokens, old) and self._file is not None:
                        await self._file.delete(rejected, self.user_id)
                elif not self._password or error.is_server_error or is_throttled(error):
                    raise
            except ProtocolError:
                if not self._password:
                    raise

    def _refresh_ended(self, task: asyncio.Task[None]) -> None:
        self._refreshing = None
        if not task.cancelled():
            task.exception()  # retrieved here, because the caller may be gone

    def _file_lock(self) -> AsyncContextManager[object]:
        return contextlib.AsyncExitStack() if self._file is None else self._file.locked()

    async def _renew_aws_credentials(self) -> AwsCredentials:
        refused, self._aws_credentials = self._aws_credentials, None
        if self._tokens is not None:
            if refused is not None and refused.fresh:
                await self._save()  # without them, so that a later run does not try them again
            if not self._tokens.fresh:
                await self._renew_tokens()
            failure: APIError | None = None
            for path in ("/auth/session/refresh", "/user/secured-sign-in"):
                if self._aws_credentials is None:
                    failure = await self._try_renewal(path)
            if self._aws_credentials is None and failure is not None and failure.is_server_error:
                raise failure  # a 5xx is not a rejection, so do not fall back to the password
        if self._aws_credentials is None:
            async with self._file_lock():
                await self._load()
                if not usable(self._aws_credentials, refused):
                    self._aws_credentials = None
                    await self._sign_in()
        if self._aws_credentials is None:
            raise ProtocolError("sign-in: the response holds no AWS credentials")
        return self._aws_credentials

    async def _try_renewal(self, path: str) -> APIError | None:
        """Request new AWS credentials; a token that is rejected meanwhile is refreshed once.

        Returns the error when there are none.
        """
        for token_may_be_old in (True, False):
            assert self._tokens is not None
            body = {"userId": self.user_id}
            try:
                data = await self._rest.send("POST", path, body, token=self._tokens.access_token)
            except APIError as error:
                if token_may_be_old and is_unauthorized(error):
                    await self._renew_tokens()
                    if self._aws_credentials is not None:  # a sign-in brought new ones
                        return None
                    continue
                if is_throttled(error):
                    raise  # other calls would add to the load
                _LOGGER.debug("%s rejected (%s), trying the next call", path, error.code)
                return error
            await self._store(data.get("token", data) if isinstance(data, dict) else {})
            break
        return None

    async def _sign_in(self) -> UserInfo:
        email, password = self._credentials()
        if self._rejected == (email.casefold(), password):
            raise InvalidCredentialsError(
                "this e-mail and password were rejected before and are not sent again. Check them "
                "in the NaviLink app, correct them and sign in again"
            )
        body = {"userId": email, "password": password}
        try:
            data = await self._rest.send("POST", "/user/sign-in", body)
        except APIError as error:
            if not is_wrong_password(error):
                raise
            self._rejected = (email.casefold(), password)
            raise InvalidCredentialsError(
                f"the cloud rejects this e-mail or password ({error}); check them in the NaviLink "
                "app"
            ) from error
        if not isinstance(data, dict) or not isinstance(data.get("token"), dict):
            raise ProtocolError("sign-in: the response holds no token")
        self._update(data["token"])
        self.user = decode_fields(UserInfo, data.get("userInfo") or {})
        await self._save()
        return self.user

    # Saved credentials

    async def _load(self) -> None:
        """Load credentials from the file that expire later than the present ones."""
        saved = await self._file.read(self._email) if self._file and self._email else None
        if saved is None:
            return
        self._tokens = later_of(self._tokens, saved.tokens)
        self._aws_credentials = later_of(self._aws_credentials, saved.aws_credentials)
        if self.user is None:
            self.user = UserInfo(user_seq=saved.user_seq, user_type=saved.user_type)

    async def _store(self, token: Any) -> None:
        self._update(token)
        await self._save()

    async def _save(self) -> None:
        if self._file is not None and self._tokens is not None and self._email:
            user = self.user or UserInfo()
            saved = SavedSession(self._tokens, self._aws_credentials, user.user_seq, user.user_type)
            await self._file.write(self._email, saved)

    def _update(self, token: Any) -> None:
        """Update the credentials that a response contains; the others stay (PROTOCOL 1.16)."""
        if not isinstance(token, dict):
            raise ProtocolError("the response holds no token")
        old = self._tokens.refresh_token if self._tokens else ""
        self._tokens = parse_tokens(token, old) or self._tokens
        self._aws_credentials = parse_aws_credentials(token) or self._aws_credentials
