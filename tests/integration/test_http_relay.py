"""Requests and responses on their way through one worker, as bytes on real sockets."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dataplane.core.answers import ErrorPage
from dataplane.core.counters import C
from dataplane.core.model import ForwardFor, KeepAlive
from tests.integration.harness.proxy import Proxy, server, snapshot
from tests.integration.harness.raw import HOST, OK, Call, RawClient, RawServer, answering, ask, ok, until

GET = b'GET / HTTP/1.1\r\n' + HOST
CLOSE = b'Connection: close\r\n\r\n'
OWN_PAGE = b'HTTP/1.1 503 Away\r\ncontent-length: 4\r\n\r\naway'


async def test_a_request_and_its_response() -> None:
    async with RawServer(ok) as up, Proxy(snapshot([server('s1', up.port)])) as proxy:
        client = await RawClient.to(proxy.port)
        client.send(GET + b'X-Case:  Kept \r\nAccept: */*\r\n\r\n')
        assert await client.answer() == (200, b'ok')
        assert up.heads == [b'GET / HTTP/1.1\r\nHost: a\r\nX-Case:  Kept \r\nAccept: */*\r\n\r\n']
        client.close()
        [line] = await proxy.log_lines()
        assert ' fe be/s1 ' in line
        assert line.endswith('200 40 - - ---- 1/1/0/0/0 0/0 "GET / HTTP/1.1"')
        assert proxy.served() == 0
        assert (
            proxy.counter(C.HRSP_2XX)
            == proxy.counter(C.HRSP_2XX, server=0)
            == proxy.counter(C.HRSP_2XX, backend=0)
            == 1
        )


EXCHANGE = (
    b'POST /x HTTP/1.1\r\n' + HOST + b'Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\nT: 1\r\n\r\n'
)
RESPONSE = b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n4\r\nwxyz\r\n0\r\n\r\n'


async def test_a_request_split_at_every_byte() -> None:
    bodies: list[bytes] = []

    async def script(call: Call) -> None:
        bodies.append(await call.body())
        call.send(OK)

    async with RawServer(script) as up, Proxy(snapshot([server('s1', up.port)])) as proxy:
        client = await RawClient.to(proxy.port)
        for at in range(1, len(EXCHANGE)):
            client.send(EXCHANGE[:at])
            await asyncio.sleep(0)
            client.send(EXCHANGE[at:])
            assert await client.answer() == (200, b'ok'), at
        for position in range(len(EXCHANGE)):
            client.send(EXCHANGE[position : position + 1])
            await asyncio.sleep(0)
        assert await client.answer() == (200, b'ok')
        assert set(bodies) == {b'abcde'}
        client.close()


async def test_a_response_split_at_every_byte() -> None:
    cut = [1]

    async def script(call: Call) -> None:
        call.send(RESPONSE[: cut[0]])
        await asyncio.sleep(0.001)
        call.send(RESPONSE[cut[0] :])

    async with RawServer(script) as up, Proxy(snapshot([server('s1', up.port)])) as proxy:
        client = await RawClient.to(proxy.port)
        for at in range(1, len(RESPONSE)):
            cut[0] = at
            client.send(GET + b'\r\n')
            assert await client.head() == b'HTTP/1.1 200 OK\r\nX: y\r\nTransfer-Encoding: chunked\r\n\r\n'
            body = b''
            while not body.endswith(b'0\r\n\r\n'):
                body += await client.exactly(1)
            assert b''.join(piece for piece in body.split(b'\r\n')[1::2]) == b'wxyz', at
        client.close()
        assert proxy.served() == 0


async def test_pipelined_requests_are_answered_in_order() -> None:
    async def script(call: Call) -> None:
        path = call.head.split()[1]
        call.send(b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b' % (len(path), path))

    async with RawServer(script) as up, Proxy(snapshot([server('s1', up.port)])) as proxy:
        client = await RawClient.to(proxy.port)
        client.send(b''.join(b'GET /%d HTTP/1.1\r\nHost: a\r\n\r\n' % n for n in range(2_000)))
        for number in range(2_000):
            assert await client.answer() == (200, b'/%d' % number)
        client.close()


@pytest.mark.parametrize(
    'answer, expected',
    [
        (b'HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n', b'HTTP/1.1 204 No\r\n'),
        (b'HTTP/1.1 304 Not\r\nContent-Length: 5\r\n\r\n', b'HTTP/1.1 304 Not\r\nContent-Length: 5\r\n'),
        (b'HTTP/1.1 304 Not\r\nTransfer-Encoding: chunked\r\n\r\n', b'HTTP/1.1 304 Not\r\n'),
    ],
)
async def test_responses_without_a_body(answer: bytes, expected: bytes) -> None:
    async with RawServer(answering(answer)) as up, Proxy(snapshot([server('s1', up.port)])) as proxy:
        client = await RawClient.to(proxy.port)
        for _ in range(2):
            client.send(GET + b'\r\n')
            assert await client.head() == expected + b'\r\n'
        client.send(GET + CLOSE)
        assert await client.rest() == expected + b'Connection: close\r\n\r\n'


async def test_head_has_no_body_whatever_its_fields_say() -> None:
    script = answering(b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n')
    async with RawServer(script) as up, Proxy(snapshot([server('s1', up.port)])) as proxy:
        client = await RawClient.to(proxy.port)
        for _ in range(3):
            client.send(b'HEAD / HTTP/1.1\r\nHost: a\r\n\r\n')
            assert await client.head() == b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n'
        client.close()
        assert up.connections == 1


async def test_a_body_until_close() -> None:
    async def script(call: Call) -> None:
        call.send(b'HTTP/1.1 200 OK\r\n\r\nabc')
        call.writer.close()

    async with RawServer(script) as up, Proxy(snapshot([server('s1', up.port)])) as proxy:
        assert await ask(proxy.port, GET + b'\r\n') == b'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc'
        assert '---- ' in (await proxy.log_lines())[0]


@pytest.mark.parametrize(
    'raw, sent, answer',
    [
        (b'GET / HTTP/1.0\r\n\r\n', b'GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n', b'Connection: close\r\n'),
        (
            b'GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\n\r\n',
            b'GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n',
            b'Connection: keep-alive\r\n',
        ),
    ],
)
async def test_http_1_0(raw: bytes, sent: bytes, answer: bytes) -> None:
    async with RawServer(ok) as up, Proxy(snapshot([server('s1', up.port)])) as proxy:
        assert (await ask(proxy.port, raw)).startswith(b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n' + answer + b'\r\nok')
        assert up.heads[0] == sent


@pytest.mark.parametrize('settings', [{}, {'error_pages': (ErrorPage(status=503, keeping=OWN_PAGE),)}])
async def test_an_error_page_tells_http_1_0_that_the_connection_stays(settings: dict[str, Any]) -> None:
    async with Proxy(snapshot([], backend=settings)) as proxy:
        client = await RawClient.to(proxy.port)
        for _ in range(2):
            client.send(b'GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n')
            head = await client.head()
            assert head.lower().count(b'\r\nconnection: keep-alive\r\n') == 1
            at = head.lower().find(b'content-length: ')
            await client.exactly(int(head[at + 16 :].split(b'\r\n')[0]))
        client.close()


async def test_a_chunked_response_to_http_1_0_ends_with_the_connection() -> None:
    async with RawServer(answering(RESPONSE)) as up, Proxy(snapshot([server('s1', up.port)])) as proxy:
        assert (
            await ask(proxy.port, b'GET / HTTP/1.0\r\n\r\n')
            == b'HTTP/1.1 200 OK\r\nX: y\r\nConnection: close\r\n\r\nwxyz'
        )


async def test_expect_100_continue_is_asked_of_the_server() -> None:
    async def script(call: Call) -> None:
        call.send(b'HTTP/1.1 100 Continue\r\n\r\n')
        assert await call.body() == b'abc'
        call.send(b'HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n' + OK)

    async with RawServer(script) as up, Proxy(snapshot([server('s1', up.port)])) as proxy:
        client = await RawClient.to(proxy.port)
        client.send(b'PUT / HTTP/1.1\r\n' + HOST + b'Expect: 100-continue\r\nContent-Length: 3\r\n\r\n')
        assert await client.head() == b'HTTP/1.1 100 Continue\r\n\r\n'
        client.send(b'abc')
        assert await client.head() == b'HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n'
        assert await client.answer() == (200, b'ok')
        client.send(b'GET / HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc')
        assert (await client.rest()).startswith(b'HTTP/1.1 200 OK')


@pytest.mark.parametrize('side', ['frontend', 'backend'])
@pytest.mark.parametrize('option', [KeepAlive.SERVER_CLOSE, KeepAlive.CLOSE])
async def test_connection_modes(option: KeepAlive, side: str) -> None:
    """The server's connection ends with the answer; the client's where its frontend closes, which is no backend's business."""
    modes: dict[str, dict[str, object]] = {'frontend': {}, 'backend': {}} | {side: {'keep_alive': option}}
    async with RawServer(ok) as up, Proxy(snapshot([server('s1', up.port)], **modes)) as proxy:
        client = await RawClient.to(proxy.port)
        client.send(GET + b'\r\n')
        head = await client.head()
        assert (b'Connection: close' in head) is (option is KeepAlive.CLOSE and side == 'frontend')
        assert up.heads == [GET + CLOSE]
        assert await client.exactly(2) == b'ok'
        await until(lambda: up.open == 0)
        client.close()


async def test_forwardfor_adds_a_line() -> None:
    options = {'forwardfor': ForwardFor(if_none=True)}
    async with RawServer(ok) as up, Proxy(snapshot([server('s1', up.port)], frontend=options)) as proxy:
        await ask(proxy.port, GET + CLOSE)
        await ask(proxy.port, GET + b'X-Forwarded-For: 9.9.9.9\r\n' + CLOSE)
        assert up.heads == [GET + b'X-Forwarded-For: 127.0.0.1\r\n\r\n', GET + b'X-Forwarded-For: 9.9.9.9\r\n\r\n']


async def test_originalto_adds_the_address_that_was_connected_to() -> None:
    original = {'originalto': ForwardFor(header='X-Original-To')}
    async with RawServer(ok) as up, Proxy(snapshot([server('s1', up.port)], backend=original)) as proxy:
        await ask(proxy.port, GET + CLOSE)
    assert up.heads == [GET + b'X-Original-To: 127.0.0.1\r\n\r\n']
    both = {'originalto': ForwardFor(header='X-To', except_net='10.0.0.0/8'), 'forwardfor': ForwardFor()}
    async with RawServer(ok) as up, Proxy(snapshot([server('s1', up.port)], frontend=both)) as proxy:
        await ask(proxy.port, GET + CLOSE)
    assert up.heads == [GET + b'X-Forwarded-For: 127.0.0.1\r\nX-To: 127.0.0.1\r\n\r\n']
    none = {'originalto': ForwardFor(header='X-To', except_net='127.0.0.0/8')}
    async with RawServer(ok) as up, Proxy(snapshot([server('s1', up.port)], frontend=none)) as proxy:
        await ask(proxy.port, GET + CLOSE)
    assert up.heads == [GET + b'\r\n']


async def test_a_large_upload_and_download_with_little_memory() -> None:
    size, piece = 40 << 20, b'x' * 65_536
    most = [0]

    async def script(call: Call) -> None:
        got = 0
        while got < size:
            got += len(await call.reader.read(1 << 20))
        call.send(b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n' % size)
        for _ in range(size // len(piece)):
            call.send(piece)
            await call.writer.drain()

    async with RawServer(script) as up, Proxy(snapshot([server('s1', up.port)])) as proxy:
        client = await RawClient.to(proxy.port)
        client.send(b'POST / HTTP/1.1\r\n' + HOST + b'Content-Length: %d\r\n\r\n' % size)
        for _ in range(size // len(piece)):
            client.send(piece)
            await client.writer.drain()
        await client.head()
        left = size
        while left:
            [connection] = proxy.traffic._clients
            assert connection._transport is not None
            most[0] = max(most[0], connection._transport.get_write_buffer_size())
            left -= len(await client.reader.read(1 << 20))
        assert most[0] < 1 << 20
        client.close()


async def test_a_client_that_does_not_read_stops_the_server() -> None:
    sent = [0]
    writers: list[asyncio.StreamWriter] = []

    def waiting() -> bool:
        return any(writer.transport.get_write_buffer_size() for writer in writers)

    async def script(call: Call) -> None:
        writers.append(call.writer)
        call.send(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')
        while True:
            call.send(b'8000\r\n' + b'x' * 0x8000 + b'\r\n')
            await call.writer.drain()
            sent[0] += 0x8000

    async with RawServer(script) as up, Proxy(snapshot([server('s1', up.port)])) as proxy:
        client = await RawClient.to(proxy.port)
        client.send(GET + b'\r\n')
        await client.head()
        [connection] = proxy.traffic._clients
        # everybody on the way has as much as it takes: the client's reader, the proxy, the server's writer
        await until(lambda: client.reader._paused and connection.is_congested() and waiting())  # type: ignore[attr-defined]
        assert sent[0] < 32 << 20
        assert connection._transport is not None
        assert connection._transport.get_write_buffer_size() < 1 << 20
        assert proxy.served() == 1
        client.reset()
        await until(lambda: proxy.served() == 0)
        assert ' CD-- ' in (await proxy.log_lines())[0]


async def test_an_early_answer_closes_the_upload() -> None:
    async def script(call: Call) -> None:
        call.send(b'HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno')

    async with RawServer(script) as up, Proxy(snapshot([server('s1', up.port)])) as proxy:
        client = await RawClient.to(proxy.port)
        client.send(b'POST / HTTP/1.1\r\n' + HOST + b'Content-Length: 1000000\r\n\r\n' + b'x' * 1_000)
        assert await client.head() == b'HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\n'
        assert await client.rest() == b'no'
        await until(lambda: up.open == 0)
        assert proxy.served() == 0
