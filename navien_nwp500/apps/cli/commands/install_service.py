"""The command ``install-service``.

It prints the file and installs nothing: what starts with the computer is the owner's decision.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass

import click

from ...._util.version import __version__
from ..output import print_result


@dataclass(frozen=True)
class Service:
    """A command that can run as a service, and the extras it needs."""

    command: tuple[str, ...]
    extras: str
    description: str
    #: Options of a unit, and of a container, unless others are given.
    unit_options: tuple[str, ...] = ()
    container_options: tuple[str, ...] = ()
    #: Options of ``podman run``.
    podman_options: tuple[str, ...] = ()
    #: Further lines of the environment file.
    variables: str = ""


SERVICES = {
    "monitor": Service(
        ("monitor",),
        "cli",
        "Record a water heater",
        unit_options=("--csv", "tank.csv"),
        container_options=("--csv", "/data/tank.csv"),
        podman_options=("--volume", "navien-nwp500:/data"),
    ),
    "bridge-mqtt": Service(
        ("bridge", "mqtt"),
        "cli,bridges",
        "Publish water heaters to Home Assistant",
        variables="\n#   MQTT_PASSWORD=...",
    ),
    "bridge-prometheus": Service(
        ("bridge", "prometheus"),
        "cli,bridges",
        "Publish water heaters to Prometheus",
        container_options=("--listen", "0.0.0.0:9500"),
        podman_options=("--publish", "127.0.0.1:9500:9500"),
    ),
}

#: A unit of a user's systemd. Its mounts need PrivateUsers; it may not use options that drop
#: capabilities (PrivateDevices, ProtectKernelModules, ProtectClock), and has none to drop. Exit codes
#: 2 and 4 need a person: a rejected password must not be sent again and again.
UNIT = """\
# Save as ~/.config/systemd/user/{unit}.service; then
#   systemctl --user daemon-reload && systemctl --user enable --now {unit}
#   loginctl enable-linger    (so that it runs while you are logged out)
# Write the account to ~/.config/navien-nwp500.env, readable only by you (chmod 600):
#   NAVILINK_EMAIL=...
#   NAVILINK_PASSWORD=...{variables}
[Unit]
Description={description}
StartLimitIntervalSec=0

[Service]
ExecStart={command}
EnvironmentFile=%E/navien-nwp500.env
StateDirectory=navien-nwp500
WorkingDirectory=%S/navien-nwp500
Restart=on-failure
RestartSec=30
RestartPreventExitStatus=2 4
TimeoutStopSec=20
MemoryMax=256M
TasksMax=64
UMask=0077
NoNewPrivileges=yes
PrivateUsers=yes
PrivateTmp=yes
ProtectSystem=strict
ProtectHome=read-only
ProtectKernelTunables=yes
ProtectControlGroups=yes
LockPersonality=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
SystemCallArchitectures=native
SystemCallFilter=@system-service

[Install]
WantedBy=default.target
"""

CONTAINER = """\
# Save as Containerfile; then (docker has the same commands):
#   podman build --tag {unit} --file Containerfile .
#   {run}
# Write the account to navien-nwp500.env, readable only by you (chmod 600), without quotes:
#   NAVILINK_EMAIL=...
#   NAVILINK_PASSWORD=...{variables}
FROM python:3.13-slim
RUN pip install --no-cache-dir 'navien-nwp500[{extras}]=={version}' \\
 && install --directory --owner=10001 --group=10001 /data
USER 10001:10001
WORKDIR /data
ENTRYPOINT {command}
"""


@click.command("install-service", context_settings={"ignore_unknown_options": True})
@click.option("--container", is_flag=True, help="Print a container file.")
@click.argument("service", type=click.Choice(list(SERVICES)), metavar="SERVICE")
@click.argument("options", nargs=-1, type=click.UNPROCESSED, metavar="[SERVICE OPTIONS]...")
def install_service_command(container: bool, service: str, options: tuple[str, ...]) -> None:
    """Print a systemd unit or a container file.

    SERVICE is monitor, bridge-mqtt or bridge-prometheus; the options after it are passed to it.
    Nothing is installed: the first printed lines explain how to install it.

    Example: navien-nwp500 install-service bridge-mqtt --broker mqtt://ha.local
    """
    make = _containerfile if container else _unit
    print_result(make(f"navien-nwp500-{service}", SERVICES[service], options), end="")


def _unit(name: str, service: Service, options: tuple[str, ...]) -> str:
    program = [sys.executable, "-m", "navien_nwp500"]
    command = [*program, *service.command, *(options or service.unit_options)]
    return UNIT.format(
        unit=name,
        description=service.description,
        variables=service.variables,
        command=" ".join(map(_quote, command)),
    )


def _containerfile(name: str, service: Service, options: tuple[str, ...]) -> str:
    command = ["navien-nwp500", *service.command, *(options or service.container_options)]
    podman = (
        *("podman", "run", "--detach", "--name", name, "--restart", "on-failure"),
        *("--read-only", "--tmpfs", "/tmp", "--cap-drop", "all"),
        *("--security-opt", "no-new-privileges", "--memory", "256m", "--pids-limit", "64"),
        *("--env-file", "navien-nwp500.env", *service.podman_options, name),
    )
    return CONTAINER.format(
        unit=name,
        extras=service.extras,
        version=__version__,
        variables=service.variables,
        run=" ".join(podman),
        command=json.dumps(command),
    )


def _quote(text: str) -> str:
    """Quote an argument of ExecStart, where systemd would expand $ and %."""
    if any(not character.isprintable() for character in text):
        raise click.UsageError(f"{text!r} contains characters that a unit file cannot contain.")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"' if escaped != text or not text or " " in text or "'" in text else text
