"""What a long turn of the loop does to requests: their times are the turn's, their deadlines are not."""

from __future__ import annotations

import pytest

from dataplane.worker.clock import now_ms
from tests.integration.harness.proxy import Proxy, limited, server, snapshot
from tests.integration.harness.raw import HOST, OK, RawClient, RawServer, answering, until

GET = b'GET / HTTP/1.1\r\n' + HOST + b'\r\n'
LIMIT = 100
"""Milliseconds of every timeout here, and less than the turn takes."""


def spend(ms: int) -> None:
    until_then = now_ms() + ms
    while now_ms() < until_then:
        pass


@pytest.mark.parametrize('waits_for', ['connect', 'queue'])
async def test_a_turn_that_is_longer_than_a_timeout_takes_nothing_from_it(waits_for: str) -> None:
    limits = limited(connect=LIMIT, queue=LIMIT)
    async with RawServer(answering(OK)) as up:
        one = server('s1', up.port, maxconn=1)
        async with Proxy(snapshot([one], backend=limits)) as proxy:
            callers = [await RawClient.to(proxy.port) for _ in range(2 if waits_for == 'queue' else 1)]
            known = proxy.traffic._clients
            await until(lambda: len(known) == len(callers) and all(client._transport is not None for client in known))
            *others, client = known
            clock = proxy.traffic._context.clock
            asked = clock.ms()
            spend(LIMIT + 50)
            for other in others:
                other.data_received(GET)
            begun = now_ms()
            client.data_received(GET)
            assert clock.ms() == asked, 'still the same turn'
            assert client.server_timer.deadline >= begun + LIMIT
            for caller in callers:
                caller.close()
