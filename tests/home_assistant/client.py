"""Client of a running Home Assistant: onboarding, its REST API and its websocket."""

from __future__ import annotations

import itertools
import re
from typing import Any

import aiohttp
from processes import PASSWORD, until

State = dict[str, Any]


class RefusedError(RuntimeError):
    """Request that Home Assistant refuses, with its HTTP status and its text."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"HTTP {status} {text}")
        self.status = status


class HomeAssistant:
    """A Home Assistant that runs at ``url``; ``onboard`` makes its first user."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url
        self._session = session
        self.tokens: dict[str, Any] = {}
        self._numbers = itertools.count(1)

    async def call(self, method: str, path: str, body: Any = None, **form: str) -> Any:
        """Send a request and return the JSON. Raises RefusedError."""
        token = self.tokens.get("access_token")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        content: dict[str, Any] = {"data": form} if form else {"json": body}
        async with self._session.request(
            method, self.url + path, headers=headers, **content
        ) as response:
            if response.status >= 400:
                raise RefusedError(response.status, f"{path}: {await response.text()}")
            return await response.json()

    async def command(self, kind: str, **content: Any) -> Any:
        """Send one command over the websocket and return its result. Raises RuntimeError."""
        address = self.url.replace("http", "ws", 1) + "/api/websocket"
        async with self._session.ws_connect(address, max_msg_size=0) as socket:
            await socket.receive_json()
            await socket.send_json({"type": "auth", "access_token": self.tokens["access_token"]})
            await socket.receive_json()
            number = next(self._numbers)
            await socket.send_json({"id": number, "type": kind, **content})
            while (answer := await socket.receive_json()).get("id") != number:
                pass
        if not answer["success"]:
            raise RuntimeError(f"{kind}: {answer['error']}")
        return answer.get("result")

    async def _answers(self) -> bool:
        try:
            await self.call("GET", "/api/onboarding")
        except (aiohttp.ClientError, OSError, RefusedError):
            return False
        return True

    async def onboard(self) -> None:
        """Wait until it answers, then make its first user; the other steps are done already."""
        await until("Home Assistant answers", self._answers)
        client_id = f"{self.url}/"
        user = {
            "client_id": client_id,
            "name": "Test",
            "username": "test",
            "password": PASSWORD,
            "language": "en",
        }
        code = (await self.call("POST", "/api/onboarding/users", user))["auth_code"]
        form = {"grant_type": "authorization_code", "code": code, "client_id": client_id}
        self.tokens = await self.call("POST", "/auth/token", **form)
        await self.keep_address()
        await self.wait_running()

    async def keep_address(self) -> None:
        """Confirm the address of the configuration, which new releases take back after 5 minutes."""
        try:
            await self.command("http/config/promote")
        except RuntimeError as error:
            # Unknown to earlier releases, and not allowed when it was confirmed before.
            if not re.search("unknown_command|not_allowed", str(error)):
                raise

    async def wait_running(self) -> None:
        async def running() -> bool:
            try:
                return bool((await self.call("GET", "/api/config"))["state"] == "RUNNING")
            except (aiohttp.ClientError, OSError, RefusedError):
                return False

        await until("Home Assistant runs", running)

    async def add_mqtt(self, port: int) -> None:
        """Add the MQTT integration as a person does, by its form."""
        form = await self.call("POST", "/api/config/config_entries/flow", {"handler": "mqtt"})
        answer: dict[str, Any] = {
            "broker": "127.0.0.1",
            "port": port,
            "username": "homeassistant",
            "password": PASSWORD,
        }
        if any(one["name"] == "other_settings" for one in form["data_schema"]):  # since 2026
            other = {"set_client_cert": False, "set_ca_cert": "off", "transport": "tcp"}
            answer["other_settings"] = other
        path = f"/api/config/config_entries/flow/{form['flow_id']}"
        done = await self.call("POST", path, answer)
        if done["type"] != "create_entry":
            raise RuntimeError(f"MQTT was not added: {done}")

    async def states(self) -> dict[str, State]:
        return {one["entity_id"]: one for one in await self.call("GET", "/api/states")}

    async def state(self, entity: str) -> State:
        """Return a state; an entity that does not exist has the state ``missing``."""
        return (await self.states()).get(entity, {"state": "missing", "attributes": {}})

    async def put_state(self, entity: str, state: str, **attributes: Any) -> None:
        body = {"state": state, "attributes": attributes}
        await self.call("POST", f"/api/states/{entity}", body)

    async def act(self, action: str, entity: str, **data: Any) -> int:
        """Call an action and return the HTTP status."""
        path = "/api/services/" + action.replace(".", "/")
        try:
            await self.call("POST", path, {"entity_id": entity, **data})
        except RefusedError as error:
            return error.status
        return 200

    async def wait_state(self, entity: str, wanted: Any, attribute: str | None = None) -> None:
        """Wait until an entity, or an attribute of it, has a value; any but missing for None."""

        async def has_it() -> bool:
            try:
                state = await self.state(entity)
            except (aiohttp.ClientError, OSError, RefusedError):
                return False
            if attribute is not None:
                return bool(state["attributes"].get(attribute) == wanted)
            if wanted is None:
                return state["state"] not in ("unavailable", "unknown", "missing")
            return bool(state["state"] == wanted)

        shown = entity if attribute is None else f"{entity}.{attribute}"
        await until(f"{shown} is {'known' if wanted is None else wanted}", has_it)
