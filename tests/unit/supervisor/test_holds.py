"""Holds of the supervisor: measured, retried, never waited for without end, and repaired after a death."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from dataplane.board import Bells, Board, Held
from dataplane.core.layout import Layout
from dataplane.core.plane import SUPERVISOR, Plane
from dataplane.supervisor.holds import Holds

AT = Layout(workers=2, servers=4, backends=2, frontends=1, entries=4)


@dataclass
class Scene:
    board: Board
    bells: Bells
    holds: Holds
    stuck: list[int] = field(default_factory=list)
    rests: list[None] = field(default_factory=list)


@pytest.fixture
def scene() -> Iterator[Scene]:
    board, bells = Board.create(AT), Bells.create(2)
    made = Scene(board, bells, Holds(board, bells, Plane(board.cells, AT, SUPERVISOR, lambda: 0)))
    made.holds.on_stuck = made.stuck.append
    made.holds.on_rest = lambda: made.rests.append(None)
    yield made
    bells.close()
    board.close()


class Holder:
    """A process that holds the board's lock until it is killed."""

    def __init__(self, board: Board) -> None:
        reader, writer = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            board.lock()
            os.write(writer, b'x')
            signal.pause()
            os._exit(0)
        os.read(reader, 1)
        os.close(reader)
        os.close(writer)

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def test_a_hold_is_made_measured_and_given_back(scene: Scene) -> None:
    hold = scene.holds.attempt(lambda plane: (gc.isenabled(), scene.board.holder()))
    assert hold is not None
    assert hold.result == (False, os.getpid())
    assert hold.pause_us >= 0
    assert hold.wait_us >= 0
    assert gc.isenabled()
    assert scene.board.lock_within(0) is Held.CLEAN
    scene.board.unlock()


def test_who_holds_it_too_long_is_named(scene: Scene) -> None:
    holder = Holder(scene.board)
    assert scene.holds.attempt(lambda plane: None, patience=0.01) is None
    assert scene.stuck == [holder.pid]
    assert gc.isenabled()
    holder.kill()


async def test_a_death_inside_a_hold_is_repaired_and_the_hold_made(scene: Scene) -> None:
    holder = Holder(scene.board)
    waiting = asyncio.create_task(scene.holds.hold(lambda plane: 'made'))
    scene.holds.on_stuck = lambda tid: holder.kill()
    hold = await waiting
    assert hold.result == 'made'
    assert hold.wait_us >= 100_000
    assert scene.rests == [None]
    assert scene.board.lock_within(0) is Held.CLEAN
    scene.board.unlock()


def test_an_exception_inside_a_hold_is_a_death(scene: Scene) -> None:
    pid = os.fork()
    if not pid:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        scene.holds.attempt(lambda plane: 1 // 0)
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    assert scene.board.lock_within(0) is Held.TORN
    scene.board.consistent()
    scene.board.unlock()


def test_workers_are_rung_after_the_hold(scene: Scene) -> None:
    scene.board.cells[AT.ASIDE] = 0
    hold = scene.holds.attempt(lambda plane: plane.clear(1))
    assert hold is not None
    assert hold.result
    for number in range(2):
        assert os.eventfd_read(scene.bells.fds[number]) == 1
    assert scene.rests
