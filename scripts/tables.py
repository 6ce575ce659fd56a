"""Write the documents that are generated from fields, commands and options.

python scripts/tables.py           writes docs/COMMANDS.md, docs/DEVICE_DATA_SCHEMA.md and docs/CLI.md
python scripts/tables.py --check   exits 1 when one of them is stale
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Iterator

import command_line

from navien_nwp500.protocol.account import AlarmInfo, Descaling, DeviceInfo, Installer, LastError
from navien_nwp500.protocol.commands import COMMANDS, WRITE_TOU, Command, Parameter
from navien_nwp500.protocol.diagnostics import ComponentCounters, DrawCounters, EventCounters
from navien_nwp500.protocol.features import DeviceFeatures
from navien_nwp500.protocol.fields import field_specs
from navien_nwp500.protocol.status import DeviceStatus
from navien_nwp500.protocol.types import Choice, Quantity

HERE = Path(__file__).parents[1] / "docs"

COMMANDS_HEAD = """# Commands

All commands that a heater understands, generated from `navien_nwp500/protocol/commands.py` by
`python scripts/tables.py`.

Every control on `ctrl` makes the heater check its demand again and can start the compressor or an
element; writing a list (`ctrl/…`) starts no heating. So a setting that already has the wanted value, by a status requested for it, is not sent (unless
`force=True`); that a command changes something may be known from a status of at most
`NaviLinkConfig.status_max_age` seconds ago, and is then not requested. A command is never repeated, and `NaviLinkConfig.command_interval` seconds pass between commands, because the heater
rejects commands that follow too fast; after such a rejection none is sent for
`NaviLinkConfig.refusal_pause` seconds. `dry_run=True` sends nothing and returns the request;
`NAVILINK_READ_ONLY=1` rejects every write.

*Confirmed by* is what the heater's response must show, or its status
`NaviLinkConfig.control_recheck_delay` seconds later; "the response" means that no status field shows the
new state. A list is read back up to three times, every `NaviLinkConfig.list_recheck_interval` seconds. *Capability* is the feature that the heater must report. *Certainty* is the source:
captured from the maker's app, sent by live clients (LIB, LIB2), or read in the app (APP).

The number decides what a heater does; the text in `mode` selects nothing. The freeze threshold and the
lowest setpoint (the installer's minimum operation temperature) cannot be set remotely.
"""

SCHEMA_HEAD = """# Device data

All fields that a heater sends, and what the cloud knows of it, generated from `navien_nwp500/protocol/` by
`python scripts/tables.py`.

The value of a field *is* the integer that was sent; its type gives the meaning:
`status.dhw_temperature == 121`, `status.dhw_temperature.celsius == 60.5`. The fields in bold are in
every status; any other is `None` if this heater's firmware does not send it. *Range* is the raw range
seen in practice; other values are accepted too. *Certainty* is source and confidence: captured and
field_log are captured traffic, library2 is a public client in daily use, model_only was declared by
another client and never seen.
"""

DIAGNOSTICS_HEAD = """Lifetime counters, from `get_diagnostics()`: `diagnostics.components.compressor_starts`.
"""


INFO_HEAD = """What the cloud knows, also while the heater is offline: `device.info`. A last error may be over;
`info.error.text` and `info.error.advice` explain it.
"""


def table(head: list[str], rows: Iterator[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def command_rows() -> Iterator[list[str]]:
    for command in COMMANDS:
        yield [
            f"`{command.name}`",
            str(command.code),
            f"`{command.suffix}`" + (f" `{command.mode}`" if command.mode else ""),
            "; ".join(_parameter(entry) for entry in command.parameters) or "-",
            _capabilities(command),
            _confirmation(command),
            command.certainty,
            command.meaning,
        ]


def _parameter(parameter: Parameter) -> str:
    if issubclass(parameter.codec, Choice):
        values = range(int(parameter.lowest), int(parameter.highest) + 1)
        return f"{parameter.name}: " + ", ".join(f"{n} {parameter.codec(n).text}" for n in values)
    unit = getattr(parameter.codec, "unit", "")
    low, high = (
        f"`{limit}`" if isinstance(limit, str) else str(int(limit))
        for limit in (parameter.lowest, parameter.highest)
    )
    text = f"{parameter.name}: {low} to {high} {unit}".rstrip()
    text += f" in steps of {parameter.step}" if parameter.step > 1 else ""
    return text + "".join(f", or {int(extra)}" for extra in parameter.also_allowed)


def _capabilities(command: Command) -> str:
    capabilities = [f"`{one.field}` {_allowed(one.allowed)}" for one in command.capabilities]
    capabilities += [f"{int(value)}: `{one.field}`" for value, one in command.value_capabilities]
    return ", ".join(capabilities) or "-"


def _allowed(allowed: tuple[int, ...]) -> str:
    return " or ".join(str(int(value)) for value in allowed)


def _confirmation(command: Command) -> str:
    if command.expects:
        return ", ".join(f"`{part}`" for part in command.expects)
    if not command.is_write:
        return "-"
    if command is WRITE_TOU:
        return "the plan in the response"
    return "the response" if command.mode else "the list that is read back"


def field_rows(cls: Any) -> Iterator[list[str]]:
    for entry in field_specs(cls):
        name = f"**`{entry.name}`**" if entry.required else f"`{entry.name}`"
        unit, span = _unit(entry.codec)
        keys = f"`{entry.key}`" + (f" (or `{entry.alias}`)" if entry.alias else "")
        yield [
            str(entry.number),
            name,
            keys,
            entry.codec.__name__,
            unit,
            span,
            entry.certainty,
            entry.meaning,
        ]


def _unit(codec: type[Any]) -> tuple[str, str]:
    if issubclass(codec, Choice):
        return "-", ", ".join(f"{int(member)} {member.text}" for member in codec)
    if issubclass(codec, Quantity):
        low, high = codec.usual
        return codec.unit or "-", "any" if high >= 0x7FFFFFFF else f"{low} to {high}"
    return ("-", "any") if codec is int else ("text", "-")


def _sections(head: list[str], **classes: Any) -> Iterator[str]:
    for name, cls in classes.items():
        yield f"### {name}\n\n{table(head, field_rows(cls))}"


def documents() -> dict[Path, str]:
    """Return the contents of each generated document."""
    fields = ["#", "field", "wire key", "type", "unit", "range", "certainty", "meaning"]
    head = [
        "command",
        "code",
        "topic, mode",
        "parameters",
        "capability",
        "confirmed by",
        "certainty",
        "meaning",
    ]
    schema = [
        SCHEMA_HEAD,
        "## Status\n",
        table(fields, field_rows(DeviceStatus)),
        "## Features\n",
        table(fields, field_rows(DeviceFeatures)),
        "## Diagnostics\n",
        DIAGNOSTICS_HEAD,
        *_sections(fields, events=EventCounters, draws=DrawCounters, components=ComponentCounters),
        "## Device info\n",
        INFO_HEAD,
        table(fields, field_rows(DeviceInfo)),
        *_sections(
            fields, error=LastError, descaling=Descaling, alarm_info=AlarmInfo, installer=Installer
        ),
    ]
    return {
        HERE / "COMMANDS.md": COMMANDS_HEAD + "\n" + table(head, command_rows()),
        HERE / "DEVICE_DATA_SCHEMA.md": "\n".join(schema),
        HERE / "CLI.md": command_line.page(),
    }


def main() -> int:
    stale = {
        path: text
        for path, text in documents().items()
        if not path.exists() or path.read_text("utf-8") != text
    }
    for path, text in stale.items():
        print(f"{'stale' if '--check' in sys.argv else 'written'}: {path.name}")
        if "--check" not in sys.argv:
            path.write_text(text, "utf-8")
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
