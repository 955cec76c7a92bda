"""Upgrades to WebSocket: forwarded or not, and what a tunnel may do to the place it holds."""

from __future__ import annotations

import asyncio

from tests.integration.harness.proxy import Proxy, limited, server, snapshot
from tests.integration.harness.raw import HOST, Call, RawClient, RawServer, ok, until

GET = b'GET / HTTP/1.1\r\n' + HOST + b'\r\n'
WEBSOCKET = b'GET /chat HTTP/1.1\r\n' + HOST + b'Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n'
SWITCH = (
    b'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n'
)


async def test_a_websocket_is_a_tunnel() -> None:
    seen: list[bytes] = []

    async def script(call: Call) -> None:
        call.send(SWITCH + b'hello')
        while data := await call.reader.read(1_000):
            seen.append(data)
            call.send(data.upper())
        call.send(b'bye')
        call.writer.close()

    async with RawServer(script) as up, Proxy(snapshot([server('s1', up.port)])) as proxy:
        client = await RawClient.to(proxy.port)
        client.send(WEBSOCKET + b'early')  # what is sent too early waits for the 101
        head = await client.head()
        assert head.startswith(b'HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: x\r\n')
        assert b'Connection: Upgrade\r\nUpgrade: websocket\r\n' in head
        assert await client.exactly(5) == b'hello'
        assert await client.exactly(5) == b'EARLY'
        assert up.heads == [b'GET /chat HTTP/1.1\r\n' + HOST + b'Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n']
        client.send(b'x' * 100_000)
        assert await client.exactly(100_000) == b'X' * 100_000
        assert proxy.served() == 1
        client.writer.write_eof()  # half-closed: the server still has something to say
        assert await client.rest() == b'bye'
        assert ' 101 ' in (line := (await proxy.log_lines())[0])
        assert ' ---- ' in line
        assert proxy.served() == 0


async def test_a_refused_upgrade_closes_when_bytes_were_sent_too_early() -> None:
    async with RawServer(ok) as up, Proxy(snapshot([server('s1', up.port)])) as proxy:
        client = await RawClient.to(proxy.port)
        client.send(WEBSOCKET)
        assert (await client.answer())[0] == 200
        client.send(WEBSOCKET + GET)
        assert b'Connection: close\r\n' in await client.head()
        assert await client.rest() == b'ok'
        assert len(up.heads) == 2


async def test_timeout_tunnel() -> None:
    async def script(call: Call) -> None:
        call.send(SWITCH)
        await call.reader.read()

    backend = limited(server=5_000, tunnel=60)
    async with RawServer(script) as up, Proxy(snapshot([server('s1', up.port)], backend=backend)) as proxy:
        client = await RawClient.to(proxy.port)
        client.send(WEBSOCKET)
        await client.head()
        assert await client.rest() == b''
        assert ' sD-- ' in (await proxy.log_lines())[0]
        await until(lambda: up.open == 0 and proxy.served() == 0)


async def test_timeout_server_fin_limits_a_server_whose_client_has_ended() -> None:
    async def script(call: Call) -> None:
        call.send(SWITCH)
        await call.reader.read()
        call.send(b'still here')
        await asyncio.get_running_loop().create_future()  # and then neither a word nor an end

    backend = limited(tunnel=60_000, server_fin=80)
    async with RawServer(script) as up, Proxy(snapshot([server('s1', up.port)], backend=backend)) as proxy:
        client = await RawClient.to(proxy.port)
        client.send(WEBSOCKET)
        await client.head()
        client.writer.write_eof()
        assert await client.rest() == b'still here'
        await until(lambda: proxy.served() == 0)
        assert ' sD-- ' in (await proxy.log_lines())[0]


async def test_timeout_client_fin_limits_a_client_whose_server_has_ended() -> None:
    async def script(call: Call) -> None:
        call.send(SWITCH)
        call.writer.write_eof()
        await call.reader.read()

    backend, frontend = limited(tunnel=60_000), limited(client_fin=80)
    async with (
        RawServer(script) as up,
        Proxy(snapshot([server('s1', up.port)], frontend=frontend, backend=backend)) as proxy,
    ):
        client = await RawClient.to(proxy.port)
        client.send(WEBSOCKET)
        await client.head()
        assert await client.reader.read() == b''  # and then neither a word nor an end
        await until(lambda: up.open == 0 and proxy.served() == 0)
        assert ' cD-- ' in (await proxy.log_lines())[0]
        client.close()
