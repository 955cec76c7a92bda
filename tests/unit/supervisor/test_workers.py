"""What would leave a number without a worker for ever: a defect ends the data plane, loudly; want of descriptors is tried again."""

from __future__ import annotations

import asyncio
import errno
import os
import signal

import pytest

from dataplane.config import Loaded
from dataplane.core.model import Global, Snapshot
from dataplane.supervisor import workers
from dataplane.supervisor.dataplane import DataPlane
from dataplane.supervisor.listeners import Listeners
from dataplane.supervisor.sources import Sources


async def test_a_clearing_that_fails_ends_the_data_plane(capfd: pytest.CaptureFixture[str]) -> None:
    loop = asyncio.get_running_loop()
    told: list[object] = []
    loop.set_exception_handler(lambda _loop, context: told.append(context['message']))
    snapshot = Snapshot(globals=Global(nbthread=1, node='n', state_dir='/nowhere'))
    plane = DataPlane(loop, Sources((), None, {}), Loaded(snapshot), Listeners(1), software='0', quiet=False)

    async def fails(number: int) -> None:
        raise ValueError(f'the row of {number} makes no sense')

    try:
        await plane.start()
        plane._workers.clear = fails
        (pid,) = plane._workers.pids.values()
        os.kill(pid, signal.SIGKILL)
        await asyncio.wait_for(plane.stopped(), 30)
    finally:
        await plane.close()
    assert told[0] == 'task clearing of worker 0 failed'
    said = capfd.readouterr().err
    assert "Internal error in clearing of worker 0: ValueError('the row of 0 makes no sense'). Stopping." in said


async def test_a_worker_that_cannot_be_watched_is_ended_and_started_again(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    opened, tried = os.pidfd_open, list[int]()

    def pidfd_open(pid: int) -> int:
        tried.append(pid)
        if len(tried) == 1:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return opened(pid)

    monkeypatch.setattr(os, 'pidfd_open', pidfd_open)
    monkeypatch.setattr(workers, '_PAUSES', (0.01,))
    snapshot = Snapshot(globals=Global(nbthread=1, node='n', state_dir='/nowhere'))
    plane = DataPlane(
        asyncio.get_running_loop(), Sources((), None, {}), Loaded(snapshot), Listeners(1), software='0', quiet=False
    )
    try:
        await plane.start()
        assert plane._workers.serving() == (0,)
        with pytest.raises(ProcessLookupError):
            os.kill(tried[0], 0)
    finally:
        await plane.close()
    assert 'Worker 0 cannot be started: [Errno 24] Too many open files; trying again.' in capfd.readouterr().err
