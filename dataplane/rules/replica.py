"""Rules: one worker's copy of what is true for all, with what this worker did itself and has not heard back yet.

    a rule acts -> `act`: seen here at once      `batch` -> the supervisor: puts it in the one order
                                                 `hear`  <- entries as they are in that order

What must hold:

1. *Confirmed* is what the supervisor had at one moment of its order, of every pattern; each `hear` moves that moment on, at once
   for all that it brings. `_base` keeps the confirmed entries of patterns with changes of our own; of all others they are what is seen.
2. *Seen* is confirmed with our own changes, those under way (`_sent`) and then those that are not (`_unsent`), done on top.
3. One batch is under way at a time; when it comes back confirmed has it, and it is forgotten. So when nobody changes anything
   any more, everybody sees the same: what the supervisor has. Of two changes of one pattern the one that it heard last stays.
4. What is kept is bounded: per pattern two changes at most, and patterns are bounded by `Limits`. So is a batch: the supervisor does one
   in a turn of its loop; what does not fit into it is in the next.

Entries that only exist here have places beyond all that the supervisor gives, so they stand last until they have one of its.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from dataplane.rules.changes import Change, after, joined
from dataplane.rules.indexes import Held
from dataplane.rules.problems import Rejected
from dataplane.rules.stores import VARIABLES, PatternSet, Store, acceptable, decoded, size_of

PROVISIONAL: Final = 1 << 62
"""Places from here on are a worker's own."""
MOST: Final = 2_000
"""Changes in one batch: some ten milliseconds of the supervisor's."""
MOST_BYTES: Final = 1 << 20
"""Of their patterns and values. In a packet a byte may take six."""


class Limits(NamedTuple):
    """The most there may be in all sets together: `entries`, and `size` bytes of patterns and values."""

    entries: int
    size: int


Where = tuple[str, bytes]
"""A set's key, and a pattern of it."""
Told = Iterable[tuple[str, Iterable[tuple[bytes, tuple[Held, ...]]]]]
"""Sets with patterns of theirs and all the entries of each."""


class Replica:
    """One per worker and reading of the files. `stale`: there are closures that only know what an ACL's line says (`Store.enliven`).

    `refused` counts changes that could not be.
    """

    def __init__(self, store: Store, limits: Limits) -> None:
        self.store = store
        self.limits = limits
        self.refused = 0
        self.stale = False
        self.number = 0
        self._under_way = False
        self._base: dict[Where, tuple[Held, ...]] = {}
        self._sent: dict[Where, Change] = {}
        self._unsent: dict[Where, Change] = {}
        self._places = PROVISIONAL

    @property
    def waiting(self) -> bool:
        """Is there something to send, and nothing under way?"""
        return bool(self._unsent) and not self._under_way

    def act(self, name: str, key: bytes, change: Change) -> bool:
        """A rule changes a pattern. False: it cannot be - who looks into the set cannot take it, or there is no room."""
        patterns = self.store[name]
        seen = patterns.held.get(key, ())
        self._places += 1
        held = after(seen, change, self._places)
        if held == seen and [type(value) for _, value in held] == [type(value) for _, value in seen]:
            return True
        if held and not self._fits(name, patterns, key, held, change):
            self.refused += 1
            return False
        where = (name, key)
        if where not in self._base:
            self._base[where] = seen
        self._unsent[where] = joined(self._unsent.get(where), change)
        patterns.put(key, held)
        return True

    def _fits(self, name: str, patterns: PatternSet, key: bytes, held: tuple[Held, ...], change: Change) -> bool:
        if len(held) > len(patterns.held.get(key, ())) and self.store.count() >= self.limits.entries:
            return False
        if name == VARIABLES:
            return True
        try:
            value = change.value
            acceptable(patterns.uses, decoded(key), decoded(value) if isinstance(value, bytes) else None)
        except Rejected:
            return False
        return True

    def batch(self) -> dict[Where, Change]:
        """What is to be sent now, the first of it first, as batch number `number`. Nothing may be under way."""
        if self._under_way:
            raise RuntimeError(f'batch {self.number} is under way')
        self._under_way = True
        self.number += 1
        self._sent = {where: self._unsent.pop(where) for where in tuple(self._first())}
        return self._sent

    def _first(self) -> Iterator[Where]:
        """Of what is not sent, as much as one batch holds, and one change at least."""
        count = size = 0
        for (name, key), change in self._unsent.items():
            count, size = count + 1, size + size_of(key, ((0, change.value),))
            if count > 1 and (count > MOST or size > MOST_BYTES):
                return
            yield name, key

    def hear(self, told: Told, whole: Iterable[tuple[str, PatternSet]] = (), taken: int | None = None) -> None:
        """Follow the order: `whole` sets as they are now, patterns of others, and our own batch if that was `taken`."""
        again: set[Where] = set()
        for name, patterns in whole:
            self.stale |= self.store.enliven(name)
            for where in [where for where in self._base if where[0] == name]:
                self._base[where] = patterns.held.get(where[1], ())
                again.add(where)
            self.store[name].become(patterns)
        for name, rows in told:
            self.stale |= self.store.enliven(name)
            patterns = self.store[name]
            for key, held in rows:
                if self._base and (name, key) in self._base:
                    self._base[name, key] = held
                    again.add((name, key))
                else:
                    patterns.put(key, held)
        if taken is not None and taken == self.number and self._under_way:
            self._under_way = False
            again.update(self._sent)
            self._sent = {}
        for where in again:
            self._see(where)

    def _see(self, where: Where) -> None:
        """Do our own changes on top of what is confirmed."""
        name, key = where
        held = self._base[where]
        changes = [changes[where] for changes in (self._sent, self._unsent) if where in changes]
        for change in changes:
            self._places += 1
            held = after(held, change, self._places)
        if not changes:
            del self._base[where]
        self.store[name].put(key, held)
