"""Workers killed at random instants, with the real board, lock and core, and nothing else around them.

A server is a file with a byte per slot. Who owns a slot locks one of the bytes while it "talks" to the server, so the
kernel itself counts who is there; and as with a socket, it notices that a process died only some time after the board's
lock was passed on. A worker that finds no byte free has proved that maxconn was exceeded.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import random
import select
import signal
import time
import traceback
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from dataplane.board import Board, Held
from dataplane.core.counters import C
from dataplane.core.invariants import check, used_slots
from dataplane.core.layout import Algorithm
from dataplane.core.plane import Plane
from dataplane.core.stream import Admission, Life, Stream
from tests.exhaustive.world import World

KILLS = 150
"""Enough that about twenty of them hit a hold."""

SOAK_KILLS = 1_000
WORKERS = 3
LIMITS = (1, 2)
EXCEEDED = 9
REPAIRS = C.SPARE_57
PR_SET_PDEATHSIG = 1


class Slots:
    """The servers' slots as this process sees them: one file per server, one byte per slot."""

    def __init__(self, place: Path) -> None:
        self.files = [(place / f'server{number}').open('wb') for number in range(len(LIMITS))]
        self.mine: dict[int, int] = {}

    def occupy(self, stream: Stream) -> None:
        """Lock a free byte of the stream's server; end this process with EXCEEDED when there is none."""
        file, own = self.files[stream.server], {self.mine[key] for key in self.mine}
        for byte in range(LIMITS[stream.server]):
            if stream.server * 8 + byte in own:
                continue
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, byte)
            except BlockingIOError:
                continue
            self.mine[id(stream)] = stream.server * 8 + byte
            return
        os._exit(EXCEEDED)

    def leave(self, stream: Stream) -> None:
        server, byte = divmod(self.mine.pop(id(stream)), 8)
        fcntl.lockf(self.files[server], fcntl.LOCK_UN, 1, byte)


class Worker:
    """A worker without sockets and without a loop: admits, waits, cancels and releases at random until it is killed."""

    def __init__(self, board: Board, number: int, slots: Slots, rng: random.Random) -> None:
        self.board, self.cells, self.at, self.number = board, board.cells, board.layout, number
        self.plane = Plane(board.cells, board.layout, number, lambda: rng.getrandbits(32))
        self.slots, self.rng = slots, rng
        self.waiting: dict[int, Stream] = {}
        self.holding: list[Stream] = []
        self.done = self.at.process_counters(number) + C.REQ_TOT

    def run(self) -> None:
        while True:
            if self.cells[self.at.MAIL_HEAD + self.number] or self.cells[self.at.ASIDE + self.number]:
                self.settle()
            draw = self.rng.random()
            if draw < 0.5 and len(self.waiting) + len(self.holding) < 6:
                self.admit()
            elif draw < 0.9 and self.holding:
                self.release(self.holding.pop(self.rng.randrange(len(self.holding))))
            elif draw > 0.95 and self.waiting:
                self.cancel(self.rng.choice(list(self.waiting)))

    @contextmanager
    def hold(self) -> Iterator[Plane]:
        torn = self.board.lock()
        self.plane.enter(torn=torn)
        if torn:
            self.board.consistent()
            self.cells[self.at.process_counters(self.number) + REPAIRS] += 1
        yield self.plane
        self.plane.leave()
        self.board.unlock()

    def admit(self) -> None:
        stream = Stream(0, klass=self.rng.choice((-1, 0, 0)))
        with self.hold() as plane:
            outcome = plane.admit(stream, 0, time.monotonic_ns() // 1_000_000)
        if outcome is Admission.WAITING:
            self.waiting[stream.entry] = stream
        else:
            assert outcome is Admission.SLOT
            self.got(stream)

    def settle(self) -> None:
        with self.hold() as plane:
            served, refused = plane.settle(self.waiting)
        assert not refused, f'nobody may be refused while all servers are ready: {refused}'
        for stream in served:
            self.got(stream)

    def got(self, stream: Stream) -> None:
        assert stream.life is Life.SLOT
        self.slots.occupy(stream)
        stream.life = Life.RUNNING
        self.holding.append(stream)

    def release(self, stream: Stream) -> None:
        self.slots.leave(stream)
        with self.hold() as plane:
            plane.release(stream)
        self.cells[self.done] += 1

    def cancel(self, entry: int) -> None:
        stream = self.waiting.pop(entry)
        with self.hold() as plane:
            plane.cancel(stream)


class Supervisor:
    """Starts workers, kills them, clears after them and looks at the board."""

    def __init__(self, board: Board, place: Path) -> None:
        self.board, self.cells, self.at, self.place = board, board.cells, board.layout, place
        self.plane = Plane(board.cells, board.layout, -1, lambda: 0)
        self.pids = [0] * WORKERS
        self.torn = 0

    def start(self, number: int, seed: int) -> None:
        pid = os.fork()
        if pid == 0:
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            try:
                Worker(self.board, number, Slots(self.place), random.Random(seed)).run()
            except BaseException:  # noqa: BLE001 - whatever it was, the parent's state must not be lived on in this child
                traceback.print_exc()
            os._exit(1)
        self.pids[number] = pid

    def hold(self, work: Callable[[Plane], bool]) -> bool:
        """One hold, with everything checked at its end."""
        held = self.board.lock_within(20)
        assert held is not Held.TIMEOUT, f'the lock is held by {self.board.holder()}, workers are {self.pids}'
        self.torn += held is Held.TORN
        self.plane.enter(torn=held is Held.TORN)
        if held is Held.TORN:
            self.board.consistent()
        result = work(self.plane)
        self.plane.leave()
        check(self.cells, self.at)
        for server, most in enumerate(LIMITS):
            assert used_slots(self.cells, self.at, server) <= most
        self.board.unlock()
        return result

    def count(self, counter: C) -> int:
        """What the workers counted, those that died included: rows are never cleared here."""
        return sum(self.cells[self.at.process_counters(number) + counter] for number in range(WORKERS))

    def wait_for_progress(self, exchanges: int) -> None:
        """Pump as a supervisor does until that many more exchanges are complete; nobody may starve or have died by itself."""
        wanted, deadline = self.count(C.REQ_TOT) + exchanges, time.monotonic() + 60
        while self.count(C.REQ_TOT) < wanted:
            self.hold(lambda plane: plane.pump_idle())
            assert time.monotonic() < deadline, 'nobody got on: somebody waits for ever'
            for pid in self.pids:
                gone, status = os.waitpid(pid, os.WNOHANG)
                assert not gone, f'a worker ended by itself with {status}; {EXCEEDED << 8}: maxconn was exceeded'

    def kill(self, number: int) -> None:
        """SIGKILL; its slots are given back only after the pidfd said that it is gone."""
        pid = self.pids[number]
        pidfd = os.pidfd_open(pid)
        try:
            os.kill(pid, signal.SIGKILL)
            assert select.select([pidfd], [], [], 20)[0], f'worker {number} does not die'
        finally:
            os.close(pidfd)
        _, status = os.waitpid(pid, 0)
        assert os.WIFSIGNALED(status), (
            f'worker {number} ended by itself with {status}; {EXCEEDED << 8}: maxconn was exceeded'
        )
        while not self.hold(lambda plane: plane.clear(number, 2)):
            pass

    def close(self) -> None:
        for pid in self.pids:
            with suppress(ProcessLookupError, ChildProcessError):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)


@pytest.mark.parametrize('kills', [KILLS, pytest.param(SOAK_KILLS, marks=pytest.mark.soak)])
def test_killed_workers_leave_every_sum_right(kills: int, tmp_path: Path) -> None:
    world = World(workers=WORKERS, limits=LIMITS, streams=(), pool=32, algorithm=Algorithm.ROUNDROBIN)
    board = Board.create(world.at)
    board.cells[:] = array('q', world.board())
    supervisor, rng = Supervisor(board, tmp_path), random.Random(53)
    try:
        for number in range(WORKERS):
            supervisor.start(number, number)
        for kill in range(kills):
            supervisor.wait_for_progress(rng.randrange(8))
            victim = rng.randrange(WORKERS)
            # away from the instant at which this process gave the lock back, or the victim would mostly be waiting for it
            for _ in range(rng.randrange(5_000)):
                pass
            supervisor.kill(victim)
            supervisor.start(victim, WORKERS + kill)
        supervisor.wait_for_progress(100)
        assert supervisor.torn + supervisor.count(REPAIRS) > 0, 'no kill ever hit a hold: this test showed nothing'
    finally:
        supervisor.close()
    for number in range(WORKERS):
        while not supervisor.hold(lambda plane, number=number: plane.clear(number)):  # type: ignore[misc]
            pass
    print('TORN', supervisor.torn, supervisor.count(REPAIRS))
    assert [used_slots(board.cells, board.layout, server) for server in range(len(LIMITS))] == [0, 0]
    board.close()
