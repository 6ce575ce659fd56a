"""``install-service``: a unit of systemd, or a container, for what runs for months.

Printed, never installed: what starts with the machine is its owner's to decide.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass

import click

from ...._util.version import __version__


@dataclass(frozen=True)
class Service:
    """A word that runs for months: its words, its extras, and what a container must open."""

    name: str
    words: tuple[str, ...]
    extras: str
    meaning: str
    #: What is said when nothing else is.
    defaults: tuple[str, ...] = ()
    #: Said in a container in place of the defaults, and how it is run there.
    contained: tuple[str, ...] = ()
    opens: tuple[str, ...] = ()


SERVICES = {
    service.name: service
    for service in (
        Service(
            "monitor",
            ("monitor",),
            "cli",
            "Record a water heater",
            defaults=("--csv", "tank.csv"),
            contained=("--csv", "/data/tank.csv"),
            opens=("--volume", "navien-nwp500:/data"),
        ),
        Service(
            "bridge-mqtt", ("bridge", "mqtt"), "cli,bridges", "Tell Home Assistant of water heaters"
        ),
        Service(
            "bridge-prometheus",
            ("bridge", "prometheus"),
            "cli,bridges",
            "Tell Prometheus of water heaters",
            contained=("--listen", "0.0.0.0:9500"),
            opens=("--publish", "127.0.0.1:9500:9500"),
        ),
    )
}

#: What a user's own systemd can do. It mounts through PrivateUsers; what drops capabilities
#: (PrivateDevices, ProtectKernelModules, ProtectClock) it may not, and a user's process has none.
#: Exit codes 2 and 4 need a person: a refused password must not be tried for ever.
UNIT = """\
# Save as ~/.config/systemd/user/{unit}.service; then
#   systemctl --user daemon-reload && systemctl --user enable --now {unit}
#   loginctl enable-linger    (so that it runs while you are logged out)
# The account goes into ~/.config/navien-nwp500.env, for your eyes only (chmod 600):
#   NAVILINK_EMAIL=...
#   NAVILINK_PASSWORD=...{hint}
[Unit]
Description={meaning}
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
# Save as Containerfile; then (docker takes the same words):
#   podman build --tag {unit} --file Containerfile .
#   {run}
# The account goes into navien-nwp500.env, for your eyes only (chmod 600), nothing in quotes:
#   NAVILINK_EMAIL=...
#   NAVILINK_PASSWORD=...{hint}
FROM python:3.13-slim
RUN pip install --no-cache-dir 'navien-nwp500[{extras}]=={version}' \\
 && install --directory --owner=10001 --group=10001 /data
USER 10001:10001
WORKDIR /data
ENTRYPOINT {command}
"""


@click.command("install-service", context_settings={"ignore_unknown_options": True})
@click.option("--container", is_flag=True, help="A container file instead of a systemd unit.")
@click.argument("service", type=click.Choice(list(SERVICES)))
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[OPTIONS OF THE SERVICE]...")
def install_service(container: bool, service: str, words: tuple[str, ...]) -> None:
    """Print what keeps a service running: a systemd user unit, or a container file.

    Nothing is installed; the first lines say what to do with the rest. Options after the name of
    the service are those it will run with.

    Example: navien-nwp500 install-service bridge-mqtt --broker mqtt://ha.local
    """
    found = SERVICES[service]
    click.echo(_containerfile(found, words) if container else _unit(found, words), nl=False)


def _unit(service: Service, words: tuple[str, ...]) -> str:
    program = [sys.executable, "-m", "navien_nwp500"]
    command = [*program, *service.words, *(words or service.defaults)]
    return UNIT.format(
        unit=_name(service),
        meaning=service.meaning,
        hint=_hint(service),
        command=" ".join(map(_quoted, command)),
    )


def _containerfile(service: Service, words: tuple[str, ...]) -> str:
    command = ["navien-nwp500", *service.words, *(words or service.contained)]
    name = _name(service)
    flags = (
        *("run", "--detach", "--name", name, "--restart", "on-failure"),
        *("--read-only", "--tmpfs", "/tmp", "--cap-drop", "all"),
        *("--security-opt", "no-new-privileges", "--memory", "256m", "--pids-limit", "64"),
        *("--env-file", "navien-nwp500.env", *service.opens, name),
    )
    return CONTAINER.format(
        unit=name,
        extras=service.extras,
        version=__version__,
        hint=_hint(service),
        run=" ".join(["podman", *flags]),
        command=json.dumps(command),
    )


def _name(service: Service) -> str:
    return f"navien-nwp500-{service.name}"


def _hint(service: Service) -> str:
    return "\n#   MQTT_PASSWORD=..." if service.name == "bridge-mqtt" else ""


def _quoted(word: str) -> str:
    """A word of ExecStart: $ and % would be expanded there, and quotes part words."""
    if any(not one.isprintable() for one in word):
        raise click.UsageError(f"{word!r} holds what no unit file can.")
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"' if escaped != word or not word or " " in word or "'" in word else word
