from __future__ import annotations

import os
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from controlplane.auth import LOCAL, Role, Tokens, needed, new_token, parse
from tests.unit.controlplane.world import DataPlane, control_plane


def write(path: Path, *names: str) -> dict[str, str]:
    """A tokens file with one token per NAME:ROLE. Returns the tokens by name."""
    made = {name.partition(':')[0]: new_token(*name.split(':')) for name in names}
    path.write_text('# who may what\n\n' + '\n'.join(line for _, line in made.values()) + '\n')
    return {name: token for name, (token, _) in made.items()}


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


async def test_tokens_are_read_again_when_the_file_changes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / 'tokens'
    old = write(path, 'a:admin')['a']
    tokens = Tokens(str(path))
    assert tokens.principal(old) is not None
    replaced = tmp_path / 'new'
    new = write(replaced, 'b:read')['b']
    os.replace(replaced, path)
    assert tokens.principal(old) is None
    found = tokens.principal(new)
    assert found is not None
    assert (found.name, found.role) == ('b', Role.READ)
    path.write_text('nonsense\n')
    assert tokens.principal(new) == found
    assert f'{path}:1: not NAME:ROLE:sha256$HEX' in caplog.text
    path.unlink()
    assert tokens.principal(new) == found


@pytest.mark.parametrize(
    'line', ['a:admin', 'a:admin:plain', 'a:root:sha256$' + '0' * 64, 'a b:read:sha256$' + '0' * 64]
)
def test_a_wrong_line_is_named(line: str) -> None:
    with pytest.raises(ValueError, match=r'^f:2: not NAME'):
        parse(f'# fine\n{line}\n', 'f')


def test_a_file_without_tokens_is_wrong() -> None:
    with pytest.raises(ValueError, match='holds no token'):
        parse('# nobody\n', 'f')


def test_new_tokens_are_long_and_their_lines_parse() -> None:
    token, line = new_token('a', 'admin')
    assert len(token) >= 43
    assert token not in line
    assert parse(line, 'f')[0][1].name == 'a'
    with pytest.raises(ValueError, match='is not NAME:ROLE'):
        new_token('a', 'root')


@pytest.mark.parametrize(
    'method,path,role',
    [
        ('HEAD', '/v1/backends', Role.READ),
        ('POST', '/v1/servers:bulk', Role.OPERATE),
        ('PATCH', '/v1/backends/b/servers/s', Role.OPERATE),
        ('PATCH', '/v1/backends/b', Role.ADMIN),
        ('PUT', '/v1/backends/b/servers/s', Role.ADMIN),
        ('PUT', '/v3/services/haproxy/runtime/backends/b/servers/s', Role.OPERATE),
        ('DELETE', '/v1/dataplanes/d', Role.ADMIN),
    ],
)
def test_what_a_request_needs(method: str, path: str, role: Role) -> None:
    assert needed(method, path) is role


def test_without_tokens_whoever_is_local_may_all() -> None:
    assert LOCAL.role is Role.ADMIN
