"""What a turn sends leaves at its end: in order, whole, and before a connection is closed."""

from __future__ import annotations

import asyncio
import socket

import pytest
import uvloop

from dataplane.core.layout import NOBODY
from dataplane.worker.halves import ServerUser
from dataplane.worker.outbox import LARGE, Outbox, Sender
from dataplane.worker.upstream import Link, Upstream
from tests.unit.worker.house import COMPILED

pytestmark = pytest.mark.skipif(
    COMPILED, reason='a compiled class has no heirs in Python, such as these users; as written it is tested'
)


class Server(ServerUser):
    """Notes what a connection to it tells its user."""

    def __init__(self) -> None:
        super().__init__(NOBODY)
        self.connected = asyncio.get_running_loop().create_future()

    def on_connected(self) -> None:
        self.connected.set_result(True)

    def on_connect_failed(self, error: int) -> None:
        self.connected.set_exception(OSError(error, 'refused'))

    def on_server_data(self, data: bytes) -> None:
        raise AssertionError(data)

    def on_server_eof(self) -> bool:
        return False

    def on_server_lost(self) -> None:
        """Nothing waits for it."""

    def on_server_congested(self, *, congested: bool) -> None:
        """Nothing is held back."""


class Broken(Sender):
    """Fails when it is pushed."""

    def push(self) -> None:
        raise RuntimeError('no')


async def _pair() -> tuple[Upstream, socket.socket]:
    loop = asyncio.get_running_loop()
    with socket.socket() as listening:
        listening.bind(('127.0.0.1', 0))
        listening.listen()
        listening.setblocking(False)
        user = Server()
        upstream = Upstream(loop, Outbox(loop), 0, 0, user, lambda gone: None)
        upstream.connect((socket.AF_INET, listening.getsockname()))
        theirs, _ = await loop.sock_accept(listening)
        await asyncio.wait_for(user.connected, 30)
    return upstream, theirs


async def _all(theirs: socket.socket) -> bytes:
    got = b''
    while piece := await asyncio.wait_for(asyncio.get_running_loop().sock_recv(theirs, 1 << 20), 30):
        got += piece
    theirs.close()
    return got


def _nothing_yet(theirs: socket.socket) -> bool:
    try:
        theirs.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return True
    return False


async def _pieces() -> None:
    upstream, theirs = await _pair()
    upstream.write(b'one ')
    upstream.write(b'two ')
    assert _nothing_yet(theirs)
    upstream.write(b'x' * LARGE)  # so much goes at once, and what waited goes before it
    assert not _nothing_yet(theirs)
    upstream.write(b' three')
    upstream.write_eof()
    assert await _all(theirs) == b'one two ' + b'x' * LARGE + b' three'
    upstream.shutdown()


async def _closed() -> None:
    upstream, theirs = await _pair()
    upstream.write(b'last words')
    upstream.close()
    assert await _all(theirs) == b'last words'


async def _shut_down() -> None:
    upstream, theirs = await _pair()
    upstream.write(b'never sent')
    upstream.shutdown()
    assert upstream.link is Link.CLOSED
    assert await _all(theirs) == b''


async def _defect() -> None:
    loop, told = asyncio.get_running_loop(), []
    loop.set_exception_handler(lambda loop, context: told.append(str(context['exception'])))
    upstream, theirs = await _pair()
    outbox = upstream._outbox
    outbox.post(Broken())
    upstream.write(b'after it')
    await asyncio.sleep(0)
    assert await asyncio.wait_for(loop.sock_recv(theirs, 100), 30) == b'after it'
    assert told == ['no']
    upstream.shutdown()
    theirs.close()


def test_pieces_of_a_turn_are_one_send_and_nothing_overtakes() -> None:
    uvloop.run(_pieces())


def test_a_close_sends_what_waits() -> None:
    uvloop.run(_closed())


def test_after_a_shutdown_nothing_is_sent() -> None:
    uvloop.run(_shut_down())


def test_a_defect_of_one_connection_does_not_keep_the_others() -> None:
    uvloop.run(_defect())
