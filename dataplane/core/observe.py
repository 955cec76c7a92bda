"""What workers note of observed traffic (`observe`), for the supervisor to count errors in a row by.

Each worker keeps one cell per server, written by it alone: how many good events there were, and what went wrong since the last
one. Looking at the cells now and then is enough to count over all workers (`dataplane.health.errors`).

    cell = good << 24 | kind << 16 | bad since then
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from dataplane.core.checks import Layer

KIND_SHIFT: Final = 16
GOOD_SHIFT: Final = 24
MOST: Final = (1 << KIND_SHIFT) - 1


class Event(IntEnum):
    """What traffic told of a server."""

    CONNECTED = 1
    UNREACHABLE = 2
    ANSWERED = 3
    WRONG_STATUS = 4
    INVALID = 5
    READ_ERROR = 6
    READ_TIMEOUT = 7


WORDS: Final = {
    Event.CONNECTED: 'L4 successful connection',
    Event.UNREACHABLE: 'L4 unsuccessful connection',
    Event.ANSWERED: 'Correct http response',
    Event.WRONG_STATUS: 'Wrong http response',
    Event.INVALID: 'Invalid http response',
    Event.READ_ERROR: 'Read error (http)',
    Event.READ_TIMEOUT: 'Read timeout (http)',
}


def is_good(layer: Layer, event: Event) -> bool | None:
    """What an event says at a layer: well, ill, or nothing. A connection that cannot be made is ill at both."""
    if event is Event.UNREACHABLE:
        return False
    if layer is Layer.LAYER4:
        return True if event is Event.CONNECTED else None
    return None if event is Event.CONNECTED else event is Event.ANSWERED


def is_good_status(status: int) -> bool:
    """Statuses that are a server's right answer: whatever it is asked, it may say these."""
    return 100 <= status < 500 or status in (501, 505)


def noted(cell: int, event: Event, *, good: bool) -> int:
    """A worker's cell after an event."""
    if good:
        return ((cell >> GOOD_SHIFT) + 1) << GOOD_SHIFT
    bad = min((cell & MOST) + 1, MOST)
    return (cell >> GOOD_SHIFT) << GOOD_SHIFT | int(event) << KIND_SHIFT | bad
