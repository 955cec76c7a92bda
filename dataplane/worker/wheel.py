"""One coarse timer wheel per worker: thousands of timeouts for the price of a list per tick.

A `Timer` is made once per connection and armed again for every wait. Arming to a later deadline is one attribute store:
the entry stays where it is filed and is filed again when its tick comes. Disarming is one store as well. A timer fires
at most one tick (10 ms) late, never early.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

TICK: Final = 10
SPAN: Final = 512
NEVER: Final = 1 << 62


class Timer:
    """A deadline (ms, `NEVER` when disarmed) and what to call then. `tick` is where the wheel has filed it, 0: nowhere."""

    __slots__ = ('deadline', 'expired', 'tick')

    def __init__(self, expired: Callable[[], None]) -> None:
        self.expired = expired
        self.deadline = NEVER
        self.tick = 0

    def disarm(self) -> None:
        """Forget the deadline; harmless when there is none."""
        self.deadline = NEVER


class Wheel:
    """Files timers by tick. A deadline further away than `SPAN` ticks is looked at once per turn of the wheel."""

    def __init__(self, now: int) -> None:
        self._filed: dict[int, list[Timer]] = {}
        self._turned = now // TICK

    def arm(self, timer: Timer, deadline: int) -> None:
        """Let `timer` fire at `deadline` (ms) instead of whatever it was armed for."""
        timer.deadline = deadline
        if not timer.tick or timer.tick > deadline // TICK + 1:
            self._file(timer)

    def turn(self, now: int) -> None:
        """Fire what is due at `now` (ms). A callback may arm any timer, its own too.

        A callback that fails takes no other timer with it: the first failure is raised when all are done.
        """
        current = now // TICK
        failure: Exception | None = None
        turned, self._turned = self._turned, max(current, self._turned)
        for tick in range(turned + 1, current + 1):
            for timer in self._filed.pop(tick, ()):
                if timer.tick != tick:
                    continue
                timer.tick = 0
                if timer.deadline <= now:
                    timer.deadline = NEVER
                    try:
                        timer.expired()
                    except Exception as error:  # noqa: BLE001 - whatever it is, it is raised below
                        failure = failure or error
                elif timer.deadline != NEVER:
                    self._file(timer)
        if failure is not None:
            raise failure

    def _file(self, timer: Timer) -> None:
        tick = min(max(timer.deadline // TICK, self._turned) + 1, self._turned + SPAN)
        timer.tick = tick
        filed = self._filed.get(tick)
        if filed is None:
            self._filed[tick] = [timer]
        else:
            filed.append(timer)

    def __len__(self) -> int:
        return sum(len(filed) for filed in self._filed.values())
