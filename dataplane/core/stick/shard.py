"""core: one shard of a stick table: its entries, found by key, in the order in which they were touched.

Who calls holds the shard's lock. What must hold between two holds (`broken` names what does not):

S1. An entry is in use (its LIFE is odd) exactly when it is in the chain of the bucket its hash says, and in the order; once in each.
S2. USED is the number of entries in use, and FREE leads to all others below FRESH.
S3. No two entries in use have the same key.
S4. Nobody tracks an entry that is not in use.

What a process that dies inside a hold leaves behind, `repair` puts right from the entries alone: key, figures and LIFE of each are
the facts, everything else follows from them. A figure that was being written may then be that of before; a rate, which is three
cells, off by one period's events.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableSequence
from typing import Final

from dataplane.core.stick import rates
from dataplane.core.stick.definition import Definition, Kind
from dataplane.core.stick.layout import (
    EXPIRE,
    FREE,
    FRESH,
    HASH,
    HEADER,
    KEY,
    LENGTH,
    LIFE,
    LOCK_CELLS,
    NEWER,
    NEWEST,
    NEXT,
    OLDER,
    OLDEST,
    ROWS,
    USED,
    Slot,
    TableLayout,
)

AT_ONCE: Final = 16
"""Entries that may expire within one hold, so that none gets long."""
LOOKED_AT: Final = 1_000
"""Entries that a newcomer to a full table may look at for room."""
_BEAT_EVERY: Final = 5_000
_WHOLE: Final = 0xFFFFFFFF
_MOST: Final = 0x7FFFFFFFFFFFFFFF


class Shard:
    """Shard `number` over the cells of its table; `raw` are the same cells as bytes."""

    __slots__ = (
        '_buckets', '_cells', '_entries', '_expire', '_head', '_layout', '_nopurge', '_raw', '_trackers', 'number',
    )  # fmt: skip

    def __init__(
        self, cells: MutableSequence[int], raw: memoryview, number: int, definition: Definition, layout: TableLayout
    ) -> None:
        base = number * layout.shard_cells
        self._cells = cells
        self._raw = raw
        self.number = number
        self._layout = layout
        self._expire = definition.expire
        self._nopurge = definition.nopurge
        self._head = base + LOCK_CELLS
        self._buckets = self._head + HEADER
        self._entries = base + layout.entries
        self._trackers = base + layout.trackers

    @property
    def used(self) -> int:
        """Entries in use; may be asked without the lock."""
        return self._cells[self._head + USED]

    # -- finding -----------------------------------------------------------------------------------------------------

    def find(self, key: bytes, hash_: int, now: int) -> int:
        """The entry of a key, 0 where there is none. One that has expired is dropped where it is met, unless it is tracked."""
        cells = self._cells
        at = cells[self._bucket(hash_)]
        while at:
            if cells[at + HASH] == hash_ and self.key(at) == key:
                break
            at = cells[at + NEXT]
        if at and self._expire and cells[at + EXPIRE] <= now and not self.trackers(at):
            self.drop(at)
            return 0
        return at

    def _bucket(self, hash_: int) -> int:
        return self._buckets + (hash_ & (self._layout.buckets - 1))

    def key(self, at: int) -> bytes:
        """The key of an entry."""
        start = 8 * (at + KEY)
        return bytes(self._raw[start : start + self._cells[at + LENGTH]])

    def trackers(self, at: int) -> int:
        """How many sessions and requests track an entry, over all workers."""
        cells = self._tracks(at)
        return sum(self._cells[cells.start : cells.stop : cells.step])

    def _tracks(self, at: int) -> range:
        """The cells that say so, one for each number of a worker that ever tracked something."""
        layout = self._layout
        first = self._trackers + (at - self._entries) // layout.stride
        return range(first, first + self._cells[self._head + ROWS] * layout.capacity, layout.capacity)

    def __iter__(self) -> Iterator[int]:
        """All entries in use, the oldest first."""
        at = self._cells[self._head + OLDEST]
        while at:
            following = self._cells[at + NEWER]
            yield at
            at = following

    def keys(self, first: int, most: int) -> tuple[list[bytes], int]:
        """Keys of those of `most` entries from number `first` on that are in use, and the number to go on with, -1 at the end."""
        cells, stride = self._cells, self._layout.stride
        end = min(first + most, cells[self._head + FRESH])
        places = range(self._entries + first * stride, self._entries + end * stride, stride)
        return [self.key(at) for at in places if cells[at + LIFE] & 1], -1 if end >= cells[self._head + FRESH] else end

    # -- coming and going --------------------------------------------------------------------------------------------

    def make(self, key: bytes, hash_: int, now: int, is_full: Callable[[], bool]) -> int:
        """A new entry for a key that has none, 0 where there is no room for it.

        Where the table is full as many of this shard's oldest as HAProxy drops at once, which nobody tracks, make room, unless the
        table is not to be purged.
        """
        self.expire(now, AT_ONCE)
        head, cells = self._head, self._cells
        if is_full() or not (cells[head + FREE] or cells[head + FRESH] < self._layout.capacity):
            if self._nopurge or not self._purge((self._layout.capacity >> 8) + 1, now):
                return 0
        at = cells[head + FREE]
        if at:
            cells[head + FREE] = cells[at + NEXT]
        else:
            at = self._entries + cells[head + FRESH] * self._layout.stride
            cells[head + FRESH] += 1
        for cell in (*range(at + self._layout.figures, at + self._layout.stride), *self._tracks(at)):
            cells[cell] = 0
        self._raw[8 * (at + KEY) : 8 * (at + KEY) + len(key)] = key
        cells[at + LENGTH], cells[at + HASH] = len(key), hash_
        cells[at + EXPIRE] = now + self._expire
        cells[at + LIFE] += 1
        self._enter(at)
        cells[head + USED] += 1
        return at

    def _enter(self, at: int) -> None:
        """Into its bucket, and into the order as the newest."""
        cells, bucket = self._cells, self._bucket(self._cells[at + HASH])
        cells[at + NEXT] = cells[bucket]
        cells[bucket] = at
        self._append(at)

    def _append(self, at: int) -> None:
        cells, head = self._cells, self._head
        last = cells[head + NEWEST]
        cells[at + OLDER], cells[at + NEWER] = last, 0
        cells[last + NEWER if last else head + OLDEST] = at
        cells[head + NEWEST] = at

    def _unlink(self, at: int) -> None:
        cells, head = self._cells, self._head
        older, newer = cells[at + OLDER], cells[at + NEWER]
        cells[older + NEWER if older else head + OLDEST] = newer
        cells[newer + OLDER if newer else head + NEWEST] = older

    def touch(self, at: int, now: int) -> None:
        """It was used: it is the newest, and lives on for a whole `expire`."""
        self._cells[at + EXPIRE] = now + self._expire
        if self._cells[at + NEWER]:
            self._unlink(at)
            self._append(at)

    def drop(self, at: int) -> None:
        """Take an entry out that nobody tracks."""
        cells, head = self._cells, self._head
        cells[at + LIFE] += 1
        before = self._bucket(cells[at + HASH])
        while cells[before] != at:
            before = cells[before] + NEXT
        cells[before] = cells[at + NEXT]
        self._unlink(at)
        cells[at + NEXT] = cells[head + FREE]
        cells[head + FREE] = at
        cells[head + USED] -= 1

    def expire(self, now: int, most: int) -> int:
        """Drop up to `most` of the oldest that have expired; one that is tracked begins anew. Answers how many it looked at."""
        if not self._expire:
            return 0
        cells, head, looked = self._cells, self._head, 0
        while looked < most:
            at = cells[head + OLDEST]
            if not at or cells[at + EXPIRE] > now:
                break
            if self.trackers(at):
                self.touch(at, now)
            else:
                self.drop(at)
            looked += 1
        return looked

    def _purge(self, most: int, now: int) -> int:
        """Drop `most` of the oldest. Who is tracked counts as used now, so that nobody looks at it again and again."""
        cells, head, dropped = self._cells, self._head, 0
        for _ in range(min(cells[head + USED], LOOKED_AT)):
            at = cells[head + OLDEST]
            if self.trackers(at):
                self.touch(at, now)
                continue
            self.drop(at)
            dropped += 1
            if dropped == most:
                break
        return dropped

    # -- figures -----------------------------------------------------------------------------------------------------

    def read(self, at: int, slot: Slot, now: int) -> int:
        """A figure of an entry."""
        if slot.kind is Kind.RATE:
            return rates.reading(self._cells, at + slot.cell, now, slot.period)
        return self.trackers(at) if slot.kind is Kind.CURRENT else self._cells[at + slot.cell]

    def count(self, at: int, slot: Slot, now: int, amount: int) -> int:
        """Count so many events, to a number or a rate. Answers the figure."""
        if slot.kind is Kind.RATE:
            rates.count(self._cells, at + slot.cell, now, slot.period, amount)
            return 0
        value = self._cells[at + slot.cell] + amount
        self._cells[at + slot.cell] = value = value & (_MOST if slot.wide else _WHOLE)
        return value

    def put(self, at: int, slot: Slot, now: int, value: int) -> None:
        """Let a figure be something; who tracks an entry is not to be set."""
        if slot.kind is Kind.RATE:
            rates.put(self._cells, at + slot.cell, now, value & _WHOLE)
        elif slot.kind is not Kind.CURRENT:
            self._cells[at + slot.cell] = value & (_MOST if slot.wide else _WHOLE)

    def track(self, at: int, worker: int, amount: int) -> None:
        """A worker tracks an entry (1), or no more (-1)."""
        cells, rows = self._cells, self._head + ROWS
        if cells[rows] <= worker:
            cells[rows] = worker + 1
        cell = self._tracks(at)[worker]
        cells[cell] = max(0, cells[cell] + amount)

    def left_ms(self, at: int, now: int) -> int:
        """Until it expires; 0 where it never does."""
        return max(0, self._cells[at + EXPIRE] - now) if self._expire else 0

    def idle_ms(self, at: int, now: int) -> int:
        """Since it was touched last."""
        return max(0, now - (self._cells[at + EXPIRE] - self._expire))

    # -- deaths ------------------------------------------------------------------------------------------------------

    def forget(self, worker: int, first: int, most: int, now: int) -> int:
        """A worker is gone: nothing it tracked is tracked by it any more. Looks at `most` entries from number `first` on.

        Answers the number to go on with, -1 when it was the last. What it tracked counts as used now, as if it had ended well.
        """
        cells, head, layout = self._cells, self._head, self._layout
        if cells[head + ROWS] <= worker:
            return -1
        end = min(first + most, cells[head + FRESH])
        row = self._trackers + worker * layout.capacity
        for number in range(first, end):
            if cells[row + number]:
                cells[row + number] = 0
                at = self._entries + number * layout.stride
                if cells[at + LIFE] & 1:
                    self.touch(at, now)
        return -1 if end >= cells[head + FRESH] else end

    def repair(self, beat: Callable[[], None]) -> None:
        """Whoever held the lock died: make chains, order and free list anew (see the module).

        That takes some 5 us for each entry, of which the largest tables have 250,000 in a shard: `beat` is called now and then.
        """
        cells, head, stride = self._cells, self._head, self._layout.stride
        for cell in range(self._buckets, self._buckets + self._layout.buckets):
            cells[cell] = 0
        for cell in (USED, FREE, OLDEST, NEWEST):
            cells[head + cell] = 0
        living = []
        for number in range(min(cells[head + FRESH], self._layout.capacity)):
            at = self._entries + number * stride
            if not number % _BEAT_EVERY:
                beat()
            if cells[at + LIFE] & 1:
                living.append(at)
            else:
                cells[at + NEXT] = cells[head + FREE]
                cells[head + FREE] = at
        for number, at in enumerate(sorted(living, key=lambda at: cells[at + EXPIRE])):
            if not number % _BEAT_EVERY:
                beat()
            self._enter(at)
        cells[head + USED] = len(living)

    def broken(self) -> str:
        """What does not hold of S1 to S4, '' when all does. For tests: it looks at everything."""
        cells, stride, head = self._cells, self._layout.stride, self._head
        known = [self._entries + number * stride for number in range(cells[head + FRESH])]
        living = [at for at in known if cells[at + LIFE] & 1]
        chained = []
        for bucket in range(self._buckets, self._buckets + self._layout.buckets):
            at = cells[bucket]
            while at:
                chained.append(at)
                if self._bucket(cells[at + HASH]) != bucket or len(chained) > len(known):
                    return 'S1: chains'
                at = cells[at + NEXT]
        if sorted(chained) != living or sorted(self) != living:
            return 'S1: an entry in use is not where it should be, or one not in use is'
        free: list[int] = []
        at = cells[head + FREE]
        while at and len(free) <= len(known):
            free.append(at)
            at = cells[at + NEXT]
        if self.used != len(living) or sorted([*free, *living]) != known:
            return 'S2: counts'
        if len({self.key(at) for at in living}) != len(living):
            return 'S3: two of one key'
        return 'S4: tracked' if any(self.trackers(at) for at in free) else ''
