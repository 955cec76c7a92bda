"""Connections to servers: which are reused, for whom, and how long they are kept."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace

import pytest

from dataplane.core.changes import SetAddress, SetAdmin, ShutdownSessions
from dataplane.core.counters import C
from dataplane.core.model import AdminState
from tests.integration.harness.proxy import Proxy, limited, server, snapshot
from tests.integration.harness.raw import HOST, OK, Gated, RawClient, RawServer, ask, ok, until

GET = b'GET / HTTP/1.1\r\n' + HOST + b'\r\n'


@pytest.mark.parametrize('mode, connections', [('never', 2), ('safe', 2), ('aggressive', 2), ('always', 1)])
async def test_http_reuse_for_first_requests(mode: str, connections: int) -> None:
    async with RawServer(ok) as up, Proxy(snapshot([server('s1', up.port)], backend={'http_reuse': mode})) as proxy:
        first, second = await RawClient.to(proxy.port), await RawClient.to(proxy.port)
        first.send(GET)
        await first.answer()
        second.send(GET)
        await second.answer()
        assert up.connections == connections
        for client in (first, second, first):
            client.send(GET)
            await client.answer()
        assert up.connections == connections
        first.close()
        second.close()
        await until(lambda: proxy.counter(C.SCUR) == 0)
        if mode == 'never':
            await until(lambda: up.open == 0)


async def test_pool_limits() -> None:
    limits = {'pool_max_conn': 1, 'max_reuse': 2, 'pool_purge_delay': 100}
    async with RawServer(ok) as up, Proxy(snapshot([server('s1', up.port, **limits)])) as proxy:
        client = await RawClient.to(proxy.port)
        for _ in range(6):
            client.send(GET)
            await client.answer()
        assert up.connections == 2  # each opened, and reused twice
        client.send(GET)
        await client.answer()
        assert proxy.board.cells[proxy.layout.idle(0, 0)] == 1
        await until(lambda: up.open == 0)
        assert proxy.board.cells[proxy.layout.idle(0, 0)] == 0
        client.close()


async def test_a_server_named_by_host_name() -> None:
    async with RawServer(ok) as up:
        # no address to inet_pton(3), so the system's resolver is asked, which says 127.0.0.1 without a file or a network
        named = replace(server('s1', up.port), host='127.1')
        async with Proxy(snapshot([named], backend=limited(connect=2_000))) as proxy:
            status = (await ask(proxy.port, GET.replace(b'\r\n\r\n', b'\r\nConnection: close\r\n\r\n'))).split()[1]
            assert status == b'200'


@pytest.mark.parametrize('name', ['a..example', f'{"a" * 64}.example'])
async def test_a_host_name_that_can_be_none_gives_the_slot_back(name: str) -> None:
    impossible = replace(server('s1', 80), host=name)
    async with Proxy(snapshot([impossible], backend=limited(connect=60_000) | {'retries': 0})) as proxy:
        client = await RawClient.to(proxy.port)
        client.send(GET)
        try:
            assert (await client.answer())[0] == 503
        finally:
            client.close()
        assert proxy.served() == 0


async def test_a_connection_opened_to_an_old_address_is_not_kept_for_the_new_one() -> None:
    gated = Gated()
    async with RawServer(gated) as old, RawServer(ok) as new, Proxy(snapshot([server('s1', old.port)])) as proxy:
        client = await RawClient.to(proxy.port)
        client.send(GET)
        await until(lambda: len(old.heads) == 1)
        await proxy.change(SetAddress('be', 's1', '127.0.0.1', new.port))
        gated.gate.set()
        assert (await client.answer())[0] == 200
        await until(lambda: old.open == 0)
        client.send(GET)
        assert (await client.answer())[0] == 200
        assert len(new.heads) == 1
        client.close()


async def test_idle_connections_end_with_maintenance_and_with_their_generation() -> None:
    async with RawServer(ok) as up, Proxy(snapshot([server('s1', up.port)])) as proxy:
        client = await RawClient.to(proxy.port)
        for change in (ShutdownSessions('be', 's1', 7), SetAdmin('be', 's1', AdminState.MAINT)):
            client.send(GET)
            assert (await client.answer())[0] == 200
            assert up.open == 1
            await proxy.change(change)
            await until(lambda: up.open == 0)
        client.close()


@pytest.mark.parametrize('mode', ['never', 'always'])
async def test_a_server_without_a_port_is_reached_on_the_port_the_client_came_to(mode: str) -> None:
    """One client after the other, on two ports of the frontend: what was opened to one port of the server leads to no other."""
    mapped = replace(server('s1', 0), host='127.0.0.2')
    reached: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b'\r\n\r\n'):
                reached.append(writer.get_extra_info('sockname')[1])
                writer.write(OK)
        except asyncio.IncompleteReadError:
            writer.close()

    async with Proxy(snapshot([mapped], backend={'http_reuse': mode})) as proxy:
        with socket.socket() as second:
            second.bind(('127.0.0.1', 0))
            second.listen()
            proxy.traffic.listen(second, 0, 'fe:2')
            ports = [proxy.port, second.getsockname()[1]]
            servers = [await asyncio.start_server(serve, '127.0.0.2', port) for port in ports]
            clients = [await RawClient.to(port) for port in ports]
            try:
                for client in (*clients, *reversed(clients)):
                    client.send(GET)
                    assert (await client.answer())[0] == 200
                assert reached == [*ports, *reversed(ports)]
            finally:
                for client in clients:
                    client.close()
                proxy.traffic.stop_listening()
                for one in servers:
                    one.close()
