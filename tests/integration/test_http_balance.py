"""Requests that are tied to a server by a hash, over real sockets: they wait for it, and are tied anew when it leaves."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from dataplane.core.changes import SetAdmin
from dataplane.core.model import AdminState, Balance
from dataplane.rules.hashes import sdbm
from tests.integration.harness.ports import Ports
from tests.integration.harness.proxy import Proxy, limited, server, snapshot
from tests.integration.harness.raw import HOST, Call, RawClient, RawServer, Script, ask, until

URI = Balance(algorithm='uri')
# of three servers with one slot of a map each
FIRST = [target for target in (b'/%d' % number for number in range(200)) if sdbm(target) % 3 == 0]
SECOND = next(target for target in (b'/%d' % number for number in range(200)) if sdbm(target) % 3 == 1)


class Site:
    """Three servers that say who they are, once the gate is open; a proxy before them."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self.gate = asyncio.Event()
        self.served: list[tuple[int, bytes]] = []
        self.proxy: Proxy

    async def start(self, balance: Balance = URI, maxconn: int = 1, **settings: object) -> None:
        lines = []
        for number in range(3):
            up = await self._stack.enter_async_context(RawServer(self._script(number)))
            lines.append(server(f's{number}', up.port, number + 1, maxconn=maxconn, **settings))
        backend = {'balance': balance, 'redispatch': -1, **limited(queue=20_000)}
        self.proxy = await self._stack.enter_async_context(Proxy(snapshot(lines, backend=backend)))

    def _script(self, number: int) -> Script:
        async def script(call: Call) -> None:
            self.served.append((number, call.head.split()[1]))
            await self.gate.wait()
            call.send(b'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d' % number)

        return script

    def own_queue(self, number: int) -> int:
        """How many wait for a server because of their hash."""
        at = self.proxy.layout
        return self.proxy.board.cells[at.QUEUE_LENGTH + 2 * number + 1]

    async def call(self, target: bytes) -> RawClient:
        """A request that is on its way."""
        client = await RawClient.to(self.proxy.port)
        self._stack.callback(client.close)
        client.send(b'GET %s HTTP/1.1\r\n%s\r\n' % (target, HOST))
        return client


async def test_who_is_tied_waits_for_its_server_while_others_have_room() -> None:
    async with AsyncExitStack() as stack:
        site = Site(stack)
        await site.start()
        first = await site.call(FIRST[0])
        await until(lambda: site.proxy.served(0) == 1)
        second = await site.call(FIRST[1])
        await until(lambda: site.own_queue(0) == 1)
        other = await site.call(SECOND)
        await until(lambda: len(site.served) == 2)
        assert (site.proxy.served(1), site.proxy.served(2), site.proxy.queued()) == (1, 0, 0)
        site.gate.set()
        assert [await client.answer() for client in (first, second, other)] == [(200, b'0'), (200, b'0'), (200, b'1')]


async def test_when_its_server_leaves_it_is_tied_to_another_and_keeps_to_that() -> None:
    async with AsyncExitStack() as stack:
        site = Site(stack)
        await site.start()
        waiting = [await site.call(FIRST[0])]
        await until(lambda: site.proxy.served(0) == 1)
        for number, target in enumerate(FIRST[1:6], 1):
            waiting.append(await site.call(target))
            await until(lambda number=number: site.own_queue(0) == number)  # type: ignore[misc]
        await site.proxy.change(SetAdmin('be', 's0', AdminState.MAINT))
        await until(lambda: site.own_queue(0) == 0)
        await site.proxy.change(SetAdmin('be', 's0', AdminState.READY))
        site.gate.set()
        answers = [await client.answer() for client in waiting]
        assert answers[0] == (200, b'0')
        # of the two that were left the map has two slots
        assert answers[1:] == [(200, b'%d' % (1 + sdbm(target) % 2)) for target in FIRST[1:6]]


async def test_a_full_queue_is_answered_with_503_even_with_redispatch() -> None:
    async with AsyncExitStack() as stack:
        site = Site(stack)
        await site.start(maxqueue=1)
        await site.call(FIRST[0])
        await until(lambda: site.proxy.served(0) == 1)
        await site.call(FIRST[1])
        await until(lambda: site.own_queue(0) == 1)
        answer = await ask(site.proxy.port, b'GET %s HTTP/1.1\r\n%s\r\n' % (FIRST[2], HOST))
        assert answer.startswith(b'HTTP/1.1 503 ')
        (line,) = await site.proxy.log_lines()
        assert ' be/s0 ' in line
        assert 'Q-- ' in line
        site.gate.set()


async def test_without_a_key_it_goes_round() -> None:
    async with AsyncExitStack() as stack:
        site = Site(stack)
        await site.start(Balance(algorithm='url_param', name='id'))
        site.gate.set()
        answers = []
        for target in (b'/', b'/', b'/?id=7', b'/?id=7', b'/', b'/'):
            client = await site.call(target)
            answers.append((await client.answer())[1])
        tied = b'%d' % (sdbm(b'7') % 3)
        assert answers == [b'0', b'1', tied, tied, b'2', b'0']


@pytest.mark.parametrize('consistent, status', [(True, 200), (False, 503)])
async def test_after_failures_another_is_tried_on_a_ring_and_never_of_a_map(consistent: bool, status: int) -> None:
    async def script(call: Call) -> None:
        call.send(b'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')

    with Ports() as ports:
        async with RawServer(script) as up:
            lines = [server('s1', ports.take(), 1), server('s2', up.port, 2)]
            balance = Balance(algorithm='uri', consistent=consistent, avalanche=consistent)
            backend = {'balance': balance, 'redispatch': -1, 'retries': 1}
            async with Proxy(snapshot(lines, backend=backend)) as proxy:
                seen = set()
                for number in range(12):
                    answer = await ask(proxy.port, b'GET /%d HTTP/1.1\r\n%sConnection: close\r\n\r\n' % (number, HOST))
                    seen.add(int(answer.split()[1]))
                assert seen == {200, status}
