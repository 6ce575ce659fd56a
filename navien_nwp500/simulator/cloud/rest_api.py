"""The REST API of the simulated cloud (PROTOCOL 1), as aiohttp.web handlers.

Each call is a plain function from the fields of the request to the ``data`` of the response; the
wrappers check the token and make the envelope and the errors.
"""

from __future__ import annotations

import json
import re
from typing import Any, Callable, Mapping

from aiohttp import web

from .accounts import AccountBook, CloudAccount, HeaterRecord, IssuedTokens
from .counters import UNKNOWN, Counters
from .sigv4 import IssuedKeys
from .tou_plan import sample_plan, stored_plan

BASE = "/api/v2.1"
MAX_PAGE = 20

_MAIN_CONTROLLER, _WIFI_MODULE = 33556241, 268435985
_NO_DATA = object()

Fields = Mapping[str, Any]


class RestError(Exception):
    """An error response: HTTP status, and ``code`` and ``msg`` of the envelope."""

    def __init__(self, status: int, msg: str, *, code: int | None = None) -> None:
        super().__init__(msg)
        self.status = status
        self.msg = msg
        self.code = status if code is None else code


class RestApi:
    """The handlers of the REST calls for the accounts of a book."""

    def __init__(self, book: AccountBook, counters: Counters) -> None:
        self._book = book
        self._counters = counters

    def routes(self) -> list[web.RouteDef]:
        """Return every route, the one for unknown paths last."""
        public: dict[tuple[str, str], Callable[[Fields], Any]] = {
            ("POST", "/user/sign-in"): self._sign_in,
            ("POST", "/auth/refresh"): self._refresh,
            ("POST", "/app/version"): _app_version,
        }
        private: dict[tuple[str, str], Callable[[CloudAccount, Fields], Any]] = {
            ("POST", "/auth/session/refresh"): self._session_refresh,
            ("POST", "/user/secured-sign-in"): self._secured_sign_in,
            ("POST", "/user/info"): _user_info,
            ("POST", "/device/list"): _device_list,
            ("POST", "/device/info"): _device_info,
            ("POST", "/device/firmware/info"): _firmware_info,
            ("GET", "/device/tou"): _tou,
            ("PUT", "/device/tou"): _store_tou,
            ("POST", "/app/update-push-token"): _update_push_token,
        }
        return [
            *(
                web.route(method, BASE + path, self._public(call))
                for (method, path), call in public.items()
            ),
            *(
                web.route(method, BASE + path, self._private(call))
                for (method, path), call in private.items()
            ),
            web.route("*", BASE + "/{path:.*}", self._unknown_route),
        ]

    def _public(self, call: Callable[[Fields], Any]) -> Callable[[web.Request], Any]:
        async def handle(request: web.Request) -> web.Response:
            self._counters.call(_path(request))
            try:
                return _success(call(await _fields(request)))
            except RestError as error:
                return _failure(error)

        return handle

    def _private(self, call: Callable[[CloudAccount, Fields], Any]) -> Callable[[web.Request], Any]:
        async def handle(request: web.Request) -> web.Response:
            self._counters.call(_path(request))
            try:
                account = self._authorize(request)
                fields = await _fields(request)
                _check_user(account, fields)
                return _success(call(account, fields))
            except RestError as error:
                return _failure(error)

        return handle

    def _authorize(self, request: web.Request) -> CloudAccount:
        account = self._book.account_of(request.headers.get("Authorization", ""))
        if account is None:
            self._counters.unauthorized += 1
            raise RestError(401, "UNAUTHORIZED")
        return account

    def _sign_in(self, fields: Fields) -> dict[str, Any]:
        email, password = _text(fields, "userId"), _text(fields, "password")
        account = self._book.find(email)
        if account is None:
            raise RestError(200, "USER_NOT_FOUND", code=404)
        if not self._book.check_password(account, password):
            raise RestError(401, "Invalid credentials")
        self._counters.sign_ins += 1
        tokens, keys = self._book.issue_tokens(account), self._book.issue_keys(account)
        return {
            "userInfo": _user(account),
            "legal": _legal(),
            "token": {**_rest_tokens(tokens), **self._aws_keys(keys)},
        }

    def _refresh(self, fields: Fields) -> dict[str, Any]:
        tokens = self._book.refresh(_text(fields, "refreshToken"))
        if tokens is None:
            raise RestError(401, "UNAUTHORIZED")
        self._counters.refreshes += 1
        return _rest_tokens(tokens)

    def _session_refresh(self, account: CloudAccount, fields: Fields) -> dict[str, Any]:
        self._counters.session_refreshes += 1
        return self._aws_keys(self._book.issue_keys(account))

    def _secured_sign_in(self, account: CloudAccount, fields: Fields) -> dict[str, Any]:
        self._counters.secured_sign_ins += 1
        keys = self._aws_keys(self._book.issue_keys(account))
        return {"userInfo": _user(account), "legal": _legal(), "token": keys}

    def _aws_keys(self, keys: IssuedKeys) -> dict[str, Any]:
        return {
            "accessKeyId": keys.access_key_id,
            "secretKey": keys.secret_key,
            "sessionToken": keys.session_token,
            "authorizationExpiresIn": round(keys.expires_at - self._book.now()),
        }

    async def _unknown_route(self, request: web.Request) -> web.Response:
        """Return the response of the real cloud's gateway (PROTOCOL 1.13)."""
        self._counters.call(UNKNOWN)
        text = (
            "IncompleteSignatureException: Authorization header requires 'Credential' parameter. "
            "Authorization header requires 'Signature' parameter. "
            "Authorization header requires 'SignedHeaders' parameter."
        )
        headers = {"x-amzn-ErrorType": "IncompleteSignatureException"}
        return web.json_response({"message": text}, status=403, headers=headers)


def _path(request: web.Request) -> str:
    return request.path[len(BASE) :]


def _success(data: Any) -> web.Response:
    envelope: dict[str, Any] = {"code": 200, "msg": "SUCCESS"}
    if data is not _NO_DATA:
        envelope["data"] = data
    return web.json_response(envelope)


def _failure(error: RestError) -> web.Response:
    envelope = {"code": error.code, "msg": error.msg, "data": None}
    return web.json_response(envelope, status=error.status)


async def _fields(request: web.Request) -> Fields:
    """Read the fields of a request: the query of a GET, otherwise the JSON body."""
    if request.method == "GET":
        return dict(request.query)
    try:
        body = json.loads(await request.text())
    except (ValueError, LookupError) as error:
        raise _bad_request() from error
    if not isinstance(body, dict):
        raise _bad_request()
    return body


def _bad_request() -> RestError:
    return RestError(400, "COMMON_BAD_REQUEST")


def _text(fields: Fields, key: str) -> str:
    value = fields.get(key)
    if not isinstance(value, str):
        raise _bad_request()
    return value


def _count(fields: Fields, key: str) -> int:
    value = fields.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise _bad_request()
    return value


def _check_user(account: CloudAccount, fields: Fields) -> None:
    if _text(fields, "userId").lower() != account.email.lower():
        raise RestError(404, "COMMON_NOT_AUTHORIZED")


def _heater(account: CloudAccount, fields: Fields) -> HeaterRecord:
    identity = _text(fields, "macAddress"), _text(fields, "additionalValue")
    heater = account.heater(*identity)
    if heater is None:
        raise RestError(404, "NOT_FOUND")
    return heater


def _rest_tokens(tokens: IssuedTokens) -> dict[str, Any]:
    return {
        "idToken": tokens.id_token,
        "accessToken": tokens.access_token,
        "refreshToken": tokens.refresh_token,
        "authenticationExpiresIn": round(tokens.expires_in),
    }


def _user(account: CloudAccount) -> dict[str, Any]:
    return {
        "userType": account.user_type,
        "userFirstName": account.first_name,
        "userLastName": account.last_name,
        "userStatus": "NORMAL",
        "userSeq": account.user_seq,
    }


def _legal() -> list[dict[str, Any]]:
    documents = (("pp", "Privacy policy", "privacy"), ("tc", "Terms of use", "terms"))
    return [
        {
            "legalType": kind,
            "userVersion": "01.00",
            "userAgree": 1,
            "version": "01.00",
            "agreement": 1,
            "mandatory": 1,
            "reagree": 2,
            "url": f"https://example.com/{page}.html",
            "description": description,
            "language": "US",
            "revisionAt": 1700000000000,
        }
        for kind, description, page in documents
    ]


def _user_info(account: CloudAccount, fields: Fields) -> dict[str, Any]:
    return {
        "userType": account.user_type,
        "userFirstName": account.first_name,
        "userLastName": account.last_name,
        "userPhoneNumber": None,
        "userSeq": account.user_seq,
        "userEmail": account.email,
    }


def _device_list(account: CloudAccount, fields: Fields) -> list[dict[str, Any]]:
    offset, count = _count(fields, "offset"), min(_count(fields, "count"), MAX_PAGE)
    return [_list_entry(heater) for heater in account.heaters[offset : offset + count]]


def _list_entry(heater: HeaterRecord) -> dict[str, Any]:
    return {
        "deviceInfo": {
            "homeSeq": heater.home_seq,
            "macAddress": heater.mac_address,
            "additionalValue": heater.additional_value,
            "deviceType": heater.device_type,
            "deviceName": heater.device_name,
            "connected": heater.connected,
        },
        "location": _address(heater),
    }


def _address(heater: HeaterRecord) -> dict[str, Any]:
    place = heater.location
    return {"state": place.state, "city": place.city, "address": place.address}


def _device_info(account: CloudAccount, fields: Fields) -> dict[str, Any]:
    heater = _heater(account, fields)
    place = heater.location
    position = {"latitude": place.latitude, "longitude": place.longitude, "altitude": None}
    installer = ("installerId", "installerFirstName", "installerLastName", "installerPhoneNumber")
    return {
        "deviceInfo": {
            "homeSeq": heater.home_seq,
            "deviceName": heater.device_name,
            "deviceType": heater.device_type,
            "installType": heater.install_type,
            "connected": heater.connected,
        },
        "location": {**_address(heater), **position},
        "installer": dict.fromkeys(installer),
        "alarmInfo": {"isEtcAlarm": 1, "isErrorAlarm": 1},
        "descaling": {"descalingStartTime": None, "descalingEndTime": None},
    }


def _firmware_info(account: CloudAccount, fields: Fields) -> dict[str, Any]:
    heater = _heater(account, fields)
    parts = (
        (_MAIN_CONTROLLER, heater.controller_version, 0),
        (_WIFI_MODULE, heater.wifi_version, None),
    )
    return {
        "firmwares": [
            {
                "macAddress": heater.mac_address,
                "additionalValue": heater.additional_value,
                "deviceType": heater.device_type,
                "deviceGroup": None,
                "curSwCode": code,
                "curVersion": version,
                "downloadedVersion": downloaded,
            }
            for code, version, downloaded in parts
        ]
    }


def _tou(account: CloudAccount, fields: Fields) -> dict[str, Any]:
    heater = _heater(account, fields)
    _text(fields, "controllerId")
    _text(fields, "userType")
    return heater.tou_plan or sample_plan(heater.controller_serial, heater.manufacture_id)


def _store_tou(account: CloudAccount, fields: Fields) -> dict[str, Any]:
    heater = _heater(account, fields)
    _text(fields, "userType")
    try:
        heater.tou_plan = stored_plan(fields, heater.controller_serial, heater.manufacture_id)
    except (KeyError, TypeError, ValueError) as error:
        raise _bad_request() from error
    return {key: heater.tou_plan[key] for key in ("sourceType", "touInfo")}


def _update_push_token(account: CloudAccount, fields: Fields) -> object:
    _text(fields, "pushToken")
    account.phone.update(fields)
    return _NO_DATA


def _app_version(fields: Fields) -> dict[str, Any]:
    if not re.fullmatch("[A-Za-z]", _text(fields, "os")):
        raise _bad_request()
    return {"appVersion": "2.03.00", "appForceVersion": "2.00.00"}
