"""A worker that retires, or stops: what has begun is answered, who is idle is told so, and nothing that has come is lost."""

from __future__ import annotations

import asyncio

from dataplane.worker.clock import now_ms
from tests.integration.harness.proxy import Proxy, server, snapshot
from tests.integration.harness.raw import HOST, Gated, RawClient, RawServer, ok, until

GET = b'GET / HTTP/1.1\r\n' + HOST + b'\r\n'
CLOSES = b'\r\nConnection: close\r\n'
SOON = 5_000


async def idle_at(proxy: Proxy) -> RawClient:
    """A client that had an answer on a connection that is kept."""
    client = await RawClient.to(proxy.port)
    client.send(GET)
    assert (await client.answer())[0] == 200
    return client


async def test_who_retires_answers_what_runs_and_who_asks_once_more() -> None:
    gated, done = Gated(), asyncio.Event()
    gated.gate.set()
    async with RawServer(gated) as up, Proxy(snapshot([server('s1', up.port)])) as proxy:
        idle, busy = await idle_at(proxy), await RawClient.to(proxy.port)
        gated.gate.clear()
        busy.send(GET)
        await until(lambda: len(up.heads) == 2)
        proxy.traffic.retire(done.set)
        gated.gate.set()
        assert CLOSES in await busy.head()
        assert await busy.rest() == b'ok'
        assert not done.is_set()
        idle.send(GET)
        assert CLOSES in await idle.head()
        assert await idle.rest() == b'ok'
        await asyncio.wait_for(done.wait(), 30)


async def test_who_asks_for_nothing_more_is_closed_after_a_while() -> None:
    done = asyncio.Event()
    async with RawServer(ok) as up, Proxy(snapshot([server('s1', up.port)])) as proxy:
        idle = await idle_at(proxy)
        proxy.traffic.retire(done.set)
        proxy.traffic.tick(now_ms())
        assert proxy.traffic.open_now()[0] == 1
        proxy.traffic.tick(now_ms() + SOON)
        assert await idle.rest() == b''
        await asyncio.wait_for(done.wait(), 30)


async def test_who_is_called_back_goes_on_as_before() -> None:
    done = asyncio.Event()
    async with RawServer(ok) as up, Proxy(snapshot([server('s1', up.port)])) as proxy:
        idle = await idle_at(proxy)
        proxy.traffic.retire(done.set)
        proxy.traffic.stay()
        assert not proxy.traffic._close_idle_at, 'nor is anybody closed later'
        idle.send(GET)
        assert CLOSES not in await idle.head()
        assert await idle.exactly(2) == b'ok'
        idle.close()
        await until(lambda: proxy.traffic.open_now()[0] == 0)
        assert not done.is_set()


async def test_what_has_come_and_was_not_read_yet_is_answered_by_a_soft_stop_too() -> None:
    done = asyncio.Event()
    async with RawServer(ok) as up, Proxy(snapshot([server('s1', up.port)])) as proxy:
        idle = await idle_at(proxy)
        idle.send(GET)
        proxy.traffic.soft_stop(done.set)
        assert CLOSES in await idle.head()
        assert await idle.rest() == b'ok'
        await asyncio.wait_for(done.wait(), 30)
