"""The command ``bridge``."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...._util.aio import run_until_first
from ...._util.extras import missing_extra
from ...._util.files import decode_text, display_path
from ...._util.text import clean_text
from ....config import read_environment
from ....exceptions import ConfigurationError
from ..context import CommandContext, open_context, select_devices
from ..learned_file import known_heater
from ..options import ACCOUNT_OPTIONS, DEVICE, INPUT_FILE, INTERVAL, Group, Number, combine, speed
from ..output import print_note
from ..parsing import parse_listen
from ..runner import run_async

if TYPE_CHECKING:
    from ...bridges.broker import Broker
    from ...bridges.follower import Follower

PASSWORD = "MQTT_PASSWORD"
#: Value of ``--forget`` without a MAC address.
ALL = "all"

_BRIDGE_OPTIONS = combine(ACCOUNT_OPTIONS, speed(60), DEVICE)
_MQTT_INTERVAL = click.option(
    "--interval",
    metavar="SECONDS",
    type=Number(min=0, min_open=True, max=86400),
    help="Seconds between polls while nothing happens, in the heater's time.  [default: 25]",
)


@click.group("bridge", cls=Group)
def bridge_command() -> None:
    """Publish your heaters to Home Assistant or Prometheus.

    A bridge can run for months: it reconnects after an outage, and it marks a heater that does
    not respond as unavailable. See also: navien-nwp500 install-service.

    Example: navien-nwp500 bridge prometheus
    """


@bridge_command.command()
@_BRIDGE_OPTIONS
@_MQTT_INTERVAL
@click.option(
    "--broker", required=True, metavar="URL", help="Broker URL, for example mqtts://user@host:8883."
)
@click.option(
    "--password-file",
    type=INPUT_FILE,
    help=f"File with the broker's password.  [default: the variable {PASSWORD}]",
)
@click.option(
    "--ca-file", type=INPUT_FILE, help="CA certificates for mqtts.  [default: those of the system]"
)
@click.option(
    "--topic", default="navien_nwp500", show_default=True, help="Prefix of the published topics."
)
@click.option(
    "--discovery",
    metavar="TEXT",
    default="homeassistant",
    show_default=True,
    help="Home Assistant's discovery prefix.",
)
@click.option(
    "--configuration-url",
    metavar="URL",
    help="Link on the heater's page in Home Assistant, such as that of a dashboard.",
)
@click.option("--area", metavar="TEXT", help="Area that Home Assistant suggests for the heater.")
@click.option(
    "--forget",
    is_flag=False,
    flag_value=ALL,
    metavar="[MAC]",
    help="Clear what bridges have published of a heater, or of all, and end.",
)
@run_async
async def mqtt(
    interval: float | None,
    device: str | None,
    broker: str,
    password_file: Path | None,
    ca_file: Path | None,
    topic: str,
    discovery: str,
    configuration_url: str | None,
    area: str | None,
    forget: str | None,
    **account: Any,
) -> None:
    """Publish to Home Assistant, through any MQTT broker.

    Each heater becomes a device with sensors, a water heater and the other settings that you can
    control. With NAVILINK_READ_ONLY=1 there are sensors alone. A change made elsewhere shows within
    30 s: the heater is polled every 25 s by default, and every 10 s while it heats and after a change.

    A heater that left the account is cleared at the next start. --forget needs no account. With
    --simulate the device has a name and ids of its own, and is cleared at the end.

    \b
    Example: navien-nwp500 bridge mqtt
               --broker mqtt://navien@homeassistant.local
    """
    try:
        from ...bridges.discovery import DeviceDetails
        from ...bridges.home_assistant import Broker, MqttBridge, Presentation
    except ModuleNotFoundError as error:
        raise _missing_extra(error) from error
    _check_prefix(topic)
    _check_prefix(discovery)
    if configuration_url:
        _check_url(configuration_url)
    target = Broker.parse(broker, load_password(password_file), ca_file)
    if forget is not None:
        await _forget(target, topic, forget)
        return
    async with open_context(**account) as context:
        followers = await _prompt_followers(context, interval, device)
        macs = [one.heater.mac_address for one in followers]
        name = hashlib.sha256(context.client.auth.user_id.casefold().encode()).hexdigest()[:8]
        if device or context.client.config.device_mac:
            # One heater of several: its bridge may run beside that of another.
            macs = [one.mac_address for one in await context.client.get_devices(connect=False)]
            name = f"{name}_{followers[0].heater.mac_address}"
        presentation = Presentation(
            root=topic,
            prefix=discovery,
            bridge=name,
            control=not context.client.config.read_only,
            simulated=context.simulated,
            details=DeviceDetails(configuration_url, area),
        )
        await MqttBridge(target, followers, presentation, account_macs=macs).run()


def _check_prefix(name: str) -> None:
    if not name.strip("/") or set(name) & set("+#") or name != clean_text(name):
        raise ConfigurationError(
            f"{name!r} is not a topic prefix; it may not contain +, # or control characters"
        )


def _check_url(url: str) -> None:
    if not re.match(r"https?://[^\s/]", url):
        raise ConfigurationError(
            f"--configuration-url is {url!r}; it must begin with http:// or https:// and a host"
        )


async def _forget(target: Broker, topic: str, forget: str) -> None:
    from ...bridges.retained import forget as forget_heaters

    mac = re.sub(r"[:\-.\s]", "", forget).lower()
    if forget != ALL and not re.fullmatch("[0-9a-f]{12}", mac):
        raise ConfigurationError(
            f"--forget is {forget!r}; it must be the MAC address of a heater, or nothing for all"
        )
    heaters, topics = await forget_heaters(target, topic, None if forget == ALL else mac)
    for heater in heaters:
        print_note(f"cleared: {heater.name} ({heater.mac})")
    print_note(
        f"{len(topics)} topics cleared on broker {target.address}"
        if topics
        else f"broker {target.address} retains nothing of it"
    )


@bridge_command.command()
@_BRIDGE_OPTIONS
@INTERVAL
@click.option(
    "--listen",
    default="127.0.0.1:9500",
    show_default=True,
    metavar="HOST:PORT",
    help="Address to listen on.",
)
@run_async
async def prometheus(
    interval: float | None, device: str | None, listen: str, **account: Any
) -> None:
    """Serve metrics for Prometheus, at /metrics.

    Example: navien-nwp500 bridge prometheus --listen 127.0.0.1:9500
    """
    try:
        from ...bridges.prometheus import serve_metrics
    except ModuleNotFoundError as error:
        raise _missing_extra(error) from error
    host, port = parse_listen(listen)
    async with open_context(**account) as context:
        followers = await _followers(context, interval, device)
        async with serve_metrics(followers, host, port) as url:
            print_note(f"metrics at {url}")
            await run_until_first(*(follower.run() for follower in followers))


async def _followers(
    context: CommandContext, interval: float | None, device: str | None
) -> list[Follower]:
    from ...bridges.follower import Follower

    config = context.client.config
    seconds = context.real_seconds(interval or config.polling_interval)
    return [
        Follower(
            heater,
            seconds,
            answer_timeout=config.answer_timeout,
            learned=known_heater(context, heater.mac_address),
        )
        for heater in await select_devices(context.client, device)
    ]


async def _prompt_followers(
    context: CommandContext, interval: float | None, device: str | None
) -> list[Follower]:
    """Return followers that poll more often while something happens.

    A simulated heater is polled once a second at most, however fast its time goes.
    """
    from ...bridges.follower import BUSY_INTERVAL, ENERGY_INTERVAL, IDLE_INTERVAL, Follower

    def real(seconds: float) -> float:
        return max(context.real_seconds(seconds), 1.0)

    config = context.client.config
    configured = not context.simulated and read_environment().get("NAVILINK_POLLING_INTERVAL")
    idle = real(config.polling_interval if configured else IDLE_INTERVAL)
    return [
        Follower(
            heater,
            idle if interval is None else context.real_seconds(interval),
            busy_interval=real(BUSY_INTERVAL),
            answer_timeout=config.answer_timeout,
            energy_interval=real(ENERGY_INTERVAL),
            with_schedules=True,
            learned=known_heater(context, heater.mac_address),
            now=context.now,
        )
        for heater in await select_devices(context.client, device)
    ]


def _missing_extra(error: ModuleNotFoundError) -> ConfigurationError:
    return ConfigurationError(missing_extra("this bridge", error.name, "bridges"))


def load_password(file: Path | None) -> str | None:
    """Load the broker's password: the first line of a file, or the variable; None without it."""
    if file is None:
        return read_environment().get(PASSWORD)
    try:
        password = decode_text(file.read_bytes()).partition("\n")[0].rstrip("\r")
    except UnicodeDecodeError:
        password = ""
    # Not raised in the except clause: a UnicodeDecodeError contains the whole file.
    if not password:
        raise ConfigurationError(f"{display_path(file)}: the first line must be the password")
    return password
