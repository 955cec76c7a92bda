"""The observers must be right before anything they observe is believed."""

from __future__ import annotations

import asyncio
import json
import socket

import websockets
from websockets.asyncio.client import connect
from websockets.asyncio.server import Server, ServerConnection, serve

from tests.integration.harness.faultlink import FaultLink
from tests.integration.harness.load import Load, ask
from tests.integration.harness.ports import Ports
from tests.integration.harness.upstream import Upstream
from tests.integration.harness.waiting import until

_REQUEST = b'GET /x HTTP/1.1\r\nHost: a\r\n\r\n'


async def test_upstream_counts_what_is_in_it_at_once() -> None:
    async with Upstream('s') as server:
        server.hold()
        clients = [socket.create_connection(('127.0.0.1', server.port)) for _ in range(3)]
        for client in clients:
            client.sendall(_REQUEST)
        await until(lambda: len(server.arrivals) == 3, within=60, what='three requests inside')
        assert server.most == 3
        server.let_go()
        await until(lambda: not server.busy, within=60, what='all answered')
        for client in clients:
            client.close()


async def test_upstream_does_not_count_a_connection_its_peer_has_closed() -> None:
    async with Upstream('s') as server:
        server.hold()
        gone, reset, shut = (socket.create_connection(('127.0.0.1', server.port)) for _ in range(3))
        for client in (gone, reset, shut):
            client.sendall(_REQUEST)
        await until(lambda: len(server.arrivals) == 3, within=60, what='three requests inside')
        # All in one turn of the loop, so that the server can only know it from the sockets themselves.
        gone.close()
        reset.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\1\0\0\0\0\0\0\0')
        reset.close()
        assert server.inside() == 1
        shut.shutdown(socket.SHUT_RDWR)
        assert server.inside() == 0
        shut.close()


async def test_load_records_answers_and_lost_connections() -> None:
    async with Upstream('s', 0.0) as server:
        async with Load(server.port, 4) as load:
            await until(lambda: len(load.records) >= 40, within=60, what='40 answers')
            assert load.statuses().keys() == {200}
            server.hold()
            await until(lambda: len(server.busy) == 4, within=60, what='all four waiting')
            for exchange in list(server.open):
                exchange.cut()
            await until(lambda: load.statuses()[0] == 4, within=60, what='four lost')
            server.let_go()
        assert {record.error.partition(':')[0] for record in load.failed()} == {'lost'}
        assert (await ask(server.port, '/one')).status == 200


def test_a_reserved_port_is_given_to_nobody_else_and_can_be_listened_on() -> None:
    with Ports() as ports:
        mine = {ports.take() for _ in range(20)}
        assert len(mine) == 20
        with socket.create_server(('127.0.0.1', mine.pop())) as server:
            assert server.getsockname()[1] not in mine


def _port(server: Server) -> int:
    port: int = next(iter(server.sockets)).getsockname()[1]
    return port


async def _echo(connection: ServerConnection) -> None:
    async for text in connection:
        await connection.send(text)


async def test_fault_link_doubles_delays_injects_and_records() -> None:
    async with serve(_echo, '127.0.0.1', 0, compression=None) as server, FaultLink(_port(server)) as link:
        async with connect(f'ws://127.0.0.1:{link.port}/', compression=None) as client:
            link.double = True
            for size in (1, 200, 70_000):
                await client.send(json.dumps({'type': 'n', 'text': 'x' * size}))
            got = [json.loads(await client.recv()) for _ in range(12)]
            assert [len(row['text']) for row in got] == [1] * 4 + [200] * 4 + [70_000] * 4
            assert len(link.messages('up', 'n')) == 3
            link.double = False
            link.inject({'type': 'late'})
            assert json.loads(await client.recv()) == {'type': 'late'}


async def test_fault_link_half_opens_and_cuts() -> None:
    async with serve(_echo, '127.0.0.1', 0, compression=None) as server, FaultLink(_port(server)) as link:
        async with connect(f'ws://127.0.0.1:{link.port}/', compression=None, ping_interval=None) as client:
            link.half_open()
            await client.send('{"type": "kept"}')
            waiting = asyncio.create_task(client.recv())
            done, _ = await asyncio.wait([waiting], timeout=0.2)
            assert not done
            link.mend()
            assert json.loads(await waiting) == {'type': 'kept'}
            link.cut()
            try:
                await client.recv()
            except websockets.ConnectionClosed:
                return
            raise AssertionError('the connection outlived the cut')
