"""The log: one total order of changes per term (G1), and the states a returning data plane may be at.

A term begins at seq 1 with the state as it was; every entry adds one. The last `RING` entries are kept with what undoes
them - fewer when they are large: all entries together hold at most `RING_CHANGES` changes (or are one entry) -, so that the state at any version still in the ring can be had again: the way from there to the head is then one
merged change (`wire.diff`), however many entries lie between (G2 allows skipping what lies between).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from controlplane.domain.version import Version
from dataplane.wire import state as wire

RING = 10_000
RING_CHANGES = 100_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One change of the world. `ts` is wall-clock milliseconds, for people; `undo` leads back to the state before."""

    version: Version
    ts: int
    actor: str
    verb: str
    changes: tuple[wire.Change, ...]
    undo: tuple[wire.Change, ...]

    @classmethod
    def between(cls, version: Version, old: wire.State, new: wire.State, *, ts: int, actor: str, verb: str) -> Entry:
        """The entry that makes `new` of `old`, at `version`."""
        return cls(version, ts, actor, verb, tuple(wire.diff(old, new)), tuple(wire.diff(new, old)))

    @property
    def weight(self) -> int:
        """How many changes it holds, there and back."""
        return len(self.changes) + len(self.undo)


class Log:
    """The order of changes in one term."""

    def __init__(self, term: int, state: wire.State, ring: int = RING, ring_changes: int = RING_CHANGES) -> None:
        self._ring: deque[Entry] = deque()
        self._most, self._most_changes, self._changes = ring, ring_changes, 0
        self.head = Version(term, 1)
        self.state = state

    @property
    def tail(self) -> Version:
        """The oldest version whose state can still be had."""
        if not self._ring:
            return self.head
        return Version(self.head.term, self._ring[0].version.seq - 1)

    def append(self, entry: Entry, state: wire.State) -> None:
        """Make `state` the head. ValueError: `entry` was made for another head."""
        if entry.version != self.head.following():
            raise ValueError(f'{entry.version} does not follow {self.head}')
        self._ring.append(entry)
        self._changes += entry.weight
        while len(self._ring) > self._most or (len(self._ring) > 1 and self._changes > self._most_changes):
            self._changes -= self._ring.popleft().weight
        self.head, self.state = entry.version, state

    def new_term(self, term: int) -> None:
        """Begin a term above the present one; nobody can resume from before it."""
        if term <= self.head.term:
            raise ValueError(f'term {term} does not follow {self.head.term}')
        self._ring.clear()
        self._changes = 0
        self.head = Version(term, 1)

    def covers(self, version: Version) -> bool:
        """Tell whether the state at `version` can still be had."""
        return version.term == self.head.term and self.tail.seq <= version.seq <= self.head.seq

    def state_at(self, version: Version) -> wire.State | None:
        """The state as it was at `version`, or None when that is before the ring or in another term."""
        if not self.covers(version):
            return None
        back = [change for entry in reversed(self.after(version)) for change in entry.undo]
        return wire.fold(self.state, back) if back else self.state

    def after(self, version: Version) -> Sequence[Entry]:
        """The entries after `version`, which must be covered, in order."""
        missing = self.head.seq - version.seq
        size = len(self._ring)
        return [self._ring[index] for index in range(size - missing, size)]
