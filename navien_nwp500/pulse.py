"""The pulse of a heater's line: heard, missed, given up; and those who want to know."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import AsyncGenerator, Callable

from .health import Health, HealthState
from .mailbox import Mailbox


class Pulse:
    """The state of one line, since when, and what was heard and missed."""

    def __init__(self) -> None:
        self.state = HealthState.IDLE
        #: Polls unanswered until the heater is heard: a new connection is no answer.
        self.missed = 0
        self._since = _now()
        self._heard: datetime | None = None
        self._given_up = False
        self._watchers: set[Mailbox[HealthState]] = set()

    def health(self, reconnects: int, bad_messages: int) -> Health:
        """All of it at this moment, with what the connection counts."""
        return Health(self.state, self._since, self._heard, reconnects, self.missed, bad_messages)

    def change(self, state: HealthState) -> None:
        """Enter a state; those who watch are told when it is another."""
        if state is self.state:
            return
        self.state, self._since = state, _now()
        for mailbox in self._watchers:
            mailbox.put(state)

    def miss(self) -> int:
        """Count a poll that stayed unanswered; returns how many in a row."""
        self.missed += 1
        self.change(HealthState.SILENT)
        return self.missed

    def give_up(self) -> bool:
        """Take the heater for offline; returns whether that is news."""
        news, self._given_up = not self._given_up, True
        self.change(HealthState.OFFLINE)
        return news

    def hear(self) -> bool:
        """Take the heater's word; returns whether it had been given up."""
        back, self._given_up = self._given_up, False
        self._heard = _now()
        self.missed = 0
        self.change(HealthState.ONLINE)
        return back

    async def watch(self, health: Callable[[], Health]) -> AsyncGenerator[Health, None]:
        """Yield the health now, and again at each change of state. Runs until left."""
        mailbox: Mailbox[HealthState] = Mailbox()
        self._watchers.add(mailbox)
        try:
            yield health()
            while True:
                if await mailbox.get() is not None:
                    yield health()
        finally:
            self._watchers.discard(mailbox)


def _now() -> datetime:
    return datetime.now(timezone.utc)
