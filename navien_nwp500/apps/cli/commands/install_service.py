"""The command ``install-service``.

It prints the file and installs nothing: what starts with the computer is the owner's decision. What it
prints was checked: the options by the parser of the service's own command, and their files against what
the service may read and write.
"""

from __future__ import annotations

import json
import re
import shlex
import sys
from copy import copy
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import click

from ...._util.version import __version__
from ....exceptions import ConfigurationError
from ..database_option import database_address, is_default
from ..output import print_result
from ..parsing import parse_listen
from ..zone import machine_zone
from .dashboard import public_place


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
    #: Further lines on what to do before it is started, for a unit and for a container.
    unit_steps: str = ""
    container_steps: str = ""


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
    "dashboard": Service(
        ("dashboard",),
        "cli,dashboard",
        "Record water heaters and show them on a page",
        unit_options=("--no-browser",),
        container_options=(
            *("--no-browser", "--listen", "0.0.0.0:9501"),
            *("--password-file", "/data/dashboard-password"),
        ),
        podman_options=(*("--volume", "navien-nwp500:/data", "--publish", "127.0.0.1:9501:9501"),),
        unit_steps="# The address to sign in with, for an hour: {program} dashboard --address\n",
        container_steps="# Choose a password for the page:\n"
        "#   podman run --rm --interactive --tty --volume navien-nwp500:/data \\\n"
        "#     --entrypoint navien-nwp500 {unit} dashboard --new-password /data/dashboard-password\n",
    ),
}

#: A unit has its own folders for temporary files (PrivateTmp).
_HIDDEN_FOLDERS = (Path("/tmp"), Path("/var/tmp"))

#: A unit of a user's systemd. Its mounts need PrivateUsers; it may not use options that drop
#: capabilities (PrivateDevices, ProtectKernelModules, ProtectClock), and has none to drop. The state
#: folder is for recordings, the cache folder for the saved session. Exit codes
#: 2 and 4 need a person: a rejected password must not be sent again and again.
UNIT = """\
# Save as ~/.config/systemd/user/{unit}.service; then
#   systemctl --user daemon-reload && systemctl --user enable --now {unit}
#   loginctl enable-linger    (so that it runs while you are logged out)
# Write the account to ~/.config/navien-nwp500.env, readable only by you (chmod 600):
#   NAVILINK_EMAIL=...
#   NAVILINK_PASSWORD=...{variables}
# TZ must be the time zone of the heater: days and prices are counted in it.
{steps}[Unit]
Description={description}
StartLimitIntervalSec=0

[Service]
ExecStart={command}
Environment=TZ={zone}
EnvironmentFile=%E/navien-nwp500.env
StateDirectory=navien-nwp500
CacheDirectory=navien-nwp500
CacheDirectoryMode=0700
WorkingDirectory=%S/navien-nwp500
{data}Restart=on-failure
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
# TZ must be the time zone of the heater: days and prices are counted in it.
{steps}FROM python:3.13-slim
ENV TZ={zone}{data}
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
@click.pass_context
def install_service_command(
    ctx: click.Context, container: bool, service: str, options: tuple[str, ...]
) -> None:
    """Print a systemd unit or a container file.

    SERVICE is monitor, dashboard, bridge-mqtt or bridge-prometheus; the options after it are
    checked and passed to it. A service may write only in its own folder, and in your data folder if
    the history is there: give --csv and --database a path without a folder above it, such as
    tank.csv. Nothing is installed: the first printed lines explain how to install it.

    Example: navien-nwp500 install-service bridge-mqtt --broker mqtt://ha.local
    """
    chosen = SERVICES[service]
    defaults = chosen.container_options if container else chosen.unit_options
    values = _check(ctx, chosen, options or defaults, container)
    database = values.get("database")
    history = _History(
        used=database is not None,
        in_data_folder=service == "dashboard" or database is not None and is_default(database),
        in_postgres="://" in (database or ""),
    )
    make = _containerfile if container else _unit
    print_result(make(f"navien-nwp500-{service}", chosen, options, history), end="")


class _History(NamedTuple):
    """Needs of a service for its history; the dashboard's sessions are in the data folder too."""

    used: bool
    in_data_folder: bool
    in_postgres: bool


def _check(
    ctx: click.Context, service: Service, options: tuple[str, ...], container: bool
) -> dict[str, Any]:
    """Return the values of a service's options.

    Raises UsageError for those that the service would reject, and for files it cannot use.
    """
    for text in (sys.executable, *options):
        if not text.isprintable():
            raise click.UsageError(f"{text!r} contains characters that the file cannot contain.")
    if not container and set(sys.executable) & set("'\"\\"):
        raise click.UsageError(
            f"the program is {sys.executable}; systemd starts none with a quote or a backslash in its "
            "path. Install it in another folder."
        )
    command: Any = ctx.find_root().command
    for word in service.command:
        command = command.get_command(ctx, word)
    if container:
        command = _without_files(command)
    name = " ".join(service.command)
    try:
        with command.make_context(name, list(options), parent=ctx.parent) as parsed:
            values = parsed.params
    except click.UsageError as error:
        raise click.UsageError(f"{name}: {error.format_message()}") from error
    check = _check_container_path if container else _check_unit_path
    for parameter in command.params:
        path = values.get(parameter.name)
        if isinstance(path, Path):
            check(parameter.opts[0], path, is_input=parameter.type.exists)
    database = values.get("database")
    if database is not None and "://" not in database and not is_default(database):
        check("--database", Path(database), is_input=False)
    if re.search("://[^@/]*:[^@/]*@", database or ""):
        raise click.UsageError(
            "--database has a password, which others can read. Give it in ~/.pgpass, or as "
            "PGPASSWORD in the file with the account."
        )
    if service.command == ("dashboard",):
        _check_dashboard(values)
    return dict(values)


def _check_dashboard(values: dict[str, Any]) -> None:
    """Raise UsageError for a page that all may see, and for options after which it ends."""
    for name, option in (
        ("new_password", "new-password"),
        ("address", "address"),
        ("seconds", "for"),
    ):
        if values[name]:
            raise click.UsageError(f"dashboard: --{option} is for you, not for a service.")
    try:
        host, _ = parse_listen(values["listen"])
        public_place(host, values["names"], values["behind_proxy"], values["password_file"])
    except ConfigurationError as error:
        raise click.UsageError(f"dashboard: {error}") from error


def _without_files(command: click.Command) -> click.Command:
    """Return the command without checks of files: those of a container are not here."""
    command = copy(command)
    command.params = [copy(parameter) for parameter in command.params]
    for parameter in command.params:
        if isinstance(parameter.type, click.Path):
            parameter.type = click.Path(path_type=Path)
    return command


def _check_unit_path(option: str, path: Path, *, is_input: bool) -> None:
    if not is_input:
        if path.is_absolute() or ".." in path.parts:
            raise click.UsageError(
                f"{option} is {path}, which the unit may not write. Give a path below the unit's own "
                "folder, such as tank.csv."
            )
    elif not path.is_absolute():
        raise click.UsageError(
            f"{option} is {path}; the unit runs in another folder. Give the whole path: "
            f"{path.absolute()}"
        )
    elif any(folder in path.resolve().parents for folder in _HIDDEN_FOLDERS):
        raise click.UsageError(f"{option} is {path}; the unit does not see files in this folder.")


def _check_container_path(option: str, path: Path, *, is_input: bool) -> None:
    inside = PurePosixPath("/data") / path.as_posix()
    if ".." in inside.parts or PurePosixPath("/data") not in inside.parents:
        raise click.UsageError(
            f"{option} is {path}, which is not in the container. Give a path below /data."
        )


def _unit(name: str, service: Service, options: tuple[str, ...], history: _History) -> str:
    program = [sys.executable, "-m", "navien_nwp500"]
    steps, data = service.unit_steps.format(program=" ".join(map(shlex.quote, program))), ""
    if history.in_data_folder:
        folder = str(Path(database_address(None)).parent)
        steps += f"# Make the folder of the history: mkdir -p -m 700 {shlex.quote(folder)}\n"
        data = f"ReadWritePaths={_quote(folder, '%')}\n"
    command = [*program, *service.command, *(options or service.unit_options)]
    return UNIT.format(
        unit=name,
        description=service.description,
        variables=service.variables,
        zone=_zone(),
        steps=steps,
        data=data,
        command=" ".join([_quote(command[0], "%"), *(_quote(word, "%$") for word in command[1:])]),
    )


def _containerfile(name: str, service: Service, options: tuple[str, ...], history: _History) -> str:
    extras = service.extras
    extras += ",history" if history.used and "dashboard" not in extras else ""
    extras += ",postgres" if history.in_postgres else ""
    command = ["navien-nwp500", *service.command, *(options or service.container_options)]
    podman = (
        *("podman", "run", "--detach", "--name", name, "--restart", "on-failure"),
        *("--read-only", "--tmpfs", "/tmp", "--cap-drop", "all"),
        *("--security-opt", "no-new-privileges", "--memory", "256m", "--pids-limit", "64"),
        *("--env-file", "navien-nwp500.env", *service.podman_options, name),
    )
    return CONTAINER.format(
        unit=name,
        extras=extras,
        version=__version__,
        variables=service.variables,
        zone=_zone(),
        data=" XDG_DATA_HOME=/data" if history.in_data_folder else "",
        steps=service.container_steps.format(unit=name),
        run=" ".join(podman),
        command=json.dumps(command),
    )


def _zone() -> str:
    """Return the time zone of this machine, which is usually near the heater."""
    zone = machine_zone()
    return "UTC" if zone is None else zone.key


def _quote(text: str, doubled: str) -> str:
    """Quote a word of ExecStart; systemd expands % in each, and $ in all but the program."""
    if re.fullmatch(r"[\w./:@=+,-]+", text, re.ASCII):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    for character in doubled:
        escaped = escaped.replace(character, 2 * character)
    return f'"{escaped}"'
