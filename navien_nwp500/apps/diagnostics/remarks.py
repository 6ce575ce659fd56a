"""Remarks about a heater and its account: what a passed step still has to tell.

Remarks can be shared: they contain no name, address or serial number.
"""

from __future__ import annotations

from typing import Iterable, Iterator, Sequence

from ...protocol.account import APP_VERSION, AppVersion, DeviceInfo
from ...protocol.fields import field_specs
from ...protocol.status import DeviceStatus


def name_others(others: Sequence[DeviceInfo]) -> str:
    """Name the devices that this library does not support, by their type."""
    kinds = [info.kind for info in others]
    counts = {kind: kinds.count(kind) for kind in sorted(set(kinds))}
    return "; ".join(
        f"{count} of type {int(kind)}, {kind.meaning}" for kind, count in counts.items()
    )


def remark_on_account(heater: DeviceInfo, others: Sequence[DeviceInfo]) -> str:
    """Write the last error that the cloud knows, and the devices of other types."""
    return _join(_on_account(heater, others))


def remark_on_status(status: DeviceStatus) -> str:
    """Write what the heater reports: an error, unsuitable air, a dirty filter, missing fields."""
    return _join(_on_status(status))


def remark_on_app(version: AppVersion) -> str:
    """Write whether the cloud no longer accepts what this library registers as."""
    if not version.outdated:
        return ""
    return (
        f"The cloud accepts no app older than {version.app_force_version}, and this library "
        f"registers as {APP_VERSION}. Update the library if something stops working."
    )


def _on_account(heater: DeviceInfo, others: Sequence[DeviceInfo]) -> Iterator[str]:
    error = heater.error
    if error is not None and error.summary is not None:
        yield f"The last error that the cloud knows, perhaps over: {error.summary}. {error.advice}"
    if others:
        yield f"Not supported: {name_others(others)}. Only the NWP500 can be read and controlled."


def _on_status(status: DeviceStatus) -> Iterator[str]:
    if status.error_text is not None:
        yield f"The heater reports {status.error_text}. {status.error_advice}"
    if status.air_outside_limits and status.ambient_temperature is not None:
        yield (
            f"The air at the intake has {status.ambient_temperature.text}. Outside 5 to 45 °C the "
            'heat pump stops, and the panel says "Operation Prevention in Progress".'
        )
    if status.air_filter_remaining_hours == 0:
        yield "Clean the air filter, then: navien-nwp500 set air-filter-reset."
    missing = [
        spec.name for spec in field_specs(DeviceStatus) if getattr(status, spec.name) is None
    ]
    if missing:
        yield (
            "This heater's firmware does not send the others; they are None, and empty in the "
            f"CSV: {', '.join(missing)}."
        )


def _join(remarks: Iterable[str]) -> str:
    return " ".join(remarks)
