from __future__ import annotations

import asyncio
import dataclasses
import json
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import pytest

from dataplane.cli.stat import HEADER
from dataplane.core.answers import ErrorPage
from dataplane.core.changes import AdoptFile
from dataplane.core.model import AdminState, Bind, StatsListener
from dataplane.rules.statspage import DEFAULT_STATS_URI, StatsPage
from dataplane.supervisor import statspage
from dataplane.supervisor.clisocket import CannotListen
from dataplane.supervisor.health import Condition
from dataplane.supervisor.pagedesk import PageDesk
from dataplane.supervisor.statspage import StatsServer
from tests.inprocess import SNAPSHOT, Plane

LISTENER = StatsListener(name='stats', binds=(Bind(name='b', host='127.0.0.1'),), page=StatsPage(uri='/stats'))
READY = Condition(serving=1)


async def serve_stats(
    listeners: tuple[StatsListener, ...], plane: Plane, health: Callable[[], Condition] = lambda: READY
) -> StatsServer:
    """Open sections over a plane."""
    notes: list[str] = []
    return await statspage.serve_stats(
        listeners, plane.figures, PageDesk(plane.figures, plane.verbs(), notes.append), health
    )


@pytest.fixture
async def served() -> AsyncIterator[StatsServer]:
    backend = dataclasses.replace(SNAPSHOT.backends[1], name='<b>')
    plane = Plane(dataclasses.replace(SNAPSHOT, backends=(SNAPSHOT.backends[0], backend)))
    server = await serve_stats((LISTENER,), plane)
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
    assert '<th scope="row">s1' in text
    assert '>&lt;b&gt;</h2>' in text
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


async def test_a_part_of_the_metrics(served: StatsServer) -> None:
    status, _, text = await get(served, '/metrics?scope=server&no-maint')
    assert status == 200
    assert 'haproxy_server_current_queue{proxy="px",server="s1"} 0\n' in text
    assert 'server="s3"' not in text
    assert 'haproxy_process' not in text
    assert await get(served, '/metrics?scope=x') == (400, 'text/plain', "there is no scope 'x'\n")


async def test_the_exporter_at_every_path() -> None:
    """But for the two questions of whoever runs this process, and the page, which is never asked for."""
    server = await serve_stats((dataclasses.replace(LISTENER, metrics_path=''),), Plane())
    for path in ('/', '/stats', '/metrics', '/x?scope=server'):
        assert 'haproxy_server_current_queue{proxy="px",server="s1"} 0\n' in (await get(server, path))[2]
    assert (await get(server, '/livez'))[1] == 'application/json'
    await server.close()


async def test_elsewhere(served: StatsServer) -> None:
    page = (
        '<html><body><h1>503 Service Unavailable</h1>\nNo server is available to handle this request.\n</body></html>\n'
    )
    assert await get(served, '/') == (503, 'text/html', page)
    assert (await get(served, '/x/stats'))[0] == 503
    assert (await get(served, '/stats', 'PUT'))[0] == 503
    assert (await get(served, '/metrics', 'POST'))[0] == 200
    assert (await get(served, '/stats', 'HEAD'))[0] == 200


async def test_elsewhere_with_a_page_of_its_own() -> None:
    own = ErrorPage(status=503, closing=b'HTTP/1.1 404 Not Here\r\nX-Own: 1\r\nConnection: close\r\n\r\nmine')
    empty = ErrorPage(status=503)
    for unserved, start, end in (
        (own, b'HTTP/1.1 404 Not Here\r\nX-Own: 1\r\n', b'\r\n\r\nmine'),
        (empty, b'HTTP/1.1 503 S', b''),
    ):
        server = await serve_stats((dataclasses.replace(LISTENER, unserved=unserved),), Plane())
        answer = await raw(server, '/elsewhere')
        assert answer.startswith(start)
        assert answer.endswith(end)
        await server.close()


async def raw(server: StatsServer, target: str, version: str = '1.1') -> bytes:
    """What a client gets that sends its target as it is, as curl does."""
    reader, writer = await asyncio.open_connection(*server.addresses[0])
    writer.write(f'GET {target} HTTP/{version}\r\nHost: x\r\nConnection: close\r\n\r\n'.encode())
    try:
        return await reader.read()
    finally:
        writer.close()


@pytest.mark.parametrize(
    'target, kind',
    [
        ('/haproxy?stats', b'text/html'),
        ('/haproxy?stats;csv', b'text/plain'),
        ('/haproxy?stats;json;up', b'application/json'),
        ('/haproxy?stats&x;csv', b'text/plain'),
        ('http://elsewhere/haproxy?stats;csv', b'text/plain'),
    ],
)
async def test_the_uri_haproxy_begins_with_has_a_query(target: str, kind: bytes) -> None:
    server = await serve_stats((dataclasses.replace(LISTENER, page=StatsPage(uri=DEFAULT_STATS_URI)),), Plane())
    for version in ('1.0', '1.1'):
        answer = await raw(server, target, version)
        assert b' 200 OK\r\n' in answer[:20]
        assert b'Content-Type: ' + kind in answer
    for other in ('/haproxy', '/haproxy?other', '/haproxy;csv', '/', '*', 'http://elsewhere'):
        assert b' 200 OK' not in (await raw(server, other))[:20]
    await server.close()


async def test_what_it_is_made_with_is_not_told(served: StatsServer) -> None:
    for target in ('/stats', '/metrics', '/livez', '/elsewhere'):
        head, _, _ = (await raw(served, target)).partition(b'\r\n\r\n')
        assert b'server' not in head.lower()


@pytest.mark.parametrize(
    'asked',
    [
        b'\x16\x03\x01\0\xa5\x01\0\0\xa1\x03\x03',
        b'GET /stats HTTP/1.1\r\nHost: x\r\nBad\0: y\r\n\r\n',
        b'GET /st\xff\0ats HTTP/1.1\r\nHost: x\r\n\r\n',
        b'GET /' + b'x' * 20_000 + b' HTTP/1.1\r\nHost: x\r\n\r\n',
        b'POST /stats HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n',
        b'POST /stats HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
    ],
)
async def test_what_is_no_request_is_told_so_and_fills_no_log(
    served: StatsServer, asked: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        reader, writer = await asyncio.open_connection(*served.addresses[0])
        writer.write(asked)
        head, _, body = (await reader.read()).partition(b'\r\n\r\n')
        writer.close()
        assert head.startswith(b'HTTP/1.0 400 Bad Request\r\n')
        assert b'server' not in head.lower()
        assert body == b'Bad Request.\n'
    assert not caplog.records


async def test_a_defect_is_logged_and_told(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    async def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(PageDesk, 'answer', broken)
    server = await serve_stats((LISTENER,), Plane())
    answer = await raw(server, '/stats')
    assert answer.startswith(b'HTTP/1.1 500 Internal Server Error\r\n')
    assert [record.getMessage() for record in caplog.records] == ['/stats failed.']
    await server.close()


async def test_without_a_uri_there_is_no_page() -> None:
    server = await serve_stats((dataclasses.replace(LISTENER, page=None),), Plane())
    assert (await get(server, '/'))[0] == 503
    assert (await get(server, '/metrics'))[0] == 200
    await server.close()


async def test_descriptions_stand_beside_the_names() -> None:
    front = dataclasses.replace(SNAPSHOT.frontends[0], description='the <way> in')
    back = dataclasses.replace(SNAPSHOT.backends[0], description='two of them')
    server = await serve_stats(
        (LISTENER,),
        Plane(dataclasses.replace(SNAPSHOT, frontends=(front,), backends=(back,))),
    )
    text = (await get(server, '/stats'))[2]
    assert '>fe</h2><p class="soft">the &lt;way&gt; in</p>' in text
    assert '>px</h2><p class="soft">two of them</p>' in text
    assert 'two of them' not in (await get(server, '/stats;csv'))[2]
    await server.close()


async def test_unix_sockets_and_inherited_ones(tmp_path: Path) -> None:
    plane = Plane()
    with socket.create_server(('127.0.0.1', 0)) as inherited:
        binds = (
            Bind(name='u', path=str(tmp_path / 'stats'), mode=0o600),
            Bind(name='f', fd=inherited.fileno()),
        )
        server = await serve_stats((dataclasses.replace(LISTENER, binds=binds, metrics_path=None),), plane)
        assert server.addresses == [inherited.getsockname()]
        assert (await get(server, '/stats;csv'))[0] == 200
        assert (await get(server, '/metrics'))[0] == 503
        connector = aiohttp.UnixConnector(str(tmp_path / 'stats'))
        async with aiohttp.ClientSession(connector=connector) as client, client.get('http://x/stats;csv') as response:
            assert response.status == 200
        await server.close()
    assert not (tmp_path / 'stats').exists()


async def test_a_port_in_use_is_named() -> None:
    plane = Plane()
    with socket.create_server(('127.0.0.1', 0)) as taken:
        port = taken.getsockname()[1]
        taken_too = dataclasses.replace(LISTENER, binds=(Bind(name='b', host='127.0.0.1', port=port),))
        with pytest.raises(CannotListen, match=f'127.0.0.1:{port}'):
            await serve_stats((LISTENER, taken_too), plane)


async def test_a_descriptor_that_is_none_is_named() -> None:
    listener = dataclasses.replace(LISTENER, binds=(Bind(name='f', fd=987),))
    with pytest.raises(CannotListen, match='fd@987'):
        await serve_stats((listener,), Plane())


async def test_ipv6() -> None:
    listener = dataclasses.replace(LISTENER, binds=(Bind(name='v6', host='::1'),))
    server = await serve_stats((listener,), Plane())
    assert server.addresses[0][0] == '::1'
    await server.close()


async def test_life_and_readiness(served: StatsServer) -> None:
    assert await get(served, '/livez') == (200, 'application/json', '{"status": "ok"}')
    assert await get(served, '/readyz') == (200, 'application/json', '{"status": "ok"}')
    assert (await get(served, '/readyz', 'HEAD'))[0] == 200
    assert (await get(served, '/readyz', 'POST'))[0] == 503


async def test_it_lives_whatever_speaks_against_readiness() -> None:
    said = Condition(serving=0, pushed=False)
    server = await serve_stats((dataclasses.replace(LISTENER, page=StatsPage(uri='/')),), Plane(), lambda: said)
    assert await get(server, '/readyz') == (503, 'application/json', '{"status": "no-worker"}')
    said = Condition(serving=1, pushed=False)
    assert await get(server, '/readyz') == (503, 'application/json', '{"status": "nothing-pushed"}')
    said = Condition(serving=1, stopping=True, pushed=True)
    assert await get(server, '/readyz') == (503, 'application/json', '{"status": "stopping"}')
    assert (await get(server, '/livez'))[0] == 200
    await server.close()


async def test_paths_of_the_section_come_first() -> None:
    listener = dataclasses.replace(LISTENER, page=StatsPage(uri='/readyz'), metrics_path='/livez')
    server = await serve_stats((listener,), Plane(), lambda: Condition(serving=0))
    assert (await get(server, '/readyz'))[:2] == (200, 'text/html')
    assert (await get(server, '/livez'))[:2] == (200, 'text/plain')
    await server.close()


async def test_a_reload_changes_all_but_the_addresses() -> None:
    """The section is looked up anew for each request."""
    plane = Plane()
    server = await serve_stats((LISTENER,), plane)
    closed = dataclasses.replace(LISTENER, page=StatsPage(uri='/stats', users=(('u', 'p'),)), metrics_path='/m')
    plane.make(AdoptFile(dataclasses.replace(SNAPSHOT, stats_listeners=(closed,))))
    assert (await get(server, '/stats'))[0] == 401
    assert (await get(server, '/m'))[0] == 200
    assert (await get(server, '/metrics'))[0] == 503
    await server.close()


async def test_a_form_is_read_up_to_a_buffer() -> None:
    listener = dataclasses.replace(LISTENER, page=StatsPage(uri='/stats', admin=(None,)))
    plane = Plane()
    server = await serve_stats((listener,), plane)
    host, port = server.addresses[0]
    async with aiohttp.ClientSession() as client:
        for body, said in (('s=s1&action=drain&b=px', 'DONE'), (f's={"x" * 20_000}&action=drain&b=px', 'EXCD')):
            async with client.post(f'http://{host}:{port}/stats', data=body, allow_redirects=False) as response:
                assert (response.status, response.headers['Location']) == (303, f'/stats;st={said}')
    assert plane.ledger.records[plane.server('px', 's1')].effective is AdminState.DRAIN
    await server.close()
