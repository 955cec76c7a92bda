"""Whose sessions are to be ended now: servers that have been on their way out for as long as they were given.

Two kinds of deadlines. A policy's `drain` gives a span, which is counted here, on the monotonic clock, from when the server was
first seen leaving; another control plane that takes over begins to count anew, so sessions may get longer, never less. An
override's `deadline` is a date; it has been kept when the server's session generation, which is the time in milliseconds, is
not below it. A server that ceases to leave is forgotten.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from controlplane.kube.outcome import ServerKey, Translation
from controlplane.kube.settle import Persisting

Leaving = tuple[str, str, str]  # backend, server, pod uid: a pod's successor of the same name begins anew


class Deadlines:
    """What is due, and when to look again. `now` is monotonic, `wall` since 1970, both in milliseconds."""

    def __init__(self) -> None:
        self._leaving = Persisting[Leaving]()
        self._over: frozenset[Leaving] = frozenset()
        self._done: frozenset[Leaving] = frozenset()
        self._dates: dict[ServerKey, int] = {}

    def due(
        self, translation: Translation, generations: Mapping[ServerKey, int], *, now: int, wall: int
    ) -> frozenset[ServerKey]:
        """Servers that are to get a new session generation, `generations` being those in force. Again and again until `done`."""
        spans = translation.leaving()
        self._over = frozenset(self._leaving.observe(spans, now))
        self._done &= spans.keys()
        self._dates = {key: date for key, date in translation.dated().items() if generations.get(key, 0) < date}
        by_span = {(backend, server) for backend, server, _ in self._over - self._done}
        return frozenset(by_span | {key for key, date in self._dates.items() if date <= wall})

    def done(self, servers: Iterable[ServerKey]) -> None:
        """These have been given a new generation, not below `wall` as it was when they were due."""
        given = frozenset(servers)
        self._done |= {one for one in self._over if one[:2] in given}

    def next_in(self, *, now: int, wall: int) -> int | None:
        """How many milliseconds after `now` the next one is due that is not due yet; None: no more are known."""
        at = self._leaving.next_at(now)
        waits = [date - wall for date in self._dates.values() if date > wall]
        return min([*waits, *([] if at is None else [at - now])], default=None)
