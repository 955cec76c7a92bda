"""Backends that are shown and hidden, over real sockets: who is passed over, and what `force-be-switch` lets through."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from dataplane.core.changes import AddBackend, AddServer, PublishBackend, SetAdmin
from dataplane.core.model import AdminState, Server, Snapshot
from tests.integration.harness.proxy import Proxy
from tests.integration.harness.raw import Call, RawClient, RawServer
from tests.unit.config.loading import snapshot

DEFAULTS = 'defaults base\n mode http\n timeout client 10s\n timeout server 10s\n timeout connect 5s\n'


def named(name: str) -> Callable[[Call], Awaitable[None]]:
    async def answer(call: Call) -> None:
        call.send(b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b' % (len(name), name.encode()))

    return answer


async def ask(port: int, target: str, *fields: str) -> tuple[int, str]:
    client = await RawClient.to(port)
    lines = ''.join(f'{field}\r\n' for field in fields)
    client.send(f'GET {target} HTTP/1.1\r\nHost: h\r\n{lines}\r\n'.encode())
    status, body = await client.answer()
    client.close()
    return status, body.decode() if status == 200 else ''


def configured(a: int, b: int, lines: str) -> Snapshot:
    """A frontend with these lines, whose default is `b`."""
    return snapshot(
        f'{DEFAULTS}frontend f from base\n bind 127.0.0.1:1\n default_backend b\n {lines}\n'
        f'backend a from base\n balance roundrobin\n server s 127.0.0.1:{a}\n'
        f'backend b from base\n balance roundrobin\n server s 127.0.0.1:{b}\n'
    )


async def test_the_next_rule_is_asked_when_a_backend_is_hidden() -> None:
    lines = 'use_backend a if { path_beg /a }\n use_backend b if { path /a/b }'
    async with RawServer(named('a')) as a, RawServer(named('b')) as b:
        async with Proxy(configured(a.port, b.port, lines)) as proxy:
            assert await ask(proxy.port, '/a/b') == (200, 'a')
            await proxy.change(PublishBackend('a', published=False))
            assert await ask(proxy.port, '/a/b') == (200, 'b')
            assert await ask(proxy.port, '/a') == (200, 'b')
            await proxy.change(PublishBackend('b', published=False))
            assert await ask(proxy.port, '/a/b') == (503, '')
            await proxy.change(PublishBackend('a', published=True))
            assert await ask(proxy.port, '/a') == (200, 'a')
            assert await ask(proxy.port, '/') == (503, '')


async def test_a_frontend_without_rules_has_its_default_only() -> None:
    async with RawServer(named('b')) as b, Proxy(configured(1, b.port, '')) as proxy:
        await proxy.change(PublishBackend('b', published=False))
        assert await ask(proxy.port, '/') == (503, '')
        await proxy.change(PublishBackend('b', published=True))
        assert await ask(proxy.port, '/') == (200, 'b')


@pytest.mark.parametrize('field, found', [('X-Boss: 1', (200, 'a')), ('X-Boss: 2', (200, 'b'))])
async def test_who_may_see_what_is_hidden(field: str, found: tuple[int, str]) -> None:
    lines = 'use_backend a if { path /a }\n force-be-switch if { hdr(x-boss) 1 }'
    async with RawServer(named('a')) as a, RawServer(named('b')) as b:
        async with Proxy(configured(a.port, b.port, lines)) as proxy:
            await proxy.change(PublishBackend('a', published=False))
            assert await ask(proxy.port, '/a', field) == found


async def test_who_may_see_a_default_that_is_hidden() -> None:
    lines = 'force-be-switch if { hdr(x-boss) -m found }'
    async with RawServer(named('b')) as b, Proxy(configured(1, b.port, lines)) as proxy:
        await proxy.change(PublishBackend('b', published=False))
        assert await ask(proxy.port, '/') == (503, '')
        assert await ask(proxy.port, '/', 'X-Boss: 1') == (200, 'b')


async def test_a_backend_that_was_added_is_found_by_its_name_once_it_is_published() -> None:
    async with RawServer(named('new')) as new, RawServer(named('b')) as b:
        async with Proxy(configured(1, b.port, 'use_backend %[path,field(2,/)]')) as proxy:
            assert await ask(proxy.port, '/n') == (200, 'b')
            await proxy.change(AddBackend('n', 'base', 'http'))
            await proxy.change(AddServer('n', Server(name='s', id=0, host='127.0.0.1', port=new.port)))
            await proxy.change(SetAdmin('n', 's', AdminState.READY))
            assert await ask(proxy.port, '/n') == (200, 'b')
            await proxy.change(PublishBackend('n', published=True))
            assert await ask(proxy.port, '/n') == (200, 'new')
