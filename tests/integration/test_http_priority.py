"""The order of a real queue: `http-request set-priority-class`, then `set-priority-offset`, then who came first."""

from __future__ import annotations

import asyncio

import pytest

from dataplane.rules import model
from dataplane.rules.actions import Rule, Rules, SetPriority
from tests.integration.harness.proxy import Proxy, server, snapshot
from tests.integration.harness.raw import HOST, OK, Call, RawClient, RawServer, until


@pytest.mark.parametrize(
    'kind,values,expected',
    [
        ('class', (3, -1, 3, 0, -1), [0, 2, 5, 4, 1, 3]),
        ('offset', (60_000, 0, -60_000, 60_000, 0), [0, 3, 2, 5, 1, 4]),
    ],
)
async def test_a_header_orders_the_queue(kind: str, values: tuple[int, ...], expected: list[int]) -> None:
    gate, order = asyncio.Event(), []

    async def script(call: Call) -> None:
        order.append(int(call.head.split()[1][1:]))
        await gate.wait()
        call.send(OK)

    wished = model.Expression(model.Call('req.hdr', ('x-priority',)))
    rules = {'rules': Rules(request=(Rule(SetPriority(wished, offset=kind == 'offset')),))}
    async with (
        RawServer(script) as up,
        Proxy(snapshot([server('s1', up.port, maxconn=1)], frontend=rules)) as proxy,
    ):
        clients: list[RawClient] = []
        for number, value in enumerate((0, *values)):  # the first one takes the only slot
            client = await RawClient.to(proxy.port)
            client.send(b'GET /%d HTTP/1.1\r\nx-priority: %d\r\n' % (number, value) + HOST + b'\r\n')
            await until(lambda: proxy.served() + proxy.queued() == len(clients) + 1)  # called at once
            clients.append(client)
        gate.set()
        for client in clients:
            assert await client.answer() == (200, b'ok')
            client.close()
        assert order == expected
