"""The last second: bytes by a clock of our own, time at rest of real processes by the kernel's."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

import pytest

from dataplane.supervisor import pulse
from dataplane.supervisor.pulse import Beat, Pulse, busy_ns
from tests.integration.harness.waiting import until

GONE = 2**22 + 1
"""Beyond the highest number that Linux gives a process."""


@dataclass
class World:
    now: float = 100.0
    sent: int = 0
    pids: list[int] = field(default_factory=list)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def look(world: World, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Callable[[float], Beat]]:
    """Looks as often as is due until a time, then says what it is."""
    monkeypatch.setattr(pulse, 'EVERY', 3_600.0)  # the looks are ours
    made = Pulse(asyncio.get_running_loop(), lambda: world.sent, lambda: world.pids, lambda: world.now)

    due = [100.5]

    def until(then: float) -> Beat:
        while due[0] <= then:
            world.now = due[0]
            due[0] += 0.5
            made._timer.cancel()
            made._look()
        world.now = then
        return made.beat()

    yield until
    made.close()


async def test_bytes_of_the_last_second(world: World, look: Callable[[float], Beat]) -> None:
    assert look(100.0) == Beat(0, None)
    world.sent = 1_000
    assert look(100.1).sent == 1_000  # since the start, less than a second ago
    assert look(101.0).sent == 1_000
    world.sent = 4_000
    assert look(101.25).sent == 3_200  # a second and a quarter
    assert look(102.0).sent == 3_000
    assert look(103.0).sent == 0
    world.sent = 0  # what there never is: less than before
    assert look(103.1).sent == 0


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process that waits for ever."""
    with subprocess.Popen([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


@pytest.fixture
def spinner() -> Iterator[subprocess.Popen[bytes]]:
    """A process that always runs, or would."""
    with subprocess.Popen([sys.executable, '-c', 'while True: pass']) as process:
        yield process
        process.kill()


async def test_who_is_new_or_gone_is_left_out(
    world: World, look: Callable[[float], Beat], sleeper: subprocess.Popen[bytes]
) -> None:
    world.pids = [sleeper.pid, GONE]
    assert look(100.1).idle_pct is None
    assert look(110.0).idle_pct is not None
    sleeper.kill()
    sleeper.wait()
    assert look(111.0).idle_pct is None


async def test_one_spins_and_one_rests(spinner: subprocess.Popen[bytes], sleeper: subprocess.Popen[bytes]) -> None:
    await _spent(spinner.pid, 200)  # both have started by then
    shown = []
    for pids in ((spinner.pid,), (sleeper.pid,), (spinner.pid, sleeper.pid)):
        made = Pulse(asyncio.get_running_loop(), lambda: 0, partial(tuple, pids), time.monotonic)
        await _spent(spinner.pid, 200)
        shown.append(made.beat().idle_pct or 0)
        made.close()
    busy, resting, both = shown
    assert busy < 20 < 40 < both < 60 < 80 < resting


async def _spent(pid: int, ms: int) -> None:
    """A process has run, or would have, for so long."""
    began = busy_ns(pid) or 0
    await until(lambda: (busy_ns(pid) or 0) - began >= ms * 1_000_000, within=30.0, what='it has run')


def test_nothing_is_known_of_what_is_not_there() -> None:
    assert busy_ns(GONE) is None
    assert busy_ns(1) is None or busy_ns(1)
