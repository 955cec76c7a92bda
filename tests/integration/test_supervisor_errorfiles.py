"""`errorfile` on the wire: Debian's default configuration, and the same bytes as HAProxy sends where it is installed."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from tests.integration.harness.haproxy import needs_haproxy
from tests.integration.harness.planes import Stage, stage
from tests.integration.harness.procs import python, spawn
from tests.integration.harness.waiting import until

PAGES = {
    'debian': b'HTTP/1.0 503 Service Unavailable\r\nCache-Control: no-cache\r\nConnection: close\r\n\r\nnobody\n',
    'kept': b'HTTP/1.1 404 Gone Fishing\r\nX-Foo: Bar\r\nContent-Length: 5\r\n\r\nhello',
    'open': b'HTTP/1.1 503 X\n\nlf only',
    'empty': b'',
}
REQUESTS = [
    b'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
    b'HEAD / HTTP/1.1\r\nHost: a\r\n\r\n',
    b'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
    b'GET / HTTP/1.0\r\nHost: a\r\n\r\n',
    b'GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
]


def sections(on: Stage, ports: dict[str, int]) -> str:
    """One frontend per page, whose backend has it; that of `debian` is the frontend's own."""
    text = 'defaults\n    mode http\n    timeout client 300ms\n    timeout server 5s\n    timeout connect 1s\n'
    for name, port in ports.items():
        (on.directory / name).write_bytes(PAGES[name])
        line = f'    errorfile 503 {on.directory / name}\n'
        front, back = (line, '') if name == 'debian' else ('', line)
        text += f'frontend {name}\n    bind 127.0.0.1:{port}\n    default_backend b-{name}\n{front}'
        text += f'backend b-{name}\n    server s 127.0.0.1:1 disabled\n{back}'
    return text


async def said(port: int, request: bytes) -> bytes:
    """All that is answered until the other side closes (`timeout client`, at the latest)."""
    reader, writer = await asyncio.open_connection('127.0.0.1', port)
    writer.write(request)
    try:
        async with asyncio.timeout(30):
            return await reader.read()
    finally:
        writer.close()


@asynccontextmanager
async def haproxy(on: Stage, text: str, port: int) -> AsyncIterator[None]:
    path = on.directory / 'haproxy.cfg'
    path.write_text(text)
    child = await spawn(['haproxy', '-db', '-f', str(path)], name='haproxy', directory=on.directory)

    async def answers() -> bool:
        assert child.returncode is None, child.report()
        try:
            _, writer = await asyncio.open_connection('127.0.0.1', port)
        except OSError:
            return False
        writer.close()
        return True

    try:
        await until(answers, within=60, what='haproxy listens')
        yield
    finally:
        await child.stop()


@needs_haproxy
async def test_pages_are_those_of_haproxy_byte_for_byte() -> None:
    async with stage() as on:
        ours, theirs = ({name: on.ports.take() for name in PAGES} for _ in range(2))
        await on.data_plane(sections(on, ours), port=ours['kept'])
        async with haproxy(on, sections(on, theirs), theirs['kept']):
            for name in PAGES:
                for request in REQUESTS:
                    got, wanted = await asyncio.gather(said(ours[name], request), said(theirs[name], request))
                    assert got == wanted, (name, request)
        assert await said(ours['empty'], REQUESTS[0]) == b''


async def test_a_changed_page_comes_with_a_reload() -> None:
    async with stage() as on:
        port = on.ports.take()
        plane = await on.data_plane(sections(on, {'kept': port}), port=port)
        assert b'hello' in await said(port, REQUESTS[2])
        (on.directory / 'kept').write_bytes(PAGES['kept'].replace(b'hello', b'world'))
        await _reload(plane.pid, plane.printed, 'Reloaded')
        assert b'world' in await said(port, REQUESTS[2])
        (on.directory / 'kept').unlink()
        text = await _reload(plane.pid, plane.printed, 'Reload refused')
        assert f"error opening file '{on.directory / 'kept'}' (No such file or directory)." in text
        assert b'world' in await said(port, REQUESTS[2])


async def _reload(pid: int, printed: Callable[[], str], wanted: str) -> str:
    before = len(printed())
    os.kill(pid, signal.SIGUSR2)
    await until(lambda: wanted in printed()[before:], within=60, what=wanted)
    return printed()[before:]


async def test_the_file_debian_installs_with_a_frontend_is_taken() -> None:
    codes = (400, 403, 408, 500, 502, 503, 504)
    async with stage() as on:
        for code in codes:
            (on.directory / f'{code}.http').write_bytes(PAGES['debian'].replace(b'503', b'%d' % code))
        path = on.directory / 'debian.cfg'
        path.write_text(
            DEBIAN + ''.join(f'\terrorfile {code} {on.directory}/{code}.http\n' for code in codes) + FRONTEND
        )
        child = await spawn(
            python('dataplane.supervisor.main', '-c', '-f', str(path)), name='c', directory=on.directory
        )
        try:
            assert await child.wait(60) == 0, child.report()
        finally:
            await child.stop()


DEBIAN = """global
\tlog /dev/log\tlocal0
\tlog /dev/log\tlocal1 notice
\tchroot /var/lib/haproxy
\tstats socket /run/haproxy/admin.sock mode 660 level admin
\tstats timeout 30s
\tuser haproxy
\tgroup haproxy
\tdaemon

\tca-base /etc/ssl/certs
\tcrt-base /etc/ssl/private
        ssl-default-bind-ciphers ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256
        ssl-default-bind-ciphersuites TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384
        ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets

defaults
\tlog\tglobal
\tmode\thttp
\toption\thttplog
\toption\tdontlognull
        timeout connect 5000
        timeout client  50000
        timeout server  50000
"""
FRONTEND = 'frontend www\n    bind 127.0.0.1:8080\n    default_backend app\nbackend app\n    server s 127.0.0.1:81\n'
