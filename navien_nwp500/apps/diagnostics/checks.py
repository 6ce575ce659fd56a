"""The way to a reading, walked step by step: where it ends, why, and what to do.

::

    async for finding in diagnose():
        print(finding.step, finding.state.value, finding.fact)

A step whose needs are not met is not tried; one that fails does not stop those that do not need
it. What a finding says can be shown to anybody: it holds no account, heater, host or path.
"""

from __future__ import annotations

import asyncio
import csv
import re
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property, partial
from pathlib import Path
from typing import AsyncGenerator, Awaitable, Callable, NamedTuple, Sequence

from ..._connection.connector import MAX_CLOCK_SKEW, Connector
from ..._connection.rest_client import tls_context
from ..._connection.transport import HandshakeRefusedError, Transport
from ...client import NaviLinkClient, choose_transports
from ...config import SETTINGS, NaviLinkConfig
from ...device import NaviLinkDevice, find_devices
from ...exceptions import (
    APIError,
    CommunicationError,
    ConfigurationError,
    DeviceOfflineError,
    InvalidCredentialsError,
    NaviLinkError,
    RequestTimeoutError,
    WebSocketError,
)
from ...history.csv import FIXED
from ...protocol.fields import T, field_specs
from ...protocol.messages import ReplyAddress
from ...protocol.status import DeviceStatus
from . import advice, network


class State(Enum):
    """How a step ended."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_TRIED = "not tried"


@dataclass(frozen=True)
class Finding:
    """What one step found. ``why`` and ``do`` explain a failure; ``why`` alone is a remark."""

    step: str
    state: State
    fact: str
    seconds: float = 0.0
    why: str = ""
    do: str = ""
    error: NaviLinkError | None = field(default=None, repr=False)


class Fact(NamedTuple):
    """What a step that passed can say, and perhaps a remark."""

    text: str
    remark: str = ""


class Way:
    """One walk. Each method is a step: it returns a fact, or raises what ended it."""

    def __init__(
        self, config: NaviLinkConfig | None, device: str | None, recording: Path | None
    ) -> None:
        self._given = config
        self._device = device
        self._recording = recording
        self._heaters: list[NaviLinkDevice] = []
        self._dialled: list[Transport | CommunicationError] = []
        #: Closes what the steps have opened.
        self.ends = AsyncExitStack()

    @cached_property
    def _config(self) -> NaviLinkConfig:
        return NaviLinkConfig.from_environment() if self._given is None else self._given

    @property
    def _session_saved(self) -> bool:
        path = self._config.session_file
        return path is not None and path.exists()

    @cached_property
    def _client(self) -> NaviLinkClient:
        client = NaviLinkClient(self._config)
        self.ends.push_async_callback(client.close)
        return client

    async def configuration(self) -> Fact:
        if self._config.email and self._config.password:
            return Fact("e-mail and password are given")
        if self._config.email and self._session_saved:
            return Fact("the e-mail is given, and a session is saved")
        raise advice.NoAccountError("the e-mail or the password is missing")

    async def rest_name(self) -> Fact:
        return await self._first(self._resolve, (self._config.base_url,))

    async def rest_tls(self) -> Fact:
        return await self._first(self._secure, (self._config.base_url,))

    async def clock(self) -> Fact:
        skew = await self._client.auth.measure_skew()
        if skew is None:
            return Fact("the cloud does not tell its time")
        if abs(skew) >= MAX_CLOCK_SKEW:
            direction = "behind" if skew > 0 else "ahead"
            raise advice.WrongClockError(f"this machine is {abs(skew):.0f} s {direction}")
        return Fact(f"{abs(skew):.0f} s off, {MAX_CLOCK_SKEW:.0f} s are allowed")

    async def sign_in(self) -> Fact:
        if self._config.password:
            await self._client.authenticate()
            return Fact("e-mail and password are accepted")
        await self._client.auth.ensure_signed_in()
        return Fact("not needed: the saved session holds")

    async def token(self) -> Fact:
        self._heaters = await self._client.get_devices()
        return Fact("the token is accepted")

    async def heater(self) -> Fact:
        wanted, count = self._device or self._config.device_mac, len(self._heaters)
        if wanted is not None:
            self._heaters = find_devices(self._heaters, wanted)
            if len(self._heaters) > 1:
                raise advice.NoHeaterError(f"{len(self._heaters)} of {count} NWP500 can be meant")
        if not self._heaters:
            raise advice.NoHeaterError(f"not among the {count} NWP500 of the account")
        return Fact(f"{count} NWP500 on the account")

    async def aws_keys(self) -> Fact:
        keys = await self._client.auth.aws_credentials()
        left = (keys.expires_at - time.time()) / 60
        return Fact(f"given, to be renewed in {left:.0f} min")

    async def broker_name(self) -> Fact:
        return await self._first(self._resolve, self._config.websocket_urls)

    async def broker_tls(self) -> Fact:
        return await self._first(self._secure, self._config.websocket_urls)

    async def signature(self) -> Fact:
        """Dial; what else than a refusal ends that is the next step's."""
        try:
            link = await Connector(self._client.auth, self._config, choose_transports).connect()
        except HandshakeRefusedError:
            raise
        except (WebSocketError, RequestTimeoutError) as error:
            self._dialled.append(error)
        else:
            self.ends.push_async_callback(link.close)
            self._dialled.append(link)
        return Fact("not refused")

    async def connack(self) -> Fact:
        self._link()
        return Fact("the broker welcomes us")

    async def subscription(self) -> Fact:
        link, address = self._link(), self._heaters[0].address
        user = self._client.auth.user
        requester = ReplyAddress(link.client_id, (user.user_seq if user else None) or 0)
        await link.subscribe(requester.reply_filter(address))
        try:
            await link.subscribe(address.filter)
        except WebSocketError:
            return Fact(
                "answers are heard, pushes are not",
                "The broker hangs up over pushes: this account may not have them. Polling alone "
                "does; a change at the heater then shows at the next poll.",
            )
        return Fact("answers and pushes are heard")

    async def online(self) -> Fact:
        if not (await self._heaters[0].get_info()).online:
            raise DeviceOfflineError("the cloud has lost the heater")
        return Fact("the cloud sees the heater connected")

    async def features(self) -> Fact:
        features = await _answer(self._heaters[0].get_features())
        version = features.controller_sw_version
        return Fact("answered" + (f", controller firmware {version.text}" if version else ""))

    async def status(self) -> Fact:
        status = await _answer(self._heaters[0].get_status())
        known = field_specs(DeviceStatus)
        missing = [row.name for row in known if getattr(status, row.name) is None]
        fact = f"answered, {len(known) - len(missing)} of {len(known)} known fields"
        if not missing:
            return Fact(fact)
        return Fact(
            fact,
            "This heater's firmware does not send the others; they are None, and empty in the "
            f"CSV: {', '.join(missing)}.",
        )

    async def recording(self) -> Fact:
        assert self._recording is not None
        loop = asyncio.get_running_loop()
        count = await loop.run_in_executor(None, _count_readings, self._recording)
        if not count:
            raise advice.EmptyRecordingError("it holds no reading")
        return Fact(f"it holds {count} reading{'s' if count > 1 else ''}")

    def _link(self) -> Transport:
        dialled = self._dialled[0]
        if isinstance(dialled, CommunicationError):
            raise dialled
        return dialled

    async def _first(self, ask: Callable[[str], Awaitable[str]], urls: Sequence[str]) -> Fact:
        """Ask the addresses in order, as the dialer does; the first that answers will do."""
        failures: list[CommunicationError] = []
        for url in urls:
            try:
                fact = await ask(url)
            except CommunicationError as error:
                failures.append(error)
            else:
                return Fact(fact, f"Of another address: {failures[0]}." if failures else "")
        raise failures[0]

    async def _resolve(self, url: str) -> str:
        count = await network.addresses(url)
        return f"{count} address{'es' if count > 1 else ''}"

    async def _secure(self, url: str) -> str:
        loop = asyncio.get_running_loop()
        try:
            trust = await loop.run_in_executor(None, tls_context, self._config.ca_file)
        except ConfigurationError as error:
            raise network.UntrustedError("the file of certificates cannot be used") from error
        days = (await network.certificate_end(url, trust) - time.time()) / 86400
        return f"certificate trusted, valid for {days:.0f} days more"


class Step(NamedTuple):
    """One step: its name, the steps it needs, what is done."""

    name: str
    needs: tuple[str, ...]
    take: Callable[[Way], Awaitable[Fact]]


#: The way, in its order. The clock stands after TLS: only an answer of the cloud tells the time.
STEPS = (
    Step("configuration", (), Way.configuration),
    Step("REST name", ("configuration",), Way.rest_name),
    Step("REST TLS", ("REST name",), Way.rest_tls),
    Step("clock", ("REST TLS",), Way.clock),
    Step("sign-in", ("REST TLS",), Way.sign_in),
    Step("token", ("sign-in",), Way.token),
    Step("heater", ("token",), Way.heater),
    Step("AWS keys", ("sign-in",), Way.aws_keys),
    Step("broker name", ("configuration",), Way.broker_name),
    Step("broker TLS", ("broker name",), Way.broker_tls),
    Step("signature", ("AWS keys", "broker TLS"), Way.signature),
    Step("CONNACK", ("signature",), Way.connack),
    Step("subscription", ("CONNACK", "heater"), Way.subscription),
    Step("online", ("heater",), Way.online),
    Step("features", ("subscription", "online"), Way.features),
    Step("status", ("features",), Way.status),
)
RECORDING = Step("CSV", (), Way.recording)


async def diagnose(
    config: NaviLinkConfig | None = None,
    *,
    device: str | None = None,
    until: str | None = None,
    recording: str | Path | None = None,
) -> AsyncGenerator[Finding, None]:
    """Walk the way to a reading; yield each step's finding as the step ends.

    Without ``config`` the settings come from the environment, and what is wrong with them is a
    finding too. ``device`` chooses a heater by its name, its MAC or the beginning of either,
    ``until`` names the last step to take; ``recording`` is a CSV to look at last.
    Nothing a heater does changes by it. Raises nothing of this library's.
    """
    names = [step.name for step in STEPS]
    steps = STEPS if until is None else STEPS[: names.index(until) + 1]
    way = Way(config, device, None if recording is None else Path(recording))
    passed: set[str] = set()
    async with way.ends:
        for step in (*steps, *((RECORDING,) if recording is not None else ())):
            missing = [name for name in step.needs if name not in passed]
            if missing:
                yield Finding(step.name, State.NOT_TRIED, f"needs: {', '.join(missing)}")
                continue
            finding = await _take(step, way)
            if finding.state is State.PASSED:
                passed.add(step.name)
            yield finding


async def _take(step: Step, way: Way) -> Finding:
    begun = time.monotonic()
    found = partial(Finding, step.name)
    try:
        fact = await step.take(way)
    except NaviLinkError as error:
        seconds = time.monotonic() - begun
        why, do = advice.explain(step.name, error)
        return found(State.FAILED, shareable(error), seconds, why, do, error)
    return found(State.PASSED, fact.text, time.monotonic() - begun, fact.remark)


async def _answer(reading: Awaitable[T]) -> T:
    """Wait for the heater; its silence, though it is online, is told apart from the cloud's."""
    try:
        return await reading
    except RequestTimeoutError as error:
        raise advice.SilentHeaterError("the heater does not answer") from error


#: Errors whose words are chosen here or in ``reach``, and name nobody.
_OUR_WORDS = (
    network.UnknownNameError,
    network.BlockedNameError,
    network.NoConnectionError,
    network.NoTlsError,
    advice.NoAccountError,
    advice.WrongClockError,
    advice.NoHeaterError,
    advice.SilentHeaterError,
    advice.NoRecordingError,
    advice.EmptyRecordingError,
)


def shareable(error: NaviLinkError) -> str:
    """What happened, without whom it happened to: no message that may hold a value is repeated."""
    if isinstance(error, _OUR_WORDS):
        return str(error)
    if isinstance(error, ConfigurationError):
        return _setting(error)
    if isinstance(error, InvalidCredentialsError):
        return "refused"
    if isinstance(error, HandshakeRefusedError):
        return "refused, also with fresh keys"
    if isinstance(error, RequestTimeoutError):
        return "no answer in time"
    if isinstance(error, DeviceOfflineError):
        return "the cloud has lost the heater"
    if isinstance(error, APIError):
        return f"the cloud answers {error.status_code}, code {error.code}"
    sdk = re.search(r"\bAWS_[A-Z_]+\b", str(error))
    return sdk.group() if sdk else type(error).__name__.strip("_")


def _setting(error: ConfigurationError) -> str:
    """Which setting it is and what it may hold, without what it holds."""
    label = str(error).partition(" ")[0]
    if label not in {name for setting in SETTINGS for name in (setting.variable, setting.name)}:
        return "a setting, or the file of settings, cannot be used"
    return f"{label} may be {error.__cause__}"


def _count_readings(path: Path) -> int:
    try:
        with open(path, encoding="utf-8", newline="") as file:
            lines = csv.reader(file)
            header = tuple(next(lines, FIXED))
            count = sum(1 for line in lines if line)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise advice.NoRecordingError("the file cannot be read") from error
    if header[: len(FIXED)] != FIXED:
        raise advice.NoRecordingError("the file is no recording")
    return count
