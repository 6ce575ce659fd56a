"""Connection check: the steps from the settings to a status, each with its result and advice.

::

    async for finding in diagnose():
        print(finding.step, finding.state.value, finding.fact)

A step is tried if the steps it depends on have passed. Findings can be shared: they contain no
account, heater, host or path.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property, partial
from pathlib import Path
from typing import AsyncGenerator, Awaitable, Callable, NamedTuple, Sequence

from ..._connection.connector import MAX_CLOCK_SKEW, Connector
from ..._connection.http_session import tls_context
from ..._connection.proxy import find_proxy
from ..._connection.transport import HandshakeRefusedError, Transport
from ...client import NaviLinkClient, choose_transports
from ...config import NaviLinkConfig
from ...device import NaviLinkDevice, find_devices
from ...exceptions import (
    APIError,
    CommunicationError,
    ConfigurationError,
    DeviceOfflineError,
    MaintenanceError,
    NaviLinkError,
    ProtocolError,
    RequestTimeoutError,
    WebSocketError,
)
from ...history.csv_format import FormatError, parse_recording
from ...protocol.fields import T, field_specs
from ...protocol.messages import ReplyAddress
from ...protocol.status import DeviceStatus
from . import advice, network, remarks
from .database_step import check_database
from .shareable import shareable

#: The variable names the proxy; a finding contains no host.
_THROUGH = "through the proxy of HTTPS_PROXY"


class State(Enum):
    """Result of a step."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_TRIED = "not tried"


@dataclass(frozen=True)
class Finding:
    """Finding of one step. ``why`` and ``do`` explain a failure; ``why`` alone is a remark."""

    step: str
    state: State
    fact: str
    seconds: float = 0.0
    why: str = ""
    do: str = ""
    error: NaviLinkError | None = field(default=None, repr=False)


class Fact(NamedTuple):
    """Result of a step that passed, with an optional remark."""

    text: str
    remark: str = ""


class ConnectionCheck:
    """One run of the steps. Each public method is a step: it returns a fact or raises an error."""

    def __init__(
        self,
        config: NaviLinkConfig | None,
        device: str | None,
        recording: Path | None,
        database: str | None,
    ) -> None:
        self._given_config = config
        self._device = device
        self._recording = recording
        self._database = database
        self._heaters: list[NaviLinkDevice] = []
        self._transport: Transport | CommunicationError | None = None
        #: Closes what the steps have opened.
        self.resources = AsyncExitStack()

    @cached_property
    def _config(self) -> NaviLinkConfig:
        return (
            NaviLinkConfig.from_environment() if self._given_config is None else self._given_config
        )

    @property
    def _session_saved(self) -> bool:
        path = self._config.session_file
        return path is not None and path.exists()

    @cached_property
    def _client(self) -> NaviLinkClient:
        client = NaviLinkClient(self._config)
        self.resources.push_async_callback(client.close)
        return client

    async def configuration(self) -> Fact:
        if self._config.email and self._config.password:
            return Fact("e-mail and password are set")
        if self._config.email and self._session_saved:
            return Fact("the e-mail is set, and a session is saved")
        raise advice.NoAccountError("the e-mail or the password is missing")

    async def rest_name(self) -> Fact:
        return await self._first_working(self._resolve, (self._config.base_url,))

    async def rest_tls(self) -> Fact:
        return await self._first_working(self._open_tls, (self._config.base_url,))

    async def clock(self) -> Fact:
        skew = await self._client.auth.measure_skew()
        if skew is None:
            return Fact("the cloud does not send its time")
        if abs(skew) >= MAX_CLOCK_SKEW:
            direction = "behind" if skew > 0 else "ahead"
            raise advice.WrongClockError(f"this machine is {abs(skew):.0f} s {direction}")
        return Fact(f"{abs(skew):.0f} s off; {MAX_CLOCK_SKEW:.0f} s are allowed")

    async def service(self) -> Fact:
        """Ask for maintenance; nothing else needs this call, so another error does not matter."""
        try:
            version = await self._client.get_app_version()
        except MaintenanceError:
            raise
        except (APIError, ProtocolError):
            return Fact("the cloud does not tell whether it is in maintenance")
        newest = f"; newest app {version.app_version}" if version.app_version else ""
        return Fact(f"no maintenance announced{newest}", remarks.remark_on_app(version))

    async def sign_in(self) -> Fact:
        if self._config.password:
            await self._client.authenticate()
            return Fact("e-mail and password are accepted")
        await self._client.auth.ensure_signed_in()
        return Fact("not needed: the saved session is valid")

    async def token(self) -> Fact:
        self._heaters = await self._client.get_devices()
        return Fact("the token is accepted")

    async def heater(self) -> Fact:
        wanted, count = self._device or self._config.device_mac, len(self._heaters)
        if wanted is not None:
            self._heaters = find_devices(self._heaters, wanted)
            if len(self._heaters) > 1:
                raise advice.NoHeaterError(f"{len(self._heaters)} of {count} NWP500 match")
        others = await self._client.get_other_devices()
        if not self._heaters:
            meant = others if wanted is None else find_devices(others, wanted)
            if meant:
                raise advice.OtherDevicesError(f"not supported: {remarks.name_others(meant)}")
            raise advice.NoHeaterError(f"not among the {count} NWP500 of the account")
        return Fact(
            f"{count} NWP500 on the account",
            remarks.remark_on_account(self._heaters[0].info, others),
        )

    async def aws_keys(self) -> Fact:
        credentials = await self._client.auth.aws_credentials()
        minutes = (credentials.expires_at - time.time()) / 60
        return Fact(f"received, to be renewed in {minutes:.0f} min")

    async def broker_name(self) -> Fact:
        return await self._first_working(self._resolve, self._config.websocket_urls)

    async def broker_tls(self) -> Fact:
        return await self._first_working(self._open_tls, self._config.websocket_urls)

    async def signature(self) -> Fact:
        """Open a connection; any error but a rejected handshake is reported by the next step."""
        try:
            transport = await Connector(
                self._client.auth, self._config, choose_transports
            ).connect()
        except HandshakeRefusedError:
            raise
        except (WebSocketError, RequestTimeoutError) as error:
            self._transport = error
        else:
            self.resources.push_async_callback(transport.close)
            self._transport = transport
        return Fact("not rejected")

    async def connack(self) -> Fact:
        self._opened_transport()
        return Fact("the broker accepts the MQTT connection")

    async def subscription(self) -> Fact:
        transport, address = self._opened_transport(), self._heaters[0].address
        user = self._client.auth.user
        requester = ReplyAddress(transport.client_id, (user.user_seq if user else None) or 0)
        await transport.subscribe(requester.reply_filter(address))
        try:
            await transport.subscribe(address.filter)
        except WebSocketError:
            return Fact(
                "responses can be received, pushed updates cannot",
                "The broker refuses, or closes the connection: this account may not subscribe to "
                "pushed updates. Polling is enough; a change at the heater is seen at the next poll.",
            )
        return Fact("responses and pushed updates can be received")

    async def online(self) -> Fact:
        if not (await self._heaters[0].get_info()).online:
            raise DeviceOfflineError("the heater is not connected to the cloud")
        return Fact("the heater is connected to the cloud")

    async def features(self) -> Fact:
        features = await _response(self._heaters[0].get_features())
        version = features.controller_sw_version
        return Fact("received" + (f", controller firmware {version.text}" if version else ""))

    async def status(self) -> Fact:
        status = await _response(self._heaters[0].get_status())
        known = field_specs(DeviceStatus)
        sent = sum(getattr(status, spec.name) is not None for spec in known)
        fact = f"received, {sent} of {len(known)} known fields"
        return Fact(fact, remarks.remark_on_status(status))

    async def recording(self) -> Fact:
        assert self._recording is not None
        count = await asyncio.to_thread(_count_lines, self._recording)
        if not count:
            raise advice.EmptyRecordingError("it contains no status")
        return Fact(f"it contains {count} status{'es' if count > 1 else ''}")

    async def database(self) -> Fact:
        assert self._database is not None
        return Fact(*await asyncio.to_thread(check_database, self._database))

    def _opened_transport(self) -> Transport:
        assert self._transport is not None
        if isinstance(self._transport, CommunicationError):
            raise self._transport
        return self._transport

    async def _first_working(
        self, check: Callable[[str], Awaitable[str]], urls: Sequence[str]
    ) -> Fact:
        """Check the URLs in order, as the connector does, until one works."""
        failures: list[CommunicationError] = []
        for url in urls:
            try:
                fact = await check(url)
            except CommunicationError as error:
                failures.append(error)
            else:
                return Fact(fact, f"Another address failed: {failures[0]}." if failures else "")
        raise failures[0]

    async def _resolve(self, url: str) -> str:
        proxy = await asyncio.to_thread(find_proxy, url)
        count = await network.addresses(url, proxy)
        known = f"{count} address{'es' if count > 1 else ''}"
        return known if proxy is None else f"{known} of the proxy; {_THROUGH}"

    async def _open_tls(self, url: str) -> str:
        try:
            trust = await asyncio.to_thread(tls_context, self._config.ca_file)
        except ConfigurationError as error:
            raise network.UntrustedError("the certificate file cannot be used") from error
        proxy = await asyncio.to_thread(find_proxy, url)
        days = (await network.certificate_end(url, trust, proxy) - time.time()) / 86400
        valid = f"certificate trusted, valid for {days:.0f} more days"
        return valid if proxy is None else f"{valid}; {_THROUGH}"


class Step(NamedTuple):
    """Definition of a step: its name, the steps it depends on, and its method."""

    name: str
    needs: tuple[str, ...]
    run: Callable[[ConnectionCheck], Awaitable[Fact]]


#: The steps in order. The clock comes after TLS, because only a response of the cloud has its time.
STEPS = (
    Step("configuration", (), ConnectionCheck.configuration),
    Step("REST name", ("configuration",), ConnectionCheck.rest_name),
    Step("REST TLS", ("REST name",), ConnectionCheck.rest_tls),
    Step("clock", ("REST TLS",), ConnectionCheck.clock),
    Step("service", ("REST TLS",), ConnectionCheck.service),
    Step("sign-in", ("REST TLS",), ConnectionCheck.sign_in),
    Step("token", ("sign-in",), ConnectionCheck.token),
    Step("heater", ("token",), ConnectionCheck.heater),
    Step("AWS keys", ("sign-in",), ConnectionCheck.aws_keys),
    Step("broker name", ("configuration",), ConnectionCheck.broker_name),
    Step("broker TLS", ("broker name",), ConnectionCheck.broker_tls),
    Step("signature", ("AWS keys", "broker TLS"), ConnectionCheck.signature),
    Step("CONNACK", ("signature",), ConnectionCheck.connack),
    Step("subscription", ("CONNACK", "heater"), ConnectionCheck.subscription),
    Step("online", ("heater",), ConnectionCheck.online),
    Step("features", ("subscription", "online"), ConnectionCheck.features),
    Step("status", ("features",), ConnectionCheck.status),
)
RECORDING = Step("CSV", (), ConnectionCheck.recording)
DATABASE = Step("database", (), ConnectionCheck.database)


async def diagnose(
    config: NaviLinkConfig | None = None,
    *,
    device: str | None = None,
    until: str | None = None,
    recording: str | Path | None = None,
    database: str | None = None,
) -> AsyncGenerator[Finding, None]:
    """Check the connection step by step; yield each step's finding as the step ends.

    Without ``config`` the settings come from the environment, and an error in them is a finding
    too. ``device`` selects a heater by its name, its MAC or the beginning of either, ``until``
    names the last step, ``recording`` is a CSV file to check after it, ``database`` the path or URL of
    a history. No command is sent to the
    heater. Errors of this library become findings and are not raised.
    """
    names = [step.name for step in STEPS]
    steps = STEPS if until is None else STEPS[: names.index(until) + 1]
    path = None if recording is None else Path(recording)
    check = ConnectionCheck(config, device, path, database)
    steps += (RECORDING,) if path is not None else ()
    steps += (DATABASE,) if database is not None else ()
    passed: set[str] = set()
    async with check.resources:
        for step in steps:
            missing = [name for name in step.needs if name not in passed]
            if missing:
                yield Finding(step.name, State.NOT_TRIED, f"needs: {', '.join(missing)}")
                continue
            finding = await _run_step(step, check)
            if finding.state is State.PASSED:
                passed.add(step.name)
            yield finding


async def _run_step(step: Step, check: ConnectionCheck) -> Finding:
    started = time.monotonic()
    finding = partial(Finding, step.name)
    try:
        fact = await step.run(check)
    except NaviLinkError as error:
        seconds = time.monotonic() - started
        cause, action = advice.find_advice(step.name, error)
        return finding(State.FAILED, shareable(error), seconds, cause, action, error)
    return finding(State.PASSED, fact.text, time.monotonic() - started, fact.remark)


async def _response(request: Awaitable[T]) -> T:
    """Await a response of a heater that is online; a timeout raises UnresponsiveHeaterError."""
    try:
        return await request
    except RequestTimeoutError as error:
        raise advice.UnresponsiveHeaterError("the heater does not respond") from error


def _count_lines(path: Path) -> int:
    """Count the readings, with the reader of the report. Raises NoRecordingError."""
    try:
        content = parse_recording(path.read_bytes())
    except OSError as error:
        raise advice.NoRecordingError("the file cannot be read") from error
    except FormatError as error:
        raise advice.NoRecordingError(f"the file is not a recording: {error}") from error
    return sum(len(block.rows) for block in content.blocks)
