"""The REST API of the simulated cloud: keys as recorded, errors as documented."""

from __future__ import annotations

import base64
import json
from typing import Any, AsyncIterator, Callable

import pytest
import pytest_asyncio
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer

from navien_nwp500.simulator.cloud.accounts import AccountBook
from navien_nwp500.simulator.cloud.counters import Counters
from navien_nwp500.simulator.cloud.rest_api import BASE, RestApi
from support.cloud_tools import EMAIL, MAC, PASSWORD, key_paths, make_account, response_keys

IDENTITY = {"macAddress": MAC, "additionalValue": "1234"}
TOU_QUERY = {**IDENTITY, "controllerId": "12345678AB12345678", "userType": "O"}


class Caller:
    """A REST client that stores its token."""

    def __init__(self, client: TestClient[Any, Any], book: AccountBook, counters: Counters) -> None:
        self.client = client
        self.book = book
        self.counters = counters
        self.token: str | None = None

    async def call(self, method: str, path: str, **fields: Any) -> tuple[int, Any]:
        """Make a call, and return the HTTP status and the body."""
        response = await self.raw(method, path, **fields)
        return response.status, await response.json()

    async def raw(self, method: str, path: str, **fields: Any) -> ClientResponse:
        headers = {"authorization": self.token} if self.token else {}
        in_query = method in ("GET", "DELETE")
        how: dict[str, Any] = {"params": fields} if in_query else {"json": fields}
        return await self.client.request(method, BASE + path, headers=headers, **how)

    async def sign_in(self, email: str = EMAIL) -> dict[str, Any]:
        _, body = await self.call("POST", "/user/sign-in", userId=email, password=PASSWORD)
        token: dict[str, Any] = body["data"]["token"]
        self.token = token["accessToken"]
        return token


class Clock:
    """A clock that a test moves, in seconds since the epoch."""

    def __init__(self) -> None:
        self.time = 1_800_000_000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture(name="clock")
def fixture_clock() -> Clock:
    return Clock()


@pytest_asyncio.fixture(name="caller")
async def fixture_caller(clock: Clock) -> AsyncIterator[Caller]:
    counters = Counters()
    book = AccountBook([make_account(), make_account(300, "many@example.com", first=1)], clock)
    application = web.Application()
    application.add_routes(RestApi(book, counters).routes())
    async with TestClient(TestServer(application)) as client:
        yield Caller(client, book, counters)


CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "/user/sign-in": ("POST", {"password": PASSWORD}),
    "/device/list": ("POST", {"offset": 0, "count": 20}),
    "/device/info": ("POST", IDENTITY),
    "/device/firmware/info": ("POST", IDENTITY),
    "/device/tou": ("GET", TOU_QUERY),
    "/app/update-push-token": ("POST", {"pushToken": "x"}),
}


@pytest.mark.parametrize("path", CALLS)
async def test_a_response_has_the_keys_of_the_recorded_one(caller: Caller, path: str) -> None:
    method, fields = CALLS[path]
    await caller.sign_in()
    status, body = await caller.call(method, path, userId=EMAIL, **fields)
    assert (status, BASE) == (200, "/api/v2.1")
    assert key_paths(body) == response_keys(path)


async def test_a_refresh_has_the_keys_of_the_recorded_one(caller: Caller) -> None:
    token = await caller.sign_in()
    _, body = await caller.call("POST", "/auth/refresh", refreshToken=token["refreshToken"])
    assert key_paths(body) == response_keys("/auth/refresh")


async def test_tokens_have_the_sizes_of_the_recorded_ones(caller: Caller) -> None:
    token = await caller.sign_in()
    assert token["accessKeyId"].startswith("ASIA")
    sizes = {key: len(token[key]) for key in ("accessKeyId", "secretKey", "sessionToken")}
    assert sizes == {"accessKeyId": 20, "secretKey": 40, "sessionToken": 348}
    assert (token["authenticationExpiresIn"], token["authorizationExpiresIn"]) == (3600, 3600)
    assert len(token["accessToken"]) > 1000 and len(token["refreshToken"]) > 1500
    claims = json.loads(base64.urlsafe_b64decode(token["accessToken"].split(".")[1] + "=="))
    assert claims["exp"] - claims["iat"] == 3600


async def test_wrong_password(caller: Caller) -> None:
    wrong = {"userId": EMAIL, "password": "wrong"}
    status, body = await caller.call("POST", "/user/sign-in", **wrong)
    # PROTOCOL 1.3
    assert (status, body) == (200, {"code": 1001, "msg": "INVALID_USER_PASSWORD", "data": None})
    assert (caller.counters.passwords, caller.counters.sign_ins) == (1, 0)


async def test_an_unknown_user_is_an_error_with_http_200(caller: Caller) -> None:
    unknown = {"userId": "nobody@example.com", "password": PASSWORD}
    status, body = await caller.call("POST", "/user/sign-in", **unknown)
    assert (status, body) == (200, {"code": 404, "msg": "USER_NOT_FOUND", "data": None})


#: Calls of PROTOCOL 1.4, 1.17 and 1.18 that today's clients of owners send.
RECORD_CALLS = [
    ("PUT", "/device/tou"),
    ("DELETE", "/device/tou"),
    ("POST", "/device/tou/convert"),
    ("GET", "/device/tou/manufacture-id"),
    ("POST", "/user/get-push-settings"),
    ("POST", "/user/set-push-settings"),
    ("POST", "/device/simple-list"),
    ("POST", "/device/change-info"),
    ("POST", "/device/filter/history"),
    ("POST", "/device/filter/change-info"),
    ("POST", "/device/cip/history"),
    ("POST", "/device/cip/change-info"),
    ("POST", "/device/error/list"),
    ("GET", "/device/preferences/format"),
    ("POST", "/device/preferences/format"),
    ("POST", "/firmware/info"),
]
PRIVATE: list[tuple[str, str]] = [
    ("POST", "/auth/session/refresh"),
    ("POST", "/user/secured-sign-in"),
    ("POST", "/user/info"),
    ("POST", "/device/list"),
    ("POST", "/device/info"),
    ("POST", "/device/firmware/info"),
    ("GET", "/device/tou"),
    ("POST", "/app/update-push-token"),
    *RECORD_CALLS,
]


@pytest.mark.parametrize(("method", "path"), PRIVATE)
async def test_a_call_without_valid_token_is_unauthorized(
    caller: Caller, method: str, path: str
) -> None:
    await caller.sign_in()
    good = caller.token
    for bad in (None, "nonsense", f"Bearer {good}"):
        caller.token = bad
        status, body = await caller.call(method, path, userId=EMAIL)
        assert (status, body["code"], body["data"]) == (401, 401, None)
    assert caller.counters.unauthorized == 3


async def test_a_refresh_token_serves_again_as_recorded(caller: Caller, clock: Clock) -> None:
    first = (await caller.sign_in())["refreshToken"]
    for _ in range(2):
        clock.time += 10.5 * 3600
        status, body = await caller.call("POST", "/auth/refresh", refreshToken=first)
        assert (status, body["data"]["refreshToken"]) == (200, first)
        caller.token = body["data"]["accessToken"]
        assert (await caller.call("POST", "/user/info", userId=EMAIL))[0] == 200
    clock.time += 30 * 86400
    assert (await caller.call("POST", "/auth/refresh", refreshToken=first))[0] == 401


async def test_without_reuse_a_refresh_token_works_once(caller: Caller, clock: Clock) -> None:
    caller.book.refresh_token_reuse = False
    first = await caller.sign_in()
    clock.time += 3600
    assert (await caller.call("POST", "/user/info", userId=EMAIL))[0] == 401
    status, body = await caller.call("POST", "/auth/refresh", refreshToken=first["refreshToken"])
    assert status == 200 and body["data"]["refreshToken"] != first["refreshToken"]
    caller.token = body["data"]["accessToken"]
    assert (await caller.call("POST", "/user/info", userId=EMAIL))[0] == 200
    again = await caller.call("POST", "/auth/refresh", refreshToken=first["refreshToken"])
    assert again[0] == 401
    assert caller.counters.refreshes == 1


async def test_aws_keys_expire_independently_of_tokens(caller: Caller, clock: Clock) -> None:
    caller.book.keys_lifetime = 600
    token = await caller.sign_in()
    assert token["authorizationExpiresIn"] == 600
    keys = caller.book.find_keys(token["accessKeyId"])
    assert keys is not None and keys.expires_at == clock.time + 600
    clock.time += 60
    _, body = await caller.call("POST", "/auth/session/refresh", userId=EMAIL)
    keys_of_aws = {"accessKeyId", "secretKey", "sessionToken"}
    assert set(body["data"]) == {*keys_of_aws, "authorizationExpiresIn"}
    renewed = caller.book.find_keys(body["data"]["accessKeyId"])
    assert renewed is not None and renewed.expires_at == keys.expires_at + 60


async def test_secured_sign_in_returns_only_aws_keys(caller: Caller) -> None:
    await caller.sign_in()
    _, body = await caller.call("POST", "/user/secured-sign-in", userId=EMAIL)
    assert set(body["data"]) == {"userInfo", "legal", "token"}
    assert "accessToken" not in body["data"]["token"]
    assert caller.counters.passwords == 1 and caller.counters.secured_sign_ins == 1


async def test_user_info(caller: Caller) -> None:
    await caller.sign_in()
    _, body = await caller.call("POST", "/user/info", userId=EMAIL)
    assert body["data"]["userSeq"] == 20002 and body["data"]["userEmail"] == EMAIL


@pytest.mark.parametrize("count", [20, 50, 7])
async def test_three_hundred_heaters_are_listed_in_pages(caller: Caller, count: int) -> None:
    await caller.sign_in("many@example.com")
    macs: list[str] = []
    while True:
        fields = {"userId": "many@example.com", "offset": len(macs), "count": count}
        _, body = await caller.call("POST", "/device/list", **fields)
        assert len(body["data"]) <= min(count, 20)
        if not body["data"]:
            break
        macs += [device["deviceInfo"]["macAddress"] for device in body["data"]]
    assert len(set(macs)) == len(macs) == 300


async def test_offline_heater(caller: Caller) -> None:
    await caller.sign_in()
    account = caller.book.find(EMAIL)
    assert account is not None
    account.heaters[0].connected = 1
    _, body = await caller.call("POST", "/device/info", userId=EMAIL, **IDENTITY)
    assert body["data"]["deviceInfo"]["connected"] == 1


FOREIGN = [
    {"macAddress": "ffffffffffff", "additionalValue": "1234"},
    {"macAddress": MAC, "additionalValue": "4321"},
    {"macAddress": f"{int(MAC, 16) + 1:012x}", "additionalValue": "1234"},
]


@pytest.mark.parametrize("identity", FOREIGN)
@pytest.mark.parametrize("path", ["/device/info", "/device/firmware/info"])
async def test_unknown_heater(caller: Caller, path: str, identity: dict[str, str]) -> None:
    await caller.sign_in()
    status, body = await caller.call("POST", path, userId=EMAIL, **identity)
    assert (status, body) == (404, {"code": 404, "msg": "NOT_FOUND", "data": None})


async def test_the_list_of_another_user_is_not_authorized(caller: Caller) -> None:
    await caller.sign_in()
    fields = {"userId": "many@example.com", "offset": 0, "count": 20}
    status, body = await caller.call("POST", "/device/list", **fields)
    assert (status, body["msg"]) == (404, "COMMON_NOT_AUTHORIZED")


BAD: list[Callable[[], dict[str, Any]]] = [
    lambda: {"json": {}},
    lambda: {"json": []},
    lambda: {"json": {"userId": EMAIL, "offset": "0", "count": 20}},
    lambda: {"json": {"userId": EMAIL, "offset": -1, "count": 20}},
    lambda: {"json": {"userId": EMAIL, "offset": 0, "count": True}},
    lambda: {"json": {"userId": 1, "offset": 0, "count": 20}},
    lambda: {"data": b"{"},
    lambda: {"data": b"\xff\xfe"},
    lambda: {"data": b"{}", "headers": {"Content-Type": "text/plain; charset=nonsense"}},
]


@pytest.mark.parametrize("make", BAD)
async def test_bad_request(caller: Caller, make: Callable[[], dict[str, Any]]) -> None:
    await caller.sign_in()
    request = make()
    headers = {**request.pop("headers", {}), "authorization": str(caller.token)}
    response = await caller.client.post(BASE + "/device/list", headers=headers, **request)
    assert response.status == 400
    assert await response.json() == {"code": 400, "msg": "COMMON_BAD_REQUEST", "data": None}


async def test_a_time_of_use_plan_is_stored(caller: Caller) -> None:
    await caller.sign_in()
    _, before = await caller.call("GET", "/device/tou", userId=EMAIL, **TOU_QUERY)
    interval = {**before["data"]["touInfo"]["schedule"][0]["interval"][0], "endHour": 23}
    schedule = [{"season": 4095, "interval": [interval]}]
    info = {"name": "Flat", "schedule": schedule, "utility": "Own", "zipCode": "10001"}
    plan = {"registerPath": "wifi", "sourceData": {"label": "x"}, "sourceType": "openei"}
    body = {**IDENTITY, **plan, "touInfo": info, "userId": EMAIL, "userType": "O"}
    status, stored = await caller.call("PUT", "/device/tou", **body, zipCode="10001")
    assert status == 200 and set(stored["data"]) == {"sourceType", "touInfo"}
    _, after = await caller.call("GET", "/device/tou", userId=EMAIL, **TOU_QUERY)
    assert after["data"]["touInfo"] == stored["data"]["touInfo"]
    assert after["data"]["touInfo"]["zipCode"] == 10001
    assert key_paths(after) == key_paths(before)
    status, _ = await caller.call("PUT", "/device/tou", **{**body, "touInfo": {}})
    assert status == 400


async def data_of(caller: Caller, method: str, path: str, **fields: Any) -> Any:
    """Make a call that succeeds; return its ``data``, None without that key."""
    status, body = await caller.call(method, path, userId=EMAIL, **fields)
    assert (status, body["code"], body["msg"]) == (200, 200, "SUCCESS"), (path, body)
    return body.get("data")


async def test_a_deleted_plan_has_no_schedule(caller: Caller) -> None:
    await caller.sign_in()
    query = {**IDENTITY, "registerPath": "wifi", "sourceType": "openei", "userType": "O"}
    assert await data_of(caller, "DELETE", "/device/tou", **query) is None
    plan = await data_of(caller, "GET", "/device/tou", **TOU_QUERY)
    assert plan["touInfo"]["schedule"] == []
    assert plan["touInfo"]["controllerId"] == TOU_QUERY["controllerId"]
    status, _ = await caller.call("DELETE", "/device/tou", userId=EMAIL, **IDENTITY)
    assert status == 400


async def test_a_plan_registered_over_bluetooth_is_deleted_by_its_controller(
    caller: Caller,
) -> None:
    await caller.sign_in()
    query = {**TOU_QUERY, "registerPath": "bt", "sourceType": "openei", "userId": EMAIL}
    wrong = {**query, "controllerId": "0"}
    assert (await caller.call("DELETE", "/device/tou", **wrong))[0] == 500
    assert (await caller.call("DELETE", "/device/tou", **query))[0] == 200


#: Off-peak 0.25, peak 0.40 on weekdays from 16 to 21; in July all day 0.30 in two tiers.
OPENEI = {
    "label": "sample-openei-id",
    "name": "Evenings",
    "utility": "Own",
    "energyratestructure": [
        [{"rate": 0.25}],
        [{"rate": 0.35, "adj": 0.05}],
        [{"rate": 0.3, "max": 100}, {"rate": 0.36}],
    ],
    "energyweekdayschedule": [
        [2] * 24 if month == 6 else [0] * 16 + [1] * 5 + [0] * 3 for month in range(12)
    ],
    "energyweekendschedule": [[2] * 24 if month == 6 else [0] * 24 for month in range(12)],
}


async def test_rates_of_openei_are_converted_to_plans(caller: Caller) -> None:
    await caller.sign_in()
    fields = {"sourceType": "openei", "sourceVersion": 7, "userType": "O"}
    data = await data_of(caller, "POST", "/device/tou/convert", sourceData=[OPENEI], **fields)
    (plan,) = data["touInfo"]
    assert (plan["name"], plan["utility"]) == ("Evenings", "Own")
    rows = [
        (season["season"], one["week"], one["startHour"], one["endHour"], one["endMinute"])
        + (one["priceMin"], one["priceMax"], one["decimalPoint"])
        for season in plan["schedule"]
        for one in season["interval"]
    ]
    # All months are 4095, July is 64 (PROTOCOL 8.2); 124 Monday to Friday, 130 the weekend (8.1).
    assert rows == [
        (4031, 124, 0, 15, 59, 25000, 25000, 5),
        (4031, 124, 16, 20, 59, 40000, 40000, 5),
        (4031, 124, 21, 23, 59, 25000, 25000, 5),
        (4031, 130, 0, 23, 59, 25000, 25000, 5),
        (64, 254, 0, 23, 59, 30000, 36000, 5),
    ]
    # The result can be stored as it is.
    stored = {"registerPath": "wifi", "sourceData": OPENEI, "sourceType": "openei"}
    info = {**plan, "zipCode": "10001"}
    await data_of(caller, "PUT", "/device/tou", **IDENTITY, **stored, touInfo=info, userType="O")


BAD_RATES: list[Any] = [
    None,
    [1],
    [{}],
    [{**OPENEI, "energyweekdayschedule": [[9] * 24] * 12}],
    [{**OPENEI, "energyweekdayschedule": [[0]] * 12}],
    [{**OPENEI, "energyratestructure": [[{"rate": float("inf")}]] * 3}],
]


@pytest.mark.parametrize("rates", BAD_RATES)
async def test_a_bad_rate_is_a_bad_request(caller: Caller, rates: Any) -> None:
    await caller.sign_in()
    fields = {"sourceType": "openei", "sourceVersion": 7, "userType": "O", "userId": EMAIL}
    status, _ = await caller.call("POST", "/device/tou/convert", sourceData=rates, **fields)
    assert status == 400


async def test_the_manufacture_id_needs_the_right_controller(caller: Caller) -> None:
    await caller.sign_in()
    path, right = "/device/tou/manufacture-id", {**IDENTITY, "controllerId": "12345678AB12345678"}
    assert await data_of(caller, "GET", path, **right) == {"manufactureId": "1234E5678901234"}
    wrong = {**right, "controllerId": "12345678AB00000000"}
    status, body = await caller.call("GET", path, userId=EMAIL, **wrong)
    assert (status, body["msg"]) == (500, "INTERNAL_SERVER_ERROR")


async def test_push_settings_are_stored(caller: Caller) -> None:
    await caller.sign_in()
    read = "/user/get-push-settings"
    before = await data_of(caller, "POST", read, **IDENTITY)
    assert before == {"isErrorAlarm": 1, "isDescalingAlarm": 1, "isEtcAlarm": 1}
    await data_of(caller, "POST", "/user/set-push-settings", **IDENTITY, isEtcAlarm=2)
    assert await data_of(caller, "POST", read, **IDENTITY) == {**before, "isEtcAlarm": 2}
    info = await data_of(caller, "POST", "/device/info", **IDENTITY)
    assert info["alarmInfo"] == {"isErrorAlarm": 1, "isEtcAlarm": 2}
    bad = {**IDENTITY, "isEtcAlarm": 0, "userId": EMAIL}
    assert (await caller.call("POST", "/user/set-push-settings", **bad))[0] == 400


async def test_a_heater_is_renamed_and_moved(caller: Caller) -> None:
    await caller.sign_in()
    device = {**IDENTITY, "deviceType": 52, "deviceName": "Cellar"}
    path = "/device/change-info"
    await data_of(caller, "POST", path, deviceInfo=device, location={"city": "Elsewhere"})
    info = await data_of(caller, "POST", "/device/info", **IDENTITY)
    assert (info["deviceInfo"]["deviceName"], info["location"]["city"]) == ("Cellar", "Elsewhere")
    assert info["location"]["state"] == "Sample State"
    fields = {"targetUserId": EMAIL, "offset": 0, "count": 20}
    assert await data_of(caller, "POST", "/device/simple-list", **fields) == [
        {**IDENTITY, "deviceType": 52, "modelTypeCode": 513, "deviceName": "Cellar"}
    ]
    for bad in ({"deviceInfo": {}}, {"deviceInfo": device, "location": {"latitude": "x"}}):
        assert (await caller.call("POST", path, userId=EMAIL, **bad))[0] in (400, 404)
    other = {**fields, "targetUserId": "many@example.com", "userId": EMAIL}
    assert (await caller.call("POST", "/device/simple-list", **other))[0] == 404


@pytest.mark.parametrize("kind", ["filter", "cip"])
async def test_maintenance_is_recorded(caller: Caller, kind: str) -> None:
    await caller.sign_in()
    page = {**IDENTITY, "offset": 0, "count": 20}
    assert await data_of(caller, "POST", f"/device/{kind}/history", **page) == []
    for date in ("2026-3-7", "2026-10-31"):
        entry = {**IDENTITY, "deviceType": 52, "maintenanceDate": date}
        await data_of(caller, "POST", f"/device/{kind}/change-info", **entry)
    found = await data_of(caller, "POST", f"/device/{kind}/history", **page)
    assert [one["maintenanceDate"] for one in found] == ["2026-10-31", "2026-3-7"]
    padded = {**IDENTITY, "deviceType": 52, "maintenanceDate": "2026-03-07", "userId": EMAIL}
    assert (await caller.call("POST", f"/device/{kind}/change-info", **padded))[0] == 400


async def test_calls_that_are_refused_to_an_owner(caller: Caller) -> None:
    await caller.sign_in()
    fields = {**IDENTITY, "installerId": EMAIL, "continuousKey": None, "count": 20}
    status, body = await caller.call("POST", "/device/error/list", **fields)
    assert (status, body["msg"]) == (404, "COMMON_NOT_AUTHORIZED")
    for method in ("GET", "POST"):
        status, body = await caller.call(method, "/device/preferences/format", **IDENTITY)
        assert (status, body["msg"]) == (400, "COMMON_BAD_REQUEST")


async def test_a_firmware_is_described(caller: Caller) -> None:
    await caller.sign_in()
    firmwares = await data_of(caller, "POST", "/device/firmware/info", **IDENTITY)
    for one in firmwares["firmwares"]:
        fields = {"swCode": one["curSwCode"], "swVersion": one["curVersion"]}
        data = await data_of(caller, "POST", "/firmware/info", **fields)
        assert data["description"] and {key: data[key] for key in fields} == fields
    status, _ = await caller.call("POST", "/firmware/info", swCode=1, swVersion=1)
    assert status == 404


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", ["/device/connectivity-status", "/no/such/route"])
async def test_an_unknown_path_gets_the_error_of_the_gateway(
    caller: Caller, method: str, path: str
) -> None:
    await caller.sign_in()
    response = await caller.raw(method, path, macAddress=MAC)
    assert response.status == 403
    assert "IncompleteSignatureException" in await response.text()
    assert str(caller.token) not in await response.text()


async def test_app_version_needs_no_token(caller: Caller) -> None:
    status, body = await caller.call("POST", "/app/version", os="A")
    assert status == 200 and set(body["data"]) == {"appVersion", "appForceVersion"}


async def test_expired_secrets_are_removed(caller: Caller, clock: Clock) -> None:
    for _ in range(3):
        await caller.sign_in()
    clock.time += 40 * 86400
    await caller.sign_in()
    book = caller.book
    for stored in (book._keys, book._access._entries, book._refresh._entries):
        assert len(stored) == 1
