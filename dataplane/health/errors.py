"""Errors in a row of observed traffic, over all workers: a good event at any of them begins the row anew. Pure."""

from __future__ import annotations

from dataplane.core.observe import GOOD_SHIFT, KIND_SHIFT, MOST, Event


class Streak:
    """Errors in a row of one server. `look` at its cells; it returns how often `limit` was reached since."""

    __slots__ = ('_cells', 'bad', 'last')

    def __init__(self, workers: int) -> None:
        self._cells = [0] * workers
        self.bad = 0
        self.last = Event.UNREACHABLE

    def look(self, cells: list[int], limit: int) -> int:
        """Count on from what the workers' cells said before."""
        if cells == self._cells:
            return 0
        fresh, anew = 0, False
        for before, now in zip(self._cells, cells, strict=True):
            if now == before:
                continue
            if now >> GOOD_SHIFT != before >> GOOD_SHIFT:
                anew = True
                fresh += now & MOST
            else:
                fresh += (now & MOST) - (before & MOST)
            if now & MOST:
                self.last = Event(now >> KIND_SHIFT & 0xFF)
        self._cells = list(cells)
        self.bad = fresh if anew else self.bad + fresh
        reached, self.bad = divmod(self.bad, limit)
        return reached
