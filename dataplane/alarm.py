"""Searches that take too long are given up (`dataplane.rules.patience`): the system's timer counts this process' own computing, and
`re` looks now and then, while it searches, whether a signal has come. The timer is as exact as the system's ticks, so it only says
when to look at the clock.

What must hold: the signal's handler raises only while a search is watched, and nothing but that search can be ended by it. It comes to
nobody else's hold, since no search is made inside one.
"""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable
from typing import Any, Final

MOST: Final = 0.1
"""Seconds of computing for one search: PCRE's ten million steps take about as long."""
_LOOK: Final = 0.02
_LOG: Final = logging.getLogger('sluice.rules')


class _TooLong(Exception):
    """The search that is watched has had its time."""


class Alarm:
    """One per process, made in its main thread. `rung` is called now and then while a search goes on, and when one is given up."""

    def __init__(self, rung: Callable[[], None], most: float = MOST) -> None:
        self._rung = rung
        self._most = most
        self._watching = False
        self._ends = 0.0
        self.given_up = 0
        self._told_of = 1
        signal.signal(signal.SIGVTALRM, self._rang)

    def watched(self, search: Callable[[bytes], Any], subject: bytes) -> Any:
        """Search, or give it up: None, as if nothing had been found."""
        found = None
        self._ends = time.process_time() + self._most
        self._watching = True
        signal.setitimer(signal.ITIMER_VIRTUAL, _LOOK, _LOOK)
        try:
            found = search(subject)
            self._watching = False
        except _TooLong:
            self._give_up(subject)
        finally:
            self._watching = False
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        return found

    def _rang(self, _number: int, _frame: object) -> None:
        if not self._watching:
            return
        if time.process_time() >= self._ends:
            self._watching = False
            raise _TooLong
        self._rung()

    def _give_up(self, subject: bytes) -> None:
        self._rung()
        self.given_up += 1
        if self.given_up >= self._told_of:
            self._told_of = 2 * self.given_up
            text = 'A regular expression took too long for %r (%d bytes) and counts as not matching, the %d. so far'
            _LOG.warning(text, subject[:80], len(subject), self.given_up)
