"""The floor of all that talks: an aiohttp WebSocket with MQTT by hand, no more than one heater needs.

It signs in, signs its WebSocket, subscribes where its answers come, asks, reads the answer's JSON.
No renewal, no reconnect, no check, no second heater.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import ssl
import uuid
from contextlib import asynccontextmanager
from datetime import datetime, timezone
from typing import Any, AsyncIterator, Mapping
from urllib.parse import quote, urlsplit

import aiohttp
from yarl import URL

_STATUS = 16777219
_SCOPE = "us-east-1/iotdevicegateway/aws4_request"


class RawClient:
    """One heater over one WebSocket."""

    def __init__(
        self, socket: aiohttp.ClientWebSocketResponse, client_id: str, place: Mapping[str, Any]
    ) -> None:
        self._socket = socket
        self._buffer = b""
        self._client_id = client_id
        self._place = place
        self._session_id = 0

    async def open(self, *, pushes: bool = False) -> None:
        """Greet the broker and subscribe; with ``pushes`` to all the heater says, as we do."""
        await self._socket.send_bytes(_connect(self._client_id))
        await self._read(0x20)
        filters = [f"{self._reply}/#"] + ([f"{self._topic}/#"] if pushes else [])
        for topic_filter in filters:
            await self._socket.send_bytes(_packet(0x82, b"\0\1" + _text(topic_filter) + b"\1"))
            await self._read(0x90)

    async def get_status(self) -> dict[str, Any]:
        """Ask and return the status as sent."""
        self._session_id += 1
        request = {
            "clientID": self._client_id,
            "sessionID": str(self._session_id),
            "protocolVersion": 2,
            "request": {
                "command": _STATUS,
                "deviceType": 52,
                "macAddress": self._place["macAddress"],
                "additionalValue": self._place["additionalValue"],
            },
            "requestTopic": f"{self._topic}/st",
            "responseTopic": self._reply,
        }
        packet = _packet(0x30, _text(f"{self._topic}/st") + json.dumps(request).encode())
        await self._socket.send_bytes(packet)
        while True:
            answer = json.loads(await self._read_publish())
            if answer.get("sessionID") == str(self._session_id) and "response" in answer:
                status: dict[str, Any] = answer["response"]["status"]
                return status

    async def ping(self) -> None:
        """Keep the connection alive."""
        await self._socket.send_bytes(b"\xc0\0")
        await self._read(0xD0)

    @property
    def _topic(self) -> str:
        return f"cmd/52/navilink-{self._place['macAddress']}"

    @property
    def _reply(self) -> str:
        place = self._place
        return f"cmd/52/{place['homeSeq']}/{place['userSeq']}/{self._client_id}/res"

    async def _read_publish(self) -> bytes:
        packet, start = await self._read(0x30)
        body = packet[start:]
        end = 2 + int.from_bytes(body[:2], "big")
        if packet[0] & 0x06:
            await self._socket.send_bytes(b"\x40\x02" + body[end : end + 2])
            end += 2
        return body[end:]

    async def _read(self, kind: int) -> tuple[bytes, int]:
        """The next packet of a kind, and where its body starts; others are passed over."""
        while True:
            found = self._cut()
            if found is None:
                self._buffer += await self._socket.receive_bytes()
            elif found[0][0] & 0xF0 == kind:
                return found

    def _cut(self) -> tuple[bytes, int] | None:
        length = 0
        for index, byte in enumerate(self._buffer[1:5]):
            length |= (byte & 0x7F) << (7 * index)
            if not byte & 0x80:
                start = 2 + index
                if len(self._buffer) < start + length:
                    return None
                packet = self._buffer[: start + length]
                self._buffer = self._buffer[start + length :]
                return packet, start
        return None


@asynccontextmanager
async def raw_client(
    variables: Mapping[str, str], number: int = 0, *, pushes: bool = False
) -> AsyncIterator[RawClient]:
    """Sign in, connect, subscribe to the heater of this number."""
    tls = ssl.create_default_context(cafile=variables["NAVILINK_CA_FILE"])
    connector = aiohttp.TCPConnector(ssl=tls)
    async with aiohttp.ClientSession(connector=connector) as session:
        place, keys = await _sign_in(session, variables, number)
        url = URL(_presigned(variables["NAVILINK_WEBSOCKET_URL"], keys), encoded=True)
        async with session.ws_connect(url, protocols=("mqtt",)) as socket:
            client = RawClient(socket, str(uuid.uuid4()), place)
            await client.open(pushes=pushes)
            yield client


async def _sign_in(
    session: aiohttp.ClientSession, variables: Mapping[str, str], number: int
) -> tuple[dict[str, Any], dict[str, str]]:
    base, email = variables["NAVILINK_BASE_URL"], variables["NAVILINK_EMAIL"]
    account = {"userId": email, "password": variables["NAVILINK_PASSWORD"]}
    async with session.post(f"{base}/user/sign-in", json=account) as answer:
        signed = (await answer.json())["data"]
    headers = {"authorization": signed["token"]["accessToken"]}
    listed = {"userId": email, "offset": 0, "count": 20}
    async with session.post(f"{base}/device/list", json=listed, headers=headers) as answer:
        heater = (await answer.json())["data"][number]
    return {**heater["deviceInfo"], **_user(signed)}, signed["token"]


def _user(signed: Mapping[str, Any]) -> dict[str, Any]:
    return {"userSeq": signed["userInfo"]["userSeq"]}


def _presigned(url: str, keys: Mapping[str, str]) -> str:
    """Signature version 4 over GET /mqtt, the token left unsigned as AWS IoT wants it."""
    host = urlsplit(url).netloc
    stamp = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{stamp[:8]}/{_SCOPE}"
    query = (
        "X-Amz-Algorithm=AWS4-HMAC-SHA256"
        f"&X-Amz-Credential={quote(keys['accessKeyId'] + '/' + scope, safe='')}"
        f"&X-Amz-Date={stamp}&X-Amz-SignedHeaders=host"
    )
    empty = hashlib.sha256(b"").hexdigest()
    request = hashlib.sha256(f"GET\n/mqtt\n{query}\nhost:{host}\n\nhost\n{empty}".encode())
    key = b"AWS4" + keys["secretKey"].encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{request.hexdigest()}"
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    token = quote(keys["sessionToken"], safe="")
    return f"wss://{host}/mqtt?{query}&X-Amz-Signature={signature}&X-Amz-Security-Token={token}"


def _connect(client_id: str) -> bytes:
    return _packet(0x10, _text("MQTT") + b"\x04\x02\x00\x1e" + _text(client_id))


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
