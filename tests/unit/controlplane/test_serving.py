from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest

from controlplane import serving
from controlplane.app import CannotStart, probed
from tests.unit.controlplane.auth.files import write
from tests.unit.controlplane.world import ControlPlane, control_plane


async def opened(control: ControlPlane) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, port = control.address.partition(':')
    return await asyncio.open_connection(host, int(port))


WHOLE = b'GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n'


@pytest.mark.parametrize('begun', [b'', b'GET /healthz HTTP/1.1\r\nHost', WHOLE + b'GET /', WHOLE + WHOLE + b'G'])
async def test_a_head_that_does_not_come_is_not_waited_for(
    control: ControlPlane, monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    monkeypatch.setattr(serving.Http, 'head_s', 0.05)
    reader, writer = await opened(control)
    writer.write(begun)
    async with asyncio.timeout(30):
        answers = await reader.read()
    assert answers.count(b'200 OK') == begun.count(b'\r\n\r\n')
    writer.close()


async def test_a_head_in_small_pieces_is_taken_and_a_body_has_its_own_time(
    control: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving.Http, 'head_s', 1.0)
    reader, writer = await opened(control)
    for at in range(len(WHOLE)):
        writer.write(WHOLE[at : at + 1])
        await writer.drain()
    assert b'200 OK' in await reader.readuntil(b'\r\n\r\n')
    writer.close()
    monkeypatch.setattr(serving.Http, 'head_s', 0.02)
    body = b'{"servers": {}}'
    reader, writer = await opened(control)
    head = b'PUT /v1/backends/app HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n'
    writer.write(head + b'Content-Length: %d\r\n\r\n' % len(body))
    await asyncio.sleep(0.1)  # longer than a head may take
    writer.write(body)
    assert b'201 Created' in await reader.readuntil(b'\r\n\r\n')
    writer.close()


def test_a_client_gives_an_idle_connection_up_before_the_server_does() -> None:
    kept_by_httpx = httpx.Limits().keepalive_expiry
    assert kept_by_httpx is not None
    assert serving._config(None, None).timeout_keep_alive > 2 * kept_by_httpx


async def test_probes_and_metrics_on_their_own_port_need_no_token_and_nothing_else_is_there(
    tmp_path: Path, store_path: str
) -> None:
    write(tmp_path / 'tokens', 'r:read')
    async with control_plane(store_path, tokens=str(tmp_path / 'tokens')) as control:
        assert (await control.client.get('/metrics')).status_code == 401
        async with probed(('127.0.0.1', 0), control.plane.services) as address:
            assert address is not None
            async with httpx.AsyncClient(base_url=f'http://127.0.0.1:{address[1]}') as client:
                for path in ('/livez', '/healthz', '/readyz'):
                    assert (await client.get(path)).status_code == 200
                assert 'sluice_controlplane_term 1' in (await client.get('/metrics')).text
                for path in ('/v1/backends', '/docs', '/openapi.json', '/v1/events'):
                    answer = await client.get(path)
                    assert (answer.status_code, answer.json()['status']) == (404, 404)
                assert (await client.post('/v1/dataplanes:release')).status_code == 404
                control.plane.services.stopping.set()
                assert (await client.get('/readyz')).status_code == 503
                assert (await client.get('/livez')).status_code == 200
            with pytest.raises(CannotStart, match=f'cannot listen on 127.0.0.1:{address[1]}'):
                async with probed(('127.0.0.1', address[1]), control.plane.services):
                    pass
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection('127.0.0.1', address[1])
