"""Defects in the work for a worker: without it a number would never be used again, so the data plane ends, loudly."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from dataplane.core.model import Global, Snapshot
from dataplane.supervisor.dataplane import DataPlane
from dataplane.supervisor.listeners import Listeners
from dataplane.supervisor.sources import Sources


async def test_a_clearing_that_fails_ends_the_data_plane(capfd: pytest.CaptureFixture[str]) -> None:
    loop = asyncio.get_running_loop()
    told: list[object] = []
    loop.set_exception_handler(lambda _loop, context: told.append(context['message']))
    snapshot = Snapshot(globals=Global(nbthread=1, node='n', state_dir='/nowhere'))
    plane = DataPlane(loop, Sources((), None, {}), snapshot, Listeners(1), software='0', quiet=False)

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
