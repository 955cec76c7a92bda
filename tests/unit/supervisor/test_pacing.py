from __future__ import annotations

import asyncio

from dataplane.supervisor.pacing import gather


async def test_long_dumps_let_others_run() -> None:
    turns: list[int] = []

    async def other() -> None:
        turns.append(len(turns))

    task = asyncio.create_task(other())
    assert await gather(range(100)) == list(range(100))
    assert turns
    await task
