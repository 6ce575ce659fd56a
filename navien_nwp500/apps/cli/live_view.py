"""The live view: the tank drawn, what heats it, and the last hours, as wide as the terminal."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timezone

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from ...history.alerts import Alert
from ...models import Health, HealthState
from ...protocol.status import Activity, DeviceStatus
from .commands.status import degrees

WIDEST = 110
TANK_ROWS = 8
#: What stands beside the bars of a graph: frame, label, scale.
BESIDE = 20
_BARS = "▁▁▂▃▄▅▆▇█"
_COLOURS = {
    Activity.HEAT_PUMP: "green",
    Activity.ELECTRIC: "red",
    Activity.HYBRID: "yellow",
    Activity.STARTING: "cyan",
}
_STATES = {
    HealthState.IDLE: ("not connected", "dim"),
    HealthState.CONNECTING: ("connection lost, seeking it", "yellow"),
    HealthState.ONLINE: ("connected", "green"),
    HealthState.UNRESPONSIVE: ("heater silent, trying again", "yellow"),
    HealthState.OFFLINE: ("heater offline", "red"),
}


class LiveView:
    """Draws itself anew with each status, and each second, while it is entered."""

    def __init__(self, name: str, unit: str | None = None, console: Console | None = None) -> None:
        self._name = name
        self._unit = unit
        self._latest: tuple[DeviceStatus, datetime] | None = None
        self._health: Health | None = None
        # Power and charge of a status; None where the heater was silent, so that a gap shows.
        self._history: deque[tuple[int, int] | None] = deque(maxlen=WIDEST - BESIDE)
        self._began: deque[datetime] = deque(maxlen=WIDEST - BESIDE)
        self._said: deque[str] = deque(maxlen=3)
        self._wrong: dict[str, str] = {}
        self._live = Live(self, console=console, auto_refresh=False)

    def __enter__(self) -> LiveView:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, status: DeviceStatus, when: datetime, alerts: list[Alert]) -> None:
        self._latest = status, when
        self._add((int(status.current_inst_power), int(status.dhw_charge_per)), when)
        self._note(when, alerts)
        self._live.refresh()

    def warn(self, when: datetime, alerts: list[Alert]) -> None:
        self._add(None, when)
        self._note(when, alerts)
        self._live.refresh()

    def tick(self, health: Health) -> None:
        self._health = health
        self._live.refresh()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = min(options.max_width, WIDEST)
        if self._latest is None:
            first = Text("waiting for the first status")
            yield Panel(Group(first, self._connection()), title=self._name, width=width)
            return
        status, when = self._latest
        top = Table.grid(padding=(0, 3))
        top.add_row(_tank(status, self._unit), self._facts(status))
        room = max(width - BESIDE, 10)
        parts: list[RenderableType] = [top, Text()]
        parts += [self._graph(0, "power", "W", room), self._graph(1, "charge", "%", room)]
        parts += [self._hours(room), self._connection()]
        parts += [Text(text, style="bold red") for text in self._wrong.values()]
        parts += [Text(text, style="dim") for text in self._said]
        title = f"{self._name}  {when:%a %d %b %H:%M:%S}"
        yield Panel(Group(*parts), title=title, width=width)

    def _add(self, entry: tuple[int, int] | None, when: datetime) -> None:
        self._history.append(entry)
        self._began.append(when)

    def _note(self, when: datetime, alerts: list[Alert]) -> None:
        for alert in alerts:
            self._said.append(f"{when:%H:%M} {alert.text}")
            if alert.active and alert.kind != "mode":
                self._wrong[alert.kind] = alert.text
            else:
                self._wrong.pop(alert.kind, None)

    def _facts(self, status: DeviceStatus) -> Table:
        table = Table.grid(padding=(0, 2))
        activity = status.activity
        doing = Text(f"{activity.value}", style=_COLOURS.get(activity, ""))
        doing.append(f"  {status.current_inst_power} W", style="bold")
        mode = status.dhw_operation_setting
        missing = status.energy_to_setpoint_wh
        for label, value in (
            ("water", degrees(status.dhw_temperature, status, self._unit)),
            ("setpoint", degrees(status.dhw_temperature_setting, status, self._unit)),
            ("mode", "-" if mode is None else mode.text),
            ("now", doing),
            ("on", ", ".join(status.heat_sources) or "nothing"),
            ("hot water", "being drawn" if status.dhw_use.active else "not drawn"),
            ("missing", "-" if missing is None else f"{missing / 1000:.1f} kWh of heat"),
            ("air", degrees(status.ambient_temperature, status, self._unit)),
            ("Wi-Fi", status.wifi_rssi.text),
        ):
            table.add_row(Text(label, style="dim"), value)
        return table

    def _graph(self, column: int, label: str, unit: str, room: int) -> Text:
        values = [None if entry is None else entry[column] for entry in self._history][-room:]
        top = max([100 if unit == "%" else 500, *(value for value in values if value is not None)])
        bars = "".join(
            " " if value is None else _BARS[min(round(value / top * 8), 8)] for value in values
        )
        text = Text().append(f"{label:7}", style="dim")
        text.append(f"{bars:>{room}}", style="dark_orange" if unit == "%" else "green")
        return text.append(f" {top:4} {unit}", style="dim")

    def _hours(self, room: int) -> Text:
        """What time the graphs span."""
        span = self._began[-1] - list(self._began)[-room:][0]
        hours = f"the last {span.total_seconds() / 3600:.1f} h"
        return Text(f"{'':7}{hours:>{room}}", style="dim")

    def _connection(self) -> Text:
        if self._health is None:
            return Text()
        said, style = _STATES[self._health.state]
        text = Text(said, style=style)
        if self._health.last_status is not None:
            age = datetime.now(timezone.utc) - self._health.last_status
            text.append(f", last status {_age(age.total_seconds())} ago", style="dim")
        return text


def _age(seconds: float) -> str:
    if seconds < 120:
        return f"{max(seconds, 0):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"


def _tank(status: DeviceStatus, unit: str | None) -> Text:
    """The tank, filled to its charge; the upper and lower sensor beside it."""
    full = round(status.dhw_charge_per / 100 * TANK_ROWS)
    beside = {
        1: f" {degrees(status.tank_upper_temperature, status, unit)}",
        TANK_ROWS - 2: f" {degrees(status.tank_lower_temperature, status, unit)}",
    }
    text = Text("╭────────────╮\n")
    for row in range(TANK_ROWS):
        filled = row >= TANK_ROWS - full
        text.append("│")
        label = f"{status.dhw_charge_per} %" if row == TANK_ROWS // 2 else ""
        fill = "█" if filled else " "
        body = f" {label} ".center(12, fill) if label else fill * 12
        text.append(body, style="dark_orange" if filled else "dim")
        text.append(f"│{beside.get(row, ''):9}\n")
    text.append("╰────────────╯")
    return text
