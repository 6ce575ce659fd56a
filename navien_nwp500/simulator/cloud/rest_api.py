"""The REST API of the simulated cloud (PROTOCOL 1), as aiohttp.web handlers.

Each call is a plain function from the fields of the request to the ``data`` of the response; the
wrappers check the token and make the envelope and the errors.
"""

from __future__ import annotations

import json
import re
from typing import Any, Callable

from aiohttp import web

from .accounts import AccountBook, CloudAccount, HeaterRecord, IssuedTokens
from .counters import UNKNOWN, Counters
from .record_calls import CALLS, CALLS_WITHOUT_USER, MAIN_CONTROLLER, WIFI_MODULE, paginated
from .rest_fields import NO_DATA, Fields, RestError, bad_request, find_heater, read_text
from .sigv4 import IssuedKeys

BASE = "/api/v2.1"


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
            ("POST", "/app/update-push-token"): _update_push_token,
            **CALLS,
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
            *(
                web.route(method, BASE + path, self._private(call, names_user=False))
                for (method, path), call in CALLS_WITHOUT_USER.items()
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

    def _private(
        self, call: Callable[[CloudAccount, Fields], Any], *, names_user: bool = True
    ) -> Callable[[web.Request], Any]:
        async def handle(request: web.Request) -> web.Response:
            self._counters.call(_path(request))
            try:
                account = self._authorize(request)
                fields = await _fields(request)
                if names_user:
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
        email, password = read_text(fields, "userId"), read_text(fields, "password")
        account = self._book.find(email)
        if account is None:
            raise RestError(200, "USER_NOT_FOUND", code=404)
        if not self._book.check_password(account, password):
            raise RestError(200, "INVALID_USER_PASSWORD", code=1001)  # PROTOCOL 1.3
        self._counters.sign_ins += 1
        tokens, keys = self._book.issue_tokens(account), self._book.issue_keys(account)
        return {
            "userInfo": _user(account),
            "legal": _legal(),
            "token": {**_rest_tokens(tokens), **self._aws_keys(keys)},
        }

    def _refresh(self, fields: Fields) -> dict[str, Any]:
        tokens = self._book.refresh(read_text(fields, "refreshToken"))
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
    if data is not NO_DATA:
        envelope["data"] = data
    return web.json_response(envelope)


def _failure(error: RestError) -> web.Response:
    envelope = {"code": error.code, "msg": error.msg, "data": None}
    return web.json_response(envelope, status=error.status)


async def _fields(request: web.Request) -> Fields:
    """Read the fields of a request: the query of GET and DELETE, otherwise the JSON body."""
    if request.method in ("GET", "DELETE"):
        return dict(request.query)
    try:
        body = json.loads(await request.text())
    except (ValueError, LookupError) as error:
        raise bad_request() from error
    if not isinstance(body, dict):
        raise bad_request()
    return body


def _check_user(account: CloudAccount, fields: Fields) -> None:
    if read_text(fields, "userId").lower() != account.email.lower():
        raise RestError(404, "COMMON_NOT_AUTHORIZED")


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
    return [_list_entry(heater) for heater in paginated(account.heaters, fields)]


def _list_entry(heater: HeaterRecord) -> dict[str, Any]:
    return {
        "deviceInfo": {
            "homeSeq": heater.home_seq,
            "macAddress": heater.mac_address,
            "additionalValue": heater.additional_value,
            "deviceType": heater.device_type,
            "deviceName": heater.device_name,
            "connected": heater.connected,
            "modelTypeCode": heater.model_type_code,
            "installerId": None,
        },
        "location": _address(heater),
        "error": {"errorCode": heater.error_code, "errorOccuredTime": heater.error_time},
        "descaling": _descaling(),
    }


def _descaling() -> dict[str, Any]:
    return {"descalingStartTime": None, "descalingEndTime": None}


def _address(heater: HeaterRecord) -> dict[str, Any]:
    place = heater.location
    return {"state": place.state, "city": place.city, "address": place.address}


def _device_info(account: CloudAccount, fields: Fields) -> dict[str, Any]:
    heater = find_heater(account, fields)
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
        "alarmInfo": {key: heater.alarms[key] for key in ("isEtcAlarm", "isErrorAlarm")},
        "descaling": _descaling(),
    }


def _firmware_info(account: CloudAccount, fields: Fields) -> dict[str, Any]:
    heater = find_heater(account, fields)
    parts = (
        (MAIN_CONTROLLER, heater.controller_version, 0),
        (WIFI_MODULE, heater.wifi_version, None),
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


def _update_push_token(account: CloudAccount, fields: Fields) -> object:
    read_text(fields, "pushToken")
    account.phone.update(fields)
    return NO_DATA


def _app_version(fields: Fields) -> dict[str, Any]:
    if not re.fullmatch("[A-Za-z]", read_text(fields, "os")):
        raise bad_request()
    return {"appVersion": "2.04.00", "appForceVersion": "2.00.00"}  # PROTOCOL 1.17
