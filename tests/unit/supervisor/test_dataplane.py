"""A whole data plane in this process, with real workers: what it says when it cannot start, and how it ends."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from dataplane.config import Loaded
from dataplane.core.model import Backend, Bind, Global, Level, Server, Snapshot, StatsListener, StatsSocket
from dataplane.supervisor.dataplane import CannotStart, DataPlane
from dataplane.supervisor.listeners import Listeners
from dataplane.supervisor.sources import Sources
from dataplane.wire.state import MAX_SERVERS


@asynccontextmanager
async def plane(snapshot: Snapshot) -> AsyncIterator[DataPlane]:
    """Not started; closed in the end, whatever came of it."""
    sources = Sources((), None, {})
    made = DataPlane(asyncio.get_running_loop(), sources, Loaded(snapshot), Listeners(1), software='1.2', quiet=True)
    try:
        yield made
    finally:
        await made.close()
        assert made._workers.alive() == ()


def settings(tmp_path: Path) -> Global:
    return Global(
        nbthread=1, node='n', stats_sockets=(StatsSocket(path=str(tmp_path / 'cli'), level=Level.ADMIN, mode=0o600),)
    )


async def ask(path: Path, line: str) -> str:
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(f'{line}\n'.encode())
    try:
        return (await reader.read()).decode()
    finally:
        writer.close()


async def test_its_doors_are_open_when_it_has_started_and_gone_when_it_is_closed(tmp_path: Path) -> None:
    async with plane(Snapshot(globals=settings(tmp_path))) as made:
        await made.start()
        info = await ask(tmp_path / 'cli', 'show info')
        assert 'Version: 1.2\n' in info
        assert f'Pid: {os.getpid()}\n' in info
        made.hard_stop()
        await asyncio.wait_for(made.stopped(), 30)
    assert not (tmp_path / 'cli').exists()


async def test_a_soft_stop_ends_it_when_nothing_runs(tmp_path: Path) -> None:
    async with plane(Snapshot(globals=settings(tmp_path))) as made:
        await made.start()
        made.soft_stop()
        made.soft_stop()
        await asyncio.wait_for(made.stopped(), 30)


async def test_more_than_the_board_holds_is_refused_before_a_worker_starts(tmp_path: Path) -> None:
    servers = tuple(Server(name=f's{n}', id=n + 1, host='127.0.0.1', port=1) for n in range(MAX_SERVERS + 1))
    snapshot = Snapshot(globals=settings(tmp_path), backends=(Backend(name='b', id=2, servers=servers),))
    async with plane(snapshot) as made:
        with pytest.raises(CannotStart, match=f'too many servers: room for {MAX_SERVERS}'):
            await made.start()
        assert made._workers.alive() == ()


async def test_a_door_that_cannot_be_opened_is_named_and_no_worker_stays(tmp_path: Path) -> None:
    statistics = StatsListener(name='s', binds=(Bind(name='b', path=str(tmp_path / 'no' / 's')),))
    async with plane(Snapshot(globals=settings(tmp_path), stats_listeners=(statistics,))) as made:
        with pytest.raises(CannotStart, match='No such file or directory'):
            await made.start()


async def test_a_signal_while_it_starts_ends_the_start(tmp_path: Path) -> None:
    async with plane(Snapshot(globals=settings(tmp_path))) as made:
        asyncio.get_running_loop().call_soon(made.hard_stop)
        await asyncio.wait_for(made.start(), 30)
        await asyncio.wait_for(made.stopped(), 1)
        assert not (tmp_path / 'cli').exists()
