"""Workers that are hired and retired, in a data plane of this process with real workers: also when they cannot be had."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from dataplane.supervisor import staff, workers
from dataplane.supervisor.dataplane import DataPlane
from dataplane.supervisor.listeners import Listeners
from dataplane.supervisor.options import Options
from dataplane.supervisor.sources import Sources

CONFIGURATION = """global
    nbthread {workers}
    state-dir {directory}
defaults
    mode http
    timeout client 30s
    timeout server 30s
    timeout connect 2s
listen px
    bind 127.0.0.1:{port}
    http-request return status 200 content-type text/plain string {word}
"""


class House:
    """The data plane, and its file."""

    def __init__(self, directory: Path, port: int) -> None:
        self.directory, self.port, self.file = directory, port, directory / 'a.cfg'
        self.told: list[str] = []

    def write(self, workers: int, word: str = 'old') -> None:
        text = CONFIGURATION.format(workers=workers, directory=self.directory, port=self.port, word=word)
        self.file.write_text(text)

    async def start(self, workers: int) -> DataPlane:
        self.write(workers)
        sources = Sources.of(Options(files=[str(self.file)]), os.environ)
        loaded = sources.read()
        self.listeners = Listeners(workers)
        self.listeners.open_missing(loaded.snapshot.frontends)
        loop = asyncio.get_running_loop()
        self.plane = DataPlane(loop, sources, loaded, self.listeners, software='0', quiet=True)
        return self.plane

    async def reload(self) -> bool:
        return await self.plane._reloading(lambda level, text: self.told.append(text))

    async def until(self, serving: tuple[int, ...]) -> None:
        async with asyncio.timeout(60):
            await self.plane._workers.staff.until(lambda: self.plane._workers.alive() == serving)
            await self.plane._workers.wait_serving()

    @property
    def rows(self) -> int:
        board = self.plane._board
        return board.cells[board.layout.ROWS]

    async def ask(self) -> bytes:
        reader, writer = await asyncio.open_connection('127.0.0.1', self.port)
        writer.write(b'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
        async with asyncio.timeout(60):
            answer = await reader.read()
        writer.close()
        return answer.rpartition(b'\r\n')[2]


@asynccontextmanager
async def house(directory: Path, port: int, workers: int) -> AsyncIterator[House]:
    made = House(directory, port)
    plane = await made.start(workers)
    try:
        await plane.start()
        yield made
    finally:
        await plane.close()


async def test_more_serve_from_the_commit_on_and_fewer_leave(tmp_path: Path, port: int) -> None:
    async with house(tmp_path, port, 1) as at:
        assert at.rows == 1
        (first,) = at.plane._workers.pids.values()
        at.write(3, 'new')
        assert await at.reload()
        await at.until((0, 1, 2))
        assert (at.rows, at.listeners.workers) == (3, 3)
        assert at.plane._workers.pids[0] == first
        assert await at.ask() == b'new'
        at.write(2)
        assert await at.reload()
        await at.until((0, 1))
        async with asyncio.timeout(60):
            await at.plane._workers.staff.until(lambda: at.rows == 2)
        assert at.listeners.workers == 3, 'sockets stay for what may still come to them'
        assert [await at.ask() for _ in range(10)] == [b'old'] * 10
        assert repr(at.plane._workers.staff).startswith('<Staff <Roster size=2 hired=2 used=3> <Accepting lent={2: ')


async def test_workers_that_cannot_be_started_leave_everything_as_it_was(
    tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house(tmp_path, port, 1) as at:
        before = at.plane._workers.pids, at.plane._publisher.revision

        def none_left(pid: int) -> int:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

        with monkeypatch.context() as patched:
            patched.setattr(os, 'pidfd_open', none_left)
            patched.setattr(staff, 'PATIENCE', 0.5)
            patched.setattr(workers, '_PAUSES', (60.0,))
            at.write(3, 'new')
            assert not await at.reload()
        assert "'nbthread' cannot be 3: not started within 0.5 s: worker 1, 2" in at.told
        assert at.told[-1] == 'Reload refused: the running configuration is kept.'
        assert (at.plane._workers.pids, at.plane._publisher.revision) == before
        assert (at.rows, at.listeners.workers, at.plane.settings.nbthread) == (1, 1, 1)
        assert [await at.ask() for _ in range(10)] == [b'old'] * 10
        assert await at.reload(), 'and nothing is in the way of the next one'
        await at.until((0, 1, 2))


async def test_a_reload_that_is_refused_ends_whom_it_hired(tmp_path: Path, port: int) -> None:
    async with house(tmp_path, port, 1) as at:
        with socket.socket() as other:
            other.bind(('127.0.0.1', 0))
            other.listen()
            taken = other.getsockname()[1]
            at.write(3, f'new\n    bind 127.0.0.1:{taken}')
            assert not await at.reload()
        assert any('Address already in use' in text for text in at.told)
        await at.until((0,))
        async with asyncio.timeout(60):
            await at.plane._workers.staff.until(lambda: at.rows == 1)
        assert at.listeners.workers == 1
        assert all(len(listener.sockets) == 1 for listener in at.listeners.all)
        assert [await at.ask() for _ in range(10)] == [b'old'] * 10
        assert at.plane._workers.restarts == 0


async def test_who_dies_while_it_is_hired_has_a_successor(tmp_path: Path, port: int) -> None:
    async with house(tmp_path, port, 1) as at:
        at.write(2)
        reload = asyncio.create_task(at.reload())
        crew = at.plane._workers
        async with asyncio.timeout(60):
            while 1 not in crew.pids:  # noqa: ASYNC110 - its start is what is awaited
                await asyncio.sleep(0.001)
            victim = crew.pids[1]
            os.kill(victim, signal.SIGKILL)
            assert await reload
        await at.until((0, 1))
        assert crew.pids[1] != victim
        assert crew.restarts == 1
