"""Clients of the stats socket and of the statistics page without measure: the supervisor keeps its memory and its descriptors."""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import ExitStack, suppress

import pytest

from tests.integration.harness.planes import DataPlane, listen, stage
from tests.integration.harness.waiting import until
from tests.integration.test_memory import pss

MEBIBYTE = 1 << 20
MOST = 24 * MEBIBYTE
"""What a supervisor may grow by; what is sent to it, or by it, is many times as much."""


async def poured(plane: DataPlane, first: bytes, piece: bytes, pieces: int) -> bytes:
    """What the socket says to a beginning and then the same again and again."""
    reader, writer = await asyncio.open_unix_connection(str(plane.cli.path))
    said = b''
    try:
        writer.write(first)
        for _ in range(pieces):
            writer.write(piece)
            await writer.drain()
    except OSError:
        pass  # it had heard enough
    with suppress(OSError):
        writer.write_eof()
        said = await asyncio.wait_for(reader.read(), 30)
    writer.close()
    return said


@pytest.mark.parametrize(
    'first, piece, pieces, answer',
    [
        (b'show info', b'x' * MEBIBYTE, 100, b'too big'),
        (b'show info', b'\0' * MEBIBYTE, 100, b'too big'),
        (b'add map #0 <<\n', b'key value\n' * 100_000, 100, b'too big'),
        (b'add map #0 <<END\n', b'\n' * MEBIBYTE, 100, b'too big'),
        (b'prompt\n', b';' * 5_000 + b'\n', 1, b'> '),  # each is answered with all there is to know: 34 MB
        (b'prompt\n', b'\xff\xfe;\\\n', 10, b'> '),
    ],
)
async def test_what_has_no_end_is_not_kept(first: bytes, piece: bytes, pieces: int, answer: bytes) -> None:
    async with stage() as on:
        server = await on.upstream('u')
        port = on.ports.take()
        plane = await on.data_plane(listen(port, f'u 127.0.0.1:{server.port}'), port=port, workers=1)
        before = pss(plane.pid)
        said = await asyncio.gather(*(poured(plane, first, piece, pieces) for _ in range(4)))
        # who still sends when it is closed may lose the answer
        assert all(answer in one or not one for one in said), [one[-200:] for one in said]
        assert pss(plane.pid) - before < MOST
        assert await plane.cli.ready()


async def test_a_thousand_clients_that_say_nothing_leave_the_socket_to_others() -> None:
    async with stage() as on:
        server = await on.upstream('u')
        port = on.ports.take()
        plane = await on.data_plane(
            listen(port, f'u 127.0.0.1:{server.port}'), port=port, workers=1, extra=('stats timeout 1s',)
        )
        with ExitStack() as stack:
            for _ in range(1_000):
                sock = stack.enter_context(socket.socket(socket.AF_UNIX))
                sock.setblocking(False)
                with suppress(OSError):
                    await asyncio.wait_for(asyncio.get_running_loop().sock_connect(sock, str(plane.cli.path)), 10)
            await until(plane.cli.ready, within=60, what='the silent ones were sent away')


def left(path: str, line: bytes) -> None:
    """A client that closes on the first answer unread, which resets the connection, while more is done for it."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
        client.sendall(line)
        assert client.recv(1, socket.MSG_PEEK)


async def test_clients_that_leave_while_their_commands_are_done_are_no_defect() -> None:
    async with stage() as on:
        server = await on.upstream('u')
        port = on.ports.take()
        plane = await on.data_plane(listen(port, f'u 127.0.0.1:{server.port}'), port=port, workers=1)
        for line in (b'show info;wait 50;show info;help\n', b'prompt\nshow info;wait 50;show info\nshow stat\n'):
            for _ in range(10):
                await asyncio.to_thread(left, str(plane.cli.path), line)
        assert await plane.cli('wait 300; show info')
        assert 'Traceback' not in plane.printed()


async def test_the_page_has_room_for_who_asks_though_thousands_are_connected() -> None:
    async with stage() as on:
        server = await on.upstream('u')
        port, page = on.ports.take(), on.ports.take()
        sections = f'{listen(port, f"u 127.0.0.1:{server.port}")}\nlisten stats\n    bind 127.0.0.1:{page}\n    stats enable\n    stats uri /\n'
        plane = await on.data_plane(sections, port=port, workers=1)
        before = len(os.listdir(f'/proc/{plane.pid}/fd'))
        with ExitStack() as stack:
            for number in range(900):
                sock = stack.enter_context(socket.create_connection(('127.0.0.1', page), timeout=30))
                if number % 2:
                    sock.sendall(b'GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ')
            found = 0
            for _ in range(3):
                reader, writer = await asyncio.open_connection('127.0.0.1', page)
                writer.write(b'GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
                found += (await asyncio.wait_for(reader.read(), 30)).startswith(b'HTTP/1.1 ')
                writer.close()
            assert found == 3
            assert len(os.listdir(f'/proc/{plane.pid}/fd')) - before < 400
            os.kill(plane.worker_pids()[0], 9)
            await until(plane.cli.ready, within=60, what='the socket answers')
            await until(lambda: len(plane.worker_pids()) == 1, within=60, what='a worker is there')
