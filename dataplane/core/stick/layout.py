"""core: where in a table's cells everything is.

    table  =  shard, shard, ...      shard  =  LOCK_CELLS of the lock, HEADER cells, buckets, entries, trackers

Trackers are rows, one per number of a worker, with a cell for each entry: there is room for every number that there may ever be, and
memory is taken only for those that tracked something. So a table is the same whatever number of workers there is.

An entry is named by the number of its first cell, which is never 0. Memory that is all zeros is an empty table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from dataplane.core.stick.definition import ARRAYS, WIDE, Definition, Kind
from dataplane.core.stick.rates import CELLS as RATE_CELLS

LOCK_CELLS: Final = 8
"""Room for a mutex of any machine."""
USED: Final = 0
"""Entries in use."""
FREE: Final = 1
"""First of the entries that were given back; each names the next in its NEXT."""
FRESH: Final = 2
"""How many entries were ever in use: those behind them are fresh memory."""
OLDEST: Final = 3
NEWEST: Final = 4
"""Ends of the order in which entries were touched."""
ROWS: Final = 5
"""Numbers of workers that ever tracked something: rows from there on are fresh memory. Written before anything in a row is."""
HEADER: Final = 8

# of an entry
NEXT: Final = 0
"""The next entry of its bucket."""
OLDER: Final = 1
NEWER: Final = 2
EXPIRE: Final = 3
"""When it expires (ms), or when it was touched last where entries never do."""
HASH: Final = 4
LIFE: Final = 5
"""Odd while it is in use; one more with every change between the two. Written last when it begins and first when it ends."""
LENGTH: Final = 6
"""Bytes of the key."""
KEY: Final = 7

ONE_SHARD: Final = 4_096
"""Tables up to this size have one shard, and so one order over all entries."""
_PER_SHARD: Final = 1_024
_MOST_SHARDS: Final = 64


@dataclass(frozen=True, slots=True)
class Slot:
    """Where in an entry one figure is. `cell` counts from the entry; CURRENT has none of its own."""

    kind: Kind
    cell: int
    period: int
    wide: bool = False


class TableLayout:
    """The layout of one table, the same in every process that knows its definition; `workers` is how many there may ever be."""

    __slots__ = (
        'buckets',
        'capacity',
        'entries',
        'figures',
        'shard_cells',
        'shards',
        'size',
        'slots',
        'stride',
        'trackers',
        'workers',
    )

    def __init__(self, definition: Definition, workers: int) -> None:
        self.workers = workers
        self.figures = KEY + (definition.length + 7) // 8
        self.slots: dict[tuple[str, int], Slot] = {}
        self.stride = self._place(definition, self.figures)
        self.shards = self._shards(definition.size)
        share = -(-definition.size // self.shards)
        # keys do not spread evenly: with a quarter more room a shard is practically never full before the table is
        self.capacity = share if self.shards == 1 else -(-5 * share // 4)
        self.buckets = 1 << (self.capacity - 1).bit_length()
        self.entries = LOCK_CELLS + HEADER + self.buckets
        self.trackers = self.entries + self.capacity * self.stride
        # a mutex must not share a cache line with another shard's entries
        self.shard_cells = -(-(self.trackers + workers * self.capacity) // LOCK_CELLS) * LOCK_CELLS
        self.size = self.shards * self.shard_cells

    def _place(self, definition: Definition, at: int) -> int:
        for data in definition.stores:
            for element in range(data.elements):
                self.slots[data.name, element] = Slot(data.kind, at, data.period, data.name in WIDE)
                at += RATE_CELLS if data.kind is Kind.RATE else 0 if data.kind is Kind.CURRENT else 1
        self._share_names()
        return at

    def _share_names(self) -> None:
        """The first elements of arrays are what `gpc0`, `gpc1` and `gpt0` mean where these are not stored themselves."""
        for array in ARRAYS:
            for element in range(2):
                head, _, tail = array.partition('_')
                single = f'{head}{element}_{tail}' if tail else f'{head}{element}'
                slot, own = self.slots.get((array, element)), self.slots.get((single, 0))
                if slot is not None and own is None:
                    self.slots[single, 0] = slot

    @staticmethod
    def _shards(size: int) -> int:
        if size <= ONE_SHARD:
            return 1
        shards = 1
        while shards < _MOST_SHARDS and size // (2 * shards) >= _PER_SHARD:
            shards *= 2
        return shards

    def slot(self, name: str, element: int = 0) -> Slot | None:
        """Where a figure is; None where it is not stored."""
        return self.slots.get((name, element))
