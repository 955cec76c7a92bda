"""`monitor-uri`: the proxy answers for itself, in HAProxy's bytes; nothing is logged and no server is asked."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from dataplane.core.counters import C
from tests.integration.harness.both import accepts, listening, log_socket, running
from tests.integration.harness.haproxy import needs_haproxy
from tests.integration.harness.ports import Ports
from tests.integration.harness.proxy import Proxy, server, snapshot
from tests.integration.harness.raw import HOST, RawServer, ask, ok, until

CLOSE = b'Connection: close\r\n\r\n'
REQUESTS = [
    b'GET /alive HTTP/1.1\r\n' + HOST + CLOSE,
    b'GET /alive HTTP/1.1\r\n' + HOST + b'\r\nGET /alive HTTP/1.1\r\n' + HOST + CLOSE,
    b'HEAD /alive HTTP/1.1\r\n' + HOST + CLOSE,
    b'GET /alive HTTP/1.0\r\n\r\n',
    b'GET http://a/alive HTTP/1.1\r\n' + HOST + CLOSE,
    b'POST /alive HTTP/1.1\r\n' + HOST + b'Content-Length: 3\r\n' + CLOSE + b'abc',
]


async def test_it_is_answered_here_and_only_it() -> None:
    async with (
        RawServer(ok) as up,
        Proxy(snapshot([server('s1', up.port)], frontend={'monitor_uri': b'/alive'})) as proxy,
    ):
        for request in REQUESTS:
            assert b' 200 OK\r\n' in await ask(proxy.port, request)
        assert up.heads == []
        assert (proxy.counter(C.REQ_TOT), proxy.counter(C.INTERCEPTED), proxy.counter(C.HRSP_2XX)) == (7, 7, 7)
        for near in (b'/alive?x', b'/alive/', b'/aliv'):
            assert (await ask(proxy.port, b'GET %b HTTP/1.1\r\n' % near + HOST + CLOSE)).endswith(b'ok')
        assert len(up.heads) == 3
        assert ' "GET /alive?x HTTP/1.1"' in (await proxy.log_lines())[0]  # the first that was logged


@needs_haproxy
async def test_in_haproxys_bytes(tmp_path: Path) -> None:
    async with (
        RawServer(ok) as up,
        Proxy(snapshot([server('s1', up.port)], frontend={'monitor_uri': b'/alive'})) as proxy,
    ):
        with Ports() as ports, log_socket() as log:
            port = ports.take()
            file = tmp_path / 'haproxy.cfg'
            file.write_text(
                listening(port, log.getsockname()[1], 'monitor-uri /alive', f'    server s1 127.0.0.1:{up.port}')
            )
            with running('haproxy', '-f', str(file)):
                await until(lambda: accepts(port))
                theirs = [await ask(port, request) for request in REQUESTS]
        assert [await ask(proxy.port, request) for request in REQUESTS] == theirs


@pytest.mark.parametrize(
    'limit', [{'frontend': {'rate_limit': 3}}, {'settings': {'maxconnrate': 3}}, {'settings': {'maxsessrate': 3}}]
)
async def test_no_more_connections_a_second_than_the_rate(limit: dict[str, dict[str, int]]) -> None:
    """`rate-limit sessions`, `maxconnrate`, `maxsessrate`: what comes beyond waits, and is served when its second has come."""
    async with (
        RawServer(ok) as up,
        Proxy(snapshot([server('s1', up.port)], **limit)) as proxy,
    ):
        loop = asyncio.get_running_loop()
        began = loop.time()
        request = b'GET / HTTP/1.1\r\n' + HOST + CLOSE
        answers = await asyncio.gather(*(ask(proxy.port, request) for _ in range(7)))
        assert all(answer.endswith(b'ok') for answer in answers)
        assert loop.time() - began > 0.9
