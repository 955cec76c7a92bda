"""Trouble for both planes at once, and what must have been seen of it afterwards."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

import httpx

from tests.integration.harness.load import Record
from tests.integration.harness.upstream import Upstream
from tests.integration.harness.waiting import until
from tests.integration.harness.worlds import BACKEND, Version, World, version


def spec_of(servers: dict[str, Upstream], **fields: Any) -> dict[str, Any]:
    """The body of a PUT of the backend with these servers, all with the same fields."""
    return {'servers': {name: {'address': '127.0.0.1', 'port': of.port, **fields} for name, of in servers.items()}}


def any_time() -> bool:
    return True


async def turmoil(at: World, changes: int, until_too: Callable[[], bool] = any_time) -> None:
    """At least so many changes, and until that is so too, from several hands; every link is delayed, doubled, cut and half-opened."""
    rng = random.Random(7)
    for link in at.links:
        link.delay = lambda: rng.uniform(0, 0.02)
        link.double = True
    before = await at.head()
    over = asyncio.Event()

    async def weigh() -> None:
        """Both servers always get the same weight, in one change, and it only rises."""
        weight = 1
        while not over.is_set():
            weight = min(256, weight + 1)
            await at.control.must('PUT', f'/v1/backends/{BACKEND}', spec_of(at.servers, weight=weight))

    async def route(name: str) -> None:
        while not over.is_set():
            await at.control.must('PUT', f'/v1/routes/{name}', {'backend': BACKEND, 'pathPrefix': f'/{name}'})
            await at.control.must('DELETE', f'/v1/routes/{name}')

    async def enough() -> bool:
        return (await at.head())[1] >= before[1] + changes and until_too()

    async def count() -> None:
        await until(enough, within=60, what=f'{changes} changes', every=0.1)
        over.set()

    async def spoil() -> None:
        while not over.is_set():
            link = rng.choice(at.links)
            await asyncio.sleep(rng.uniform(0.1, 0.4))
            if rng.random() < 0.5:
                link.cut()
            else:
                link.half_open()
                await asyncio.sleep(0.3)
                link.mend()

    await asyncio.gather(weigh(), route('x'), route('y'), spoil(), count())
    for link in at.links:
        link.delay, link.double = lambda: 0.0, False
        link.mend()
    await at.settle()


async def logged(at: World, after: Version, head: Version) -> list[Version]:
    """The versions that the control plane's own log has after `after`, up to the head."""
    found: list[Version] = []
    path = f'{at.control.url}/v1/events?after={after[0]}.{after[1]}'
    async with httpx.AsyncClient(timeout=30, trust_env=False) as client, client.stream('GET', path) as stream:
        async for line in stream.aiter_lines():
            if line.startswith('id: '):
                found.append(version(line[4:]))
                if found[-1] >= head:
                    return found
    raise AssertionError(f'the log ended at {found[-1:]}')


async def watch_weights(at: World, seen: list[tuple[int, int]]) -> None:
    while True:
        states = await at.plane.cli.states()
        seen.append((states[f'{BACKEND}/a'][2], states[f'{BACKEND}/b'][2]))
        await asyncio.sleep(0.005)


def check_causal(records: list[Record], group: dict[str, int]) -> int:
    """A request sent after an answer from a later group was received never goes to an earlier one. Returns the last group."""
    newest: list[tuple[float, int]] = []
    highest = 0
    for record in sorted(records, key=lambda row: row.done):
        if group[record.server] > highest:
            highest = group[record.server]
            newest.append((record.done, highest))
    for record in records:
        known = max((at_group for done, at_group in newest if done < record.sent), default=0)
        assert group[record.server] >= known, f'{record} was decided under an older revision than {known}'
    return highest
