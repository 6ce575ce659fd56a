"""The file of what is learned of each heater, in the user's data folder, readable by its owner alone.

A file that cannot be read or written costs nobody a forecast: it is told, and usual figures are used.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..._util.files import display_path, write_atomically
from ...analysis.forecast.learned import Learned
from .context import CommandContext
from .output import print_note
from .saved_account import data_folder

_NAME = "learned.json"


class LearnedFile:
    """Figures learned of the heaters, by the last digits of their MAC addresses."""

    def __init__(self, path: Path | None) -> None:
        """Use a file; without one nothing is known, and nothing is kept."""
        self._path = path

    @classmethod
    def of_user(cls) -> LearnedFile:
        """Return the file in the user's data folder."""
        folder = data_folder()
        return cls(None if folder is None else folder / _NAME)

    def read(self, mac: str) -> Learned:
        """Return what is known of a heater; usual figures if that is nothing."""
        heaters = self._heaters()
        if _key(mac) not in heaters:
            return Learned()
        try:
            return Learned.from_json(heaters[_key(mac)])
        except ValueError as error:
            self._note_damage(str(error))
            return Learned()

    def write(self, mac: str, learned: Learned) -> None:
        """Keep what is known of a heater, beside the others."""
        if self._path is None:
            print_note("What was learned is not kept: the data folder is unknown.")
            return
        heaters = {**self._heaters(), _key(mac): learned.to_json()}
        content = json.dumps({"heaters": heaters}, allow_nan=False) + "\n"
        try:
            write_atomically(self._path, content.encode(), private=True)
        except OSError as error:
            print_note(
                f"What was learned is not kept: {display_path(self._path)}: {error.strerror}."
            )

    def _heaters(self) -> dict[str, Any]:
        if self._path is None:
            return {}
        try:
            heaters = json.loads(self._path.read_bytes())["heaters"]
            if isinstance(heaters, dict):
                return heaters
            self._note_damage("no heaters")
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError as error:
            print_note(f"{display_path(self._path)}: {error.strerror}; usual figures are used.")
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            self._note_damage(type(error).__name__)
        return {}

    def _note_damage(self, reason: str) -> None:
        if self._path is not None:
            print_note(
                f"{display_path(self._path)} is damaged ({reason}); usual figures are used. Learn anew: "
                "navien-nwp500 forecast --history FILE"
            )


def known_heater(context: CommandContext, mac: str) -> Learned:
    """Return what is known of a heater; of a simulated one nothing is kept."""
    return Learned() if context.simulated else LearnedFile.of_user().read(mac)


def _key(mac: str) -> str:
    return mac[-4:].lower()
