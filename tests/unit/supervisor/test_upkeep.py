"""What the supervisor does for the board beside committing: pumping, clearing the dead, giving indexes back."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator

import pytest

from dataplane.board import Bells, Board
from dataplane.core.changes import AdoptFile
from dataplane.core.counters import C
from dataplane.core.layout import Layout
from dataplane.core.ledger import Ledger
from dataplane.core.model import Backend, Server, Snapshot
from dataplane.core.plane import SUPERVISOR, Plane
from dataplane.core.stream import Admission, Stream
from dataplane.supervisor import upkeep as module
from dataplane.supervisor.holds import Holds
from dataplane.supervisor.upkeep import Upkeep

AT = Layout(workers=2, servers=8, backends=2, frontends=1, entries=16)

TABLES = 1


def file(*names: str) -> AdoptFile:
    servers = tuple(Server(name=n, id=i, host=n, port=1, maxconn=1, minconn=1) for i, n in enumerate(names, 1))
    return AdoptFile(Snapshot(backends=(Backend(name='px', id=2, servers=servers),)))


class Scene:
    """A board with one backend, the worker 0 as a plane of its own, and the supervisor's upkeep."""

    def __init__(self) -> None:
        self.board, self.bells = Board.create(AT), Bells.create(AT.workers)
        self.holds = Holds(self.board, self.bells, Plane(self.board.cells, AT, SUPERVISOR, lambda: 0))
        self.ledger = Ledger(AT)
        self.upkeep = Upkeep(asyncio.get_running_loop(), self.board, self.bells, self.holds, self.ledger)
        self.worker = Plane(self.board.cells, AT, 0, lambda: 0)
        self.revision = 0

    def adopt(self, *names: str) -> None:
        self.ledger.adopt(self.ledger.propose(file(*names)), 0)
        self.revision += 1
        commit = self.ledger.commit(self.revision)
        assert self.holds.attempt(lambda plane: plane.commit(commit)) is not None

    def hold(self, act: Callable[[], object]) -> object:
        """What the worker does under the lock."""
        assert not self.board.lock()
        self.worker.enter(torn=False)
        result = act()
        self.worker.leave()
        self.board.unlock()
        return result

    async def until(self, true: Callable[[], object]) -> None:
        async with asyncio.timeout(30):
            while not true():  # noqa: ASYNC110 - what the loop does meanwhile is what is awaited
                await asyncio.sleep(0.002)


@pytest.fixture
async def scene() -> Scene:
    return Scene()


@pytest.fixture(autouse=True)
def given_back(scene: Scene) -> Iterator[None]:
    yield
    scene.bells.close()
    scene.board.close()


async def test_the_bell_and_what_a_hold_left_over_make_it_pump(scene: Scene) -> None:
    scene.upkeep.start()
    scene.adopt('s1')
    scene.bells.ring(scene.bells.supervisor)
    await scene.until(lambda: scene.upkeep._due is not None)
    await scene.until(lambda: scene.upkeep._due is None)
    with pytest.raises(BlockingIOError):
        os.eventfd_read(scene.bells.fds[scene.bells.supervisor])
    scene.upkeep.close()


async def test_a_lock_that_cannot_be_had_is_tried_again(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('dataplane.supervisor.holds.PATIENCE', 0.01)
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        scene.board.lock()
        os.write(writer, b'x')
        os.read(os.pipe()[0], 1)
        os._exit(0)
    os.read(reader, 1)
    stuck: list[int] = []
    scene.upkeep.start()
    scene.holds.on_stuck = stuck.append
    scene.upkeep.pump_soon()
    try:
        await scene.until(lambda: len(stuck) > 1)
        assert set(stuck) == {pid}
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)  # noqa: ASYNC222 - it is dead
        os.close(reader)
        os.close(writer)
    await scene.until(lambda: scene.upkeep._due is None)
    scene.upkeep.close()


async def test_what_a_dead_worker_owned_is_given_back_and_what_it_counted_is_kept(scene: Scene) -> None:
    scene.adopt('s1')
    owner, waiter = Stream(0), Stream(0)
    assert scene.hold(lambda: scene.worker.admit(owner, TABLES, 0)) is Admission.SLOT
    assert scene.hold(lambda: scene.worker.admit(waiter, TABLES, 0)) is Admission.WAITING
    counted = AT.server_counters(0, owner.server) + C.STOT
    scene.board.cells[counted] = 7
    await scene.upkeep.clear(0)
    cells = scene.board.cells
    assert cells[AT.served(0, owner.server)] == 0
    assert cells[AT.TOTAL + owner.server] == 0
    assert cells[AT.QUEUE_LENGTH + AT.backend_queue(0)] == 0
    assert cells[counted] == 0
    assert cells[AT.server_counters(AT.departed, owner.server) + C.STOT] == 7
    assert all(os.eventfd_read(scene.bells.fds[number]) for number in range(AT.workers))


async def test_indexes_come_back_when_nothing_is_held_any_more(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, '_RECLAIM_EVERY', 0.01)
    scene.adopt('s1', 's2')
    held = Stream(0)
    assert scene.hold(lambda: scene.worker.admit(held, TABLES, 0)) is Admission.SLOT
    free = 1 - held.server
    scene.board.cells[AT.server_counters(0, free) + C.STOT] = 5
    scene.upkeep.start()
    scene.adopt('s3')
    assert set(scene.ledger.departed) == {0, 1}
    await scene.until(lambda: set(scene.ledger.departed) == {held.server})
    assert scene.board.cells[AT.server_counters(0, free) + C.STOT] == 0
    scene.hold(lambda: scene.worker.release(held))
    await scene.until(lambda: not scene.ledger.departed)
    scene.upkeep.close()
