"""The rules for a safe HTTP proxy, each as raw bytes over a socket: refused, and nothing of it seen by the server."""

from __future__ import annotations

import asyncio

import pytest

from dataplane.core.counters import C
from tests.integration.harness.proxy import Proxy, server, snapshot
from tests.integration.harness.raw import HOST, OK, Call, RawClient, RawServer, answering, ask, ok, until

GET = b'GET / HTTP/1.1\r\n' + HOST
POST = b'POST / HTTP/1.1\r\n' + HOST
CLOSE = b'Connection: close\r\n\r\n'
CHUNKED = b'Transfer-Encoding: chunked\r\n\r\n'

REFUSED = {
    'rule_01_length_and_chunked': (POST + b'Content-Length: 5\r\n' + CHUNKED + b'0\r\n\r\n', 400),
    'rule_02_two_lengths': (POST + b'Content-Length: 5\r\nContent-Length: 6\r\n\r\n', 400),
    'rule_02_same_length_twice': (POST + b'Content-Length: 5, 5\r\n\r\n', 400),
    'rule_03_length_is_digits': (POST + b'Content-Length: +5\r\n\r\n', 400),
    'rule_04_coding_unknown': (POST + b'Transfer-Encoding: x-chunked\r\n\r\n', 400),
    'rule_04_coding_stacked': (POST + b'Transfer-Encoding: gzip, chunked\r\n\r\n', 501),
    'rule_05_chunked_in_1_0': (b'POST / HTTP/1.0\r\n' + CHUNKED, 400),
    'rule_06_chunk_size': (POST + CHUNKED + b'+5\r\nabcde\r\n0\r\n\r\n', 400),
    'rule_06_bare_lf_after_size': (POST + CHUNKED + b'5\nabcde\r\n0\r\n\r\n', 400),
    'rule_13_space_before_colon': (GET + b'X : 1\r\n\r\n', 400),
    'rule_14_obs_fold': (GET + b'X: 1\r\n 2\r\n\r\n', 400),
    'rule_15_bare_cr': (GET + b'X: 1\r2\r\n\r\n', 400),
    'rule_15_bare_lf': (b'GET / HTTP/1.1\nHost: a\n\n', 400),
    'rule_15_nul': (GET + b'X: \x00\r\n\r\n', 400),
    'rule_16_name_is_token': (GET + b'X(: 1\r\n\r\n', 400),
    'rule_17_two_spaces': (b'GET  / HTTP/1.1\r\n' + HOST + b'\r\n', 400),
    'rule_17_version': (b'GET / HTTP/2.0\r\n' + HOST + b'\r\n', 400),
    'rule_17_http_0_9': (b'GET /\r\n\r\n', 400),
    'rule_18_head_too_large': (GET + b'X: ' + b'a' * 20_000 + b'\r\n\r\n', 400),
    'rule_18_never_ending_head': (GET + b'X: ' + b'a' * 20_000, 400),
    'rule_18_too_many_fields': (GET + b'X: a\r\n' * 150 + b'\r\n', 400),
    'rule_18_target_too_long': (b'GET /' + b'a' * 20_000 + b' HTTP/1.1\r\n' + HOST + b'\r\n', 400),
    'rule_19_no_host': (b'GET / HTTP/1.1\r\n\r\n', 400),
    'rule_19_two_hosts': (GET + HOST + b'\r\n', 400),
    'rule_21_connect': (b'CONNECT a:1 HTTP/1.1\r\n' + HOST + b'\r\n', 405),
    'rule_21_asterisk': (b'GET * HTTP/1.1\r\n' + HOST + b'\r\n', 400),
    'rule_22_encoded_nul': (b'GET /%00 HTTP/1.1\r\n' + HOST + b'\r\n', 400),
    'rule_23_userinfo': (b'GET http://u:p@a/ HTTP/1.1\r\n' + HOST + b'\r\n', 400),
    'rule_27_unknown_expectation': (GET + b'Expect: x\r\n\r\n', 417),
    'rule_28_trace': (b'TRACE / HTTP/1.1\r\n' + HOST + b'\r\n', 405),
    'tls_to_a_plain_port': (b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400),
}


@pytest.mark.parametrize('rule', REFUSED)
async def test_refused_and_never_forwarded(rule: str) -> None:
    raw, status = REFUSED[rule]
    async with RawServer(ok) as up, Proxy(snapshot([server('s1', up.port)])) as proxy:
        # what follows must not be taken for a request either
        answer = await ask(proxy.port, raw + GET + CLOSE)
        assert answer.startswith(b'HTTP/1.1 %d ' % status)
        assert answer.count(b'HTTP/1.1 ') == 1
        assert b'onnection: close\r\n' in answer
        assert up.heads == []
        [line] = await proxy.log_lines()
        assert f' {status} ' in line
        assert ' PR-- ' in line
        assert proxy.served() == 0


async def test_rule_06_a_malformed_chunk_later_on_cuts_the_upload() -> None:
    async def script(call: Call) -> None:
        await call.body()
        call.send(OK)

    async with RawServer(script) as up, Proxy(snapshot([server('s1', up.port)])) as proxy:
        client = await RawClient.to(proxy.port)
        client.send(POST + CHUNKED + b'3\r\nabc\r\n')
        await until(lambda: proxy.served() == 1 and bool(up.heads))
        client.send(b'0x3\r\nabc\r\n0\r\n\r\n')
        assert (await client.rest()).startswith(b'HTTP/1.1 400 ')
        await until(lambda: up.open == 0)
        assert proxy.served() == 0


async def test_rule_07_and_08_bodies_are_framed_anew_without_trailers() -> None:
    seen: list[bytes] = []

    async def script(call: Call) -> None:
        seen.append(await call.body())
        call.send(
            b'HTTP/1.1 200 OK\r\nTransfer-Encoding: CHUNKED\r\nTrailer: Host\r\n\r\n2;a\r\nok\r\n0\r\nHost: evil\r\n\r\n'
        )

    async with RawServer(script) as up, Proxy(snapshot([server('s1', up.port)])) as proxy:
        raw = POST + b'Trailer: Host\r\nTransfer-Encoding:  Chunked\r\n\r\n3;x="y"\r\nabc\r\n0\r\nHost: evil\r\n\r\n'
        client = await RawClient.to(proxy.port)
        client.send(raw)
        assert await client.head() == b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'
        assert await client.exactly(12) == b'2\r\nok\r\n0\r\n\r\n'
        assert up.heads == [POST + b'Transfer-Encoding: chunked\r\n\r\n']
        assert seen == [b'abc']
        client.close()


@pytest.mark.parametrize(
    'answer',
    [
        b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
        b'HTTP/1.1 200 OK\r\nX : 1\r\n\r\n', b'HTTP/1.1 200 OK\r\nX: 1\r\n 2\r\n\r\n', b'HTTP/1.1 xx OK\r\n\r\n',
        b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n', b'SSH-2.0-x\r\n\r\n',
        b'HTTP/1.1 200 OK\r\nX: ' + b'a' * 20_000 + b'\r\n\r\n', b'x' * 20_000, b'HTTP/1.1 200 OK\r\n' + b'X: 1\r\n' * 150 + b'\r\n',
        b'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n',
    ],
)  # fmt: skip
async def test_rule_11_and_14_and_26_a_bad_response_is_a_502(answer: bytes) -> None:
    async with RawServer(answering(answer)) as up, Proxy(snapshot([server('s1', up.port)])) as proxy:
        out = await ask(proxy.port, GET + CLOSE)
        assert out.startswith(b'HTTP/1.1 502 Bad Gateway\r\n')
        assert b'X: ' not in out
        assert ' 502 ' in (line := (await proxy.log_lines())[0])
        assert ' PH-- ' in line
        await until(lambda: up.open == 0)
        assert proxy.served() == 0


@pytest.mark.parametrize(
    'answer, flags',
    [
        (b'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc', 'SD--'),
        (b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n', 'SD--'),
        (b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nx\r\n', 'PD--'),
    ],
)
async def test_rule_10_an_incomplete_body_is_never_completed(answer: bytes, flags: str) -> None:
    async def script(call: Call) -> None:
        call.send(answer)
        call.writer.close()

    async with RawServer(script) as up, Proxy(snapshot([server('s1', up.port)])) as proxy:
        out = await ask(proxy.port, GET + b'\r\n')
        assert not out.endswith(b'0\r\n\r\n')
        assert f' {flags} ' in (await proxy.log_lines())[0]
        assert proxy.served() == 0


@pytest.mark.parametrize('extra', [b'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil', b'x'])
async def test_rule_12_extra_bytes_poison_the_connection(extra: bytes) -> None:
    async def script(call: Call) -> None:
        call.send(OK + extra if call.number == 1 else OK)

    async with RawServer(script) as up, Proxy(snapshot([server('s1', up.port)])) as proxy:
        client = await RawClient.to(proxy.port)
        for _ in range(3):
            client.send(GET + b'\r\n')
            assert await client.answer() == (200, b'ok')
        assert up.connections == 2
        client.close()


async def test_rule_12_bytes_on_an_idle_connection_discard_it() -> None:
    async def script(call: Call) -> None:
        call.send(OK)
        await call.writer.drain()
        if call.number == 1:
            await gate.wait()
            call.send(b'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil')

    gate = asyncio.Event()
    async with RawServer(script) as up, Proxy(snapshot([server('s1', up.port)])) as proxy:
        client = await RawClient.to(proxy.port)
        client.send(GET + b'\r\n')
        assert await client.answer() == (200, b'ok')
        gate.set()
        await until(lambda: up.open == 0)
        client.send(GET + b'\r\n')
        assert await client.answer() == (200, b'ok')
        client.close()


async def test_rule_20_absolute_form_overrules_host() -> None:
    async with RawServer(ok) as up, Proxy(snapshot([server('s1', up.port)])) as proxy:
        await ask(proxy.port, b'GET http://b:8/p?q HTTP/1.1\r\nHost: a\r\n' + CLOSE)
        assert up.heads == [b'GET /p?q HTTP/1.1\r\nHost: b:8\r\n\r\n']


async def test_rule_22_the_raw_path_is_forwarded() -> None:
    async with RawServer(ok) as up, Proxy(snapshot([server('s1', up.port)])) as proxy:
        await ask(proxy.port, b'GET /a//b/../%7e%2f?x=%zz HTTP/1.1\r\nHost: a\r\n' + CLOSE)
        assert up.heads == [b'GET /a//b/../%7e%2f?x=%zz HTTP/1.1\r\nHost: a\r\n\r\n']


async def test_rule_24_hop_by_hop_fields_end_here_in_both_directions() -> None:
    answer = (
        b'HTTP/1.1 200 OK\r\nConnection: X-Hop, Content-Length\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nUpgrade: h2c\r\n'
        b'Proxy-Authenticate: x\r\nContent-Length: 2\r\nX-End: 1\r\n\r\nok'
    )
    async with RawServer(answering(answer)) as up, Proxy(snapshot([server('s1', up.port)])) as proxy:
        out = await ask(
            proxy.port,
            GET + b'Connection: close, X-Hop, Host\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\nUpgrade: h2c\r\n'
            b'Proxy-Authorization: x\r\nX-End: 1\r\n\r\n',
        )  # fmt: skip
        assert up.heads == [GET + b'X-End: 1\r\n\r\n']
        assert out == b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-End: 1\r\nConnection: close\r\n\r\nok'


async def test_rule_27_interim_responses_are_for_http_1_1() -> None:
    script = answering(b'HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n' + OK)
    async with RawServer(script) as up, Proxy(snapshot([server('s1', up.port)])) as proxy:
        assert b' 103 ' not in await ask(proxy.port, b'GET / HTTP/1.0\r\n\r\n')
        assert b' 103 ' in await ask(proxy.port, GET + CLOSE)


async def test_rule_28_options_that_may_go_no_further_is_answered_here() -> None:
    async with RawServer(ok) as up, Proxy(snapshot([server('s1', up.port)])) as proxy:
        client = await RawClient.to(proxy.port)
        client.send(b'OPTIONS * HTTP/1.1\r\n' + HOST + b'Max-Forwards: 0\r\n\r\n')
        assert await client.answer() == (200, b'')
        client.send(b'OPTIONS * HTTP/1.1\r\n' + HOST + b'Max-Forwards: 1\r\n\r\n')
        assert await client.answer() == (200, b'ok')
        assert up.heads == [b'OPTIONS * HTTP/1.1\r\n' + HOST + b'Max-Forwards: 0\r\n\r\n']
        assert ' LR-- ' in (await proxy.log_lines())[0]
        assert proxy.counter(C.REQ_TOT) == 2
        client.close()


async def test_rule_31_names_with_an_underscore_are_dropped() -> None:
    async with RawServer(ok) as up, Proxy(snapshot([server('s1', up.port)])) as proxy:
        await ask(proxy.port, GET + b'X_Forwarded_For: 1\r\n' + CLOSE)
        assert up.heads == [GET + b'\r\n']


async def test_rule_34_a_request_that_reached_the_server_is_not_repeated() -> None:
    async def script(call: Call) -> None:
        call.reset()

    async with RawServer(script) as up, Proxy(snapshot([server('s1', up.port)], backend={'retries': 3})) as proxy:
        assert (await ask(proxy.port, GET + CLOSE)).startswith(b'HTTP/1.1 502 ')
        assert len(up.heads) == 1


@pytest.mark.parametrize('method, repeated', [(b'GET', True), (b'PUT', True), (b'POST', False)])
async def test_rule_34_a_reused_connection_that_dies(method: bytes, repeated: bool) -> None:
    async def script(call: Call) -> None:
        if call.number == 1 and len(up.heads) == 2:
            call.reset()
        else:
            call.send(OK)

    async with RawServer(script) as up, Proxy(snapshot([server('s1', up.port)])) as proxy:
        client = await RawClient.to(proxy.port)
        client.send(GET + b'\r\n')
        assert await client.answer() == (200, b'ok')
        client.send(method + b' / HTTP/1.1\r\n' + HOST + b'\r\n')
        if repeated:
            assert await client.answer() == (200, b'ok')
            assert len(up.heads) == 3
        else:
            # closed without a word, so that the client knows that it may have to send it again
            assert await client.rest() == b''
            assert len(up.heads) == 2
        client.close()
        await until(lambda: proxy.served() == 0)
