"""The desk: the one place where what the core decides becomes something that happens in this worker.

Every method is synchronous and is one hold of the board's lock, entered and left here and nowhere else in a worker. No
await may come between what a hold decided and what is done about it, so callers act on the answer in the same loop turn.
Streams are told of what befell them only after the lock is given back, one by one, never inside another's logic (I11).

An exception inside a hold is a death: the process says why on stderr and kills itself holding the lock, and the next
owner repairs (design 2, rule 4). A stream's slot is given back by `leave` only when its exchange is complete or its
upstream socket was shut down; the heir's request would otherwise overtake the end of the old one at the server.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Final, NoReturn

from dataplane.board import Bells, Board
from dataplane.core.layout import NOBODY
from dataplane.core.plane import SUPERVISOR, Plane
from dataplane.core.stream import Admission, Life, Stream
from dataplane.core.tables import Tables
from dataplane.worker.clock import Clock, now_ms

# named per request: see core/plane.py
_NEW: Final = Life.NEW
_WAITING: Final = Life.WAITING
_SLOT: Final = Life.SLOT
_RUNNING: Final = Life.RUNNING
_ENDED: Final = Life.ENDED
_ADMITTED: Final = Admission.SLOT
_QUEUED: Final = Admission.WAITING
_ROUTE_AGAIN: Final = Admission.ROUTE_AGAIN

_SLICE = 100
"""Streams looked at per loop turn of an effects pass; 100 looks are ~30 us, a hold for each that must go ~6 us more."""


@dataclass(slots=True)
class Effects:
    """What one revision (and those it overtook) did to the streams of this worker."""

    requeued: int = 0
    refused: int = 0
    killed: int = 0


class Hold:
    """One hold of the board's lock at a time, as a context: enter the plane, and at the end pump, unlock and ring."""

    __slots__ = ('_beat', '_board', '_enter', '_leave', '_lock', '_ring', '_unlock')

    def __init__(
        self, board: Board, plane: Plane, ring: Callable[[Iterable[int]], None], beat: Callable[[], None]
    ) -> None:
        self._board = board
        # bound once: found by name they cost a hold 600 of its 3,500 instructions
        self._lock, self._unlock = board.lock, board.unlock
        self._enter, self._leave = plane.enter, plane.leave
        self._ring = ring
        self._beat = beat

    def __enter__(self) -> None:
        torn = self._lock()
        try:
            self._enter(torn, self._beat)
        except BaseException:  # noqa: BLE001 - whatever it is, the board may be half written: only a repair helps
            _die()
        if torn:
            self._board.consistent()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: object) -> None:
        if kind is not None:
            _die()
        try:
            rings = self._leave()
        except BaseException:  # noqa: BLE001 - as above
            _die()
        self._unlock()
        if rings:
            self._ring(rings)


class Desk:
    """Admission, waiting and leaving for all streams of one worker."""

    def __init__(
        self,
        board: Board,
        bells: Bells,
        worker: int,
        tables: Tables,
        *,
        loop: asyncio.AbstractEventLoop,
        rng: random.Random,
    ) -> None:
        self.tables = tables
        self.clock = Clock(loop)
        self.on_tables: Callable[[Tables], None] = _nothing
        self.settle_pools: Callable[[], None] = _nothing_at_all
        self._board = board
        self._bells = bells
        self._worker = worker
        self._loop = loop
        self._cells = board.cells
        self._at = board.layout
        self._plane = Plane(board.cells, board.layout, worker, lambda: rng.getrandbits(32))
        self._admit, self._release = self._plane.admit, self._plane.release  # bound once, as in Hold
        self._hold = Hold(board, self._plane, self._ring, self._beat)
        self._prepared: dict[int, Tables] = {}
        self._waiting: dict[int, Stream] = {}
        self._holding: set[Stream] = set()
        self._pending: list[Callable[[Effects], None]] = []
        self._effects = Effects()
        self._pass: list[Stream] | None = None
        self._dirty = False
        self._readdressed: set[int] = set()

    def __repr__(self) -> str:
        return f'<Desk worker={self._worker} waiting={len(self._waiting)} holding={len(self._holding)}>'

    # -- what an exchange asks -----------------------------------------------------------------------------------------

    def admit(self, stream: Stream) -> Admission:
        """Ask for a server of `stream.backend`, chosen under `self.tables`. On WAITING its `on_slot` or `on_refused` follows."""
        stream.tables, now = self.tables.number, self.clock.ms()
        with self._hold:
            outcome = self._admit(stream, stream.tables, now)
        return self._note(stream, outcome)

    def again(self, stream: Stream, avoid: int = NOBODY) -> Admission:
        """Give back its slot or its place, if it has one, and decide anew with its old key, in one hold.

        For a failed try (`avoid` names the server) and after `on_server_left`. When tables changed since its route was
        chosen the route is chosen again first.
        """
        self._holding.discard(stream)
        self.adopt_committed()
        backend = stream.route() if stream.tables != self.tables.number else stream.backend
        if backend == NOBODY:
            self.leave(stream)
            return Admission.NOSRV
        stream.tables = self.tables.number
        waits = stream.life is _WAITING
        if waits:
            del self._waiting[stream.entry]
        with self._hold:
            if waits or backend != stream.backend:
                outcome = self._plane.move_to(stream, backend, stream.tables, self.clock.ms())
            else:
                outcome = self._plane.again(stream, stream.tables, avoid)
        return self._note(stream, outcome)

    def sent(self, stream: Stream) -> None:
        """The first byte of its request is about to be written to the server: from here on the server is not changed."""
        stream.life = _RUNNING

    def leave(self, stream: Stream) -> None:
        """Its end, whatever it holds; calling it twice is harmless (I3)."""
        life = stream.life
        if life is _ENDED or life is _NEW:
            return
        with self._hold:
            if life is _WAITING:
                del self._waiting[stream.entry]
                self._plane.cancel(stream)
            else:
                self._release(stream)
        self._holding.discard(stream)

    # -- what wakes this worker ------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """The doorbell, or a guess that it rang: whoever of our waiters was given a slot or refused is told."""
        self.adopt_committed()
        if not self._cells[self._at.MAIL_HEAD + self._worker]:
            return
        with self._hold:
            served, refused = self._plane.settle(self._waiting)
        # tables may have come into force just before that hold: what it gave is to be looked up in those
        self.adopt_committed()
        self._holding.update(served)
        self._effects.refused += len(refused) if self._pending else 0
        for stream in refused:
            self._guarded(partial(stream.on_refused, Admission.NOSRV))
        for stream in served:
            self._guarded(partial(self._tell, stream))

    def heartbeat(self, now: int) -> None:
        """Every 20 ms: say that the loop runs, look at the aside mark, and settle what a lost bell did not tell. `now` in ms."""
        cells, at, worker = self._cells, self._at, self._worker
        cells[at.HEARTBEAT + worker] = now
        if 0 < cells[at.LEASE_LAST] < now:
            _outlived()
        if cells[at.ASIDE + worker]:
            with self._hold:
                pass  # entering is what takes the mark away and puts our waiters back in the order, a slice at a time
            if cells[at.ASIDE + worker]:
                self._loop.call_soon(self.heartbeat, now)
        self.settle()

    # -- revisions -------------------------------------------------------------------------------------------------------

    def prepare(self, tables: Tables) -> None:
        """Keep tables that may be committed; nothing is decided under them before."""
        self._prepared[tables.number] = tables

    def discard(self, number: int) -> None:
        """Tables that were refused elsewhere and will never be committed."""
        self._prepared.pop(number, None)

    def adopt_committed(self) -> bool:
        """If the board has other tables than ours, take the prepared ones into force. Returns whether it did."""
        number = self._cells[self._at.TABLES]
        if number == self.tables.number:
            return False
        before, self.tables = self.tables, self._prepared.pop(number)
        self._readdressed |= _readdressed(before, self.tables)
        for older in [n for n in self._prepared if n < number]:
            del self._prepared[older]
        self.on_tables(self.tables)
        return True

    def effects(self, revision: int, applied: Callable[[Effects], None]) -> None:
        """A revision was committed: settle the difference between the board and ourselves, in slices, then call `applied`.

        The effects are of everything the board says when the last pass looks, so revisions may follow one another.
        """
        self._pending.append(applied)
        self._pass = None
        self._loop.call_soon(self._look, revision)

    def _look(self, revision: int) -> None:
        """One slice. A pass that finds nothing ends it; a commit meanwhile begins a new pass."""
        if not self._pending:
            return
        if self._pass is None:
            self.settle()
            self._pass = [*self._waiting.values(), *self._holding]
        now, self._pass = self._pass[:_SLICE], self._pass[_SLICE:]
        changed = self._effects.requeued + self._effects.refused + self._effects.killed
        try:
            for stream in now:
                self._affect(stream)
        except Exception:  # noqa: BLE001 - a look that is left half done would hold the barrier up for good
            traceback.print_exc()
            os._exit(1)
        if changed != self._effects.requeued + self._effects.refused + self._effects.killed:
            self._dirty = True
        if self._pass:
            self._loop.call_soon(self._look, revision)
        elif self._dirty:
            self._dirty, self._pass = False, None
            self._loop.call_soon(self._look, revision)
        else:
            self._applied()

    def _affect(self, stream: Stream) -> None:
        """What the board, as it is, asks of one stream."""
        if stream.life is _WAITING:
            if stream.tables != self.tables.number:
                self._reroute(stream)
        elif self._plane.is_over(stream):
            self._effects.killed += 1
            stream.on_shutdown()
        elif self._plane.is_barred(stream) or self._is_outdated(stream):
            self._effects.requeued += 1
            stream.on_server_left()

    def _is_outdated(self, stream: Stream) -> bool:
        """Was its slot given under tables whose route, or whose address of the server, is no longer the one in force?"""
        if stream.life is not _SLOT or stream.tables == self.tables.number:
            return False
        return stream.server in self._readdressed or stream.route() != stream.backend

    def _reroute(self, stream: Stream) -> None:
        """Tables changed while it waited: it stays, or asks in the backend that its route now names."""
        backend = stream.route()
        if backend == stream.backend:
            stream.tables = self.tables.number
            return
        if backend == NOBODY:
            self.leave(stream)
            self._effects.refused += 1
            stream.on_refused(Admission.NOSRV)
            return
        self._effects.requeued += 1
        stream.on_server_left()

    def _applied(self) -> None:
        self.settle_pools()
        self._readdressed.clear()
        pending, self._pending, self._pass = self._pending, [], None
        effects, self._effects = self._effects, Effects()
        for applied in pending:
            applied(effects)
            effects = Effects()

    # -- inside ------------------------------------------------------------------------------------------------------------

    def _note(self, stream: Stream, outcome: Admission) -> Admission:
        """Remember what the stream now owns."""
        if outcome is _ADMITTED:
            self._holding.add(stream)
        elif outcome is _QUEUED:
            self._waiting[stream.entry] = stream
        elif outcome is _ROUTE_AGAIN:
            self.adopt_committed()
        return outcome

    def _tell(self, stream: Stream) -> None:
        """The wait of this stream ended with a slot, unless an earlier one's callback made it leave meanwhile."""
        if stream.life is not _SLOT:
            return
        if stream.tables != self.tables.number and stream.route() != stream.backend:
            stream.on_server_left()
        else:
            stream.on_slot()

    def _guarded(self, tell: Callable[[], None]) -> None:
        """Tell one stream: a defect in its logic is reported, and the others hear of theirs all the same."""
        try:
            tell()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is reported
            self._loop.call_exception_handler({'message': 'a stream failed when its wait was over', 'exception': error})

    def _ring(self, rings: Iterable[int]) -> None:
        for worker in rings:
            if worker == self._worker:
                self._loop.call_soon(self.settle)
            elif worker == SUPERVISOR:
                self._bells.ring(self._bells.supervisor)
            else:
                self._bells.ring(worker)

    def _beat(self) -> None:
        self._cells[self._at.HEARTBEAT + self._worker] = now_ms()


def _readdressed(before: Tables, after: Tables) -> set[int]:
    """Servers that have another address now."""
    return {
        index
        for index, server in after.servers.items()
        if (old := before.servers.get(index)) is not None and (old.host, old.port) != (server.host, server.port)
    }


def _outlived() -> NoReturn:
    """The lease for traffic is long over, and a supervisor that stands still has not ended what is in flight: end it here."""
    sys.stderr.write('sluice-worker: the traffic lease is over and nobody acted on it: ending\n')
    os._exit(1)


def _die() -> NoReturn:
    """End this process while it holds the lock: the next owner is told so, and repairs."""
    traceback.print_exc()
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError('unreachable: the process was killed')


def _nothing(tables: Tables) -> None:
    """Nobody wants to know of new tables yet."""


def _nothing_at_all() -> None:
    """No pools to settle yet."""
