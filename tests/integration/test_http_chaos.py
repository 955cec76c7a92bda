"""Clients that leave at any moment, servers that misbehave, servers drained and sessions killed meanwhile: nothing is left."""

from __future__ import annotations

import asyncio
import random

import pytest

from dataplane.core.changes import SetAdmin, ShutdownSessions
from dataplane.core.model import AdminState, Balance
from tests.integration.harness.proxy import Proxy, server, snapshot
from tests.integration.harness.raw import HOST, OK, Call, RawClient, RawServer, until

CLIENTS = 10
CONNECTIONS = 20
GET = b'GET / HTTP/1.1\r\n' + HOST + b'\r\n'


class Moody:
    """A server that answers well, late, in pieces, at length, wrongly, partly, or not at all."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    async def __call__(self, call: Call) -> None:
        await call.body()
        mood = self._rng.random()
        if mood < 0.10:
            call.reset()
        elif mood < 0.15:
            call.send(b'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc')
            call.reset()
        elif mood < 0.20:
            call.send(b'garbage\r\n\r\n')
        elif mood < 0.45:
            call.send(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n')
            await asyncio.sleep(self._rng.random() * 0.01)
            call.send(b'0\r\n\r\n')
        elif mood < 0.55:
            call.send(b'HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n' + b'x' * 200_000)
        else:
            await asyncio.sleep(self._rng.random() * 0.01)
            call.send(OK)


async def restless(port: int, rng: random.Random) -> None:
    """A client that is never content with one connection for long."""
    for _ in range(CONNECTIONS):
        client = await RawClient.to(port)
        try:
            for _ in range(rng.randint(1, 4)):
                size = rng.choice((0, 0, 10, 100_000))
                post = b'POST / HTTP/1.1\r\n' + HOST + b'Content-Length: %d\r\n\r\n' % size
                client.send(post + b'y' * size if size else GET)
                if rng.random() < 0.3:
                    await asyncio.sleep(rng.random() * 0.02)
                    break
                await client.head()
                await client.reader.read(300_000)
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            pass  # the answer was cut, or another one's body came first: on to the next connection
        if rng.random() < 0.5:
            client.reset()
        else:
            client.close()


async def unsettle(proxy: Proxy, rng: random.Random) -> None:
    """Servers come and go, and their sessions are shut down."""
    for generation in range(1, 1_000_000):
        name = rng.choice(('s1', 's2'))
        await proxy.change(SetAdmin('be', name, rng.choice(list(AdminState))))
        if rng.random() < 0.3:
            await proxy.change(ShutdownSessions('be', name, generation))
        await asyncio.sleep(rng.random() * 0.03)
        await proxy.change(SetAdmin('be', name, AdminState.READY))


@pytest.mark.parametrize('seed', [1, 5])
async def test_nothing_is_left_behind(seed: int) -> None:
    rng, errors = random.Random(seed), []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
    async with RawServer(Moody(rng)) as one, RawServer(Moody(rng)) as two:
        servers = [server('s1', one.port, maxconn=1), server('s2', two.port, 2, maxconn=2)]
        backend = {'balance': Balance(algorithm='roundrobin'), 'redispatch': -1}
        async with Proxy(snapshot(servers, backend=backend, frontend={'httplog': False})) as proxy:
            change = asyncio.create_task(unsettle(proxy, rng))
            await asyncio.gather(*(restless(proxy.port, rng) for _ in range(CLIENTS)))
            change.cancel()
            await asyncio.gather(change, return_exceptions=True)
            await until(lambda: not proxy.traffic._clients)
            assert (proxy.served(0), proxy.served(1), proxy.queued()) == (0, 0, 0)
            assert list(proxy.traffic.sessions()) == []
    assert errors == []
