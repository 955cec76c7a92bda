"""core: the rate of events over a sliding period, as HAProxy counts it (management manual, 9.3, on `conn_rate` and its kind).

Three cells: when the running period began, how many events it has, and how many the one before it had. What is told for a moment
is the running period's events and of the last one's that part which still lies within a whole period from now. So the figure is exact
where events come evenly, and off by no more than one period's events where they do not. All under one lock: no event is lost.
"""

from __future__ import annotations

from collections.abc import MutableSequence
from typing import Final

CELLS: Final = 3
_WHOLE: Final = 0xFFFFFFFF
"""An event counter has 32 bits, and begins again at 0."""


def count(cells: MutableSequence[int], at: int, now: int, period: int, amount: int) -> None:
    """Note `amount` events at `now`; times in ms."""
    passed = now - cells[at]
    if passed >= period:
        late = passed >= 2 * period
        cells[at + 2] = 0 if late else cells[at + 1]
        cells[at + 1] = 0
        cells[at] = now if late else cells[at] + period
    cells[at + 1] = cells[at + 1] + amount & _WHOLE


def reading(cells: MutableSequence[int], at: int, now: int, period: int) -> int:
    """Events in the period that ends now. A single event of the last period counts until that has passed wholly."""
    left = cells[at] + period - now
    running, last = cells[at + 1], cells[at + 2]
    if left < 0:
        left += period
        running, last = 0, running if left >= 0 else 0
    if not running and last <= 1:
        return last
    return (last * left + running * period) // period


def put(cells: MutableSequence[int], at: int, now: int, amount: int) -> None:
    """Let the rate be `amount` now, as `set table` does."""
    cells[at], cells[at + 1], cells[at + 2] = now, amount, 0
