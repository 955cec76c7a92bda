from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.unit.controlplane.auth.files import write
from tests.unit.controlplane.world import ControlPlane, DataPlane, control_plane


async def test_roles(tmp_path: Path, store_path: str) -> None:
    tokens = write(tmp_path / 'tokens', 'r:read', 'o:operate', 'a:admin', 'd:dataplane')
    async with control_plane(store_path, tokens=str(tmp_path / 'tokens')) as control:

        async def call(name: str, method: str, path: str, **more: object) -> int:
            headers = {'Authorization': f'Bearer {tokens[name]}'}
            return (await control.client.request(method, path, headers=headers, json=more or None)).status_code

        assert await call('a', 'PUT', '/v1/backends/app', servers={'s1': {'address': 'a', 'port': 1}}) == 201
        assert [await call(n, 'GET', '/v1/backends') for n in 'road'] == [200, 200, 200, 403]
        assert [await call(n, 'PATCH', '/v1/backends/app/servers/s1', weight=2) for n in 'road'] == [403, 200, 200, 403]
        assert [await call(n, 'POST', '/v1/backends/app/servers/s1:shutdownSessions') for n in 'ro'] == [403, 200]
        alias = '/v3/services/haproxy/runtime/backends/app/servers/s1'
        assert [await call(n, 'PUT', alias, weight=2) for n in 'ro'] == [403, 200]
        assert [await call(n, 'PATCH', '/v1/backends/app', retries=2) for n in 'oa'] == [403, 200]
        assert [await call(n, 'DELETE', '/v1/backends/app') for n in 'roda'] == [403, 403, 403, 204]

        for headers in ({}, {'Authorization': 'Bearer nope'}, {'Authorization': f'Basic {tokens["a"]}'}):
            answer = await control.client.get('/v1/backends', headers=headers)
            assert answer.status_code == 401
            assert answer.headers['www-authenticate'] == 'Bearer'
            assert answer.headers['content-type'] == 'application/problem+json'
        assert (await control.client.get('/healthz')).status_code == 200
        assert (await control.client.get('/docs')).status_code == 200
        operations = await control.client.get('/v1/operations', headers={'Authorization': f'Bearer {tokens["r"]}'})
        assert operations.json()['items'][0]['actor'] == 'a'


async def test_data_planes_need_a_token_too(tmp_path: Path, store_path: str) -> None:
    tokens = write(tmp_path / 'tokens', 'r:read', 'd:dataplane')
    async with control_plane(store_path, tokens=str(tmp_path / 'tokens')) as control:
        for token, status in ((None, 401), ('nope', 401), (tokens['r'], 403)):
            with pytest.raises(InvalidStatus) as refused:
                await DataPlane('dp1').dial(control.address, token)
            assert refused.value.response.status_code == status
        plane = DataPlane('dp1')
        await plane.dial(control.address, tokens['d'])
        await plane.apply()
        await plane.cut()


async def test_a_web_page_may_not_open_the_link(store_path: str) -> None:
    async with control_plane(store_path) as control:
        with pytest.raises(InvalidStatus) as refused:
            await connect(f'ws://{control.address}/v1/push', origin='http://127.0.0.1')  # type: ignore[arg-type]
        assert refused.value.response.status_code == 403


async def raw(control: ControlPlane, *lines: str, body: str = '') -> tuple[int, str]:
    """(status, everything) that a request made of these lines is answered with."""
    host, _, port = control.address.partition(':')
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(('\r\n'.join([*lines, 'Connection: close', '', '']) + body).encode('latin-1'))
    async with asyncio.timeout(30):
        answer = (await reader.read()).decode('latin-1')
    writer.close()
    return int(answer.split()[1]), answer


POST = 'POST /v1/backends/app/servers/s1:shutdownSessions HTTP/1.1'


@pytest.mark.parametrize(
    'lines,status',
    [
        (['Host: 127.0.0.1'], 200),
        (['Host: localhost:8000'], 200),
        (['Host: [::1]:8000'], 200),
        (['Host: evil.example'], 421),
        (['Host: 127.0.0.1.evil.example'], 421),
        (['Host: localhost.evil.example'], 421),
        (['Host: evil.example\t127.0.0.1'], 421),
        (['Host: '], 421),
        # a request that a page may send without asking first
        (['Host: 127.0.0.1:8000', 'Origin: http://evil.example'], 403),
        (['Host: 127.0.0.1:8000', 'Origin: null'], 403),
        (['Host: 127.0.0.1:8000', 'Origin: http://127.0.0.1:8080'], 403),
        (['Host: 127.0.0.1:8000', 'Origin: http://127.0.0.1:8000'], 200),
        (['Host: evil.example', 'Origin: http://evil.example'], 421),
        (['Host: 127.0.0.1:8000', 'X-Forwarded-Host: evil.example'], 200),
        (['Host: evil.example', 'X-Forwarded-Host: 127.0.0.1'], 421),
        (['Host: evil.example', 'Host: 127.0.0.1'], 400),
    ],
)
async def test_without_tokens_no_web_page_reaches_it(store_path: str, lines: list[str], status: int) -> None:
    async with control_plane(store_path) as control:
        await control.put_app()
        assert (await raw(control, POST, 'Content-Length: 0', *lines))[0] == status


async def test_of_what_contradicts_itself_nothing_is_believed(tmp_path: Path, store_path: str) -> None:
    tokens = write(tmp_path / 'tokens', 'r:read', 'a:admin')
    async with control_plane(store_path, tokens=str(tmp_path / 'tokens')) as control:
        get, host = 'GET /v1/backends HTTP/1.1', 'Host: x'
        read, admin = (f'Authorization: Bearer {tokens[name]}' for name in 'ra')
        assert (await raw(control, get, host, read))[0] == 200
        for lines in (
            [read, admin], [admin, read], [admin, admin], ['Authorization: Bearer', admin],
        ):  # fmt: skip
            assert (await raw(control, get, host, *lines))[0] == 401
        for line in (
            f'Authorization: Bearer {tokens["a"]},{tokens["a"]}', f'Authorization: Bearer  {tokens["a"]} x',
            f'Authorization: {tokens["a"]}', f'Authorization: Basic {tokens["a"]}', 'Authorization: Bearer ',
            f'Authorization: Bearer {tokens["a"]}\x80', 'Authorization: Bearer \xff\xfe', f'Cookie: token={tokens["a"]}',
            f'X-Authorization: Bearer {tokens["a"]}', f'Authorization: Bearer {"x" * 20_000}',
        ):  # fmt: skip
            assert (await raw(control, get, host, line))[0] == 401, line
        assert (await raw(control, get, host, f'aUTHORIZATION: bEARER {tokens["a"]}'))[0] == 200
        assert (await raw(control, f'GET /v1/backends?access_token={tokens["a"]} HTTP/1.1', host))[0] == 401
        # the same path by other names is the same path
        release = 'POST /v1/%64ataplanes%3Arelease HTTP/1.1'
        assert (await raw(control, release, host, read, 'Content-Length: 0'))[0] == 403
        assert (await raw(control, 'POST http://x/v1/dataplanes:release HTTP/1.1', host, read, 'Content-Length: 0'))[
            0
        ] in {403, 404}
        assert (await raw(control, release, host, read, 'X-HTTP-Method-Override: GET', 'Content-Length: 0'))[0] == 403
        assert (await raw(control, 'GET /docs/../v1/backends HTTP/1.1', host))[0] == 401
        assert (await raw(control, 'GET /healthz/../v1/backends HTTP/1.1', host))[0] == 401
        assert (await raw(control, 'POST /healthz HTTP/1.1', host, 'Content-Length: 0'))[0] == 405


async def test_a_head_has_bounds(control: ControlPlane) -> None:
    host, _, port = control.address.partition(':')
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(b'GET /v1/backends HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ')
    sent = 0
    with contextlib.suppress(ConnectionError):
        while sent < 64 * 1024 * 1024:
            writer.write(b'x' * 65_536)
            await writer.drain()
            sent += 65_536
    assert sent < 16 * 1024 * 1024  # what the kernel holds, and one head
    writer.close()


async def test_a_link_needs_its_own_kind_of_token_whatever_it_asks_for(tmp_path: Path, store_path: str) -> None:
    tokens = write(tmp_path / 'tokens', 'r:read', 'o:operate', 'd:dataplane')
    async with control_plane(store_path, tokens=str(tmp_path / 'tokens')) as control:
        for path in ('/v1/push', '/healthz', '/v1/backends', '/docs'):
            for name in 'ro':
                headers = {'Authorization': f'Bearer {tokens[name]}'}
                with pytest.raises(InvalidStatus) as refused:
                    await connect(f'ws://{control.address}{path}', additional_headers=headers)
                assert refused.value.response.status_code == 403
        headers = {'Authorization': f'Bearer {tokens["d"]}'}
        with pytest.raises(InvalidStatus) as refused:
            await connect(f'ws://{control.address}/v1/backends', additional_headers=headers)
        assert refused.value.response.status_code in {403, 404}
        assert (await control.client.get('/v1/push', headers=headers)).status_code == 403
        with pytest.raises(InvalidStatus) as refused:
            await connect(
                f'ws://{control.address}/v1/push', additional_headers={'Authorization': f'Bearer {"x" * 8_000}'}
            )
        assert refused.value.response.status_code == 401


async def test_a_link_ends_when_its_token_is_taken_away(tmp_path: Path, store_path: str) -> None:
    tokens = write(tmp_path / 'tokens', 'd:dataplane')
    async with control_plane(store_path, tokens=str(tmp_path / 'tokens'), recheck_s=0.02) as control:
        plane = DataPlane('dp1')
        await plane.dial(control.address, tokens['d'])
        await plane.apply()
        newer = write(tmp_path / 'tokens', 'd:dataplane')
        code, reason = await plane.closed()
        assert code == 4401
        assert 'dial again' in reason
        await plane.dial(control.address, newer['d'])
        await control.until(lambda: control.plane.sequencer.convergence.planes['dp1'].connected)
        await plane.cut()
