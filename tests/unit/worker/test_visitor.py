"""A request that the supervisor answers: what it is asked, what becomes of a form's body, and every way that this can end."""

from __future__ import annotations

import pytest

from dataplane.worker import visitor
from dataplane.worker.inquiry import MOST
from tests.integration.harness.raw import RawClient, until
from tests.unit.worker.asking import Asking, asking
from tests.unit.worker.house import COMPILED

LINES = 'stats uri /s'
GET = b'GET /s HTTP/1.1\r\nHost: h\r\n\r\n'
FORM = b's=s1&action=drain&b=be'


def post(*fields: str, version: str = '1.1') -> bytes:
    return '\r\n'.join((f'POST /s HTTP/{version}', 'Host: h', *fields, '', '')).encode()


def is_asking(one: Asking) -> bool:
    return [row['state'] for row in one.proxy.traffic.sessions()] == ['ASKING']


async def test_what_the_supervisor_is_told() -> None:
    async with asking(LINES) as one:
        one.client.send(
            b'GET /s;csv?x=%ff HTTP/1.1\r\nHost: h:1\r\nCookie: secret\r\nAuthorization: Basic eA==\r\nOrigin: http://o\r\n'
            b'Referer: r\r\nSec-Fetch-Site: none\r\nAccept-Encoding: gzip\r\nX-Other: y\r\n\r\n'
        )
        assert await one.question() == {
            'op': 'page', 'question': 1, 'service': '', 'proxy': 'fe', 'backend': False, 'granted': False, 'method': 'GET',
            'target': '/s;csv?x=%ff', 'body': '', 'address': '127.0.0.1',
            'fields': {
                'host': 'h:1', 'authorization': 'Basic eA==', 'origin': 'http://o', 'referer': 'r', 'sec-fetch-site': 'none',
                'accept-encoding': 'gzip',
            },
        }  # fmt: skip


async def test_connections_stay_where_they_may() -> None:
    async with asking(LINES) as one:
        for number in (1, 2):
            one.client.send(GET)
            await one.question(number)
            one.answer(number)
            head = await one.client.head()
            assert b'\r\nconnection: ' not in head
            assert await one.client.exactly(4) == b'page'
        one.client.send(GET.replace(b'\r\n\r\n', b'\r\nConnection: close\r\n\r\n'))
        await one.question(3)
        one.answer(3)
        answer = await one.client.rest()
        assert b'\r\nconnection: close\r\n' in answer
        assert answer.endswith(b'\r\n\r\npage')


async def test_a_form_is_asked_for_once_its_body_is_whole() -> None:
    async with asking(LINES) as one:
        one.client.send(post(f'Content-Length: {len(FORM)}') + FORM[:5])
        await until(lambda: is_asking(one))
        assert one.asked == []
        one.client.send(FORM[5:])
        assert (await one.question())['body'] == FORM.decode()
        one.answer(status=303, page=b'HTTP/1.1 303 See Other\r\nlocation: /s;st=DONE\r\ncontent-length: 0\r\n\r\n')
        assert b'\r\nlocation: /s;st=DONE\r\n' in await one.client.head()
        one.client.send(post('Transfer-Encoding: chunked') + b'3\r\na=b\r\n')
        one.client.send(b'2\r\n&c\r\n0\r\n\r\n')
        assert (await one.question(2))['body'] == 'a=b&c'


@pytest.mark.parametrize('framing', [f'Content-Length: {len(FORM)}', 'Transfer-Encoding: chunked'])
async def test_who_asks_before_it_sends_a_form_is_told_to_go_on(framing: str) -> None:
    body = FORM if 'Length' in framing else b'%x\r\n%b\r\n0\r\n\r\n' % (len(FORM), FORM)
    async with asking(LINES) as one:
        one.client.send(post(framing, 'Expect: 100-continue'))
        assert await one.client.head() == b'HTTP/1.1 100 Continue\r\n\r\n'
        assert one.asked == []
        one.client.send(body)
        asked = await one.question()
        assert asked['body'] == FORM.decode()
        one.answer()
        assert await one.client.answer() == (200, b'page')


async def test_who_sends_nothing_is_not_told_to() -> None:
    async with asking(LINES) as one:
        one.client.send(post('Content-Length: 0', 'Expect: 100-continue'))
        await one.question()
        one.answer()
        assert await one.client.answer() == (200, b'page')


async def test_a_form_that_does_not_fit_into_a_buffer_is_not_read_to_its_end() -> None:
    async with asking(LINES) as one:
        one.client.send(post('Content-Length: 100000') + b'x' * 20_000)
        assert (await one.question())['body'] is None
        one.answer()
        answer = await one.client.rest()
        assert b'\r\nconnection: close\r\n' in answer
        assert answer.endswith(b'\r\n\r\npage')
        assert len(one.asked) == 1


async def test_head_has_no_body() -> None:
    async with asking(LINES) as one:
        one.client.send(GET.replace(b'GET', b'HEAD'))
        await one.question()
        one.answer()
        assert b'\r\ncontent-length: 4\r\n' in await one.client.head()
        one.client.send(GET)
        await one.question(2)
        one.answer(2)
        assert await one.client.answer() == (200, b'page')


async def test_an_answer_without_a_page() -> None:
    async with asking(LINES) as one:
        one.client.send(GET)
        await one.question()
        one.answer(status=503, page=None)
        assert (await one.client.answer())[0] == 503
        (line,) = await one.proxy.log_lines()
        assert ' fe/<STATS> ' in line
        assert ' 503 ' in line


async def test_only_so_many_ask_at_a_time() -> None:
    async with asking(LINES) as one:
        others = [await RawClient.to(one.proxy.port) for _ in range(MOST)]
        for other in others:
            other.send(GET)
        await one.question(MOST)
        one.client.send(GET)
        assert (await one.client.answer())[0] == 503
        assert len(one.asked) == MOST
        for number in range(1, MOST + 1):
            one.answer(number)
        assert await others[-1].answer() == (200, b'page')
        for other in others:
            other.close()


async def test_a_client_that_leaves_before_the_answer() -> None:
    async with asking(LINES) as one:
        one.client.send(GET)
        await one.question()
        one.client.reset()
        (line,) = await one.proxy.log_lines()
        assert ' CH-- ' in line
        one.answer()  # nobody is there
        other = await RawClient.to(one.proxy.port)
        other.send(GET)
        await one.question(2)
        one.answer(2)
        assert await other.answer() == (200, b'page')
        other.close()


async def test_a_client_that_leaves_in_its_form() -> None:
    async with asking(LINES) as one:
        one.client.send(post('Content-Length: 9') + b'a')
        await until(lambda: is_asking(one))
        one.client.reset()
        (line,) = await one.proxy.log_lines()
        assert ' CD-- ' in line
        assert one.asked == []


@pytest.mark.skipif(COMPILED, reason='how long it waits is part of the compiled code')
async def test_a_supervisor_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visitor, '_PATIENCE', 30)
    async with asking(LINES) as one:
        one.client.send(GET)
        await one.question()
        assert (await one.client.answer())[0] == 503
        one.answer()  # too late: it is nobody's answer by now
        one.client.send(GET)
        await one.question(2)
        one.answer(2)
        assert await one.client.answer() == (200, b'page')
