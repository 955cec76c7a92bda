"""The last lines of something, kept in memory for `show events`: of a data plane's events, HAProxy's `buf0`, or of a `ring` section.

What the supervisor tells its log (servers that change state, workers that die, reloads) is kept here as well, as lines with
a date, up to a number of bytes; the oldest make room. Who follows the ring asks for what came after the last number it has seen,
so that a slow reader costs nothing and misses only what is no longer there.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Final

from dataplane.wire.syslog import LEVELS

LIMIT: Final = 262_144
"""Characters of all lines together."""


class Ring:
    """`wall` gives the wall-clock time in seconds. Numbers of lines begin at 1."""

    def __init__(self, wall: Callable[[], float], *, limit: int = LIMIT) -> None:
        self._wall, self._limit = wall, limit
        self._lines: deque[tuple[int, str]] = deque()
        self._size = 0
        self._news = asyncio.Event()
        self.last = 0
        """Number of the newest line, 0: there was none."""

    def __repr__(self) -> str:
        return f'<Ring lines={len(self._lines)} characters={self._size} last={self.last}>'

    def add(self, level: str, text: str) -> None:
        """Keep one event, in HAProxy's format `timed`."""
        date = datetime.fromtimestamp(self._wall()).astimezone().isoformat(timespec='microseconds')
        self.keep(' '.join(f'<{LEVELS.index(level)}>{date} {text}'.split('\n')))

    def keep(self, line: str) -> None:
        """Keep a line as it is; of one that is longer than the whole ring only the beginning."""
        line = line[: self._limit]
        self.last += 1
        self._lines.append((self.last, line))
        self._size += len(line)
        self._make_room()
        self._news.set()

    def resize(self, limit: int) -> None:
        """Keep as many characters from now on."""
        self._limit = limit
        self._make_room()

    def _make_room(self) -> None:
        while self._size > self._limit:
            self._size -= len(self._lines.popleft()[1])

    def since(self, number: int) -> Iterator[tuple[int, str]]:
        """The lines after this number that are still there, each with its own."""
        found = []
        for one in reversed(self._lines):
            if one[0] <= number:
                break
            found.append(one)
        return reversed(found)

    async def news(self, number: int) -> None:
        """Return when there is a line after this number."""
        while self.last <= number:
            self._news.clear()
            await self._news.wait()
