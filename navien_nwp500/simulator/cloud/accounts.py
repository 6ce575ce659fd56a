"""The accounts of the simulated cloud, and the tokens and AWS keys issued to them.

Tokens and AWS keys expire independently, as in the real cloud (PROTOCOL 1.16).
"""

from __future__ import annotations

import base64
import hmac
import json
import secrets
from dataclasses import astuple, dataclass, field
from functools import cached_property
from typing import Any, Callable, Iterable, Mapping, Sequence, TypeVar

from .sigv4 import IssuedKeys

#: Lifetime in the real cloud (PROTOCOL 1.5).
LIFETIME_SECONDS = 3600.0
#: Cognito's default for refresh tokens; the real cloud's was longer than 10 hours.
REFRESH_LIFETIME_SECONDS = 30 * 86400.0

_KEY_ID_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_JWT_CLAIMS_BYTES = 480
_JWT_SIGNATURE_BYTES = 256
_REFRESH_BYTES = (256, 12, 880, 16)
_SECRET_BYTES = 30
_SESSION_TOKEN_BYTES = 260

T = TypeVar("T")


@dataclass(frozen=True)
class Location:
    """The place of a heater; degrees north and east."""

    state: str = "Sample State"
    city: str = "Sampletown"
    address: str = "1 Sample Street"
    latitude: float = 40.0
    longitude: float = -75.0


@dataclass
class HeaterRecord:
    """The cloud's record of one heater.

    ``connected`` is 2 for online and 1 for offline, and may change at any time. ``tou_plan`` is the
    plan of the last PUT or DELETE, None before it. Versions are packed: 0x0B010000 is 11.1.0.0.
    ``alarms`` are the push settings, 1 on and 2 off (PROTOCOL 1.17); ``maintenance`` holds the
    entries of "filter" and "cip" (PROTOCOL 1.18). ``error_code`` and ``error_time`` (ISO 8601) are
    the last error, None before one.
    """

    mac_address: str
    additional_value: str = "1234"
    home_seq: int = 10001
    device_name: str = "NWP500"
    device_type: int = 52
    connected: int = 2
    controller_serial: str = "12345678AB12345678"
    manufacture_id: str = "1234E5678901234"
    controller_version: int = 0x0B010000
    wifi_version: int = 0x02070000
    install_type: str = "R"
    location: Location = Location()
    tou_plan: dict[str, Any] | None = None
    alarms: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(("isErrorAlarm", "isDescalingAlarm", "isEtcAlarm"), 1)
    )
    maintenance: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    error_code: int | None = None
    error_time: str | None = None

    @property
    def model_type_code(self) -> int:
        """Return ``modelTypeCode``: of the NWP500, else of a tankless unit (PROTOCOL 12.10)."""
        return 513 if self.device_type == 52 else 257


@dataclass(frozen=True)
class CloudAccount:
    """A user's account and its heaters; ``user_type`` is O for owner, M for member."""

    email: str
    password: str = field(repr=False)
    heaters: Sequence[HeaterRecord] = ()
    user_seq: int = 20002
    user_type: str = "O"
    first_name: str = "Test"
    last_name: str = "User"
    #: True if the account may subscribe to its heaters' topics.
    pushes: bool = True
    #: The last push registration of a phone, as the app sends it.
    phone: dict[str, object] = field(default_factory=dict, repr=False, compare=False)

    def heater(self, mac_address: object, additional_value: object) -> HeaterRecord | None:
        """Return the heater with this identity, or None."""
        for heater in self.heaters:
            if (heater.mac_address, heater.additional_value) == (mac_address, additional_value):
                return heater
        return None

    def owns(self, mac_address: str) -> bool:
        """Return whether the account owns the heater with this MAC address."""
        return mac_address in self._macs

    @cached_property
    def _macs(self) -> frozenset[str]:
        return frozenset(heater.mac_address for heater in self.heaters)


@dataclass(frozen=True)
class IssuedTokens:
    """The tokens of one sign-in or refresh; ``expires_in`` in seconds from their issue."""

    id_token: str = field(repr=False)
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in: float


def _remove_oldest(entries: dict[str, T], expired: Callable[[T], bool]) -> None:
    """Remove entries in the order of their issue, up to one that has not expired.

    A look at all of them at each sign-in would take most of the time of thousands of accounts.
    """
    while entries and expired(entries[(oldest := next(iter(entries)))]):
        del entries[oldest]


class _Issued:
    """Secrets with their values; those that have expired are not found, and removed later."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._entries: dict[str, tuple[CloudAccount, float]] = {}

    def add(self, secret: str, value: CloudAccount, lifetime: float) -> None:
        now = self._now()
        _remove_oldest(self._entries, lambda entry: entry[1] <= now)
        self._entries[secret] = (value, now + lifetime)

    def find(self, secret: str) -> CloudAccount | None:
        value, expires_at = self._entries.get(secret, (None, 0.0))
        return value if expires_at > self._now() else None

    def revoke(self, secret: str) -> None:
        self._entries.pop(secret, None)

    def revoke_all(self) -> None:
        self._entries.clear()

    def to_json(self) -> list[list[Any]]:
        return [
            [account.email, secret, expires_at]
            for secret, (account, expires_at) in self._entries.items()
        ]


class AccountBook:
    """The accounts, and the tokens and AWS keys that are valid.

    ``now`` returns seconds since the epoch; lifetimes are in seconds. A changed lifetime counts for
    all that is issued later. With ``refresh_token_reuse`` a refresh token serves until it expires,
    as recorded (PROTOCOL 1.6); without it once. ``on_issued`` is called after tokens or AWS keys
    were issued or withdrawn.
    """

    def __init__(
        self,
        accounts: Iterable[CloudAccount],
        now: Callable[[], float],
        *,
        refresh_token_reuse: bool = True,
        on_issued: Callable[[], object] = lambda: None,
    ) -> None:
        self.now = now
        self._on_issued = on_issued
        self.refresh_token_reuse = refresh_token_reuse
        self.access_lifetime: float = LIFETIME_SECONDS
        self.keys_lifetime: float = LIFETIME_SECONDS
        self._accounts = {account.email.lower(): account for account in accounts}
        self._access: _Issued = _Issued(now)
        self._refresh: _Issued = _Issued(now)
        self._keys: dict[str, tuple[CloudAccount, IssuedKeys]] = {}

    def find(self, email: str) -> CloudAccount | None:
        """Return the account with this e-mail address, in upper or lower case, or None."""
        return self._accounts.get(email.lower())

    def check_password(self, account: CloudAccount, password: str) -> bool:
        """Return whether the password is right, compared in constant time."""
        return hmac.compare_digest(password.encode(errors="replace"), account.password.encode())

    def issue_tokens(self, account: CloudAccount, refresh_token: str | None = None) -> IssuedTokens:
        """Issue an access token, and a refresh token unless one is given that serves again."""
        tokens = IssuedTokens(
            id_token=self._jwt(account, "id"),
            access_token=self._jwt(account, "access"),
            refresh_token=refresh_token or _refresh_token(),
            expires_in=self.access_lifetime,
        )
        self._access.add(tokens.access_token, account, self.access_lifetime)
        if refresh_token is None:
            self._refresh.add(tokens.refresh_token, account, REFRESH_LIFETIME_SECONDS)
        self._on_issued()
        return tokens

    def refresh(self, refresh_token: str) -> IssuedTokens | None:
        """Exchange a refresh token for new tokens. Return None if it is not valid."""
        account = self._refresh.find(refresh_token)
        if account is None:
            return None
        if self.refresh_token_reuse:
            return self.issue_tokens(account, refresh_token)
        self._refresh.revoke(refresh_token)
        return self.issue_tokens(account)

    def account_of(self, access_token: str) -> CloudAccount | None:
        """Return the account of an access token, None if it is unknown or expired."""
        return self._access.find(access_token)

    def issue_keys(self, account: CloudAccount) -> IssuedKeys:
        """Issue AWS keys for the broker."""
        now = self.now()
        keys = IssuedKeys(
            access_key_id="ASIA" + "".join(secrets.choice(_KEY_ID_LETTERS) for _ in range(16)),
            secret_key=base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode(),
            session_token=base64.b64encode(secrets.token_bytes(_SESSION_TOKEN_BYTES)).decode(),
            expires_at=now + self.keys_lifetime,
        )
        # Expired keys are kept for a while, so that the rejection says expired and not unknown.
        _remove_oldest(self._keys, lambda entry: entry[1].expires_at <= now - LIFETIME_SECONDS)
        self._keys[keys.access_key_id] = (account, keys)
        self._on_issued()
        return keys

    def find_keys(self, access_key_id: str) -> IssuedKeys | None:
        """Return issued keys by their id, also expired ones; None if unknown or revoked."""
        entry = self._keys.get(access_key_id)
        return entry[1] if entry else None

    def owner_of(self, keys: IssuedKeys) -> CloudAccount:
        """Return the account of AWS keys."""
        return self._keys[keys.access_key_id][0]

    def revoke_access_tokens(self) -> None:
        """Make every access token invalid."""
        self._access.revoke_all()
        self._on_issued()

    def revoke_refresh_tokens(self) -> None:
        """Make every refresh token invalid."""
        self._refresh.revoke_all()
        self._on_issued()

    def revoke_keys(self) -> None:
        """Make all AWS keys invalid."""
        self._keys.clear()
        self._on_issued()

    def to_json(self) -> dict[str, Any]:
        """Return the tokens and AWS keys that are valid, by e-mail."""
        return {
            "access": self._access.to_json(),
            "refresh": self._refresh.to_json(),
            "keys": [[account.email, *astuple(keys)] for account, keys in self._keys.values()],
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Make saved tokens and AWS keys valid again, of the accounts that are known.

        Raise LookupError, TypeError or ValueError for anything else than what ``to_json`` returns.
        """
        for name, issued in (("access", self._access), ("refresh", self._refresh)):
            for email, secret, expires_at in saved[name]:
                account = self.find(email)
                if account is not None:
                    issued.add(str(secret), account, float(expires_at) - self.now())
        for email, access_key_id, secret_key, session_token, expires_at in saved["keys"]:
            account = self.find(email)
            if account is not None:
                texts = str(access_key_id), str(secret_key), str(session_token)
                self._keys[texts[0]] = account, IssuedKeys(*texts, float(expires_at))

    def _jwt(self, account: CloudAccount, use: str) -> str:
        issued_at = int(self.now())
        claims: dict[str, Any] = {
            "sub": secrets.token_hex(16),
            "token_use": use,
            "jti": secrets.token_hex(16),
            "auth_time": issued_at,
            "iat": issued_at,
            "exp": issued_at + int(self.access_lifetime),
        }
        if use == "id":
            claims.update(email=account.email, given_name=account.first_name)
        header = json.dumps({"kid": "simulator", "alg": "RS256"}).encode()
        padded = json.dumps(claims).encode().ljust(_JWT_CLAIMS_BYTES)
        signature = secrets.token_bytes(_JWT_SIGNATURE_BYTES)
        return ".".join(_base64url(part) for part in (header, padded, signature))


def _refresh_token() -> str:
    header = json.dumps({"alg": "RSA-OAEP", "enc": "A256GCM", "cty": "JWT"}).encode()
    parts = [header, *(secrets.token_bytes(size) for size in _REFRESH_BYTES)]
    return ".".join(_base64url(part) for part in parts)


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
