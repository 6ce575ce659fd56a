"""``bridge``: the heaters of the account, told on to other programs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...._util.aio import run_until_first
from ...._util.extras import missing_extra
from ....config import read_environment
from ....exceptions import ConfigurationError
from ..context import CommandContext, heaters, open_context
from ..options import DEVICE, SIMULATE, Group, speed
from ..runner import run

if TYPE_CHECKING:
    from ...bridges.follower import Follower

PASSWORD = "MQTT_PASSWORD"

_INTERVAL = click.option(
    "--interval",
    type=click.FloatRange(min=0, min_open=True, max=86400),
    help="Seconds between polls, of the heater's time.  [default: 300]",
)


@click.group(cls=Group)
def bridge() -> None:
    """Tell Home Assistant or Prometheus what your heaters are doing.

    A bridge runs for months: lost connections are sought again, a heater that is not heard is
    shown as such. See also: navien-nwp500 install-service.

    Example: navien-nwp500 bridge prometheus
    """


@bridge.command()
@SIMULATE
@speed(60)
@_INTERVAL
@DEVICE
@click.option("--broker", required=True, metavar="mqtt[s]://[USER@]HOST[:PORT]", help="Which one.")
@click.option(
    "--password-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help=f"The broker's password is in it.  [default: the variable {PASSWORD}]",
)
@click.option(
    "--ca-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Certificates to trust for mqtts instead of the system's.",
)
@click.option("--topic", default="navien_nwp500", show_default=True, help="Begins our topics.")
@click.option(
    "--discovery", default="homeassistant", show_default=True, help="Begins Home Assistant's."
)
def mqtt(**options: Any) -> None:
    """Home Assistant, over any MQTT broker.

    Each heater becomes a device with its sensors and a water heater that can be controlled. With
    NAVILINK_READ_ONLY=1 it can be watched only.

    Example: navien-nwp500 bridge mqtt --broker mqtt://navien@homeassistant.local
    """
    run(serve_mqtt(**options))


@bridge.command()
@SIMULATE
@speed(60)
@_INTERVAL
@DEVICE
@click.option(
    "--listen", default="127.0.0.1:9500", show_default=True, metavar="HOST:PORT", help="Where."
)
def prometheus(**options: Any) -> None:
    """Metrics for Prometheus, at /metrics.

    Example: navien-nwp500 bridge prometheus --listen 127.0.0.1:9500
    """
    run(serve_prometheus(**options))


async def serve_mqtt(
    simulate: bool,
    speed: float,
    interval: float | None,
    device: str | None,
    broker: str,
    password_file: Path | None,
    ca_file: Path | None,
    topic: str,
    discovery: str,
) -> None:
    """Serve a broker until stopped."""
    try:
        from ...bridges.home_assistant import Broker, MqttBridge
    except ModuleNotFoundError as error:
        raise _missing(error) from error
    for name in (topic, discovery):
        if not name.strip("/") or set(name) & set("+#"):
            raise ConfigurationError(f"{name!r} cannot begin a topic; it may hold no + and no #")
    found = Broker.parse(broker, password(password_file), ca_file)
    async with open_context(simulate, speed) as here:
        following = await _followers(here, interval, device)
        control = not here.client.config.read_only
        await MqttBridge(found, following, root=topic, prefix=discovery, control=control).run()


async def serve_prometheus(
    simulate: bool, speed: float, interval: float | None, device: str | None, listen: str
) -> None:
    """Serve metrics until stopped; say on stderr where."""
    try:
        from ...bridges.prometheus import serve_metrics
    except ModuleNotFoundError as error:
        raise _missing(error) from error
    host, port = _address(listen)
    async with open_context(simulate, speed) as here:
        following = await _followers(here, interval, device)
        async with serve_metrics(following, host, port) as url:
            print(f"metrics at {url}", file=sys.stderr, flush=True)
            await run_until_first(*(follower.run() for follower in following))


async def _followers(
    here: CommandContext, interval: float | None, device: str | None
) -> list[Follower]:
    from ...bridges.follower import Follower

    config = here.client.config
    every = here.real(interval or config.polling_interval)
    return [
        Follower(heater, every, answer_timeout=config.answer_timeout)
        for heater in await heaters(here.client, device)
    ]


def _missing(error: ModuleNotFoundError) -> ConfigurationError:
    return ConfigurationError(missing_extra("this bridge", error.name, "bridges"))


def password(file: Path | None) -> str | None:
    """The broker's password: the first line of a file, or the variable; None without either."""
    if file is None:
        return read_environment().get(PASSWORD)
    try:
        lines = file.read_text("utf-8").splitlines()
    except UnicodeDecodeError:
        lines = []
    # Outside the except: a UnicodeDecodeError carries the whole file.
    if not lines or not lines[0]:
        raise ConfigurationError(f"{file} holds no password; its first line must be the password")
    return lines[0]


def _address(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise ConfigurationError(f"--listen is {listen!r}; it must be HOST:PORT")
    return host.strip("[]"), int(port)
