"""Sides that take slowly, late or nothing, at the moments when a connection changes hands: nothing is kept without bound, hangs or is cut."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from typing import Any, cast

from dataplane.worker.wheel import NEVER
from tests.integration.harness.proxy import Proxy, limited, server, snapshot
from tests.integration.harness.raw import HOST, Call, RawClient, RawServer, ok, until

SHORT = 400
LONG = 20_000
MIB = 1 << 20
GET = b'GET / HTTP/1.1\r\n' + HOST + b'\r\n'
WEBSOCKET = b'GET /chat HTTP/1.1\r\n' + HOST + b'Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n'
SWITCH = b'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n'
CHUNKED = b'POST / HTTP/1.1\r\n' + HOST + b'Transfer-Encoding: chunked\r\n\r\n'


def small_segments(up: RawServer) -> None:
    """As over a real network: on loopback the first write of a connection takes megabytes."""
    assert up._server is not None
    for listening in up._server.sockets:
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)


def small_output(proxy: Proxy) -> None:
    """The kernel keeps little of what is sent to clients."""
    proxy._listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)


async def small_client(port: int) -> socket.socket:
    """A client whose kernel keeps little either; blocking calls on it are the test's own steps."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, ('127.0.0.1', port))
    return sock


def only_client(proxy: Proxy) -> Any:
    [client] = proxy.traffic._clients
    return client


def unsent(end: Any) -> int:
    return 0 if end is None or end._transport is None else int(end._transport.get_write_buffer_size())


async def flood(writer: asyncio.StreamWriter, piece: bytes) -> None:
    with contextlib.suppress(ConnectionError):
        while True:
            writer.write(piece)
            await writer.drain()


async def ended(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_body_that_waited_is_not_read_on_while_the_server_takes_none_of_it() -> None:
    gate, over = asyncio.Event(), asyncio.Event()

    async def script(call: Call) -> None:
        if call.head.startswith(b'GET'):
            await gate.wait()
            await ok(call)
        else:
            call.reader._transport.pause_reading()  # type: ignore[attr-defined]
            await over.wait()

    async with RawServer(script) as up:
        small_segments(up)
        servers, settings = [server('s1', up.port, maxconn=1)], {'bufsize': 4 * 65_536}
        slow = limited(client=LONG, server=LONG, queue=LONG)
        async with Proxy(snapshot(servers, settings=settings, frontend=slow, backend=slow)) as proxy:
            first = await RawClient.to(proxy.port)
            first.send(GET)
            await until(lambda: bool(up.heads))
            second = await RawClient.to(proxy.port)
            second.send(b'POST / HTTP/1.1\r\n' + HOST + b'Content-Length: %d\r\n\r\n' % (1 << 40))
            flooding = asyncio.create_task(flood(second.writer, b'x' * 65_536))
            try:
                await until(lambda: proxy.queued() == 1)
                [client] = [c for c in cast(Any, proxy.traffic)._clients if c.exchange.head.method == b'POST']
                await until(lambda: client.exchange._early_size >= settings['bufsize'])
                gate.set()
                await until(lambda: len(up.heads) == 2)
                upstream: Any = client.exchange._upstream
                await until(lambda: bool(upstream.congested))
                most = 0
                for _ in range(100):
                    most = max(most, unsent(upstream))
                    if most > 32 * MIB:
                        break
                    await asyncio.sleep(0.005)
                assert most < MIB, f'{most} bytes wait for a server that takes none'
            finally:
                over.set()
                await ended(flooding)
                first.reset()
                second.reset()


async def test_a_connection_whose_server_has_not_taken_the_last_request_is_not_used_for_the_next() -> None:
    answer, over = asyncio.Event(), asyncio.Event()

    async def script(call: Call) -> None:
        if b'chunked' not in call.head:
            await ok(call)
            return
        call.reader._transport.pause_reading()  # type: ignore[attr-defined]
        await answer.wait()
        call.send(b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
        await over.wait()

    async with RawServer(script) as up:
        small_segments(up)
        backend: dict[str, Any] = limited(server=SHORT * 5) | {'http_reuse': 'always'}
        async with Proxy(snapshot([server('s1', up.port)], frontend=limited(client=LONG), backend=backend)) as proxy:
            client = await RawClient.to(proxy.port)
            client.send(CHUNKED)
            await until(lambda: bool(up.heads))
            inner = only_client(proxy)
            upstream = inner.exchange._upstream
            sent = 0
            while not unsent(upstream):
                client.send(b'2000\r\n' + b'x' * 8_192 + b'\r\n')
                sent += 8_192
                await until(lambda total=sent: inner.exchange.story.received >= total)  # type: ignore[misc]
            last = b'e000\r\n' + b'x' * 57_344 + b'\r\n'
            client.send(last + b'8000\r\n' + b'x' * 32_768 + b'\r\n0\r\n\r\n')
            await until(lambda: upstream.congested)
            await until(lambda: inner.exchange._request_done)
            answer.set()
            assert (await client.answer())[0] == 200
            assert upstream.congested
            client.send(GET)
            try:
                async with asyncio.timeout(SHORT * 5 / 1_000 + 10):
                    assert (await client.answer())[0] in (200, 504)
            finally:
                over.set()
                client.reset()


async def test_a_tunnel_whose_client_takes_slowly_but_takes_is_left_alone() -> None:
    over = asyncio.Event()

    async def script(call: Call) -> None:
        call.send(SWITCH + b'x' * 400_000)
        await over.wait()

    backend = limited(server=LONG, tunnel=SHORT)
    async with RawServer(script) as up, Proxy(snapshot([server('s1', up.port)], backend=backend)) as proxy:
        small_output(proxy)
        sock = await small_client(proxy.port)
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(sock, WEBSOCKET)
        got = 0
        try:
            await until(lambda: only_client(proxy)._write_paused)
            while got < 400_000:
                piece = await asyncio.wait_for(loop.sock_recv(sock, 4_096), 30)
                assert piece, f'cut after {got} bytes: {await proxy.log_lines()}'
                got += len(piece)
                await asyncio.sleep(SHORT / 20_000)
        finally:
            over.set()
            sock.close()


async def test_an_answer_not_yet_taken_has_timeout_client_also_when_the_rest_of_the_request_is_discarded() -> None:
    body, settled = b'y' * 60_000, asyncio.Event()

    async def script(call: Call) -> None:
        call.send(b'HTTP/1.1 413 Too Large\r\nContent-Length: %d\r\n\r\n' % len(body) + body[:-1])
        await settled.wait()
        call.send(body[-1:])

    async with (
        RawServer(script) as up,
        Proxy(snapshot([server('s1', up.port)], frontend=limited(client=LONG))) as proxy,
    ):
        small_output(proxy)
        sock = await small_client(proxy.port)
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(sock, b'POST / HTTP/1.1\r\n' + HOST + b'Content-Length: 100000\r\n\r\n')
        await until(lambda: bool(proxy.traffic._clients) and unsent(only_client(proxy)) > 0)
        seen: list[int] = []

        def full() -> bool:
            seen.append(unsent(only_client(proxy)))
            return len(seen) > 60 and len(set(seen[-60:])) == 1

        await until(full)
        settled.set()
        await proxy.log_lines()
        await asyncio.sleep(1.5)  # a client that stalls for a moment, far less than `timeout client`
        got = b''
        with contextlib.suppress(ConnectionError):
            while piece := await asyncio.wait_for(loop.sock_recv(sock, 65_536), 30):
                got += piece
        sock.close()
        assert got.endswith(body), f'only {len(got)} bytes of the answer came'


async def test_an_answer_is_sent_though_the_client_ends_its_direction_in_the_same_turn() -> None:
    calls: list[Call] = []
    over = asyncio.Event()

    async def script(call: Call) -> None:
        calls.append(call)
        await over.wait()

    async with RawServer(script) as up:
        backend: dict[str, Any] = {'abortonclose': False}
        async with Proxy(snapshot([server('s1', up.port)], backend=backend)) as proxy:
            client = await RawClient.to(proxy.port)
            client.send(GET)
            await until(lambda: bool(calls))
            # both before the proxy's loop turns again
            server_sock = calls[0].writer.get_extra_info('socket')
            client_sock = client.writer.get_extra_info('socket')
            with socket.socket(fileno=os.dup(server_sock.fileno())) as late:
                late.send(b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
            with socket.socket(fileno=os.dup(client_sock.fileno())) as early:
                early.shutdown(socket.SHUT_WR)
            try:
                assert (await client.rest()).endswith(b'ok')
            finally:
                over.set()


async def test_a_server_connected_while_the_client_takes_nothing_is_not_read() -> None:
    first: list[Call] = []
    over = asyncio.Event()
    size = 60_000

    async def script(call: Call) -> None:
        if call.number == 1:
            first.append(call)
            await over.wait()
            return
        call.send(b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n' % (1 << 40))
        await flood(call.writer, b'z' * 65_536)

    async with RawServer(script) as up:
        backend: dict[str, Any] = limited(server=LONG) | {'http_reuse': 'never'}
        async with Proxy(snapshot([server('s1', up.port)], frontend=limited(client=LONG), backend=backend)) as proxy:
            small_output(proxy)
            sock = await small_client(proxy.port)
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(sock, GET)
            await until(lambda: bool(first))
            inner = only_client(proxy)
            first[0].send(b'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1000000\r\n\r\n')
            given = 0
            while unsent(inner) < size:
                first[0].send(b'y' * 1_000)
                given += 1_000
                await until(lambda total=given: inner.exchange.story.sent > total)  # type: ignore[misc]
            assert not inner._write_paused
            # The last of the first answer, and the second request: met in one turn.
            inner.exchange._body.remaining = 14_000
            up_sock = socket.socket(fileno=os.dup(first[0].writer.get_extra_info('socket').fileno()))
            assert up_sock.send(b'y' * 14_000) == 14_000
            sock.send(GET)
            try:
                await until(lambda: len(up.heads) == 2)
                most = 0
                for _ in range(100):
                    most = max(most, unsent(inner))
                    if most > 32 * MIB:
                        break
                    await asyncio.sleep(0.005)
                assert most < MIB, f'{most} bytes wait for a client that takes none'
            finally:
                over.set()
                up_sock.close()
                sock.close()


async def test_a_silent_server_is_limited_when_its_interim_answers_were_taken_late() -> None:
    calls: list[Call] = []
    over = asyncio.Event()
    hint = b'HTTP/1.1 103 Early Hints\r\nLink: </%b>\r\n\r\n' % (b'a' * 8_000)

    async def script(call: Call) -> None:
        calls.append(call)
        await over.wait()

    async with (
        RawServer(script) as up,
        Proxy(snapshot([server('s1', up.port)], frontend=limited(client=LONG), backend=limited(server=SHORT))) as proxy,
    ):
        small_output(proxy)
        sock = await small_client(proxy.port)
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(sock, b'POST / HTTP/1.1\r\n' + HOST + b'Content-Length: 4\r\n\r\n')
        await until(lambda: bool(calls))
        inner = only_client(proxy)
        told = 0
        while not inner._write_paused:
            calls[0].send(hint)
            told += len(hint)
            await until(lambda total=told: inner.exchange.story.sent >= total)  # type: ignore[misc]
            await asyncio.sleep(0)
        await loop.sock_sendall(sock, b'body')
        await until(lambda: inner.exchange._request_done)
        got = b''
        try:
            async with asyncio.timeout(SHORT / 1_000 * 6):
                while b' 504 ' not in got:
                    got += await loop.sock_recv(sock, 65_536)
        except TimeoutError:
            assert not inner._write_paused
            assert (inner._timer.deadline, inner.server_timer.deadline) != (NEVER, NEVER), 'nothing limits its silence'
        finally:
            over.set()
            sock.close()
        assert b' 504 ' in got


async def test_a_tunnel_ends_towards_the_server_when_the_client_had_ended_before_it_opened() -> None:
    seen: list[bytes] = []
    gate = asyncio.Event()

    async def script(call: Call) -> None:
        await gate.wait()
        call.send(SWITCH)
        seen.append(await call.reader.read())
        call.send(b'bye')
        call.writer.close()

    backend: dict[str, Any] = limited(server=LONG) | {'abortonclose': False}
    async with (
        RawServer(script) as up,
        Proxy(snapshot([server('s1', up.port)], frontend=limited(client=LONG), backend=backend)) as proxy,
    ):
        client = await RawClient.to(proxy.port)
        client.send(WEBSOCKET)
        await until(lambda: bool(up.heads))
        client.writer.write_eof()
        await until(lambda: only_client(proxy)._eof)
        gate.set()
        await client.head()
        await until(lambda: seen == [b''])
        assert await client.rest() == b'bye'


async def test_a_body_behind_an_answer_of_this_hop_is_discarded_not_reset() -> None:
    async with RawServer(ok) as up, Proxy(snapshot([server('s1', up.port)])) as proxy:
        client = await RawClient.to(proxy.port)
        client.send(b'OPTIONS * HTTP/1.1\r\n' + HOST + b'Max-Forwards: 0\r\nContent-Length: 200000\r\n\r\n')
        await client.answer()
        client.send(b'x' * 100_000)
        await asyncio.sleep(0.05)
        client.send(b'x' * 100_000)
        await asyncio.sleep(0.05)
        error = client.reader.exception()
        client.close()
        assert error is None, error
