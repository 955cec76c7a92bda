"""The configuration read by a child: the same answers as here, and a named error when the child fails."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from pathlib import Path

import pytest

from dataplane.supervisor.bundle import PART
from dataplane.supervisor.reading import main, read_beside
from dataplane.supervisor.sources import Sources, Unusable

HEAD = 'defaults\n mode http\n timeout client 1s\n timeout server 1s\n timeout connect 1s\nbackend b\n'


def sources(path: Path) -> Sources:
    return Sources((str(path),), None, {'NAME': 'of the environment'})


def written(tmp_path: Path, text: str) -> Sources:
    path = tmp_path / 'x.cfg'
    path.write_text(text)
    return sources(path)


@pytest.fixture
def never(tmp_path: Path) -> Sources:
    """A file that nobody ever writes to: reading it takes for ever."""
    os.mkfifo(tmp_path / 'never')
    return sources(tmp_path / 'never')


def children() -> list[int]:
    tasks = Path('/proc/self/task').iterdir()
    return [int(pid) for task in tasks for pid in (task / 'children').read_text().split()]


async def child() -> int:
    """The one child of this process, when there is one."""
    while True:
        found = children()
        if found:
            (pid,) = found
            return pid
        await asyncio.sleep(0.002)


async def test_it_reads_what_is_read_here(tmp_path: Path) -> None:
    servers = ''.join(f' server s{n} 127.0.0.1:{n + 1}\n' for n in range(2 * PART + 1))
    asked = written(tmp_path, f'global\n log-tag "$NAME"\n daemon\n user x\n{HEAD}{servers}')
    loaded = await read_beside(asked)
    assert loaded == asked.read()
    assert loaded.snapshot.globals.log_tag == 'of the environment'
    assert len(loaded.snapshot.backends[0].servers) == 2 * PART + 1


async def test_it_says_what_is_said_here(tmp_path: Path) -> None:
    asked = written(tmp_path, f'global\n user x\n{HEAD} no-such-keyword\n server s\n')
    with pytest.raises(Unusable) as here:
        asked.read()
    with pytest.raises(Unusable) as beside:
        await read_beside(asked)
    assert len(beside.value.problems) == 2
    assert beside.value.problems == here.value.problems
    assert beside.value.warnings == here.value.warnings
    assert str(beside.value) == str(here.value)


async def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match=r'Could not open configuration file .*/no\.cfg : No such file or directory'):
        await read_beside(sources(tmp_path / 'no.cfg'))


async def test_a_child_that_dies_is_named(never: Sources) -> None:
    reading = asyncio.create_task(read_beside(never))
    pid = await child()
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(Unusable) as dead:
        await reading
    expected = f'The configuration was not read: process {pid} was ended by signal 9 (SIGKILL).'
    assert dead.value.problems == (expected,)


async def test_a_child_that_takes_too_long_is_killed_and_named(never: Sources) -> None:
    with pytest.raises(Unusable, match=r'process \d+ took longer than 0\.1 s') as late:
        await read_beside(never, patience=0.1)
    assert str(late.value).startswith('The configuration was not read: ')
    assert children() == []


async def test_nobody_is_left_behind_when_the_reading_is_cancelled(never: Sources) -> None:
    reading = asyncio.create_task(read_beside(never))
    await child()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert children() == []


async def test_a_child_without_a_question_fails() -> None:
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with one:
        assert main([str(other.detach())]) == 1
