"""What a worker's memory grows by: idle connections cost little each, and bodies of any size cost nothing.

Measured on a real worker, as the kernel accounts its memory (proportional set size: shared pages count by their share).
"""

from __future__ import annotations

import asyncio
import os
import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.harness.lane import Origin
from tests.integration.harness.planes import DataPlane, Stage, listen, stage
from tests.integration.harness.waiting import until
from tests.oracle.answers import Answer

WANTED = 4_000
FEWEST = 2_000
SPARE = 600
WARM = 200
AT_ONCE = 50
MOST_PER_CONNECTION = 20 * 1024
REQUEST = b'GET /some/page HTTP/1.1\r\nHost: a.example\r\nUser-Agent: test\r\nAccept: */*\r\n\r\n'
ANSWER = Answer(b'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok')

BODY = 1 << 28
PIECE = 1 << 20
MOST_FOR_BODIES = 8 << 20


def pss(pid: int) -> int:
    """Bytes of memory that are this process's own."""
    for line in Path(f'/proc/{pid}/smaps_rollup').read_text().splitlines():
        if line.startswith('Pss:'):
            return int(line.split()[1]) * 1024
    raise AssertionError(f'no Pss of process {pid}')


@pytest.fixture
def descriptors() -> Iterator[int]:
    """As many open files as are allowed, for this process and those it starts."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield hard if hard != resource.RLIM_INFINITY else WANTED + SPARE
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def data_plane(on: Stage, origin_port: int, connections: int) -> tuple[DataPlane, int]:
    """A data plane with one worker, and that worker."""
    port = on.ports.take()
    # Connections to the server are few, or a test that serves as client and server of thousands is short of descriptors.
    section = listen(port, f's1 127.0.0.1:{origin_port} pool-max-conn 20') + f'    maxconn {connections}\n'
    extra = (f'maxconn {connections}',)
    plane = await on.data_plane(section, port=port, workers=1, extra=extra)
    [worker] = plane.worker_pids()
    return plane, worker


async def served_once(port: int, number: int) -> socket.socket:
    """A client connection that has had one request answered; source addresses differ, since ports are few."""
    loop = asyncio.get_running_loop()
    sock = socket.socket()
    sock.setblocking(False)
    sock.bind((f'127.0.1.{1 + number % 200}', 0))
    await loop.sock_connect(sock, ('127.0.0.1', port))
    await loop.sock_sendall(sock, REQUEST)
    answer = b''
    while len(answer) < len(ANSWER.raw):
        piece = await loop.sock_recv(sock, 4_096)
        assert piece, f'connection {number} was closed after {answer!r}'
        answer += piece
    assert answer == ANSWER.raw
    return sock


async def open_many(port: int, origin: Origin, count: int, stack: ExitStack) -> None:
    """So many of them, some at a time; closed with `stack`."""
    for start in range(0, count, AT_ONCE):
        origin.script = [ANSWER] * AT_ONCE
        numbers = range(start, min(start + AT_ONCE, count))
        for sock in await asyncio.gather(*(served_once(port, number) for number in numbers)):
            stack.enter_context(sock)
        origin.seen.clear()


async def test_an_idle_connection_costs_little(descriptors: int) -> None:
    count = min(WANTED, descriptors - SPARE)
    assert count >= FEWEST, f'{descriptors} open files are too few to measure anything'
    async with stage() as on, Origin() as origin:
        with ExitStack() as stack:
            each = await idle_cost(on, origin, count, stack)
    print(f'{count} idle connections: {each:.0f} bytes each')
    assert each <= MOST_PER_CONNECTION


async def idle_cost(on: Stage, origin: Origin, count: int, stack: ExitStack) -> float:
    """Bytes by which each of `count` connections makes a worker grow that has already seen some."""
    plane, worker = await data_plane(on, origin.port, count + WARM + 10)
    await open_many(plane.port, origin, WARM, stack)
    before = pss(worker)
    await open_many(plane.port, origin, count, stack)
    each = (pss(worker) - before) / count
    assert len(os.listdir(f'/proc/{worker}/fd')) > count + WARM, 'not all of them were kept'
    return each


class Flow:
    """A stream of `BODY` bytes in one direction: what is sent is a pattern, what arrives is compared with it. Its last piece
    follows the end of `after`: an answer that is complete before its request ends the exchange.
    """

    def __init__(self, after: Flow | None = None) -> None:
        self._after = after
        self.sent = self.arrived = 0
        self.open, self.done = asyncio.Event(), asyncio.Event()
        self._pattern = bytes(range(251)) * (PIECE // 251 + 2)

    async def send(self, sock: socket.socket) -> None:
        """All of it, as fast as it is taken."""
        loop, whole = asyncio.get_running_loop(), memoryview(self._pattern)
        while self.sent < BODY:
            if self._after is not None and self.sent + PIECE >= BODY:
                await self._after.done.wait()
            piece = whole[self.sent % 251 :][: min(PIECE, BODY - self.sent)]
            await loop.sock_sendall(sock, piece)
            self.sent += len(piece)

    async def receive(self, sock: socket.socket) -> None:
        """All of it, once it is `open`."""
        await self.open.wait()
        loop, buffer, whole = asyncio.get_running_loop(), bytearray(PIECE), memoryview(self._pattern)
        while self.arrived < BODY:
            size = await loop.sock_recv_into(sock, memoryview(buffer)[: BODY - self.arrived])
            assert size, f'it ended after {self.arrived} bytes'
            expected = whole[self.arrived % 251 :][:size]
            assert memoryview(buffer)[:size] == expected, f'not what was sent, after {self.arrived} bytes'
            self.arrived += size
        self.done.set()


async def head(sock: socket.socket) -> None:
    """Read a message's head, byte by byte so that nothing of its body is taken."""
    loop, out = asyncio.get_running_loop(), b''
    while not out.endswith(b'\r\n\r\n'):
        out += await loop.sock_recv(sock, 1)


async def test_bodies_of_any_size_in_both_directions_at_once_need_no_memory() -> None:
    loop = asyncio.get_running_loop()
    up = Flow()
    down = Flow(after=up)
    async with stage() as on:
        with socket.create_server(('127.0.0.1', 0)) as listening, socket.socket() as client:
            listening.setblocking(False)
            plane, worker = await data_plane(on, listening.getsockname()[1], 100)
            before = pss(worker)
            client.setblocking(False)
            await loop.sock_connect(client, ('127.0.0.1', plane.port))
            await loop.sock_sendall(client, b'POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: %d\r\n\r\n' % BODY)
            server, _ = await loop.sock_accept(listening)
            with server:
                server.setblocking(False)
                await head(server)
                await loop.sock_sendall(server, b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n' % BODY)
                await head(client)
                async with asyncio.TaskGroup() as tasks:
                    for flow, sender, receiver in ((up, client, server), (down, server, client)):
                        tasks.create_task(flow.send(sender))
                        tasks.create_task(flow.receive(receiver))
                    most = await watch(worker, before, up, down)
    print(f'256 MiB in both directions: {most / 1024:.0f} KiB')
    assert up.arrived == down.arrived == BODY
    assert most <= MOST_FOR_BODIES


async def watch(worker: int, before: int, *flows: Flow) -> int:
    """By how much a worker grew at most: while nobody reads and everything is full, and then while all of it flows."""
    sent: list[list[int]] = [[0]]

    def full() -> bool:
        sent.append([flow.sent for flow in flows])
        return sent[-1] == sent[-2] and all(sent[-1])

    await until(full, within=60, what='nobody takes any more', every=0.1)
    assert all(flow.sent < BODY // 4 for flow in flows), 'somebody keeps what nobody has read'
    most = pss(worker) - before
    for flow in flows:
        flow.open.set()

    def over() -> bool:
        nonlocal most
        most = max(most, pss(worker) - before)
        return all(flow.arrived == BODY for flow in flows)

    await until(over, within=90, what='all of it has arrived', every=0.02)
    return most
