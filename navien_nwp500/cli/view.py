"""The live view: the tank drawn, what heats it, and the last hours, within 80 columns."""

from __future__ import annotations

from collections import deque
from datetime import datetime

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from ..models import Activity, DeviceStatus
from ..reports import Alert
from .reading import degrees

WIDTH = 78
TANK_ROWS = 8
HISTORY = 60
_BARS = " ▁▂▃▄▅▆▇█"
_COLOURS = {
    Activity.HEAT_PUMP: "green",
    Activity.ELECTRIC: "red",
    Activity.HYBRID: "yellow",
    Activity.STARTING: "cyan",
}


class LiveView:
    """Redraws itself with each status while it is entered."""

    def __init__(self, name: str, console: Console | None = None) -> None:
        self._name = name
        self._history: deque[tuple[int, int]] = deque(maxlen=HISTORY)
        self._said: deque[str] = deque(maxlen=3)
        self._wrong: dict[str, str] = {}
        waiting = Panel("waiting for the first status", title=name, width=WIDTH)
        self._live = Live(waiting, console=console, auto_refresh=False)

    def __enter__(self) -> LiveView:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, status: DeviceStatus, when: datetime, alerts: list[Alert]) -> None:
        self._history.append((int(status.current_inst_power), int(status.dhw_charge_per)))
        self._note(when, alerts)
        self._live.update(self.picture(status, when), refresh=True)

    def warn(self, when: datetime, alerts: list[Alert]) -> None:
        self._note(when, alerts)
        self._live.refresh()

    def picture(self, status: DeviceStatus, when: datetime) -> RenderableType:
        """The whole view of one status."""
        top = Table.grid(padding=(0, 3))
        top.add_row(_tank(status), self._facts(status))
        parts: list[RenderableType] = [top, Text(), self._graph(0, "power", "W")]
        parts += [self._graph(1, "charge", "%"), Text()]
        parts += [Text(text, style="bold red") for text in self._wrong.values()]
        parts += [Text(text, style="dim") for text in self._said]
        title = f"{self._name}  {when:%a %d %b %H:%M:%S}"
        return Panel(Group(*parts), title=title, width=WIDTH)

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
            ("water", degrees(status.dhw_temperature, status)),
            ("setpoint", degrees(status.dhw_temperature_setting, status)),
            ("mode", "-" if mode is None else mode.text),
            ("now", doing),
            ("on", ", ".join(status.heat_sources) or "nothing"),
            ("hot water", "being drawn" if status.dhw_use.active else "not drawn"),
            ("missing", "-" if missing is None else f"{missing / 1000:.1f} kWh of heat"),
            ("air", degrees(status.ambient_temperature, status)),
            ("Wi-Fi", status.wifi_rssi.text),
        ):
            table.add_row(Text(label, style="dim"), value)
        return table

    def _graph(self, column: int, label: str, unit: str) -> Text:
        values = [entry[column] for entry in self._history]
        top = max(100 if unit == "%" else 500, *values)
        bars = "".join(_BARS[min(round(value / top * 8), 8)] for value in values)
        text = Text(f"{label:7}", style="dim")
        text.append(f"{bars:>{HISTORY}}", style="")
        return text.append(f" {top} {unit}", style="dim")


def _tank(status: DeviceStatus) -> Text:
    """The tank, filled to its charge; the upper and lower sensor beside it."""
    full = round(status.dhw_charge_per / 100 * TANK_ROWS)
    beside = {
        1: f" {degrees(status.tank_upper_temperature, status)}",
        TANK_ROWS - 2: f" {degrees(status.tank_lower_temperature, status)}",
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
