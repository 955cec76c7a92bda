"""The PROXY protocol towards servers, and where connections to them come from; beside the real HAProxy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.integration.harness.both import accepts, behind, listening, log_socket, running
from tests.integration.harness.haproxy import needs_haproxy
from tests.integration.harness.ports import Ports
from tests.integration.harness.proxy import Proxy
from tests.integration.harness.raw import OK, RawClient, until

KINDS = ['sluice', pytest.param('haproxy', marks=needs_haproxy)]
GET = b'GET /x HTTP/1.1\r\nHost: a\r\n\r\n'
SIGNATURE = b'\r\n\r\n\x00\r\nQUIT\n'


@dataclass
class Introduced:
    """A server that is told first who is connected. `told` has what it was told on each connection, `peers` from where."""

    told: list[bytes] = field(default_factory=list)
    peers: list[str] = field(default_factory=list)
    requests: int = 0
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.peers.append(writer.get_extra_info('peername')[0])
            start = await reader.readexactly(12)
            if start == SIGNATURE:
                rest = await reader.readexactly(4)
                header = start + rest + await reader.readexactly(int.from_bytes(rest[2:], 'big'))
            elif start.startswith(b'PROXY '):
                header = start + await reader.readuntil(b'\r\n')
            else:
                header = b''
                await reader.readuntil(b'\r\n\r\n')
                writer.write(OK)
            self.told.append(header)
            while True:
                await reader.readuntil(b'\r\n\r\n')
                self.requests += 1
                writer.write(OK)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the proxy, or a check, has had enough
        finally:
            writer.close()


@asynccontextmanager
async def introduced() -> AsyncIterator[Introduced]:
    up = Introduced()
    server = await asyncio.start_server(up.serve, '127.0.0.1', 0)
    up.port = server.sockets[0].getsockname()[1]
    try:
        yield up
    finally:
        server.close()


@asynccontextmanager
async def by(kind: str, tmp_path: Path, up: Introduced, words: str, lines: str = '') -> AsyncIterator[int]:
    """The port of a proxy of this kind in front of one server with these words."""
    with Ports() as ports, log_socket() as log:
        port = ports.take()
        text = listening(port, log.getsockname()[1], lines, f'    server s1 127.0.0.1:{up.port} {words}')
        if kind == 'haproxy':
            file = tmp_path / 'haproxy.cfg'
            file.write_text(text)
            with running('haproxy', '-f', str(file)):
                await until(lambda: accepts(port))
                yield port
        else:
            async with Proxy(behind(text)) as proxy:
                yield proxy.port


async def asked(port: int, times: int = 1) -> int:
    """Ask so many times on one connection. The client's port."""
    client = await RawClient.to(port)
    mine = client.writer.get_extra_info('sockname')[1]
    for _ in range(times):
        client.send(GET)
        assert (await client.answer())[0] == 200
    client.close()
    return int(mine)


@pytest.mark.parametrize('kind', KINDS)
async def test_version_1(kind: str, tmp_path: Path) -> None:
    async with introduced() as up, by(kind, tmp_path, up, 'send-proxy') as port:
        mine = await asked(port)
        assert up.told == [b'PROXY TCP4 127.0.0.1 127.0.0.1 %d %d\r\n' % (mine, port)]


@pytest.mark.parametrize('kind', KINDS)
async def test_version_2(kind: str, tmp_path: Path) -> None:
    async with introduced() as up, by(kind, tmp_path, up, 'send-proxy-v2') as port:
        mine = await asked(port)
        addresses = bytes((127, 0, 0, 1) * 2) + mine.to_bytes(2, 'big') + port.to_bytes(2, 'big')
        assert up.told == [SIGNATURE + b'!\x11\x00\x0c' + addresses]


@pytest.mark.parametrize('kind', KINDS)
async def test_what_was_said_first_goes_for_one_client(kind: str, tmp_path: Path) -> None:
    """A connection is another client's only if the same would be said on it."""
    words = 'send-proxy-v2 proxy-v2-options crc32c'
    async with introduced() as up, by(kind, tmp_path, up, words, 'http-reuse always') as port:
        await asked(port, 3)
        assert (len(up.told), up.requests) == (1, 3)
        await asked(port)
        assert len(set(up.told)) == 2


@pytest.mark.parametrize('kind', KINDS)
async def test_where_connections_come_from(kind: str, tmp_path: Path) -> None:
    async with introduced() as up, by(kind, tmp_path, up, 'source 127.0.0.7') as port:
        await asked(port)
        assert up.peers == ['127.0.0.7']


async def test_a_source_that_is_not_here_is_no_connection(tmp_path: Path) -> None:
    async with introduced() as up, by('sluice', tmp_path, up, 'source 192.0.2.1') as port:
        client = await RawClient.to(port)
        client.send(GET)
        assert (await client.answer())[0] == 503
        client.close()
        assert up.peers == []
