"""Rules that wait, over real sockets, and what a server is told of who asked: what no comparison with HAProxy 2.6 can show."""

from __future__ import annotations

import asyncio

import pytest

from tests.integration.harness.proxy import Proxy
from tests.integration.harness.raw import Call, RawClient, RawServer, until
from tests.integration.test_ruled_traffic import configured, echo


async def asked(lines: str, request: bytes, *, back: str = '', more: str = '') -> tuple[int, bytes]:
    """Status and body of the answer of a server that answers with the head it was sent."""
    async with RawServer(echo) as up, Proxy(configured(up.port, lines, back=back, more=more)) as proxy:
        client = await RawClient.to(proxy.port)
        client.send(request)
        status, body = await client.answer()
        client.close()
        return status, body


GET = b'GET /x HTTP/1.1\r\nHost: h.test\r\n\r\n'


@pytest.mark.parametrize(
    'line, field',
    [
        ('option forwarded', b'proto=http;for=127.0.0.1'),
        ('option forwarded host', b'host="h.test"'),
        ('option forwarded for-expr str(_me) for_port-expr str(_p)', b'for="_me:_p"'),
        ('option forwarded for-expr str(me)', b'for=unknown'),
        ('option forwarded for-expr str(2001:db8::1)', b'for="[2001:db8::1]"'),
        ('option forwarded for-expr str(2001:db8::1) for_port-expr int(70000)', b'for="[2001:db8::1]"'),
        ('option forwarded by-expr str(10.0.0.1) by_port-expr int(80)', b'by="10.0.0.1:80"'),
        ('option forwarded host-expr str(a:80)', b'host="a:80"'),
    ],
)
async def test_the_server_is_told_who_asked(line: str, field: bytes) -> None:
    for front, back in ((line, ''), ('', line), ('option forwarded by', line)):
        status, body = await asked(front, GET, back=back)
        assert status == 200
        assert b'\r\nForwarded: ' + field + b'\r\n' in body


async def test_both_ends_with_their_ports() -> None:
    _, body = await asked('option forwarded by by_port for for_port', GET)
    field = body.partition(b'Forwarded: ')[2].partition(b'\r\n')[0]
    by, _, for_ = field.partition(b';')
    assert by.startswith(b'by="127.0.0.1:')
    assert for_.startswith(b'for="127.0.0.1:')


async def test_what_rules_say_of_addresses_is_what_the_server_is_told() -> None:
    lines = 'option forwarded\n option forwardfor\n http-request set-src str(192.0.2.7)'
    _, body = await asked(lines, GET)
    assert b'\r\nForwarded: proto=http;for=192.0.2.7\r\n' in body
    assert b'\r\nX-Forwarded-For: 192.0.2.7\r\n' in body


async def test_a_request_pauses_and_goes_on() -> None:
    lines = 'http-request set-header x-before a\n http-request pause 120ms if TRUE\n http-request set-header x-after %[req.hdr(x-before)]'
    began = asyncio.get_running_loop().time()
    status, body = await asked(lines, GET, back='http-request pause int(60)\n http-request set-header x-back b')
    assert status == 200
    assert b'x-after: a\r\n' in body
    assert b'x-back: b\r\n' in body
    assert asyncio.get_running_loop().time() - began >= 0.17


async def test_a_client_that_leaves_in_a_pause_is_counted_and_gone() -> None:
    async with RawServer(echo) as up, Proxy(configured(up.port, 'option httplog\n http-request pause 1h')) as proxy:
        client = await RawClient.to(proxy.port)
        client.send(GET)
        await until(lambda: [row['state'] for row in proxy.traffic.sessions()] == ['GATHERING'])
        client.close()
        (line,) = await proxy.log_lines()
        assert ' -1 0 - - CR-- ' in line
        assert up.heads == []


async def test_an_answer_pauses_whole_or_ended() -> None:
    async def closing(call: Call) -> None:
        call.send(b'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end')
        call.writer.write_eof()

    lines = 'http-response pause 50ms\n http-response set-header x-paused %[res.body_len]'
    status, body = await asked(lines, GET)
    assert (status, body.startswith(b'GET /x HTTP/1.1\r\n')) == (200, True)
    async with RawServer(closing) as up, Proxy(configured(up.port, lines)) as proxy:
        client = await RawClient.to(proxy.port)
        client.send(GET)
        whole = await client.rest()
        assert whole.startswith(b'HTTP/1.1 200 OK\r\n')
        assert whole.endswith(b'until the end')


async def test_no_more_of_a_body_is_waited_for_than_a_buffer_holds() -> None:
    lines = (
        'http-request wait-for-body time 1h\n http-request return status 200 content-type a/b lf-string %[req.body_len]'
    )
    async with RawServer(echo) as up, Proxy(configured(up.port, lines)) as proxy:
        client = await RawClient.to(proxy.port)
        client.send(b'POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n' + b'x' * 40_000)
        status, body = await client.answer()
        assert status == 200
        assert 15_000 <= int(body) <= 16_384
        client.close()


async def test_a_long_answer_is_not_waited_for_to_its_end() -> None:
    async def long(call: Call) -> None:
        call.send(b'HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n' + b'y' * 100_000)

    lines = 'http-response wait-for-body time 1h\n http-response set-header x-enough %[res.body_size]'
    async with RawServer(long) as up, Proxy(configured(up.port, lines)) as proxy:
        client = await RawClient.to(proxy.port)
        client.send(GET)
        status, body = await client.answer()
        assert (status, len(body)) == (200, 100_000)
        client.close()


async def test_hints_come_before_the_answer() -> None:
    lines = 'http-request early-hint Link </a>;rel=preload\n http-request pause 10ms'
    async with RawServer(echo) as up, Proxy(configured(up.port, lines)) as proxy:
        client = await RawClient.to(proxy.port)
        client.send(GET.replace(b'\r\n\r\n', b'\r\nConnection: close\r\n\r\n'))
        whole = await client.rest()
        assert whole.startswith(b'HTTP/1.1 103 Early Hints\r\nlink: </a>;rel=preload\r\n\r\nHTTP/1.1 200 OK\r\n')


async def test_the_type_of_service_is_set_on_the_connection() -> None:
    lines = 'http-request set-fc-tos 0x28\n http-response set-tos int(16)'
    status, _ = await asked(lines, GET)
    assert status == 200
