"""File of a boost: what it has changed, so that any later run can restore it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ..._util.files import write_atomically
from ...exceptions import ConfigurationError
from .boost_plan import BoostPlan, BoostSettings

_VERSION = 1


@dataclass(frozen=True)
class BoostFile:
    """File of the boost of one heater, readable by its owner alone."""

    path: Path

    @classmethod
    def of(cls, folder: Path, mac_address: str) -> BoostFile:
        """Return the file of a heater in the program's data folder."""
        heater = hashlib.sha256(mac_address.encode()).hexdigest()
        return cls(folder / f"boost-{heater[:8]}.json")

    @property
    def lock_path(self) -> Path:
        """File whose lock the running boost has."""
        return self.path.with_name(f"{self.path.name}.lock")

    def read(self) -> BoostPlan | None:
        """Return the boost; None without one. Raises OSError, and ConfigurationError if damaged."""
        try:
            found = json.loads(self.path.read_bytes())
        except FileNotFoundError:
            return None
        except (ValueError, RecursionError):
            found = None
        try:
            if found["version"] != _VERSION:
                raise ValueError("another version")
            litres = found["litres"]
            end = datetime.fromisoformat(found["end"])
            if end.tzinfo is None:
                raise ValueError("no time zone")
            return BoostPlan(
                end,
                BoostSettings.from_json(found["before"]),
                BoostSettings.from_json(found["boosted"]),
                None if litres is None else float(litres),
            )
        except (KeyError, TypeError, ValueError):
            raise ConfigurationError(
                f"{self.path} is damaged, so the settings before the boost are not known; check the "
                "heater's mode, setpoint and time of use, and delete the file"
            ) from None

    def write(self, plan: BoostPlan) -> None:
        """Replace the file in one step. Raises OSError."""
        content = {
            "version": _VERSION,
            "end": plan.end.isoformat(),
            "litres": plan.litres,
            "before": plan.before.to_json(),
            "boosted": plan.boosted.to_json(),
        }
        write_atomically(self.path, (json.dumps(content, indent=1) + "\n").encode(), private=True)

    def delete(self) -> None:
        """Delete the file, if it is there. Raises OSError."""
        self.path.unlink(missing_ok=True)
