"""Persistence by cookie, beside the real HAProxy: whom a request reaches, what server and client see of the cookie, what is logged."""

from __future__ import annotations

import asyncio
import re
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from dataplane.core.changes import SetAdmin
from dataplane.core.cookie import Cookie, CookieMode
from dataplane.core.model import AdminState, Backend
from dataplane.worker.cookies import _digits
from tests.integration.harness.both import accepts, behind, listening, log_socket, running
from tests.integration.harness.haproxy import needs_haproxy
from tests.integration.harness.ports import Ports
from tests.integration.harness.proxy import SHORT, Proxy, server, snapshot
from tests.integration.harness.raw import HOST, Call, Gated, RawClient, RawServer, Script, ask, ok, until

VARIANTS = {
    'indirect': 'SRV indirect',
    'rewrite': 'SRV rewrite',
    'prefix': 'SRV prefix',
    'insert': 'SRV insert',
    'nocache': 'SRV insert indirect nocache',
    'postonly': 'SRV insert postonly nocache',
    'preserve': 'SRV insert preserve',
    'marked': 'SRV insert httponly secure domain .a.example domain .b.example attr SameSite=Lax',
    'idle': 'SRV insert indirect maxidle 1m',
    'life': 'SRV insert indirect maxidle 30s maxlife 60',
}
GET = b'GET / HTTP/1.1\r\n' + HOST
NOW = int(time.time())


def dated(last: int, first: int | None = None) -> bytes:
    """A cookie of the first server with dates that many seconds ago."""
    out = b'SRV=one|' + _digits(NOW - last)
    return out if first is None else out + b'|' + _digits(NOW - first)


COOKIES = {
    'none': b'',
    'other': b'a=1',
    'first': b'SRV=one',
    'second': b'SRV=two',
    'bare': b'SRV=three',
    'unknown': b'SRV=nobody',
    'empty': b'SRV=',
    'between': b'a=1; SRV=two; b=2',
    'twice': b'SRV=nobody; SRV=two',
    'prefixed': b'a=1; SRV=two~own',
    'fresh': dated(10, 10),
    'idle': dated(200, 30),
    'old': dated(10, 500),
    'undated': dated(10),
    'tomorrow': dated(-90_000, -90_000),
}
GIVEN = {
    'nothing': b'',
    'its own': b'Set-Cookie: SRV=mine; path=/x\r\n',
    'another': b'Set-Cookie: o=1\r\n',
    'validator': b'ETag: "x"\r\n',
    'date': b'Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\n',
    'expiry': b'Expires: Thu, 01 Jan 2037 00:00:00 GMT\r\n',
    'fresh': b'Cache-Control: public, max-age=60\r\n',
    'private': b'Cache-Control: max-age=60, private\r\n',
    'stale': b'Cache-Control: max-age=0\r\n',
    'pragma': b'Pragma: no-cache\r\nETag: "x"\r\n',
}


class Seen(NamedTuple):
    """What one exchange looked like from all sides."""

    server: str
    forwarded: list[bytes]
    set_cookies: list[bytes]
    cache_control: list[bytes]
    flags: str


def fields(head: bytes, name: bytes) -> list[bytes]:
    lines = [line.split(b':', 1) for line in head.split(b'\r\n')[1:] if b':' in line]
    return [re.sub(rb'\|[A-Za-z0-9+/]{5}', b'|DATE', value.strip()) for key, value in lines if key.lower() == name]


class Farm:
    """Three servers: two with a cookie, one without. Each says who it is, and sets what `X-Give` of the request says."""

    def __init__(self) -> None:
        self.names = ('one', 'two', 'three')
        self.servers = [RawServer(self._script(name)) for name in self.names]
        self.last: bytes = b''

    def _script(self, name: str) -> Script:
        async def script(call: Call) -> None:
            await call.body()
            self.last = call.head
            given = GIVEN[dict(self._asked(call.head))[b'x-give'].decode()]
            call.send(
                b'HTTP/1.1 200 OK\r\nX-Server: %b\r\n%bContent-Length: 2\r\n\r\nok' % (name.encode(), given)
            )  # fmt: skip

        return script

    @staticmethod
    def _asked(head: bytes) -> Iterator[tuple[bytes, bytes]]:
        for line in head.split(b'\r\n')[1:-2]:
            key, _, value = line.partition(b':')
            yield key.lower(), value.strip()

    def configuration(self, variant: str, port: int, log: int) -> str:
        one, two, three = (server.port for server in self.servers)
        servers = (
            f'    server one 127.0.0.1:{one} cookie one\n'
            f'    server two 127.0.0.1:{two} cookie two\n'
            f'    server three 127.0.0.1:{three} weight 0'
        )
        return listening(port, log, f'cookie {VARIANTS[variant]}', servers)


@asynccontextmanager
async def farm() -> AsyncIterator[Farm]:
    found = Farm()
    async with found.servers[0], found.servers[1], found.servers[2]:
        yield found


async def exchange(farm: Farm, port: int, cookie: bytes, given: str, method: bytes, line: object) -> Seen:
    """One request; `line` is awaited for its log line."""
    head = b'%b / HTTP/1.1\r\nHost: a\r\nX-Give: %b\r\nConnection: close\r\n' % (method, given.encode())
    if cookie:
        head += b'Cookie: ' + cookie + b'\r\n'
    answer = await ask(port, head + (b'Content-Length: 0\r\n\r\n' if method == b'POST' else b'\r\n'))
    head, _, _ = answer.partition(b'\r\n\r\n')
    logged = await line()  # type: ignore[operator]
    flags = re.search(r' (\S{4}) \d+/\d+/\d+/\d+/\+?\d+ ', logged)
    assert flags is not None, logged
    server = fields(head, b'x-server')
    return Seen(
        server[0].decode(), fields(farm.last, b'cookie'), fields(head, b'set-cookie'), fields(head, b'cache-control'),
        flags[1],
    )  # fmt: skip


def requests() -> Iterator[tuple[str, str, bytes]]:
    for name in COOKIES:
        yield name, 'nothing', b'GET'
    for given in ('its own', 'another'):
        for name in ('none', 'first', 'second', 'prefixed'):
            yield name, given, b'GET'
    for name in ('none', 'first'):
        yield name, 'nothing', b'POST'
    for given in ('validator', 'date', 'expiry', 'fresh', 'private', 'stale', 'pragma'):
        yield 'none', given, b'GET'
    yield 'none', 'validator', b'POST'


def comparable(seen: Seen) -> Seen:
    """Without what may be otherwise: who is balanced may go to either server."""
    if seen.flags[2] == 'V':
        return seen
    cookies = [re.sub(rb'SRV=(one|two)', b'SRV=ANY', cookie) for cookie in seen.set_cookies]
    return seen._replace(server='', set_cookies=cookies)


async def by_sluice(farm: Farm, variant: str, text: str) -> list[Seen]:
    async with Proxy(behind(text)) as proxy:

        async def line() -> str:
            return (await proxy.log_lines())[0]

        return [
            await exchange(farm, proxy.port, COOKIES[name], given, method, line) for name, given, method in requests()
        ]


async def by_haproxy(farm: Farm, port: int, log: socket.socket) -> list[Seen]:
    loop = asyncio.get_running_loop()

    async def line() -> str:
        return (await asyncio.wait_for(loop.sock_recv(log, 65_535), 30)).decode()

    return [await exchange(farm, port, COOKIES[name], given, method, line) for name, given, method in requests()]


@needs_haproxy
@pytest.mark.parametrize('variant', VARIANTS)
async def test_as_haproxy_does(tmp_path: Path, variant: str) -> None:
    with Ports() as ports, log_socket() as log:
        port = ports.take()
        async with farm() as servers:
            text = servers.configuration(variant, port, log.getsockname()[1])
            file = tmp_path / 'haproxy.cfg'
            file.write_text(text)
            with running('haproxy', '-f', str(file)):
                await until(lambda: accepts(port))
                theirs = await by_haproxy(servers, port, log)
            ours = await by_sluice(servers, variant, text)
    alike = [
        (request, comparable(mine), comparable(other))
        for request, mine, other in zip(requests(), ours, theirs, strict=True)
    ]
    assert [(request, mine) for request, mine, _ in alike] == [(request, other) for request, _, other in alike]


async def test_a_drained_server_keeps_its_own_and_one_in_maintenance_does_not() -> None:
    async with farm() as servers:
        text = servers.configuration('insert', 1, 1)
        async with Proxy(behind(text)) as proxy:

            async def line() -> str:
                return (await proxy.log_lines())[0]

            for state, server, flags in (
                (AdminState.READY, 'one', '--VN'),
                (AdminState.DRAIN, 'one', '--VN'),
                (AdminState.MAINT, 'two', '--DI'),
            ):
                await proxy.change(SetAdmin('be', 'one', state))
                seen = await exchange(servers, proxy.port, b'SRV=one', 'nothing', b'GET', line)
                assert (seen.server, seen.flags) == (server, flags)


async def test_who_is_redispatched_is_told_the_new_server() -> None:
    """The server its cookie names refuses connections: the last try goes elsewhere, and the client learns that."""
    async with RawServer(ok) as up:
        with Ports() as ports:
            dead = ports.take()
            text = f"""
listen x
    mode http
    bind 127.0.0.1:1
    option redispatch
    retries 1
    timeout client 5s
    timeout server 5s
    timeout connect 1s
    cookie SRV insert indirect
    server one 127.0.0.1:{dead} cookie one
    server two 127.0.0.1:{up.port} cookie two
"""
            async with Proxy(behind(text)) as proxy:
                answer = await ask(
                    proxy.port, b'GET / HTTP/1.1\r\nHost: a\r\nCookie: SRV=one\r\nConnection: close\r\n\r\n'
                )
                assert b'Set-Cookie: SRV=two; path=/\r\n' in answer
                assert ' --DI ' in (await proxy.log_lines())[0]
                assert b'ookie' not in up.heads[0]


async def test_the_server_a_cookie_names_is_nobodys_wish_in_another_backend() -> None:
    """It waits for its own server when its route leads elsewhere: there it is served by whom there is."""
    gated = Gated()
    async with RawServer(gated) as own, RawServer(ok) as up:
        busy = server('one', own.port, maxconn=1, cookie='one')
        before = snapshot([busy], backend={'cookie': Cookie(name='SRV', mode=CookieMode.INSERT)})
        other = Backend(name='other', id=4, servers=(server('two', up.port),), timeouts=SHORT)
        before = replace(before, backends=(*before.backends, other))
        after = replace(before, frontends=(replace(before.frontends[0], default_backend='other'),))
        async with Proxy(before) as proxy:
            first, second = await RawClient.to(proxy.port), await RawClient.to(proxy.port)
            first.send(GET + b'\r\n')
            await until(lambda: proxy.served() == 1)
            second.send(GET + b'Cookie: SRV=one\r\n\r\n')
            await until(lambda: proxy.board.cells[proxy.layout.QUEUE_LENGTH] == 1)
            await proxy.change(after)
            assert (await second.answer())[1] == b'ok'
            gated.gate.set()
            assert (await first.answer())[0] == 200
            first.close()
            second.close()
