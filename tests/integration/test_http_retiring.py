"""A worker that retires, or stops: what has begun is answered, who is idle is told so, and nothing that has come is lost."""

from __future__ import annotations

import asyncio

import pytest

from dataplane.worker.clock import now_ms
from tests.integration.harness.proxy import Proxy, limited, server, snapshot
from tests.integration.harness.raw import HOST, Call, Gated, RawClient, RawServer, ok, until
from tests.integration.test_ruled_traffic import configured

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


class Halved:
    """A server whose answer has come to its half when the gate is opened for the other one."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()

    async def __call__(self, call: Call) -> None:
        call.send(b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no')
        await self.gate.wait()
        call.send(b'k')


@pytest.mark.parametrize('how', ['retire', 'farewell'])
async def test_a_client_that_was_promised_to_be_kept_may_ask_once_more(how: str) -> None:
    halved, done = Halved(), asyncio.Event()
    async with RawServer(halved) as up, Proxy(snapshot([server('s1', up.port)])) as proxy:
        client = await RawClient.to(proxy.port)
        client.send(GET)
        assert CLOSES not in await client.head()
        assert await client.exactly(1) == b'o'
        if how == 'retire':
            proxy.traffic.retire(done.set)
        else:
            proxy.traffic.farewell()
        halved.gate.set()
        assert await client.exactly(1) == b'k'
        client.send(GET)
        assert CLOSES in await client.head()
        assert await client.rest() == b'ok'


async def test_who_was_promised_it_and_is_answered_late_is_closed() -> None:
    halved, done = Halved(), asyncio.Event()
    patient = limited(server=60_000, client=60_000)
    async with (
        RawServer(halved) as up,
        Proxy(snapshot([server('s1', up.port)], frontend=patient, backend=patient)) as proxy,
    ):
        client = await RawClient.to(proxy.port)
        client.send(GET)
        await client.head()
        proxy.traffic.retire(done.set)
        proxy.traffic.tick(now_ms() + SOON)
        halved.gate.set()
        assert await client.rest() == b'ok'
        await asyncio.wait_for(done.wait(), 30)


async def test_a_proxy_that_has_not_said_yet_for_whom_it_asks_is_heard_by_a_soft_stop() -> None:
    done = asyncio.Event()
    async with (
        RawServer(ok) as up,
        Proxy(configured(up.port, 'tcp-request connection expect-proxy layer4')) as proxy,
    ):
        client = await RawClient.to(proxy.port)
        await until(lambda: proxy.traffic.open_now()[0] == 1)
        proxy.traffic.soft_stop(done.set)
        client.send(b'PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n' + GET)
        assert CLOSES in await client.head()
        assert await client.rest() == b'ok'
        await asyncio.wait_for(done.wait(), 30)
