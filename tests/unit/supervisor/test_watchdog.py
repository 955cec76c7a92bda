"""Workers that stand still: passed over by their mark, killed one at a time, and only when this process was on time itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator

import pytest

from dataplane.board import Bells, Board
from dataplane.core.layout import Aside, Layout
from dataplane.core.plane import SUPERVISOR, Plane
from dataplane.supervisor.holds import Holds
from dataplane.supervisor.watchdog import ASIDE_AFTER, TICK, Watchdog

AT = Layout(workers=3, servers=2, backends=1, frontends=1, entries=4)
ISOLATION = 400


class Crowd:
    """What the watchdog sees of the workers: numbers and process ids, and who was killed with which words."""

    def __init__(self) -> None:
        self.pids = {0: 1_000, 1: 1_001, 2: 1_002}
        self.killed: list[tuple[int, str]] = []

    def watched(self) -> tuple[int, ...]:
        return tuple(self.pids)

    def kill(self, number: int, why: str) -> None:
        self.killed.append((number, why))


class Scene:
    def __init__(self) -> None:
        self.board, self.bells = Board.create(AT), Bells.create(AT.workers)
        self.holds = Holds(self.board, self.bells, Plane(self.board.cells, AT, SUPERVISOR, lambda: 0))
        self.crowd = Crowd()
        loop = asyncio.get_running_loop()
        self.dog = Watchdog(loop, self.board, self.holds, self.crowd, lambda: ISOLATION)  # type: ignore[arg-type]

    def beat(self, *workers: int, age: int = 0) -> None:
        for worker in workers:
            self.board.cells[AT.HEARTBEAT + worker] = time.monotonic_ns() // 1_000_000 - age

    def marks(self) -> list[int]:
        return [self.board.cells[AT.ASIDE + worker] for worker in range(AT.workers)]

    async def until(self, true: Callable[[], object], *beating: int) -> None:
        """Let some workers beat, as they would, until something is so."""
        async with asyncio.timeout(30):
            while not true():
                self.beat(*beating)
                await asyncio.sleep(TICK / 2)


@pytest.fixture
async def scene() -> Scene:
    return Scene()


@pytest.fixture(autouse=True)
def given_back(scene: Scene) -> Iterator[None]:
    yield
    scene.dog.close()
    scene.bells.close()
    scene.board.close()


async def test_who_beats_is_left_alone_and_who_does_not_is_passed_over(scene: Scene) -> None:
    scene.beat(0, 1)
    scene.beat(2, age=ASIDE_AFTER * 2)
    scene.dog.start()
    await scene.until(lambda: scene.marks()[2] == Aside.YES, 0, 1)
    assert scene.marks() == [Aside.NO, Aside.NO, Aside.YES]
    assert scene.crowd.killed == []


async def test_they_are_killed_one_at_a_time(scene: Scene) -> None:
    scene.beat(0)
    scene.beat(1, 2, age=ISOLATION * 2)
    scene.dog.start()
    await scene.until(lambda: scene.crowd.killed, 0)
    ticks = time.monotonic() + 5 * TICK
    await scene.until(lambda: time.monotonic() > ticks, 0)
    ((number, why),) = scene.crowd.killed
    assert number in (1, 2)
    assert why.startswith('its event loop has not turned for ')
    del scene.crowd.pids[number]
    await scene.until(lambda: len(scene.crowd.killed) == 2, 0)
    assert {killed for killed, _ in scene.crowd.killed} == {1, 2}


async def test_a_machine_that_stood_still_makes_nobody_dead(scene: Scene) -> None:
    scene.beat(0, 1, 2)
    scene.dog.start()
    await scene.until(lambda: scene.dog._on_time > 1, 0, 1, 2)
    scene.beat(0, 1, 2, age=ISOLATION * 2)
    time.sleep(TICK + 0.1)  # noqa: ASYNC251 - the loop standing still is what is tested
    await scene.until(lambda: scene.dog._on_time == 0)
    assert scene.marks() == [Aside.YES] * 3
    assert scene.crowd.killed == []


async def test_who_holds_the_lock_and_stands_still_is_killed_and_who_moves_is_not(scene: Scene) -> None:
    scene.dog.start()
    scene.beat(1)
    scene.holds.on_stuck(1_001)
    assert scene.crowd.killed == []
    scene.beat(1, age=ISOLATION * 2)
    scene.holds.on_stuck(77)
    assert scene.crowd.killed == []
    scene.dog.stuck(1_001, 'table t')
    ((number, why),) = scene.crowd.killed
    assert number == 1
    assert why.startswith('it has held the lock of table t without moving for ')
    scene.crowd.pids[1] = 1_004
    scene.holds.on_stuck(1_004)
    assert scene.crowd.killed[1][1].startswith('it has held the lock of the board without moving for ')


async def test_closed_it_watches_no_more(scene: Scene) -> None:
    scene.dog.start()
    scene.dog.close()
    scene.beat(0, 1, 2, age=ISOLATION * 5)
    ticks = time.monotonic() + 5 * TICK
    await scene.until(lambda: time.monotonic() > ticks)
    assert scene.marks() == [Aside.NO] * 3
    assert scene.crowd.killed == []
