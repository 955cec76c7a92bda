"""How all workers come to know what changes in maps, ACLs and variables of `proc`: the supervisor's side.

    CLI, batches of workers -> the book (one order) -> per worker: what it has not been told yet -> 'patterns' -> its ack

What must hold:

1. A worker is told of a pattern by its entries as they are when the packet is made. So packets need not be kept for who is slow,
   whatever it missed: per worker there is a list of patterns, which is never longer than there are patterns, and one packet under way.
   A worker follows a packet in one turn of its loop; what would take it long is in the next ones, and the last of them brings it to
   one moment of the book.
2. A set that was replaced (`commit`, `clear`), or of which much changed, is sent whole, in parts beside the packet; the worker makes
   it beside the one in use and changes over at once.
3. A worker's batch is confirmed in the packet that brings the last of the entries it led to, never before.
4. `settled` returns when every worker that was there has acknowledged everything up to now, or is gone; it names the latter.
5. Another reading of the files (`adopt`) ends all this and begins anew: nobody is told of what was before.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from dataplane.alarm import Alarm
from dataplane.rules.book import Book
from dataplane.rules.changes import DELETED, Change, Kind
from dataplane.rules.indexes import Held
from dataplane.rules.packing import packed_rows, unpacked
from dataplane.rules.patience import Patience, endless
from dataplane.rules.stores import VARIABLES, encoded, size_of
from dataplane.wire.framing import Message, packing, parts_memfd

if TYPE_CHECKING:
    from dataplane.core.model import Snapshot
    from dataplane.rules.replica import Where
    from dataplane.supervisor.publish import Publisher
    from dataplane.supervisor.workers import Workers

_PART: Final = 500
_LATER: Final = 1.0
"""Seconds until what there was no memory or descriptor for is sent."""
_ROWS: Final = 500
_BYTES: Final = 256 << 10
"""Of a packet: a worker takes some milliseconds for either."""
_SLOW: Final = 10
"""So many rows does a regular expression count for, which a worker compiles, at a fifth of a millisecond."""
_MOST_ROWS: Final = 20_000
_MOST_SLOW: Final = 200
"""Patterns, and regular expressions, of a set beyond which it is sent whole."""
_UNFINISHED: Final = -1
"""The sequence of a packet that does not bring its worker to one moment of the book."""

Send = Callable[[int, Message, Sequence[int]], None]


@dataclass(eq=False, slots=True)
class _Member:
    """A worker: what it has not been told yet, and whether a packet is under way. `taken`: its batch that is to be confirmed."""

    patterns: dict[str, dict[bytes, None]] = field(default_factory=dict)
    whole: set[str] = field(default_factory=set)
    taken: int | None = None
    under_way: bool = False

    @property
    def waits(self) -> bool:
        """Is there something to tell, and may it be told?"""
        return not self.under_way and bool(self.patterns or self.whole or self.taken is not None)

    def forget(self) -> None:
        """There is nothing to tell any more."""
        self.patterns, self.whole, self.taken = {}, set(), None


@dataclass(eq=False, slots=True)
class _Wait:
    sequence: int
    waiting: set[int]
    done: asyncio.Future[None]
    missing: list[int] = field(default_factory=list)


class Contents:
    """One per supervisor. `failed(name, error)` is told of a defect in the work for workers; `log(level, text)` of refusals.

    `patience` watches over the supervisor's own searches with regular expressions.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, send: Send, *, log: Callable[[str, str], None],
        failed: Callable[[str, BaseException], None], patience: Patience = endless,
    ) -> None:  # fmt: skip
        self.patience = patience
        self.book = Book((), (), -1, self._watch)
        self._ready: Book | None = None
        self._loop, self._send, self._log, self._failed = loop, send, log, failed
        self._members: dict[int, _Member] = {}
        self._sequence = 0
        self._waits: list[_Wait] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._flushing: asyncio.Handle | None = None
        self._told_of = 1

    def _begun(self, snapshot: Snapshot) -> Book:
        return Book(snapshot.references, snapshot.variables, snapshot.load, self._watch, patience=self.patience)

    async def prepare(self, snapshot: Snapshot) -> None:
        """Make the book of another reading of the files, a part per turn of the loop, for when it comes into force."""
        self._ready = None
        if snapshot.load != self.book.load:
            book = self._begun(snapshot)
            for _ in book.fill():
                await asyncio.sleep(0)
            self._ready = book

    def adopt(self, snapshot: Snapshot) -> None:
        """These tables are in force now. Nothing happens unless the files were read again."""
        if snapshot.load == self.book.load:
            return
        ready, self._ready = self._ready, None
        if ready is None or ready.load != snapshot.load:
            ready = self._begun(snapshot)
            for _ in ready.fill():
                pass
        self.book = ready
        self._sequence += 1
        self._told_of = 1
        for member in self._members.values():
            member.forget()
        for wait in self._waits:
            _finish(wait)
        self._waits.clear()

    # -- workers come and go --------------------------------------------------------------------------------------------

    def join(self, worker: int) -> None:
        """A worker begins with what the files say: it is told of all that was changed since."""
        self._members[worker] = _Member(whole=set(self.book.touched()))
        self._soon()

    def left(self, worker: int) -> None:
        """It died."""
        self._members.pop(worker, None)
        for wait in self._waits:
            if worker in wait.waiting:
                wait.waiting.discard(worker)
                wait.missing.append(worker)
        self._settle()

    def heard(self, worker: int, message: Message) -> bool:
        """Take a worker's packet. Returns whether it was one of these. Raises ValueError or KeyError where it is malformed."""
        match message['op']:
            case 'patterns':
                self._acked(worker, message['sequence'])
            case 'changes':
                self._changes(worker, message)
            case _:
                return False
        return True

    def _acked(self, worker: int, sequence: int) -> None:
        member = self._members.get(worker)
        if member is None:
            return
        member.under_way = False
        for wait in self._waits:
            if wait.sequence <= sequence or not member.waits:
                wait.waiting.discard(worker)
        self._settle()
        if member.waits:
            self._soon()

    def _changes(self, worker: int, message: Message) -> None:
        member = self._members.get(worker)
        if member is None or message['load'] != self.book.load:
            return
        self._take(
            ((name, encoded(key)), Change(Kind(kind), unpacked(value))) for name, key, kind, value in message['changes']
        )
        member.taken = message['number']
        self._soon()

    def _take(self, changes: Iterable[tuple[Where, Change]]) -> None:
        """Do what a rule or a check has done; what cannot be is counted, and told of now and then."""
        refused = self.book.take(changes)
        if refused and self.book.refused >= self._told_of:
            self._told_of = 2 * self.book.refused
            self._log('warning', f'{self.book.refused} changes of maps and ACLs by rules have been refused so far.')

    def variable(self, name: str) -> Any:
        """The value of a variable of `proc`, None where it has none."""
        return self.book.variable(name)

    def set_variable(self, name: str, value: Any) -> None:
        """Give it a value, or (None) take it away, as a worker does: where there is no room for it nothing changes."""
        self._take((((VARIABLES, encoded(name)), DELETED if value is None else Change(Kind.SET, value)),))

    # -- telling -----------------------------------------------------------------------------------------------------

    def _watch(self, name: str, key: bytes | None) -> None:
        self._sequence += 1
        for member in self._members.values():
            if key is None:
                member.whole.add(name)
                member.patterns.pop(name, None)
            elif name not in member.whole:
                member.patterns.setdefault(name, {})[key] = None
        self._soon()

    def _soon(self) -> None:
        if self._flushing is None:
            self._flushing = self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = None
        groups: dict[tuple[str, ...], dict[int, tuple[_Member, Message]]] = {}
        for worker, member in self._members.items():
            if member.waits:
                told, left = self._told(member)
                message: Message = {
                    'op': 'patterns', 'load': self.book.load, 'sequence': _UNFINISHED if left else self._sequence, 'told': told,
                    'taken': None if left else member.taken,
                }  # fmt: skip
                if member.whole:
                    groups.setdefault(tuple(sorted(member.whole)), {})[worker] = member, message
                else:
                    self._send(worker, message, ())
                member.under_way = True
                taken = member.taken
                member.forget()
                if left:
                    member.patterns, member.taken = left, taken
        for names, messages in groups.items():
            sets = [(name, list(found.held.items())) for name in names if (found := self.book.set_of(name)) is not None]
            task = self._loop.create_task(self._send_whole(sets, messages), name='whole sets of patterns')
            self._tasks.add(task)
            task.add_done_callback(self._ended)

    def _told(self, member: _Member) -> tuple[list[Any], dict[str, dict[bytes, None]]]:
        """What is told of single patterns, and what is left for the next packet; sets of which it would be much become whole ones."""
        told: list[Any] = []
        left: dict[str, dict[bytes, None]] = {}
        rows = size = 0
        for name in sorted(member.patterns, key=lambda name: len(member.patterns[name])):
            patterns, pending, slow = self.book.set_of(name), member.patterns[name], self.book.is_slow(name)
            if patterns is None:
                continue
            if len(pending) > (_MOST_SLOW if slow else _MOST_ROWS):
                member.whole.add(name)
                continue
            part: list[tuple[bytes, tuple[Held, ...]]] = []
            for key in pending:
                if rows >= _ROWS or size >= _BYTES:
                    left[name] = dict.fromkeys(islice(pending, len(part), None))
                    break
                held = patterns.held.get(key, ())
                part.append((key, held))
                rows, size = rows + (_SLOW if slow else 1), size + size_of(key, held)
            if part:
                told.append([name, packed_rows(part)])
        return told, left

    async def _send_whole(
        self, sets: list[tuple[str, list[Any]]], messages: dict[int, tuple[_Member, Message]]
    ) -> None:
        """Send sets whole, beside what else these workers are told."""
        book = self.book
        try:
            fd = parts_memfd()
        except OSError as error:
            self._log('err', f'Maps and ACLs cannot be sent to workers yet: {error}')
            self._loop.call_later(_LATER, self._once_more, messages, book)
            return
        try:
            for _ in packing(fd, _parts(sets)):
                await asyncio.sleep(0)
            for worker, (member, message) in messages.items():
                if self._members.get(worker) is not member:
                    continue
                if self.book is book:
                    self._send(worker, message, (fd,))
                else:
                    member.under_way = False
            self._soon()
        finally:
            os.close(fd)

    def _once_more(self, messages: dict[int, tuple[_Member, Message]], book: Book) -> None:
        """Nothing of this was sent: these are told all there is to tell, as who has just joined."""
        for member, message in messages.values():
            member.under_way = False
            if self.book is book:
                member.whole.update(book.touched())
                member.taken = message['taken'] if member.taken is None else member.taken
        self._soon()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failed(task.get_name(), error)

    # -- waiting -----------------------------------------------------------------------------------------------------

    async def settled(self, worker: int | None = None) -> tuple[int, ...]:
        """Return when all workers (or one) have everything up to now. The numbers of those that died first."""
        waiting = {number for number, member in self._members.items() if member.waits or member.under_way}
        if worker is not None:
            waiting &= {worker}
        if not waiting:
            return ()
        wait = _Wait(self._sequence, waiting, self._loop.create_future())
        self._waits.append(wait)
        await asyncio.shield(wait.done)
        return tuple(sorted(wait.missing))

    def _settle(self) -> None:
        done = [wait for wait in self._waits if not wait.waiting]
        self._waits = [wait for wait in self._waits if wait.waiting]
        for wait in done:
            _finish(wait)

    def close(self) -> None:
        """Tell nobody any more."""
        if self._flushing is not None:
            self._flushing.cancel()
        for task in self._tasks:
            task.cancel()


def shared(
    loop: asyncio.AbstractEventLoop, workers: Workers, publisher: Publisher, log: Callable[[str, str], None],
    failed: Callable[[str, BaseException], None],
) -> Contents:  # fmt: skip
    """What these workers share from now on; every commit of this publisher may bring another reading of the files.

    Nobody waits longer for a search of the supervisor's than for one of a worker's: all of them stand still with it.
    """
    made = Contents(loop, workers.send, log=log, failed=failed, patience=Alarm(_go_on).watched)
    workers.contents, publisher.preparing, publisher.adopted = made, made.prepare, made.adopt
    return made


def _go_on() -> None:
    """Nobody has to be told that a search goes on: the supervisor's own heartbeat is its loop's."""


def _finish(wait: _Wait) -> None:
    if not wait.done.done():
        wait.done.set_result(None)


def _parts(sets: Iterable[tuple[str, list[Any]]]) -> Iterable[object]:
    """A set's name, then its patterns, some at a time; then the next set."""
    for name, rows in sets:
        yield name
        for at in range(0, len(rows), _PART):
            yield rows[at : at + _PART]
