"""Rules over real sockets: what becomes of requests and answers, and that no rule makes a message that is not one."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from dataplane.core.changes import SetAdmin, SetMaxconn
from dataplane.core.counters import C
from dataplane.core.model import AdminState, Snapshot
from tests.integration.harness.proxy import Proxy
from tests.integration.harness.raw import Call, RawClient, RawServer, until
from tests.unit.config.loading import snapshot

DEFAULTS = 'defaults\n mode http\n timeout client 10s\n timeout server 10s\n timeout connect 5s\n'


def configured(port: int, lines: str, *, back: str = '', more: str = '') -> Snapshot:
    """A frontend with these lines before a backend with those, of one server."""
    return snapshot(
        f'{DEFAULTS}frontend f\n bind 127.0.0.1:1\n default_backend b\n {lines}\nbackend b\n server s 127.0.0.1:{port}\n {back}\n{more}'
    )


async def echo(call: Call) -> None:
    """Answers with the head it was sent."""
    call.send(b'HTTP/1.1 200 OK\r\nX-Old: a\r\nContent-Length: %d\r\n\r\n%b' % (len(call.head), call.head))


@pytest.mark.parametrize(
    'lines, target, first',
    [
        ('http-request set-path /a\\ b', '/x?q', 'GET /a%20b?q HTTP/1.1'),
        ('http-request set-path /%[url_param(p),url_dec]', '/x?p=1%20HTTP/1.1%0d%0aX:y', 'GET /1%20HTTP/1.1%0D%0AX:y?p=1%20HTTP/1.1%0d%0aX:y HTTP/1.1'),
        ('http-request set-query %[str(?a=b)]', '/x', 'GET /x??a=b HTTP/1.1'),
        ('http-request set-uri /z?k', '/x?q', 'GET /z?k HTTP/1.1'),
        ('http-request set-method post', '/x', 'POST /x HTTP/1.1'),
        ('http-request replace-path ^/old(/.*)? /new\\1', '/old/a?k', 'GET /new/a?k HTTP/1.1'),
    ],
)  # fmt: skip
async def test_no_rule_breaks_the_request_line(lines: str, target: str, first: str) -> None:
    async with RawServer(echo) as up, Proxy(configured(up.port, lines)) as proxy:
        client = await RawClient.to(proxy.port)
        client.send(f'GET {target} HTTP/1.1\r\nHost: h\r\n\r\n'.encode())
        status, body = await client.answer()
        assert (status, body.decode().partition('\r\n')[0]) == (200, first)
        client.close()


async def test_fields_cannot_be_made_to_end() -> None:
    lines = 'http-request set-header x-p %[url_param(p),url_dec]'
    async with RawServer(echo) as up, Proxy(configured(up.port, lines)) as proxy:
        client = await RawClient.to(proxy.port)
        client.send(b'GET /?p=a%0d%0aX-Evil:%201 HTTP/1.1\r\nHost: h\r\n\r\n')
        status, body = await client.answer()
        assert status == 200
        assert b'\r\nx-p: a%0D%0AX-Evil: 1\r\n' in body
        client.close()


async def test_no_more_can_an_id_that_the_server_is_told() -> None:
    lines = 'unique-id-format %[url_param(p),url_dec]\n unique-id-header X-Id'
    async with RawServer(echo) as up, Proxy(configured(up.port, lines)) as proxy:
        client = await RawClient.to(proxy.port)
        client.send(b'GET /?p=a%0d%0aX-Evil:%201 HTTP/1.1\r\nHost: h\r\n\r\n')
        status, body = await client.answer()
        assert status == 200
        assert b'\r\nX-Id: a' in body
        assert b'\r\nX-Evil' not in body
        client.close()


@pytest.mark.parametrize(
    'line',
    [
        'http-request set-method head',
        'http-request set-uri %[str()]',
        'http-request set-path x',
        'http-request add-header host x',
    ],
)
async def test_what_cannot_be_carried_out_is_500(line: str) -> None:
    async with RawServer(echo) as up, Proxy(configured(up.port, line)) as proxy:
        client = await RawClient.to(proxy.port)
        client.send(b'GET / HTTP/1.1\r\nHost: h\r\n\r\n')
        status, _ = await client.answer()
        assert status == 500
        assert up.heads == []
        client.close()


async def test_the_first_backend_whose_condition_holds_and_its_rules_once() -> None:
    lines = 'acl api path_beg /api\n use_backend one if api !{ method POST }\n use_backend %[hdr(x-to)] if { hdr(x-to) -m found }'
    async with RawServer(echo) as up:
        more = ''.join(
            f'backend {name}\n http-request add-header x-at {name}\n server s 127.0.0.1:{up.port}\n'
            for name in ('one', 'two')
        )
        async with Proxy(configured(up.port, lines, back='http-request add-header x-at b', more=more)) as proxy:
            client = await RawClient.to(proxy.port)
            for head, at in (
                (b'GET /api HTTP/1.1\r\n', b'one'), (b'POST /api HTTP/1.1\r\nContent-Length: 0\r\n', b'b'),
                (b'GET / HTTP/1.1\r\nX-To: two\r\n', b'two'), (b'GET / HTTP/1.1\r\nX-To: nowhere\r\n', b'b'),
            ):  # fmt: skip
                client.send(head + b'Host: h\r\n\r\n')
                status, body = await client.answer()
                assert status == 200
                assert body.count(b'x-at: ') == 1
                assert b'x-at: ' + at in body
            client.close()


async def test_session_variables_outlive_the_request_and_others_do_not() -> None:
    lines = (
        'http-request set-header x-seen %[var(sess.n)]/%[var(txn.n)]\n'
        ' http-request set-var(sess.n) path\n http-request set-var(txn.n) path'
    )
    async with RawServer(echo) as up, Proxy(configured(up.port, lines)) as proxy:
        client = await RawClient.to(proxy.port)
        for path, seen in ((b'/1', b'x-seen: /\r'), (b'/2', b'x-seen: /1/\r')):
            client.send(b'GET %b HTTP/1.1\r\nHost: h\r\n\r\n' % path)
            _, body = await client.answer()
            assert seen in body
        client.close()


async def test_a_variable_that_is_added_to_itself_ends_where_a_buffer_does() -> None:
    lines = '\n '.join((
        'http-request set-var(sess.all) str(0123456789),concat(,sess.all,)',
        *4 * ['http-request set-var(sess.all) var(sess.all),concat(,sess.all,)'],
        'http-request set-header x-length %[var(sess.all),length]',
    ))  # fmt: skip
    async with RawServer(echo) as up, Proxy(configured(up.port, lines)) as proxy:
        client = await RawClient.to(proxy.port)
        for length in (160, 2_720, 16_384, 16_384):
            client.send(b'GET / HTTP/1.1\r\nHost: h\r\n\r\n')
            _, body = await client.answer()
            assert f'\r\nx-length: {length}\r\n'.encode() in body, body
        client.close()


async def test_a_tarpit_holds_a_client_and_no_slot() -> None:
    lines = 'timeout tarpit 200ms\n http-request tarpit deny_status 429 if { path /t }'
    async with RawServer(echo) as up, Proxy(configured(up.port, lines)) as proxy:
        held = await RawClient.to(proxy.port)
        held.send(b'GET /t HTTP/1.1\r\nHost: h\r\n\r\n')
        other = await RawClient.to(proxy.port)
        other.send(b'GET / HTTP/1.1\r\nHost: h\r\n\r\n')
        assert (await other.answer())[0] == 200
        assert (await held.answer())[0] == 429
        assert proxy.served() == 0
        held.close()
        other.close()


async def test_a_client_that_leaves_a_tarpit_is_forgotten() -> None:
    async with RawServer(echo) as up, Proxy(configured(up.port, 'timeout tarpit 1m\n http-request tarpit')) as proxy:
        client = await RawClient.to(proxy.port)
        client.send(b'GET /t HTTP/1.1\r\nHost: h\r\n\r\n')
        await until(lambda: proxy.counter(C.SCUR) == 1 and proxy.counter(C.REQ_TOT) == 1)
        client.close()
        await until(lambda: proxy.counter(C.SCUR) == 0)


async def test_a_denied_answer_frees_its_slot_and_its_connection() -> None:
    async def endless(call: Call) -> None:
        call.send(b'HTTP/1.1 200 OK\r\nX-Bad: 1\r\nContent-Length: 1000000\r\n\r\n')
        await asyncio.Event().wait()

    async with (
        RawServer(endless) as up,
        Proxy(configured(up.port, '', back='http-response deny if { res.hdr(x-bad) -m found }')) as proxy,
    ):
        client = await RawClient.to(proxy.port)
        client.send(b'GET / HTTP/1.1\r\nHost: h\r\n\r\n')
        assert (await client.answer())[0] == 502
        await until(lambda: proxy.served() == 0)
        client.close()


@pytest.mark.parametrize('verdict', ['reject', 'silent-drop'])
async def test_a_rejected_client_hears_nothing(verdict: str) -> None:
    async with RawServer(echo) as up, Proxy(configured(up.port, f'http-request {verdict}')) as proxy:
        client = await RawClient.to(proxy.port)
        client.send(b'GET / HTTP/1.1\r\nHost: h\r\n\r\n')
        await until(lambda: proxy.counter(C.DREQ) == 1 and proxy.counter(C.SCUR) == 0)
        assert up.heads == []
        client.close()


async def test_use_server_goes_before_balancing_as_long_as_the_server_is_there() -> None:
    async def named(call: Call) -> None:
        call.send(
            b'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d' % (call.writer.get_extra_info('sockname')[1] == two.port)
        )

    async with RawServer(named) as one, RawServer(named) as two:
        rules = f'server t 127.0.0.1:{two.port}\n use-server t if {{ path /t }}\n balance first'
        async with Proxy(configured(one.port, '', back=rules)) as proxy:
            client = await RawClient.to(proxy.port)

            async def asked(path: bytes) -> bytes:
                client.send(b'GET %b HTTP/1.1\r\nHost: h\r\n\r\n' % path)
                return (await client.answer())[1]

            assert [await asked(path) for path in (b'/', b'/t', b'/')] == [b'0', b'1', b'0']
            await proxy.change(SetAdmin('b', 't', AdminState.MAINT))
            assert await asked(b'/t') == b'0'
            client.close()


async def test_who_takes_upgrade_away_gets_no_other_protocol() -> None:
    head = b'GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'
    for lines, upgraded in (('http-request del-header upgrade', False), ('http-request del-header x', True)):
        async with RawServer(echo) as up, Proxy(configured(up.port, lines)) as proxy:
            client = await RawClient.to(proxy.port)
            client.send(head)
            _, body = await client.answer()
            assert (b'Upgrade: websocket' in body) is upgraded
            client.close()


async def test_connections_are_let_in_by_their_address() -> None:
    lines = 'tcp-request connection reject if {{ src {net} }}\n tcp-request session set-var(sess.from) src'
    async with RawServer(echo) as up:
        async with Proxy(configured(up.port, lines.format(net='127.0.0.0/8'))) as proxy:
            client = await RawClient.to(proxy.port)
            assert await client.rest() == b''
            assert (proxy.counter(C.DCON), proxy.counter(C.SCUR)) == (1, 0)
            client.close()
        seen = 'http-request set-header x-from %[var(sess.from)]'
        async with Proxy(configured(up.port, f'{lines.format(net="10.0.0.0/8")}\n {seen}')) as proxy:
            client = await RawClient.to(proxy.port)
            client.send(b'GET / HTTP/1.1\r\nHost: h\r\n\r\n')
            assert b'\r\nx-from: 127.0.0.1\r\n' in (await client.answer())[1]
            client.close()


async def test_content_rules_come_before_those_of_requests() -> None:
    lines = 'tcp-request inspect-delay 5s\n tcp-request content reject if { path /no }\n http-request return status 299'
    async with RawServer(echo) as up, Proxy(configured(up.port, lines)) as proxy:
        client = await RawClient.to(proxy.port)
        client.send(b'GET /yes HTTP/1.1\r\nHost: h\r\n\r\n')
        assert (await client.answer())[0] == 299
        client.send(b'GET /no HTTP/1.1\r\nHost: h\r\n\r\n')
        assert await client.rest() == b''
        client.close()


async def test_rules_see_how_busy_servers_and_proxies_are() -> None:
    gate = asyncio.Event()

    async def held(call: Call) -> None:
        await gate.wait()
        await echo(call)

    names = (
        'nbsrv(b)', 'queue(b)', 'avg_queue(b)', 'be_conn(b)', 'connslots(b)', 'srv_conn(b/s)', 'srv_queue(b/s)',
        'srv_is_up(b/s)', 'srv_weight(b/s)', 'fe_conn', 'fe_req_rate', 'be_sess_rate(b)', 'fe_sess_rate(f)',
    )  # fmt: skip
    asked = ' '.join(f'%[{name}]' for name in names)
    lines = f'http-request return content-type a/b lf-string "{asked}" if {{ path /asked }}'
    async with RawServer(held) as up:
        back = f'server t 127.0.0.1:{up.port} maxconn 1 disabled\n default-server maxconn 1 maxqueue 5'
        text = configured(up.port, lines, back=back)
        backend = text.backends[0]
        servers = (replace(backend.servers[0], maxconn=1, maxqueue=5), *backend.servers[1:])
        async with Proxy(replace(text, backends=(replace(backend, servers=servers),))) as proxy:
            clients = [await RawClient.to(proxy.port) for _ in range(4)]
            for client in clients[:3]:
                client.send(b'GET / HTTP/1.1\r\nHost: h\r\n\r\n')
            await until(lambda: proxy.served() + proxy.queued() == 3)
            clients[3].send(b'GET /asked HTTP/1.1\r\nHost: h\r\n\r\n')
            _, body = await clients[3].answer()
            found = dict(zip(names, body.decode().split(' '), strict=True))
            assert {name: found[name] for name in names[:10]} == {
                'nbsrv(b)': '1', 'queue(b)': '2', 'avg_queue(b)': '2', 'be_conn(b)': '3', 'connslots(b)': '5', 'srv_conn(b/s)': '1',
                'srv_queue(b/s)': '0', 'srv_is_up(b/s)': '1', 'srv_weight(b/s)': '1', 'fe_conn': '4',
            }  # fmt: skip
            assert 0 <= int(found['fe_req_rate']) <= 4
            gate.set()
            for client in clients[:3]:
                assert (await client.answer())[0] == 200
            for client in clients:
                client.close()


async def test_places_are_free_under_the_limit_in_force() -> None:
    asked = '%[srv_conn_free(b/s)] %[be_conn_free(b)] %[connslots(b)]'
    lines = f'http-request return content-type a/b lf-string "{asked}"'
    async with RawServer(echo) as up:
        text = configured(up.port, lines)
        backend = text.backends[0]
        servers = tuple(replace(server, maxconn=3, maxqueue=2) for server in backend.servers)
        async with Proxy(replace(text, backends=(replace(backend, servers=servers),))) as proxy:
            client = await RawClient.to(proxy.port)
            client.send(b'GET / HTTP/1.1\r\nHost: h\r\n\r\n')
            assert (await client.answer())[1] == b'3 3 5'
            await proxy.change(SetMaxconn('b', 's', 7))
            client.send(b'GET / HTTP/1.1\r\nHost: h\r\n\r\n')
            assert (await client.answer())[1] == b'7 7 9'
            client.close()


@pytest.mark.parametrize(
    'lines, found',
    [
        ('{server}', '5'),
        ('default_backend b\nbackend b\n {server}', '3'),
        ('default_backend b\nbackend b\n http-request set-retries 2\n {server}', '2'),
    ],
)
async def test_a_number_of_retries_is_meant_for_the_own_servers(lines: str, found: str) -> None:
    async with RawServer(echo) as up:
        server = f'server s 127.0.0.1:{up.port}\n http-response return status 200 content-type text/plain lf-string %[cur_max_retries]'
        text = f'{DEFAULTS}listen f\n bind 127.0.0.1:1\n http-request set-retries 5\n {lines}\n'
        async with Proxy(snapshot(text.format(server=server))) as proxy:
            client = await RawClient.to(proxy.port)
            client.send(b'GET / HTTP/1.1\r\nHost: h\r\n\r\n')
            assert await client.answer() == (200, found.encode())
            client.close()
