"""Clients and servers that mean harm, or are merely slow, asynchronous and half gone: nothing is lost, nothing grows."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace

import pytest

from dataplane.core.model import Timeouts
from dataplane.worker.clock import now_ms
from tests.integration.harness.proxy import SHORT, Proxy, server, snapshot
from tests.integration.harness.raw import HOST, OK, Call, Gated, RawClient, RawServer, answering, ok, until

GET = b'GET / HTTP/1.1\r\n' + HOST + b'\r\n'
UPGRADE = b'GET /ws HTTP/1.1\r\n' + HOST + b'Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n'
SWITCHED = b'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'
SMALL = 4_096
PACE = 0.03


def impatient(**timeouts: int) -> dict[str, Timeouts]:
    """A frontend's timeouts (ms), as short as given."""
    return {'timeouts': replace(SHORT, **timeouts)}


class Narrow:
    """A client whose connection holds little, and that reads only when it is told to."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock

    @classmethod
    async def to(cls, proxy: Proxy) -> Narrow:
        proxy._listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL)
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, ('127.0.0.1', proxy.port))
        return cls(sock)

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.sock, data)

    async def rest(self, pace: float = 0.0) -> bytes:
        """Everything until the connection ends, a little every `pace` seconds."""
        out = b''
        with self.sock:
            while piece := await asyncio.wait_for(asyncio.get_running_loop().sock_recv(self.sock, SMALL), 30):
                out += piece
                await asyncio.sleep(pace)
        return out


def sized(body: bytes) -> bytes:
    """A response with a length."""
    return b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n' % len(body) + body


async def test_an_empty_line_after_a_request_does_not_keep_the_connection_for_good() -> None:
    settings = impatient(http_keep_alive=50)
    async with RawServer(ok) as up, Proxy(snapshot([server('s1', up.port)], frontend=settings)) as proxy:
        client = await RawClient.to(proxy.port)
        client.send(GET + b'\r\n')
        assert (await client.answer())[0] == 200
        assert await client.rest() == b''


async def test_an_empty_line_between_requests_is_no_request() -> None:
    async with RawServer(ok) as up, Proxy(snapshot([server('s1', up.port)])) as proxy:
        client = await RawClient.to(proxy.port)
        client.send(GET + b'\r\n' + GET + b'\r\n\r\n')
        for _ in range(2):
            assert (await client.answer())[0] == 200
        client.send(b'\r\n' + GET)
        assert (await client.answer())[0] == 200
        client.close()


async def test_endless_pipelining_is_bounded() -> None:
    most = 0

    async def script(call: Call) -> None:
        nonlocal most
        most = max(most, *(len(client._buffer) for client in proxy.traffic._clients))
        call.send(OK)

    async with RawServer(script) as up, Proxy(snapshot([server('s1', up.port)])) as proxy:
        client = await RawClient.to(proxy.port)
        client.send(GET * 200_000)
        for _ in range(200):
            assert (await client.answer())[0] == 200
        client.writer.transport.abort()
        await until(lambda: proxy.served() == 0)
    assert most < 1_000_000  # a read of the loop, and what was kept before it


@pytest.mark.parametrize('option', [b'', b'Connection: close\r\n'])
async def test_a_slow_reader_gets_the_whole_answer(option: bytes) -> None:
    body = b'x' * 60_000
    settings = impatient(http_keep_alive=50, client=150)
    async with (
        RawServer(answering(sized(body))) as up,
        Proxy(snapshot([server('s1', up.port)], frontend=settings)) as proxy,
    ):
        client = await Narrow.to(proxy)
        await client.send(GET[:-2] + option + b'\r\n')
        assert (await client.rest(PACE)).endswith(b'\r\n\r\n' + body)


async def test_a_reader_that_stops_reading_the_end_of_an_answer_is_cut() -> None:
    settings = impatient(http_keep_alive=50, client=100)
    async with (
        RawServer(answering(sized(b'x' * 60_000))) as up,
        Proxy(snapshot([server('s1', up.port)], frontend=settings)) as proxy,
    ):
        client = await Narrow.to(proxy)
        await client.send(GET)
        await proxy.log_lines()
        await until(lambda: not proxy.traffic._clients)
        client.sock.close()


async def test_a_silent_end_does_not_take_earlier_answers_with_it() -> None:
    body = b'x' * 40_000
    posted = asyncio.Event()

    async def script(call: Call) -> None:
        await call.body()
        if call.head.startswith(b'GET'):
            call.send(sized(body))
        else:
            posted.set()
            call.reset()

    configuration = snapshot([], backend={'http_reuse': 'always'})
    async with RawServer(script) as up:
        backend = replace(configuration.backends[0], servers=(server('s1', up.port),))
        async with Proxy(replace(configuration, backends=(backend,))) as proxy:
            client = await Narrow.to(proxy)
            await client.send(GET + b'POST / HTTP/1.1\r\n' + HOST + b'Content-Length: 1\r\n\r\na')
            await asyncio.wait_for(posted.wait(), 30)
            assert ' SH-- ' in (await proxy.log_lines(2))[1]
            assert (await client.rest()).endswith(b'\r\n\r\n' + body)


async def test_a_client_with_a_held_upload_may_leave_at_any_time() -> None:
    gated = Gated()
    async with RawServer(gated) as up, Proxy(snapshot([server('s1', up.port, maxconn=1)])) as proxy:
        first, second = await RawClient.to(proxy.port), await RawClient.to(proxy.port)
        first.send(GET)
        await until(lambda: proxy.served() == 1)
        second.send(b'POST / HTTP/1.1\r\n' + HOST + b'Content-Length: 5000000\r\n\r\n' + b'x' * 40_000)
        await until(lambda: proxy.queued() == 1)
        for later in (200, 400):
            proxy.traffic.tick(now_ms() + later)
        assert proxy.queued() == 1
        second.reset()
        await until(lambda: proxy.queued() == 0)
        first.close()


async def test_without_abortonclose_a_held_upload_may_be_half_closed() -> None:
    gate = asyncio.Event()

    async def script(call: Call) -> None:
        await gate.wait()
        await call.body()
        call.send(OK)

    configuration = snapshot([], backend={'abortonclose': False})
    async with RawServer(script) as up:
        backend = replace(configuration.backends[0], servers=(server('s1', up.port, maxconn=1),))
        async with Proxy(replace(configuration, backends=(backend,))) as proxy:
            first = await RawClient.to(proxy.port)
            first.send(GET)
            await until(lambda: proxy.served() == 1)
            second = await RawClient.to(proxy.port)
            second.send(b'POST / HTTP/1.1\r\n' + HOST + b'Content-Length: 80000\r\n\r\n' + b'x' * 40_000)
            await until(lambda: proxy.queued() == 1)
            second.send(b'x' * 40_000)
            second.writer.write_eof()
            await until(lambda: not second.writer.transport.get_write_buffer_size())
            for later in (200, 400):
                proxy.traffic.tick(now_ms() + later)
            gate.set()
            assert (await second.rest()).endswith(b'\r\n\r\nok')
            first.close()


async def test_a_connection_never_changes_its_frontend() -> None:
    """Indexes of frontends are used again; who came by the old one's bind line must not meet the new one's rules."""
    async with RawServer(answering(sized(b'A'))) as a, RawServer(answering(sized(b'B'))) as b:
        one = snapshot([server('s1', a.port)])
        other = replace(one.backends[0], name='other', id=7, servers=(server('s1', b.port),))
        both = replace(one, backends=(*one.backends, other))
        new = replace(one.frontends[0], name='new', id=8, default_backend='other')
        async with Proxy(both) as proxy:
            client = await RawClient.to(proxy.port)
            client.send(GET)
            assert await client.answer() == (200, b'A')
            await proxy.change(replace(both, frontends=()))
            await proxy.change(replace(both, frontends=(new,)))
            client.send(GET)
            assert await client.answer() == (200, b'A')
            client.close()


async def test_a_tunnel_delivers_what_was_sent_before_its_last_end() -> None:
    size = 12_000_000
    arrived: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    sent = asyncio.Event()

    async def script(call: Call) -> None:
        call.send(SWITCHED)
        call.writer.write_eof()
        await sent.wait()
        count = 0
        while piece := await call.reader.read(65_536):
            count += len(piece)
            await asyncio.sleep(0)
        arrived.set_result(count)

    async with RawServer(script) as up, Proxy(snapshot([server('s1', up.port, maxconn=1)])) as proxy:
        assert up._server is not None
        up._server.sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
        client = await RawClient.to(proxy.port)
        client.send(UPGRADE)
        assert await client.head() == SWITCHED
        assert await client.exactly(0) == await client.reader.read(1) == b''
        client.send(b'x' * size)
        client.writer.write_eof()
        sent.set()
        assert await asyncio.wait_for(arrived, 30) == size
        await until(lambda: proxy.served() == 0)
        client.close()
