"""Stick tables in shared memory: one sparse memfd per table, a lock per shard, the same entries for all workers.

Beside the board and like it (`dataplane.board`): sized once, sealed, passed on by descriptor, found unmade where nobody has
written. What happens to entries is `dataplane.core.stick`; here are the memory, the locks and the clock. What must hold:

1. Every operation is one hold of one shard's lock, and takes no other lock inside it; nothing inside it waits or logs.
2. An exception inside a hold is a death: the process kills itself holding the lock. The next owner of the lock is told, makes
   the shard's order and chains anew from its entries, and goes on: nothing but the operation that was under way is lost. It says so
   afterwards, to `on_repair`, and meanwhile, to `beat`, that it moves: else it would be ended as one that stands still.
3. The supervisor, whose `patience` is a number, waits no longer than that for a lock and raises `Busy`: a worker may be stopped
   inside a hold. Workers have no patience to lose: they wait (`patience` None).
4. Who tracks an entry is counted per worker. What a dead worker counted is taken back by the supervisor (`forget`) before the
   worker's number is used again.

Keys are put into shards and buckets by BLAKE2 with a secret of the table, so that no client can choose keys that meet.
"""

from __future__ import annotations

import mmap
import os
import signal
import time
import traceback
from collections.abc import Callable, Iterator, MutableSequence
from hashlib import blake2b
from typing import Final, NoReturn, Self, TypeVar, cast

from dataplane.core.stick.definition import Definition
from dataplane.core.stick.keys import key_maker, sample_of
from dataplane.core.stick.layout import TableLayout
from dataplane.core.stick.shard import AT_ONCE, Shard
from dataplane.mutex import ROOM, Held, RobustMutex
from dataplane.rules.samples import Sample
from dataplane.sealed import sealed_memory

T = TypeVar('T')

CELL: Final = 8
SECRET: Final = 16
"""Bytes at the beginning of the memory."""
_SIGNED: Final = 1 << 63
_SLICE: Final = 256
"""Entries looked at in one hold of a long look through a shard; 50-100 us."""


class Busy(Exception):
    """A shard's lock could not be had in time."""


class StickTable:
    """One mapping of one table. `worker` is whose column tracking counts in; supervisors have none (-1)."""

    __slots__ = ('_cells', '_locks', '_map', '_page', '_secret', '_shards', 'beat', 'definition', 'fd', 'identity', 'key_of', 'layout', 'on_repair', 'patience', 'worker')  # fmt: skip

    def __init__(
        self, fd: int, definition: Definition, workers: int, *, worker: int = -1, patience: float | None = None
    ) -> None:
        """Map the table behind `fd`, which is owned by this object from here on. ValueError: it is none of that definition."""
        self.definition = definition
        self.layout = layout = TableLayout(definition, workers)
        expected = mmap.PAGESIZE + layout.size * CELL
        found = os.fstat(fd).st_size
        if found != expected:
            raise ValueError(
                f'table {definition.name} on descriptor {fd} has {found} bytes, its layout needs {expected}'
            )
        self.fd = fd
        self.identity = identity_of(fd)
        self.worker = worker
        self.patience = patience
        self.on_repair: Callable[[str], None] = _untold
        self.beat: Callable[[], None] = _unwatched
        self.key_of = key_maker(definition)
        self._map = mmap.mmap(fd, expected)
        self._secret = self._map[:SECRET]
        self._page = memoryview(self._map)[mmap.PAGESIZE :]
        self._cells = self._page.cast('q')
        cells = cast('MutableSequence[int]', self._cells)  # as the board's: one except for insert and del
        self._shards = [Shard(cells, self._page, number, definition, layout) for number in range(layout.shards)]
        step = layout.shard_cells * CELL
        rooms = [self._page[number * step : number * step + ROOM] for number in range(layout.shards)]
        self._locks = [RobustMutex(room) for room in rooms]

    @classmethod
    def create(cls, definition: Definition, workers: int, *, patience: float | None = None) -> Self:
        """A new empty table. Raises OSError when the system gives no memfd."""
        layout = TableLayout(definition, workers)
        fd = sealed_memory('table', mmap.PAGESIZE + layout.size * CELL)
        try:
            os.pwrite(fd, os.urandom(SECRET), 0)
            table = cls(fd, definition, workers, patience=patience)
            for lock in table._locks:
                lock.init()
        except BaseException:
            os.close(fd)
            raise
        return table

    def forget_descriptor(self) -> None:
        """Close the descriptor: the memory stays mapped for as long as this object is there."""
        os.close(self.fd)
        self.fd = -1

    def close(self) -> None:
        """Drop this mapping and its descriptor; the table lives on in other processes. Not inside a hold. Idempotent."""
        if not self._shards:
            return
        for lock in self._locks:
            lock.release()
        self._shards.clear()
        try:
            self._cells.release()
            self._page.release()
            self._map.close()
        except BufferError:
            pass  # somebody compiled still looks at the locks: the mapping goes when he does
        if self.fd >= 0:
            self.forget_descriptor()

    def __repr__(self) -> str:
        return f'<StickTable {self.definition.name} used={self.used if self._shards else "closed"}>'

    # -- holds -------------------------------------------------------------------------------------------------------

    def _hold(self, number: int, act: Callable[[Shard], T]) -> T:
        """Do `act` inside a hold of a shard's lock."""
        lock, shard = self._locks[number], self._shards[number]
        if self.patience is None:
            torn = lock.lock()
        else:
            held = lock.lock_within(self.patience)
            if held is Held.TIMEOUT:
                raise Busy(f'table {self.definition.name} is held by process {lock.holder()}')
            torn = held is Held.TORN
        try:
            if torn:
                shard.repair(self.beat)
                lock.consistent()
            result = act(shard)
        except BaseException:  # noqa: BLE001 - whatever it is, the shard may be half written: only a repair helps
            _die()
        lock.unlock()
        if torn:
            self.on_repair(
                f'Table {self.definition.name}: a process ended while it changed shard {number}, which was repaired.'
            )
        return result

    def _place(self, key: bytes) -> tuple[int, int]:
        """The shard of a key, and its hash."""
        whole = int.from_bytes(blake2b(key, digest_size=8, key=self._secret).digest(), 'little')
        return (whole >> 48) % self.layout.shards, whole - _SIGNED

    def _is_full(self) -> bool:
        return self.used >= self.definition.size

    def _made(self, shard: Shard, key: bytes, hash_: int, now: int) -> int:
        return shard.find(key, hash_, now) or shard.make(key, hash_, now, self._is_full)

    # -- figures -----------------------------------------------------------------------------------------------------

    def sample_of(self, key: bytes) -> Sample:
        """The sample a key stands for."""
        return sample_of(self.definition, key)

    def size(self) -> tuple[int, int]:
        """How many entries there are, and how many there may be. What has expired is no entry any more."""
        self.expire()
        return self.used, self.definition.size

    @property
    def used(self) -> int:
        """How many entries there are."""
        return sum(shard.used for shard in self._shards)

    def holds(self, key: bytes) -> bool:
        """Is there an entry of that key?"""
        number, hash_ = self._place(key)
        return self._hold(number, lambda shard: shard.find(key, hash_, now_ms()) != 0)

    def read(self, key: bytes, name: str, element: int = 0) -> int | None:
        """A figure: 0 where there is no entry, None where it is not stored."""
        slot, (number, hash_) = self.layout.slot(name, element), self._place(key)

        def act(shard: Shard) -> int | None:
            now = now_ms()
            at = shard.find(key, hash_, now)
            if not at:
                return 0
            return None if slot is None else shard.read(at, slot, now)

        return self._hold(number, act)

    def age(self, key: bytes, *, idle: bool) -> int | None:
        """Milliseconds until the entry expires, or (`idle`) since it was used last; None where there is none."""
        number, hash_ = self._place(key)

        def act(shard: Shard) -> int | None:
            now = now_ms()
            at = shard.find(key, hash_, now)
            if not at:
                return None
            return shard.idle_ms(at, now) if idle else shard.left_ms(at, now)

        return self._hold(number, act)

    def trackers(self, key: bytes) -> int:
        """How many sessions and requests track the entry."""
        number, hash_ = self._place(key)

        def act(shard: Shard) -> int:
            at = shard.find(key, hash_, now_ms())
            return shard.trackers(at) if at else 0

        return self._hold(number, act)

    # -- changes -----------------------------------------------------------------------------------------------------

    def track(self, key: bytes) -> bool:
        """From now on this worker tracks the entry once more; False where there is no room for one.

        The connection is counted (`conn_cnt`, `conn_rate`).
        """
        number, hash_ = self._place(key)

        def act(shard: Shard) -> bool:
            now = now_ms()
            at = self._made(shard, key, hash_, now)
            if not at:
                return False
            shard.track(at, self.worker, 1)
            self._count(shard, at, now, ('conn_cnt', 1), ('conn_rate', 1))
            shard.touch(at, now)
            return True

        return self._hold(number, act)

    def untrack(self, key: bytes) -> None:
        """It tracks it once less."""
        number, hash_ = self._place(key)

        def act(shard: Shard) -> None:
            now = now_ms()
            at = shard.find(key, hash_, now)
            if at:
                shard.track(at, self.worker, -1)
                shard.touch(at, now)

        self._hold(number, act)

    def _count(self, shard: Shard, at: int, now: int, *amounts: tuple[str, int]) -> None:
        slots = self.layout.slots
        for name, amount in amounts:
            slot = slots.get((name, 0))
            if slot is not None:
                shard.count(at, slot, now, amount)

    def count(self, key: bytes, *amounts: tuple[str, int]) -> None:
        """Count events to those of the named figures that are stored, where the entry is there."""
        number, hash_ = self._place(key)

        def act(shard: Shard) -> None:
            now = now_ms()
            at = shard.find(key, hash_, now)
            if at:
                self._count(shard, at, now, *amounts)
                shard.touch(at, now)

        self._hold(number, act)

    def add(self, key: bytes, name: str, element: int, amount: int, *, make: bool) -> int | None:
        """Add to `gpc` and its kind, and to their rate. Answers the new figure; `make`: make an entry where there is none.

        None where it is not stored; 0 where there is no entry.
        """
        slot, rate = self.layout.slot(name, element), self.layout.slot(f'{name}_rate', element)
        number, hash_ = self._place(key)

        def act(shard: Shard) -> int | None:
            now = now_ms()
            at = self._made(shard, key, hash_, now) if make else shard.find(key, hash_, now)
            if not at or (slot is None and rate is None):
                return None if at else 0
            if rate is not None:
                shard.count(at, rate, now, amount)
            shard.touch(at, now)
            return shard.read(at, rate, now) if slot is None else shard.count(at, slot, now, amount)  # type: ignore[arg-type]

        return self._hold(number, act)

    def put(self, key: bytes, values: tuple[tuple[str, int, int], ...], *, make: bool) -> tuple[int, ...] | None:
        """Give figures (name, element, value) that are stored new values; answers the old ones. None: there is no entry."""
        found = [(self.layout.slot(name, element), value) for name, element, value in values]
        slots = [(slot, value) for slot, value in found if slot is not None]
        number, hash_ = self._place(key)

        def act(shard: Shard) -> tuple[int, ...] | None:
            now = now_ms()
            at = self._made(shard, key, hash_, now) if make else shard.find(key, hash_, now)
            if not at:
                return None
            before = tuple(shard.read(at, slot, now) for slot, _ in slots)
            for slot, value in slots:
                shard.put(at, slot, now, value)
            shard.touch(at, now)
            return before

        return self._hold(number, act)

    def drop(self, key: bytes) -> bool | None:
        """Take the entry out; False where somebody tracks it, None where there is none."""
        number, hash_ = self._place(key)

        def act(shard: Shard) -> bool | None:
            at = shard.find(key, hash_, now_ms())
            if not at or shard.trackers(at):
                return False if at else None
            shard.drop(at)
            return True

        return self._hold(number, act)

    # -- all of them -------------------------------------------------------------------------------------------------

    def keys(self, number: int, first: int) -> tuple[list[bytes], int]:
        """Some keys of shard `number`, from place `first` on, in one hold; and the place to go on from, -1 at the end.

        Of entries that come or go between two holds nothing is said.
        """
        return self._hold(number, lambda shard: shard.keys(first, _SLICE))

    def row(self, key: bytes) -> tuple[int, int, int, tuple[int, ...]] | None:
        """Where an entry is, who tracks it, when it expires (ms) and all its figures in the definition's order; None: there is none."""
        number, hash_ = self._place(key)
        slots = [
            self.layout.slots[data.name, element] for data in self.definition.stores for element in range(data.elements)
        ]

        def act(shard: Shard) -> tuple[int, int, int, tuple[int, ...]] | None:
            now = now_ms()
            at = shard.find(key, hash_, now)
            if not at:
                return None
            values = tuple(shard.read(at, slot, now) for slot in slots)
            return at * CELL, shard.trackers(at), shard.left_ms(at, now), values

        return self._hold(number, act)

    def expire(self) -> bool:
        """Drop some of what has expired; True: there may be more of it."""
        looked = [
            self._hold(number, lambda shard: shard.expire(now_ms(), AT_ONCE)) for number in range(len(self._shards))
        ]
        return any(seen == AT_ONCE for seen in looked)

    def forget(self, worker: int) -> Iterator[None]:
        """A worker is gone: nothing is tracked by it any more. One hold for each part, and after each the loop may turn."""
        for number in range(len(self._shards)):
            first = 0
            while first >= 0:
                first = self._hold(
                    number,
                    lambda shard, first=first: shard.forget(worker, first, _SLICE, now_ms()),  # type: ignore[misc]
                )
                yield

    def broken(self) -> str:
        """What does not hold in a shard, '' when all does. For tests."""
        return next((found for shard in self._shards if (found := shard.broken())), '')

    def holders(self) -> tuple[int, ...]:
        """Thread ids of who holds a shard at this moment (see `RobustMutex.holder`)."""
        return tuple(holder for lock in self._locks if (holder := lock.holder()))


def identity_of(fd: int) -> tuple[int, int]:
    """What two descriptors of the same memory have in common."""
    found = os.fstat(fd)
    return found.st_dev, found.st_ino


def now_ms() -> int:
    """The clock of all tables: that of the system, the same in all its processes."""
    return time.monotonic_ns() // 1_000_000


def _unwatched() -> None:
    """Nobody watches whether this process moves."""


def _untold(text: str) -> None:
    """Nobody wants to know of repairs yet."""


def _die() -> NoReturn:
    """End this process while it holds the lock: what it guards may be half written, and only a repair helps."""
    traceback.print_exc()
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError('unreachable: the process was killed')
