"""Counters begun anew, and how late a loop was. What else a worker says of itself is asked of its mailbox: test_mailbox.py."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from dataplane.core.counters import C
from dataplane.core.layout import NOBODY
from dataplane.worker.account import Lateness, clear_row
from tests.unit.worker.house import LAYOUT, House


@asynccontextmanager
async def house() -> AsyncIterator[House]:
    made = House(2, 2)
    try:
        yield made
    finally:
        for worker in (0, 1):
            asyncio.get_running_loop().remove_reader(made.bells.fds[worker])
        made.bells.close()
        made.board.close()


def test_the_latest_the_loop_ever_was(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([10.0, 10.02, 10.5, 10.52])
    monkeypatch.setattr(time, 'monotonic', lambda: next(times))
    lateness = Lateness(0.02)
    for _ in range(4):
        lateness.beat()
    assert lateness.most == pytest.approx(0.46)


async def test_a_whole_row_is_cleared_and_no_other() -> None:
    async with house() as at:
        cells, tables, worker = at.board.cells, at.ledger.tables, 1
        mine = [LAYOUT.frontend_counters(worker, 0), *(LAYOUT.server_counters(worker, one) for one in tables.servers)]
        other = LAYOUT.server_counters(0, 1)
        for block in (*mine, other):
            cells[block + C.STOT], cells[block + C.SCUR], cells[block + C.TTIME_MAX] = 5, 1, 8

        def seen(block: int) -> tuple[int, int, int]:
            return cells[block + C.STOT], cells[block + C.SCUR], cells[block + C.TTIME_MAX]

        await clear_row(at.board, worker, at.desks[worker], everything=False, server=NOBODY)
        assert {seen(block) for block in mine} == {(5, 1, 0)}
        await clear_row(at.board, worker, at.desks[worker], everything=True, server=NOBODY)
        assert {seen(block) for block in mine} == {(0, 1, 0)}
        assert seen(other) == (5, 1, 8)


async def test_one_server_is_cleared() -> None:
    async with house() as at:
        for server in (0, 1):
            at.board.cells[LAYOUT.server_counters(1, server) + C.STOT] = 5
        await clear_row(at.board, 1, at.desks[1], everything=True, server=1)
        assert [at.board.cells[LAYOUT.server_counters(1, server) + C.STOT] for server in (0, 1)] == [5, 0]
