"""What a worker notes of a server whose traffic is observed (`observe`): one cell, one store per event, no lock."""

from __future__ import annotations

from collections.abc import MutableSequence
from typing import Final

from dataplane.core.checks import Observe
from dataplane.core.counters import C
from dataplane.core.layout import Layout
from dataplane.core.observe import Event, is_good, is_good_status, noted
from dataplane.core.termination import BAD_RESPONSE, SERVER_CLOSED, SERVER_TIMEOUT, Termination

_SIGNS: Final = {
    BAD_RESPONSE: Event.INVALID, SERVER_CLOSED: Event.READ_ERROR, SERVER_TIMEOUT: Event.READ_TIMEOUT,
}  # fmt: skip


class Observer:
    """One per pool of such a server; others have none."""

    def __init__(self, cells: MutableSequence[int], layout: Layout, worker: int, server: int, observe: Observe) -> None:
        self._cells = cells
        self._cell = layout.server_counters(worker, server) + C.OBSERVED
        self._layer = observe.layer

    def note(self, event: Event) -> None:
        """Something happened."""
        good = is_good(self._layer, event)
        if good is not None:
            self._cells[self._cell] = noted(self._cells[self._cell], event, good=good)

    def answered(self, status: int) -> None:
        """A final response came."""
        self.note(Event.ANSWERED if is_good_status(status) else Event.WRONG_STATUS)

    def failed(self, end: Termination) -> None:
        """A request ended otherwise than by a response; only some ends say something of the server."""
        event = _SIGNS.get(end)
        if event is not None:
            self.note(event)
