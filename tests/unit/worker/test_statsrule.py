"""Who sees a statistics page and who may act on it, as `stats` lines of a proxy with traffic say; over real sockets."""

from __future__ import annotations

import re

import pytest

from tests.unit.worker.asking import asking


def request(target: str = '/s', method: str = 'GET', *fields: str) -> bytes:
    return '\r\n'.join((f'{method} {target} HTTP/1.1', 'Host: h', *fields, '', '')).encode()


@pytest.mark.parametrize(
    'target, method',
    [('/x', 'GET'), ('/', 'GET'), ('/S', 'GET'), ('/s', 'PUT'), ('/s', 'DELETE'), ('/s', 'OPTIONS'), ('http://h/x/s', 'GET')],
)  # fmt: skip
async def test_what_is_no_request_for_the_page_goes_on(target: str, method: str) -> None:
    async with asking('stats uri /s') as one:
        one.client.send(request(target, method))
        status, _ = await one.client.answer()
        assert (status, one.asked) == (503, [])  # its backend has no servers
        (line,) = await one.proxy.log_lines()
        assert ' be/<NOSRV> ' in line


@pytest.mark.parametrize('target', ['/s', '/s;csv', '/stats/x?y', 'http://h/s', 'http://h/s;up'])
@pytest.mark.parametrize('method', ['GET', 'HEAD', 'POST'])
async def test_the_address_is_a_prefix(target: str, method: str) -> None:
    async with asking('stats uri /s') as one:
        one.client.send(request(target, method, 'Content-Length: 0'))
        asked = await one.question()
        assert (asked['op'], asked['service'], asked['proxy'], asked['backend']) == ('page', '', 'fe', False)
        assert (asked['target'], asked['method']) == (target, method)
        one.answer()
        (line,) = await one.proxy.log_lines()
        assert ' fe/<STATS> ' in line
        assert ' 200 ' in line
        assert ' LR-- ' in line


async def test_the_page_of_a_backend() -> None:
    async with asking('stats uri /f', 'stats uri /b') as one:
        one.client.send(request('/b'))
        asked = await one.question()
        assert (asked['proxy'], asked['backend']) == ('be', True)
        one.answer()
        assert (await one.client.answer())[1] == b'page'


RULES = 'stats uri /s\n stats http-request deny if { hdr(bad) 1 }\n stats http-request allow if { hdr(ok) 1 }\n stats http-request auth realm My\\ own'


@pytest.mark.parametrize(
    'fields, status, end',
    [(('bad: 1',), 403, 'PR--'), (('bad: 1', 'ok: 1'), 403, 'PR--'), ((), 401, 'LR--'), (('ok: 1',), 200, 'LR--')],
)
async def test_the_first_rule_that_holds_counts(fields: tuple[str, ...], status: int, end: str) -> None:
    async with asking(RULES) as one:
        one.client.send(request('/s', 'GET', *fields))
        if status == 200:
            await one.question()
            one.answer()
        head = await one.client.head()
        assert head.startswith(f'HTTP/1.1 {status} '.encode())
        assert (b'\r\nwww-authenticate: Basic realm="My own"\r\n' in head) is (status == 401)
        assert len(one.asked) == (status == 200)
        (line,) = await one.proxy.log_lines()
        assert re.search(r' fe/<STATS> \d+/0/0/', line)
        assert f' {end} ' in line


@pytest.mark.parametrize(
    'lines, fields, granted',
    [
        ('', (), False),
        ('stats admin if TRUE', (), True),
        ('stats admin if FALSE', (), False),
        ('stats admin if { hdr(one) 1 }', (), False),
        ('stats admin if { hdr(one) 1 }', ('one: 1',), True),
        ('stats admin unless { hdr(one) 1 }', ('one: 1',), False),
        ('stats admin if { hdr(one) 1 }\n stats admin if { hdr(two) 1 }', ('two: 1',), True),
    ],
)
async def test_who_may_act_is_told_to_the_supervisor(lines: str, fields: tuple[str, ...], granted: bool) -> None:
    # the first condition is what makes workers answer for this page
    async with asking(f'stats uri /s\n {lines}\n default_backend be') as one:
        one.client.send(request('/s', 'GET', *fields))
        assert (await one.question())['granted'] is granted


async def test_rules_of_the_proxy_come_first_and_redirects_last() -> None:
    async with asking(
        'stats uri /s\n http-request deny if { path /s/no }\n redirect location /else if { path_beg /s }'
    ) as one:
        one.client.send(request('/s/no'))
        assert (await one.client.answer())[0] == 403
        one.client.send(request('/s/yes'))
        assert (await one.question())['target'] == '/s/yes'
