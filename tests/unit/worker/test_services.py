"""`http-request use-service prometheus-exporter` beside traffic, over real sockets."""

from __future__ import annotations

import re

import pytest

from tests.unit.worker.asking import asking

EXPORTER = 'http-request use-service prometheus-exporter'


async def test_where_the_rule_stands_and_under_its_conditions() -> None:
    lines = f'http-request deny if {{ hdr(bad) 1 }}\n {EXPORTER} if {{ path_beg /m }} !{{ hdr(not) 1 }}\n http-request deny if {{ path /m/late }}'
    async with asking(lines) as one:
        for target, field, status in (('/m', 'bad', 403), ('/m/late', 'not', 403), ('/x', 'a', 503)):
            one.client.send(f'GET {target} HTTP/1.1\r\nHost: h\r\n{field}: 1\r\n\r\n'.encode())
            assert (await one.client.answer())[0] == status
        await one.proxy.log_lines(3)
        assert one.asked == []
        one.client.send(b'GET /m/late?scope=server HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n')
        asked = await one.question()
        assert (asked['service'], asked['target'], asked['granted']) == (
            'prometheus-exporter',
            '/m/late?scope=server',
            False,
        )
        assert asked['fields'] == {'host': 'h', 'accept-encoding': 'gzip'}
        one.answer()
        assert await one.client.answer() == (200, b'page')
        (line,) = await one.proxy.log_lines()
        assert re.search(r' fe/<PROMEX> \d+/0/0/', line)
        assert ' LR-- ' in line


async def test_in_a_backend() -> None:
    async with asking('', f'{EXPORTER} if {{ path /m }}') as one:
        one.client.send(b'GET /m HTTP/1.1\r\nHost: h\r\n\r\n')
        assert (await one.question())['service'] == 'prometheus-exporter'
        one.answer()
        assert await one.client.answer() == (200, b'page')
        (line,) = await one.proxy.log_lines()
        assert ' be/<PROMEX> ' in line


@pytest.mark.parametrize('method, body', [('HEAD', b''), ('POST', b'page'), ('PUT', b'page')])
async def test_whatever_the_method(method: str, body: bytes) -> None:
    """As with HAProxy; nobody waits for a body that nobody reads, but the connection ends."""
    async with asking(EXPORTER) as one:
        length = 0 if method == 'HEAD' else 10
        one.client.send(f'{method} / HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n'.encode())
        assert (await one.question())['body'] == ''
        one.answer()
        head = await one.client.head()
        assert head.startswith(b'HTTP/1.1 200 OK\r\n')
        assert (b'\r\nconnection: close\r\n' in head) is bool(length)
        assert await one.client.exactly(len(body)) == body
