"""How requests end when something goes wrong: who is told what, what the log says, and that the place is free at once."""

from __future__ import annotations

import asyncio
import re
import socket
import time

import pytest

from dataplane.core.changes import SetAdmin, SetMaxconn, ShutdownSessions
from dataplane.core.counters import C
from dataplane.core.model import AdminState, Balance
from tests.integration.harness.proxy import Proxy, limited, server, snapshot
from tests.integration.harness.raw import HOST, OK, Call, Gated, RawClient, RawServer, ask, ok, until

GET = b'GET / HTTP/1.1\r\n' + HOST + b'\r\n'


def refused_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return int(probe.getsockname()[1])


async def test_no_server() -> None:
    async with Proxy(snapshot([])) as proxy:
        client = await RawClient.to(proxy.port)
        for _ in range(2):
            client.send(GET)
            assert (await client.answer())[0] == 503
        client.close()
        assert '/-1/-1/-1/' in (line := (await proxy.log_lines())[0])
        assert ' fe be/<NOSRV> ' in line
        assert ' 503 214 - - SC-- ' in line


async def test_no_backend() -> None:
    async with Proxy(snapshot([], frontend={'default_backend': None})) as proxy:
        client = await RawClient.to(proxy.port)
        client.send(b'HEAD / HTTP/1.1\r\n' + HOST + b'\r\n')
        assert b'content-length: 107\r\n' in await client.head()
        client.close()
        assert ' fe fe/<NOSRV> ' in (line := (await proxy.log_lines())[0])
        assert ' 503 107 - - SC-- 1/1/0/0/0 0/0 ' in line


async def test_maxconn_is_kept_and_waiters_are_served_in_order() -> None:
    gate, inside, most, order = asyncio.Event(), [0], [0], []

    async def script(call: Call) -> None:
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        order.append(int(call.head.split()[1][1:]))
        await gate.wait()
        await asyncio.sleep(0.001)
        inside[0] -= 1
        call.send(OK)

    async with RawServer(script) as up, Proxy(snapshot([server('s1', up.port, maxconn=1)])) as proxy:
        clients: list[RawClient] = []
        for number in range(12):
            client = await RawClient.to(proxy.port)
            client.send(b'GET /%d HTTP/1.1\r\n' % number + HOST + b'\r\n')
            await until(lambda: proxy.served() + proxy.queued() == len(clients) + 1)  # called at once
            clients.append(client)
        gate.set()
        for client in clients:
            assert await client.answer() == (200, b'ok')
            client.close()
        assert most == [1]
        assert order == list(range(12))
        lines = await proxy.log_lines(12)
        assert '0/2 "GET /2 ' in lines[2]
        assert proxy.served() == proxy.queued() == 0


async def test_queue_timeout() -> None:
    gated = Gated()
    configuration = snapshot([], backend=limited(queue=50))
    async with RawServer(gated) as up:
        configuration = snapshot([server('s1', up.port, maxconn=1)], backend=limited(queue=50))
        async with Proxy(configuration) as proxy:
            first, second = await RawClient.to(proxy.port), await RawClient.to(proxy.port)
            first.send(GET)
            await until(lambda: proxy.served() == 1)
            begun = time.monotonic()
            second.send(GET)
            assert (await second.answer())[0] == 503
            assert time.monotonic() - begun >= 0.05
            [line] = await proxy.log_lines()
            assert ' 503 214 - - sQ-- ' in line
            wait = int(line.split(' fe be/<NOSRV> ')[1].split('/')[1])
            assert wait >= 50
            gated.gate.set()
            assert (await first.answer())[0] == 200
            assert proxy.queued() == 0
            first.close()
            second.close()


@pytest.mark.parametrize('reset', [False, True])
async def test_a_client_gone_while_queued_frees_its_place(reset: bool) -> None:
    gated = Gated()
    async with RawServer(gated) as up, Proxy(snapshot([server('s1', up.port, maxconn=1)])) as proxy:
        first, second = await RawClient.to(proxy.port), await RawClient.to(proxy.port)
        first.send(GET)
        await until(lambda: proxy.served() == 1)
        second.send(GET)
        await until(lambda: proxy.queued() == 1)
        second.reset() if reset else second.close()
        await until(lambda: proxy.queued() == 0)
        [line] = await proxy.log_lines()
        assert ' -1 0 - - CQ-- ' in line
        first.reset() if reset else first.close()
        await until(lambda: proxy.served() == 0)
        assert ' 400 0 - - CH-- ' in (await proxy.log_lines())[0]
        await until(lambda: up.open == 0)
        assert proxy.counter(C.CLI_ABRT) == 1


async def test_a_client_gone_with_a_held_upload_frees_its_place() -> None:
    gated = Gated()
    async with RawServer(gated) as up, Proxy(snapshot([server('s1', up.port, maxconn=1)])) as proxy:
        first, second = await RawClient.to(proxy.port), await RawClient.to(proxy.port)
        first.send(GET)
        await until(lambda: proxy.served() == 1)
        second.send(b'POST / HTTP/1.1\r\n' + HOST + b'Content-Length: 5000000\r\n\r\n' + b'x' * 300_000)
        await until(lambda: proxy.queued() == 1)
        await until(lambda: any(connection._holds for connection in proxy.traffic._clients))
        second.reset()
        await until(lambda: proxy.queued() == 0)
        first.close()


async def test_without_abortonclose_a_half_closed_client_is_served() -> None:
    gated = Gated()
    async with RawServer(gated) as up:
        configuration = snapshot([server('s1', up.port, maxconn=1)], backend={'abortonclose': False})
        async with Proxy(configuration) as proxy:
            client = await RawClient.to(proxy.port)
            client.send(GET)
            client.writer.write_eof()
            await until(lambda: proxy.served() == 1)
            [connection] = proxy.traffic._clients
            await until(lambda: connection._eof)
            gated.gate.set()
            assert (await client.rest()).endswith(b'\r\n\r\nok')


async def test_refused_connections_are_tried_again() -> None:
    configuration = snapshot([server('s1', refused_port())], backend=limited(connect=20) | {'retries': 2})
    async with Proxy(configuration) as proxy:
        client = await RawClient.to(proxy.port)
        client.send(GET)
        assert (await client.answer())[0] == 503
        client.close()
        [line] = await proxy.log_lines()
        assert re.search(r' fe be/s1 \d+/0/-1/-1/\d+ ', line)
        assert ' 503 214 - - SC-- 1/1/0/0/2 0/0 ' in line
        assert proxy.counter(C.WRETR, server=0) == 2
        assert proxy.counter(C.ECON, server=0) == 1
        assert proxy.served() == 0


async def test_redispatch_goes_to_another_server() -> None:
    async with RawServer(ok) as up:
        servers = [server('bad', refused_port()), server('good', up.port, 2)]
        configuration = snapshot(
            servers, backend=limited(connect=1_000) | {'redispatch': -1, 'balance': Balance(algorithm='roundrobin')}
        )
        async with Proxy(configuration) as proxy:
            for _ in range(4):
                assert (await ask(proxy.port, GET.replace(b'\r\n\r\n', b'\r\nConnection: close\r\n\r\n'))).endswith(
                    b'ok'
                )
            lines = await proxy.log_lines(4)
            redispatched = [line for line in lines if '/+1 0/0 ' in line]
            assert len(redispatched) == 4
            assert all(' be/good ' in line for line in lines)
            assert proxy.counter(C.WREDIS, server=0) == 4


async def test_connect_timeout() -> None:
    # a listener whose backlog is full answers no SYN
    with socket.socket() as full:
        full.bind(('127.0.0.1', 0))
        full.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        configuration = snapshot([server('s1', full.getsockname()[1])], backend=limited(connect=60) | {'retries': 0})
        async with Proxy(configuration) as proxy:
            client = await RawClient.to(proxy.port)
            client.send(GET)
            assert (await client.answer())[0] == 503
            assert ' 503 214 - - sC-- ' in (await proxy.log_lines())[0]
            client.send(GET)  # not the first request: closed without a word
            assert await client.rest() == b''
        for filler in fillers:
            filler.close()


async def test_server_timeout_before_the_head() -> None:
    async with RawServer(Gated()) as up, Proxy(snapshot([server('s1', up.port)], backend=limited(server=60))) as proxy:
        client = await RawClient.to(proxy.port)
        client.send(GET)
        assert (await client.answer())[0] == 504
        assert ' 504 195 - - sH-- ' in (await proxy.log_lines())[0]
        await until(lambda: up.open == 0)
        client.close()


async def test_server_timeout_within_the_body() -> None:
    async def script(call: Call) -> None:
        call.send(b'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc')

    async with RawServer(script) as up, Proxy(snapshot([server('s1', up.port)], backend=limited(server=60))) as proxy:
        client = await RawClient.to(proxy.port)
        client.send(GET)
        assert (await client.rest()).endswith(b'\r\n\r\nabc')
        assert ' 200 41 - - sD-- ' in (await proxy.log_lines())[0]
        await until(lambda: up.open == 0)


async def test_request_timeout_and_keep_alive_timeout() -> None:
    async with RawServer(ok) as up:
        configuration = snapshot([server('s1', up.port)], frontend=limited(http_request=60, http_keep_alive=30))
        async with Proxy(configuration) as proxy:
            slow = await RawClient.to(proxy.port)
            slow.send(b'GET / HTTP/1.1\r\n')
            assert (await slow.rest()).startswith(b'HTTP/1.1 408 Request Time-out\r\nContent-length: 110\r\n')
            assert ' 408 0 - - cR-- 1/1/0/0/0 0/0 "<BADREQ>"' in (await proxy.log_lines())[0]
            idle = await RawClient.to(proxy.port)
            idle.send(GET)
            assert (await idle.rest()).endswith(b'\r\n\r\nok')


async def test_client_timeout_within_an_upload() -> None:
    async with RawServer(Gated()) as up, Proxy(snapshot([server('s1', up.port)], frontend=limited(client=60))) as proxy:
        client = await RawClient.to(proxy.port)
        client.send(b'POST / HTTP/1.1\r\n' + HOST + b'Content-Length: 10\r\n\r\nabc')
        assert (await client.rest()).startswith(b'HTTP/1.1 408 ')
        assert ' 408 ' in (line := (await proxy.log_lines())[0])
        assert ' cD-- ' in line
        await until(lambda: proxy.served() == 0)


async def test_probes_and_empty_connections() -> None:
    settings = limited(http_request=40) | {'http_ignore_probes': True, 'dontlognull': True}
    async with RawServer(ok) as up, Proxy(snapshot([server('s1', up.port)], frontend=settings)) as proxy:
        probe = await RawClient.to(proxy.port)
        assert await probe.rest() == b''
        closed = await RawClient.to(proxy.port)
        closed.close()
        await until(lambda: proxy.counter(C.SCUR) == 0)
        await ask(proxy.port, GET.replace(b'\r\n\r\n', b'\r\nConnection: close\r\n\r\n'))
        assert ' 200 ' in (await proxy.log_lines())[0]


async def test_maintenance_redistributes_what_was_not_sent_and_refuses_what_nobody_can_take() -> None:
    gated = Gated()
    async with RawServer(gated) as up, Proxy(snapshot([server('s1', up.port, maxconn=1)])) as proxy:
        clients = [await RawClient.to(proxy.port) for _ in range(3)]
        for client in clients:
            client.send(GET)
            await until(lambda: proxy.served() == 1)
        await until(lambda: proxy.queued() == 2)
        await proxy.change(SetAdmin('be', 's1', AdminState.MAINT))
        statuses = sorted([(await client.answer())[0] for client in clients[1:]])
        assert statuses == [503, 503]
        gated.gate.set()
        assert (await clients[0].answer())[0] == 200
        await until(lambda: proxy.served() == proxy.queued() == 0)
        clients[0].send(GET)
        assert (await clients[0].answer())[0] == 503
        await until(lambda: up.open == 0)
        for client in clients:
            client.close()


async def test_shutdown_of_sessions_tells_the_server_before_the_slot_is_free() -> None:
    gated = Gated()
    async with RawServer(gated) as up, Proxy(snapshot([server('s1', up.port, maxconn=1)])) as proxy:
        first, second = await RawClient.to(proxy.port), await RawClient.to(proxy.port)
        first.send(GET)
        await until(lambda: len(up.heads) == 1)
        second.send(GET)
        await until(lambda: proxy.queued() == 1)
        effects = await proxy.change(ShutdownSessions('be', 's1', 5))
        assert effects.killed == 1
        assert (await first.answer())[0] == 502
        assert ' 502 ' in (line := (await proxy.log_lines())[0])
        assert ' KH-- ' in line
        await until(lambda: len(up.heads) == 2)
        assert up.connections == 2
        gated.gate.set()
        assert (await second.answer())[0] == 200
        first.close()
        second.close()


async def test_a_raised_limit_lets_waiters_in() -> None:
    gated = Gated()
    async with RawServer(gated) as up, Proxy(snapshot([server('s1', up.port, maxconn=1)])) as proxy:
        clients = [await RawClient.to(proxy.port) for _ in range(3)]
        for client in clients:
            client.send(GET)
        await until(lambda: proxy.queued() == 2)
        await proxy.change(SetMaxconn('be', 's1', 3))
        await until(lambda: proxy.served() == 3)
        gated.gate.set()
        for client in clients:
            assert (await client.answer())[0] == 200
            client.close()


async def test_sessions_are_listed_and_killed_one_by_one() -> None:
    async with RawServer(Gated()) as up, Proxy(snapshot([server('s1', up.port)])) as proxy:
        client = await RawClient.to(proxy.port)
        client.send(GET)
        await until(lambda: len(up.heads) == 1)
        [row] = proxy.traffic.sessions()
        assert (row['frontend'], row['backend'], row['server'], row['state']) == ('fe', 'be', 's1', 'HEADERS')
        assert row['id'].startswith('0x0001')
        assert not proxy.traffic.kill('0x1')
        assert proxy.traffic.kill(row['id'])
        assert (await client.answer())[0] == 502
        assert list(proxy.traffic.sessions()) == []
        client.close()


async def test_soft_stop_finishes_what_is_under_way() -> None:
    gated, done = Gated(), asyncio.Event()
    async with RawServer(gated) as up, Proxy(snapshot([server('s1', up.port)])) as proxy:
        idle, busy = await RawClient.to(proxy.port), await RawClient.to(proxy.port)
        gated.gate.set()
        idle.send(GET)
        assert (await idle.answer())[0] == 200
        gated.gate.clear()
        busy.send(GET)
        await until(lambda: len(up.heads) == 2)
        proxy.traffic.soft_stop(done.set)
        assert await idle.rest() == b''
        assert not done.is_set()
        gated.gate.set()
        assert b'\r\nConnection: close\r\n' in await busy.head()
        assert await busy.rest() == b'ok'
        await asyncio.wait_for(done.wait(), 30)


async def test_the_frontends_maxconn_leaves_the_rest_in_the_backlog() -> None:
    async with RawServer(ok) as up, Proxy(snapshot([server('s1', up.port)], frontend={'maxconn': 2})) as proxy:
        clients = [await RawClient.to(proxy.port) for _ in range(3)]
        for client in clients:
            client.send(GET)
        answers = [asyncio.create_task(client.answer()) for client in clients]
        await until(lambda: sum(task.done() for task in answers) == 2)
        assert proxy.counter(C.SCUR) == 2
        assert not answers[2].done()
        clients[0].close()
        assert await asyncio.wait_for(answers[2], 30) == (200, b'ok')
        for client in clients:
            client.close()
