"""The live view of ``monitor``: the tank, its heat sources, and graphs of the last hours."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from datetime import datetime, timezone

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from ...analysis.forecast import forecast
from ...analysis.forecast.learned import Learned
from ...analysis.hot_water import usable_water_of
from ...history.alerts import Alert
from ...models import Health, HealthState
from ...protocol.status import Activity, DeviceStatus
from .formatting import degrees
from .output import plain

MAX_WIDTH = 110
TANK_HEIGHT = 8
#: Columns of a graph's frame, label and scale.
GRAPH_MARGIN = 20
_BARS = "▁▁▂▃▄▅▆▇█"
_COLOURS = {
    Activity.HEAT_PUMP: "green",
    Activity.ELECTRIC: "red",
    Activity.HYBRID: "yellow",
    Activity.STARTING: "cyan",
}
_STATES = {
    HealthState.IDLE: ("not connected", "dim"),
    HealthState.CONNECTING: ("connection lost, reconnecting", "yellow"),
    HealthState.ONLINE: ("connected", "green"),
    HealthState.UNRESPONSIVE: ("heater does not respond, retrying", "yellow"),
    HealthState.OFFLINE: ("heater offline", "red"),
}


class LiveView:
    """A live view, drawn anew with each status and each change of the health."""

    def __init__(
        self,
        name: str,
        unit: str | None = None,
        console: Console | None = None,
        learned: Learned = Learned(),
    ) -> None:
        self._name = name
        self._unit = unit
        self._learned = learned
        self._forecast = ""
        self._latest: tuple[DeviceStatus, datetime] | None = None
        self._health: Health | None = None
        # Time, and power and charge of each status; None draws a gap.
        self._history: deque[tuple[datetime, tuple[int, int] | None]]
        self._history = deque(maxlen=MAX_WIDTH - GRAPH_MARGIN)
        self._recent_alerts: deque[str] = deque(maxlen=3)
        self._active_alerts: dict[str, str] = {}
        self._live = Live(self, console=console, auto_refresh=False)

    def __enter__(self) -> LiveView:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show_status(self, status: DeviceStatus, when: datetime, alerts: list[Alert]) -> None:
        self._latest = status, when
        made = forecast(status, when, learned=self._learned)
        self._forecast = replace(made, notes=()).text  # two lines at most, of 56 columns
        point = int(status.current_inst_power), int(status.dhw_charge_per)
        self._history.append((when, point))
        self._add_alerts(when, alerts)
        self._live.refresh()

    def show_alerts(self, when: datetime, alerts: list[Alert]) -> None:
        self._history.append((when, None))
        self._add_alerts(when, alerts)
        self._live.refresh()

    def show_health(self, health: Health) -> None:
        self._health = health
        self._live.refresh()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = min(options.max_width, MAX_WIDTH)
        if self._latest is None:
            first = Text("waiting for the first status")
            yield self._panel(self._name, width, [first, self._connection()])
            return
        status, when = self._latest
        top = Table.grid(padding=(0, 3))
        top.add_row(self._tank(status), self._facts(status))
        columns = max(width - GRAPH_MARGIN, 10)
        parts: list[RenderableType] = [top, self._text(self._forecast, "bold")]
        parts += [self._graph(0, "power", "W", columns), self._graph(1, "charge", "%", columns)]
        parts += [self._hours(columns), self._connection()]
        parts += [self._text(text, "bold red") for text in self._active_alerts.values()]
        parts += [self._text(text, "dim") for text in self._recent_alerts]
        yield self._panel(f"{self._name}  {when:%a %d %b %H:%M:%S}", width, parts)

    def _panel(self, title: str, width: int, parts: list[RenderableType]) -> Panel:
        return Panel(Group(*parts), title=self._text(title), width=width)

    def _text(self, text: str, style: str = "") -> Text:
        """Return text as it is, not as markup, with characters that the terminal can write."""
        return Text(plain(text, self._live.console.file), style=style)

    def _add_alerts(self, when: datetime, alerts: list[Alert]) -> None:
        for alert in alerts:
            self._recent_alerts.append(f"{when:%H:%M} {alert.text}")
            if alert.active and alert.kind != "mode":
                self._active_alerts[alert.kind] = alert.text
            else:
                self._active_alerts.pop(alert.kind, None)

    def _facts(self, status: DeviceStatus) -> Table:
        table = Table.grid(padding=(0, 2))
        activity = status.activity
        activity_text = Text(f"{activity.value}", style=_COLOURS.get(activity, ""))
        activity_text.append(f"  {status.current_inst_power} W", style="bold")
        mode = status.dhw_operation_setting
        needed, water = status.energy_to_setpoint_wh, usable_water_of(status)
        for label, value in (
            ("water", degrees(status.dhw_temperature, status, self._unit)),
            ("setpoint", degrees(status.dhw_temperature_setting, status, self._unit)),
            ("mode", "-" if mode is None else mode.text),
            ("now", activity_text),
            ("on", ", ".join(status.heat_sources) or "nothing"),
            ("hot water", "in use" if status.dhw_use.active else "not in use"),
            ("usable", "-" if water is None else f"{water.text}, 40 °C"),
            ("needed", "-" if needed is None else f"{needed / 1000:.1f} kWh to setpoint"),
            ("air", degrees(status.ambient_temperature, status, self._unit)),
            ("Wi-Fi", status.wifi_rssi.text),
        ):
            shown = value if isinstance(value, Text) else self._text(value)
            table.add_row(Text(label, style="dim"), shown)
        return table

    def _tank(self, status: DeviceStatus) -> Text:
        """Draw the tank, filled to its charge, with the temperatures of its sensors beside it."""
        full = round(status.dhw_charge_per / 100 * TANK_HEIGHT)
        sensors = {
            1: f" {degrees(status.tank_upper_temperature, status, self._unit)}",
            TANK_HEIGHT - 2: f" {degrees(status.tank_lower_temperature, status, self._unit)}",
        }
        text = self._text("╭────────────╮\n")
        for line in range(TANK_HEIGHT):
            filled = line >= TANK_HEIGHT - full
            text.append(self._text("│"))
            label = f"{status.dhw_charge_per} %" if line == TANK_HEIGHT // 2 else ""
            fill = "█" if filled else " "
            body = f" {label} ".center(12, fill) if label else fill * 12
            text.append(self._text(body, "dark_orange" if filled else "dim"))
            text.append(self._text(f"│{sensors.get(line, ''):9}\n"))
        text.append(self._text("╰────────────╯"))
        return text

    def _graph(self, index: int, label: str, unit: str, columns: int) -> Text:
        points = [point for _, point in self._history][-columns:]
        values = [None if point is None else point[index] for point in points]
        top = max([100 if unit == "%" else 500, *(value for value in values if value is not None)])
        bars = "".join(
            " " if value is None else _BARS[min(round(value / top * 8), 8)] for value in values
        )
        text = Text().append(f"{label:7}", style="dim")
        shown = plain(f"{bars:>{columns}}", self._live.console.file)
        text.append(shown, style="dark_orange" if unit == "%" else "green")
        return text.append(f" {top:4} {unit}", style="dim")

    def _hours(self, columns: int) -> Text:
        """Write the time that the graphs span."""
        times = [when for when, _ in self._history][-columns:]
        span = times[-1] - times[0]
        hours = f"the last {span.total_seconds() / 3600:.1f} h"
        return Text(f"{'':7}{hours:>{columns}}", style="dim")

    def _connection(self) -> Text:
        if self._health is None:
            return Text()
        state, style = _STATES[self._health.state]
        text = Text(state, style=style)
        if self._health.last_status is not None:
            age = datetime.now(timezone.utc) - self._health.last_status
            text.append(f", last status {_age(age.total_seconds())} ago", style="dim")
        return text


def _age(seconds: float) -> str:
    if seconds < 120:
        return f"{max(seconds, 0):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
