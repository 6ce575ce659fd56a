"""Helpers of the simulator's tests: an account, an independent signer, a raw MQTT client.

The signer is written from the AWS documentation, independently of ``simulator.cloud.sigv4``.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
import ssl
import time
from datetime import datetime, timezone
from typing import Any, AsyncIterator, Awaitable, Callable
from urllib.parse import quote

import aiohttp
from yarl import URL

from navien_nwp500.simulator.cloud import mqtt_packets
from navien_nwp500.simulator.cloud.accounts import CloudAccount, HeaterRecord
from navien_nwp500.simulator.cloud.mqtt_packets import PacketSplitter
from navien_nwp500.simulator.cloud.sigv4 import IssuedKeys
from navien_nwp500.simulator.server.cloud_server import CloudServer

EMAIL = "user@example.com"
PASSWORD = "correct horse"
MAC = "0123456789ab"
LIMIT = 60.0

HEATER = f"cmd/52/navilink-{MAC}"
OTHER_MAC = "0123456789ac"
OTHER = f"cmd/52/navilink-{OTHER_MAC}"
Http = aiohttp.ClientSession


def make_account(heaters: int = 1, email: str = EMAIL, first: int = 0) -> CloudAccount:
    """Make an account with so many heaters; the first has the MAC address of the documents."""
    macs = [f"{int(MAC, 16) + first + index:012x}" for index in range(heaters)]
    return CloudAccount(email, PASSWORD, [HeaterRecord(mac) for mac in macs])


def keys(names: str, **inner: Any) -> dict[str, Any]:
    """Make an object with these keys; ``inner`` are those that hold objects."""
    return {**dict.fromkeys(names.split()), **inner}


#: The keys of the recorded responses by path: PROTOCOL 1.5 to 1.10, 1.12.
# fmt: off
RESPONSES = {
    "/user/sign-in": keys(
        "userInfo legal token",
        userInfo=keys("userType userFirstName userLastName userStatus userSeq"),
        legal=[keys("legalType userVersion userAgree version agreement mandatory reagree url description language revisionAt")],
        token=keys("idToken accessToken refreshToken authenticationExpiresIn accessKeyId secretKey sessionToken authorizationExpiresIn"),
    ),
    "/auth/refresh": keys("idToken accessToken refreshToken authenticationExpiresIn"),
    "/device/list": [
        keys(
            "",
            # The last two keys, error and descaling are newer than the recording (PROTOCOL 1.7).
            deviceInfo=keys("homeSeq macAddress additionalValue deviceType deviceName connected modelTypeCode installerId"),
            location=keys("state city address"),
            error=keys("errorCode errorOccuredTime"),
            descaling=keys("descalingStartTime descalingEndTime"),
        )
    ],
    "/device/info": keys(
        "",
        deviceInfo=keys("homeSeq deviceName deviceType installType connected"),
        location=keys("state city address latitude longitude altitude"),
        installer=keys("installerId installerFirstName installerLastName installerPhoneNumber"),
        alarmInfo=keys("isEtcAlarm isErrorAlarm"),
        descaling=keys("descalingStartTime descalingEndTime"),
    ),
    "/device/firmware/info": keys(
        "",
        firmwares=[keys("macAddress additionalValue deviceType deviceGroup curSwCode curVersion downloadedVersion")],
    ),
    "/device/tou": keys(
        "registerPath sourceType",
        touInfo=keys(
            "controllerId manufactureId name utility zipCode",
            schedule=[keys("season", interval=[keys("priceMin priceMax week decimalPoint startHour startMinute endHour endMinute")])],
        ),
    ),
}
# fmt: on


def response_keys(path: str) -> set[str]:
    """Return the key paths of a response; that of a push registration has no ``data``."""
    data = {"data": RESPONSES[path]} if path in RESPONSES else {}
    return key_paths({"code": 200, "msg": "SUCCESS", **data})


def key_paths(value: Any, prefix: str = "") -> set[str]:
    """Return every path of keys in a JSON value; all members of a list count as one."""
    if isinstance(value, dict):
        return {prefix} | {
            path for key in value for path in key_paths(value[key], f"{prefix}.{key}")
        }
    if isinstance(value, list):
        return {prefix} | {path for item in value for path in key_paths(item, f"{prefix}[]")}
    return {prefix}


def presign(keys: IssuedKeys, host: str, *, when: float | None = None, **changes: str) -> str:
    """Return the target of a presigned GET /mqtt.

    ``changes`` overrides ``region``, ``service``, ``secret`` or ``token``.
    """
    moment = datetime.fromtimestamp(time.time() if when is None else when, timezone.utc)
    stamp, day = moment.strftime("%Y%m%dT%H%M%SZ"), moment.strftime("%Y%m%d")
    region = changes.get("region", "us-east-1")
    service = changes.get("service", "iotdevicegateway")
    scope = f"{day}/{region}/{service}/aws4_request"
    query = (
        "X-Amz-Algorithm=AWS4-HMAC-SHA256"
        f"&X-Amz-Credential={quote(f'{keys.access_key_id}/{scope}', safe='')}"
        f"&X-Amz-Date={stamp}&X-Amz-SignedHeaders=host"
    )
    empty = hashlib.sha256(b"").hexdigest()
    request = f"GET\n/mqtt\n{query}\nhost:{host}\n\nhost\n{empty}"
    hashed = hashlib.sha256(request.encode()).hexdigest()
    key = b"AWS4" + changes.get("secret", keys.secret_key).encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashed}"
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    token = quote(changes.get("token", keys.session_token), safe="")
    return f"/mqtt?{query}&X-Amz-Signature={signature}&X-Amz-Security-Token={token}"


def tls_of(cloud: CloudServer) -> ssl.SSLContext:
    """Return a TLS context that trusts only the cloud's authority."""
    return ssl.create_default_context(cafile=str(cloud.ca_file))


def _text(value: str) -> bytes:
    data = value.encode()
    return len(data).to_bytes(2, "big") + data


def _packet(first: int, body: bytes) -> bytes:
    length, size = len(body), bytearray()
    while True:
        size.append(length & 0x7F | (0x80 if length > 0x7F else 0))
        length >>= 7
        if not length:
            return bytes([first]) + bytes(size) + body


#: A user property, allowed in every packet, long enough for a length of two bytes.
PROPERTIES = b"\x26" + _text("name") + _text("value" * 30)


def _properties(level: int) -> bytes:
    """Return the properties of an MQTT 5 packet, empty for 3.1.1."""
    if level < 5:
        return b""
    return bytes([len(PROPERTIES) & 0x7F | 0x80, len(PROPERTIES) >> 7]) + PROPERTIES


def connect_packet(
    client_id: str,
    *,
    level: int = 4,
    will: str | None = None,
    user: str | None = None,
    keep_alive: int = 60,
) -> bytes:
    """Make a CONNECT with a clean session; ``will`` is the topic of a Last Will."""
    flags = 0x02 | (0x04 if will else 0) | (0x80 if user else 0)
    body = (
        _text("MQTT")
        + bytes([level, flags])
        + keep_alive.to_bytes(2, "big")
        + _properties(level)
        + _text(client_id)
    )
    no_properties = b"\0" if level == 5 else b""
    body += no_properties + _text(will) + _text("gone") if will else b""
    return _packet(0x10, body + (_text(user) if user else b""))


def subscribe_packet(*filters: str, qos: int = 1, level: int = 4) -> bytes:
    """Make a SUBSCRIBE with packet id 1."""
    wanted = b"".join(_text(item) + bytes([qos]) for item in filters)
    return _packet(0x82, b"\0\1" + _properties(level) + wanted)


def unsubscribe_packet(*filters: str, level: int = 4) -> bytes:
    """Make an UNSUBSCRIBE with packet id 1."""
    wanted = b"".join(_text(item) for item in filters)
    return _packet(0xA2, b"\0\1" + _properties(level) + wanted)


def publish_packet(
    topic: str, payload: bytes = b"{}", qos: int = 1, level: int = 4, *, alias: int | None = None
) -> bytes:
    """Make a PUBLISH, with packet id 1 unless QoS 0; ``alias`` is a topic alias of MQTT 5."""
    identity = b"\0\1" if qos else b""
    properties = _properties(level) if alias is None else b"\3\x23" + alias.to_bytes(2, "big")
    return _packet(0x30 | qos << 1, _text(topic) + identity + properties + payload)


class RawClient:
    """An MQTT client over a WebSocket that sends exactly the given bytes."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.level = 4
        self._socket = socket
        self._buffer = b""

    @property
    def protocol(self) -> str | None:
        """Return the negotiated sub-protocol."""
        return self._socket.protocol

    async def send(self, data: bytes) -> None:
        await self._socket.send_bytes(data)

    async def send_text(self, text: str) -> None:
        await self._socket.send_str(text)

    async def read(self) -> bytes:
        """Read and acknowledge the next packet; empty when the connection has ended."""
        while True:
            packet = self._next_packet()
            if packet is not None:
                await self._acknowledge(packet)
                return packet
            message = await asyncio.wait_for(self._socket.receive(), LIMIT)
            if message.type is not aiohttp.WSMsgType.BINARY:
                return b""
            self._buffer += message.data

    async def connect(self, client_id: str, level: int = 4) -> RawClient:
        self.level = level
        await self.send(connect_packet(client_id, level=level))
        answer = await self.read()
        # MQTT 5 adds properties to the same four bytes.
        assert (answer[0], answer[2:4]) == (0x20, b"\0\0") and (level == 5 or len(answer) == 4)
        return self

    async def subscribe(self, *filters: str) -> None:
        await self.send(subscribe_packet(*filters, level=self.level))
        assert (await self.read())[0] == 0x90

    async def close(self) -> None:
        await self._socket.close()

    async def _acknowledge(self, packet: bytes) -> None:
        if packet[0] & 0xF6 == 0x32:
            body = packet[next(i for i in range(1, 5) if not packet[i] & 0x80) + 1 :]
            end = 2 + int.from_bytes(body[:2], "big")
            await self.send(b"\x40\x02" + body[end : end + 2])

    def _next_packet(self) -> bytes | None:
        length = 0
        for index, byte in enumerate(self._buffer[1:5]):
            length |= (byte & 0x7F) << (7 * index)
            if not byte & 0x80:
                end = 2 + index + length
                if len(self._buffer) < end:
                    return None
                packet, self._buffer = self._buffer[:end], self._buffer[end:]
                return packet
        return None


@contextlib.asynccontextmanager
async def raw_clients(cloud: CloudServer) -> AsyncIterator[Callable[..., Awaitable[RawClient]]]:
    """Yield a function that opens a signed WebSocket, and connects if given a client id."""
    host = cloud.websocket_url.split("/")[2]
    async with contextlib.AsyncExitStack() as stack:
        connector = aiohttp.TCPConnector(ssl=tls_of(cloud))
        session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))

        async def connect(
            client_id: str | None = None, level: int = 4, account: CloudAccount | None = None
        ) -> RawClient:
            keys = cloud.book.issue_keys(account or cloud.accounts[0])
            url = URL(f"wss://{host}{presign(keys, host)}", encoded=True)
            socket = await session.ws_connect(url, protocols=("mqtt",))
            stack.push_async_callback(socket.close)
            client = RawClient(socket)
            return client if client_id is None else await client.connect(client_id, level)

        yield connect


Connect = Callable[..., Awaitable[RawClient]]
Publish = Callable[..., Awaitable[None]]


async def subscribed(connect: Connect, client_id: str, level: int = 4) -> RawClient:
    client = await connect(client_id, level)
    await client.subscribe(f"{HEATER}/#", f"{OTHER}/#", f"cmd/52/{client_id}/res/#")
    return client


async def payloads(client: RawClient, count: int = 1) -> list[bytes]:
    """Read so many payloads."""
    found = []
    for _ in range(count):
        (packet,) = PacketSplitter(1 << 20, client.level).feed(await client.read())
        found.append(mqtt_packets.read_publish(packet).payload)
    return found


def message(session_id: str = "1768478400000", **status: Any) -> bytes:
    """Make a response of the heater; with a session id of one digit, a push."""
    response = {"deviceType": 52, "macAddress": MAC, "additionalValue": "1234", "status": status}
    envelope = {"protocolVersion": 2, "clientID": "one", "sessionID": session_id}
    return json.dumps({**envelope, "requestTopic": f"{HEATER}/st", "response": response}).encode()


async def call(http: Http, cloud: CloudServer, path: str, **body: Any) -> Any:
    async with http.post(cloud.base_url + path, json=body) as answer:
        return answer.status, await answer.read()


async def sign_in(http: Http, cloud: CloudServer) -> dict[str, Any]:
    status, body = await call(http, cloud, "/user/sign-in", userId=EMAIL, password=PASSWORD)
    assert status == 200
    token: dict[str, Any] = json.loads(body)["data"]["token"]
    return token
