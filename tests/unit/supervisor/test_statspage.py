from __future__ import annotations

import dataclasses
import json
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from dataplane.cli.stat import HEADER
from dataplane.core.model import Bind, StatsListener
from dataplane.supervisor.clisocket import CannotListen
from dataplane.supervisor.statspage import StatsServer, serve_stats
from tests.inprocess import SNAPSHOT, Plane

LISTENER = StatsListener(name='stats', binds=(Bind(name='b', host='127.0.0.1'),), uri='/stats')


@pytest.fixture
async def served() -> AsyncIterator[StatsServer]:
    backend = dataclasses.replace(SNAPSHOT.backends[1], name='<b>')
    plane = Plane(dataclasses.replace(SNAPSHOT, backends=(SNAPSHOT.backends[0], backend)))
    server = await serve_stats((LISTENER,), plane.figures)
    yield server
    await server.close()


async def get(server: StatsServer, path: str, method: str = 'GET') -> tuple[int, str, str]:
    host, port = server.addresses[0]
    async with (
        aiohttp.ClientSession() as client,
        client.request(method, f'http://{host}:{port}{path}') as response,
    ):
        return response.status, response.content_type, await response.text()


async def test_the_page(served: StatsServer) -> None:
    status, kind, text = await get(served, '/stats')
    assert (status, kind) == (200, 'text/html')
    assert '<td>s1</td><td>no check</td>' in text
    assert '<h2>&lt;b&gt;</h2>' in text
    assert '<b>' not in text
    assert text.count('<table>') == text.count('</table>') == 3
    assert 'href="/stats;csv"' in text


async def test_csv(served: StatsServer) -> None:
    status, kind, text = await get(served, '/stats;csv')
    assert (status, kind) == (200, 'text/plain')
    lines = text.splitlines()
    assert (lines[0], len(lines)) == (HEADER, 7)
    assert '127.0.0.1' not in text


async def test_json(served: StatsServer) -> None:
    status, kind, text = await get(served, '/stats;json')
    assert (status, kind, len(json.loads(text))) == (200, 'application/json', 6)


async def test_hiding(served: StatsServer) -> None:
    assert 's3' in (await get(served, '/stats;csv'))[2]
    for suffix in (';up', ';no-maint', ';csv;up'):
        text = (await get(served, f'/stats{suffix}'))[2]
        assert 's1' in text
        assert 's3' not in text


async def test_metrics(served: StatsServer) -> None:
    status, kind, text = await get(served, '/metrics')
    assert (status, kind) == (200, 'text/plain')
    assert 'haproxy_server_current_queue{proxy="px",server="s1"} 0\n' in text


async def test_elsewhere(served: StatsServer) -> None:
    assert (await get(served, '/'))[0] == 404
    assert (await get(served, '/statsx'))[0] == 404
    assert (await get(served, '/stats', 'POST'))[0] == 405
    assert (await get(served, '/stats', 'HEAD'))[0] == 200


async def test_unix_sockets_and_inherited_ones(tmp_path: Path) -> None:
    plane = Plane()
    with socket.create_server(('127.0.0.1', 0)) as inherited:
        binds = (
            Bind(name='u', path=str(tmp_path / 'stats'), mode=0o600),
            Bind(name='f', fd=inherited.fileno()),
        )
        server = await serve_stats((dataclasses.replace(LISTENER, binds=binds, metrics_path=None),), plane.figures)
        assert server.addresses == [inherited.getsockname()]
        assert (await get(server, '/stats;csv'))[0] == 200
        assert (await get(server, '/metrics'))[0] == 404
        connector = aiohttp.UnixConnector(str(tmp_path / 'stats'))
        async with aiohttp.ClientSession(connector=connector) as client, client.get('http://x/stats;csv') as response:
            assert response.status == 200
        await server.close()
    os.unlink(tmp_path / 'stats')


async def test_a_port_in_use_is_named() -> None:
    plane = Plane()
    with socket.create_server(('127.0.0.1', 0)) as taken:
        port = taken.getsockname()[1]
        taken_too = dataclasses.replace(LISTENER, binds=(Bind(name='b', host='127.0.0.1', port=port),))
        with pytest.raises(CannotListen, match=f'127.0.0.1:{port}'):
            await serve_stats((LISTENER, taken_too), plane.figures)


async def test_a_descriptor_that_is_none_is_named() -> None:
    listener = dataclasses.replace(LISTENER, binds=(Bind(name='f', fd=987),))
    with pytest.raises(CannotListen, match='fd@987'):
        await serve_stats((listener,), Plane().figures)


async def test_ipv6() -> None:
    listener = dataclasses.replace(LISTENER, binds=(Bind(name='v6', host='::1'),))
    server = await serve_stats((listener,), Plane().figures)
    assert server.addresses[0][0] == '::1'
    await server.close()
