"""Checks over real sockets, against servers that fail in every way."""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from pathlib import Path

import pytest
import uvloop

from dataplane.core.checks import Connect, Expect, Match, Probe, ProbeKind, Request, Send
from dataplane.core.outbound import ProxyProtocol, Source
from dataplane.health.dialogue import NO_ORIGIN, Dialogue, Limits, Origin
from dataplane.health.result import Result, Status
from dataplane.health.run import Run
from tests.unit.health.servers import Server, refusing, serving
from tests.unit.health.words import wording

DIAL = Connect(implicit=True)
HTTP = Probe(kind=ProbeKind.HTTP, steps=(DIAL, Request(), Expect(match=Match.STATUS, codes=((200, 399),))))
PONG = Probe(kind=ProbeKind.TCP, steps=(DIAL, Send(data=b'PING'), Expect(match=Match.STRING, pattern=b'+PONG')))


async def check(
    probe: Probe, port: int, *, host: str = '127.0.0.1', limits: Limits | None = None, bufsize: int = 16_384,
    origin: Origin = NO_ORIGIN,
) -> Result:  # fmt: skip
    loop = asyncio.get_running_loop()
    result: asyncio.Future[Result] = loop.create_future()
    run = Run(probe, wording(), state='', running=True, bufsize=bufsize)
    Dialogue(loop, run, host, port, limits or Limits(5_000, None), result.set_result, origin).start()
    return await asyncio.wait_for(result, 20)


def fds() -> int:
    import os

    return len(os.listdir('/proc/self/fd'))


async def test_a_server_that_is_well() -> None:
    async with serving() as server:
        assert (await check(Probe(), server.port)).status is Status.L4OK
        found = await check(HTTP, server.port)
        assert (found.status, found.code) == (Status.L7OK, 200)
        assert server.heard == [b'OPTIONS / HTTP/1.0\r\n\r\n']
        server.says = b'+PONG\r\n'
        assert (await check(PONG, server.port)).status is Status.L7OK


async def test_what_a_server_says_of_itself_is_fit_to_be_shown() -> None:
    async with serving() as server:
        server.says = b'HTTP/1.1 500 \x1b[31m' + b'x' * 900 + b'\r\n\r\n'
        assert (await check(HTTP, server.port)).info == ('.[31m' + 'x' * 900)[:127]


async def test_what_a_check_says_first_and_where_it_comes_from() -> None:
    async with serving() as server:
        origin = Origin(Source('127.0.0.5'), ProxyProtocol(version=1))
        assert (await check(HTTP, server.port, origin=origin)).status is Status.L7OK
        (heard,) = server.heard
        told = rb'PROXY TCP4 127\.0\.0\.5 127\.0\.0\.1 \d+ %d\r\nOPTIONS / HTTP/1\.0\r\n\r\n' % server.port
        assert re.fullmatch(told, heard)
    found = await check(Probe(), 1, origin=Origin(Source('192.0.2.1')))
    assert (found.status, found.info) == (
        Status.L4CON,
        "Can't bind to source address (Cannot assign requested address)",
    )


async def test_who_cannot_even_be_tried(tmp_path: Path) -> None:
    found = await check(Probe(), 1, host='255.255.255.255')
    assert (found.status, found.info) == (Status.L4CON, 'General socket error (Network is unreachable)')
    found = await check(Probe(), 0, host=f'unix@{tmp_path}/nobody')
    assert (found.status, found.info) == (Status.SOCKERR, 'General socket error (No such file or directory)')


def test_an_answer_that_ends_by_a_reset_is_an_answer() -> None:
    """uvloop, which data planes have, tells of a reset behind an answer once, together with the answer."""

    async def answer(listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        sock, _ = await loop.sock_accept(listening)
        await loop.sock_recv(sock, 4096)
        sock.send(b'+PO')  # both within one turn of the loop
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        sock.close()

    async def scene() -> Result:
        with socket.create_server(('127.0.0.1', 0)) as listening:
            listening.setblocking(False)
            answering = asyncio.create_task(answer(listening))
            found = await check(PONG, listening.getsockname()[1])
            await answering
        return found

    found = uvloop.run(scene())
    assert (found.status, found.info) == (Status.L7RSP, "TCPCHK did not match content '+PONG' at step 2")


async def test_who_lingers_closes_as_clients_do() -> None:
    ends: list[str] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            ends.append('closed' if not await reader.read() else 'more')
        except OSError:
            ends.append('reset')
        writer.close()
        heard.set()

    async with await asyncio.start_server(handle, '127.0.0.1', 0) as listening:
        for linger in (True, False):
            heard = asyncio.Event()
            probe = Probe(kind=ProbeKind.TCP, steps=(Connect(linger=linger),))
            assert (await check(probe, listening.sockets[0].getsockname()[1])).status is Status.L4OK
            await asyncio.wait_for(heard.wait(), 20)
    assert ends == ['closed', 'reset']


async def test_a_name_is_looked_up() -> None:
    async with serving() as server:
        assert (await check(Probe(), server.port, host='localhost')).status in (Status.L4OK, Status.L4CON)
    found = await check(Probe(), 1, host='no.such.name.invalid')
    assert found.status is Status.L4CON
    assert found.info


@pytest.mark.parametrize('probe', [Probe(), HTTP])
async def test_refused(probe: Probe) -> None:
    found = await check(probe, refusing())
    assert (found.status, found.info) == (Status.L4CON, 'Connection refused')


async def test_nobody_accepts() -> None:
    """A listener whose backlog is full does not even answer the handshake."""
    with socket.socket() as full:
        full.bind(('127.0.0.1', 0))
        full.listen(0)
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(('127.0.0.1', port))
        found = await check(Probe(), port, limits=Limits(100, None))
        for one in waiting:
            one.close()
    assert found.status is Status.L4TOUT
    assert found.duration >= 95


@pytest.mark.parametrize(
    'probe, status, info',
    [
        (HTTP, Status.L7TOUT, ''),
        (PONG, Status.L7TOUT, " at step 2 of tcp-check (expect string '+PONG')"),
    ],
)
async def test_accepts_and_hangs(probe: Probe, status: Status, info: str) -> None:
    async with serving() as server:
        server.hangs = True
        found = await check(probe, server.port, limits=Limits(80, None))
        assert (found.status, found.info) == (status, info)
        # with `timeout check` the answer has a limit of its own, from the connection on
        longer = await check(probe, server.port, limits=Limits(50, 150))
        assert longer.duration >= 145


async def test_reset_after_the_request() -> None:
    async with serving() as server:
        server.resets = True
        found = await check(HTTP, server.port)
    assert (found.status, found.info) == (Status.SOCKERR, 'Connection reset by peer')


@pytest.mark.parametrize(
    'says, status',
    [
        (b'', Status.L7RSP),
        (b'HTTP/1.1 2', Status.L7RSP),
        (b'junk\r\n', Status.L7RSP),
        (b'HTTP/1.1 503 Busy\r\n\r\n', Status.L7STS),
    ],
)
async def test_half_answers_and_wrong_ones(says: bytes, status: Status) -> None:
    async with serving() as server:
        server.says = says
        assert (await check(HTTP, server.port)).status is status


async def test_byte_by_byte_is_an_answer_in_time_and_none_out_of_it() -> None:
    async with serving() as server:
        server.slow = 0.001
        assert (await check(HTTP, server.port)).status is Status.L7OK
        server.slow = 0.05
        found = await check(HTTP, server.port, limits=Limits(120, None))
        assert found.status is Status.L7TOUT


async def test_an_endless_answer_is_read_as_far_as_the_buffer_goes() -> None:
    probe = Probe(kind=ProbeKind.HTTP, steps=(DIAL, Request(), Expect(match=Match.STRING, pattern=b'needle')))
    async with serving() as server:
        server.says, server.endless = b'HTTP/1.1 200 OK\r\n\r\n', True
        found = await check(probe, server.port)
        assert found == Result(Status.L7RSP, 200, 'HTTP content check did not match', found.duration)
        assert server.sent < 8_000_000  # what the kernel took; nobody read on


async def test_a_large_request_is_sent_in_parts() -> None:
    big = Probe(
        kind=ProbeKind.TCP, steps=(DIAL, Send(data=b'x' * 3_000_000), Expect(match=Match.STRING, pattern=b'OK'))
    )

    async def drain(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got = 0
        while got < 3_000_000:
            got += len(await reader.read(65_536))
        writer.write(b'OK')
        await writer.drain()
        writer.close()

    listening = await asyncio.start_server(lambda r, w: drain(Server(), r, w), '127.0.0.1', 0)
    try:
        assert (await check(big, listening.sockets[0].getsockname()[1])).status is Status.L7OK
    finally:
        listening.close()


async def test_a_script_dials_twice_and_leaves_nothing_open() -> None:
    async with serving() as one, serving() as two:
        probe = Probe(kind=ProbeKind.TCP, steps=(Connect(), Send(data=b'a'), Connect(port=two.port), Send(data=b'b')))
        before = fds()
        assert (await check(probe, one.port)).status is Status.L7OK
        assert fds() <= before + 2  # the servers' ends, until they have noticed


async def test_cancelled_it_tells_nothing() -> None:
    async with serving() as server:
        server.hangs = True
        loop = asyncio.get_running_loop()
        told: list[Result] = []
        for host in ('127.0.0.1', 'localhost'):
            dialogue = Dialogue(
                loop,
                Run(HTTP, wording(), state='', running=True, bufsize=1024),
                host,
                server.port,
                Limits(50, None),
                told.append,
            )
            dialogue.start()
            dialogue.cancel()
        await asyncio.sleep(0.1)
        assert not told


async def test_no_descriptor_left_is_a_socket_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object) -> socket.socket:
        raise OSError(24, 'Too many open files')

    monkeypatch.setattr('dataplane.health.dialogue.socket.socket', none)
    found = await check(Probe(), 1)
    assert (found.status, found.info) == (Status.SOCKERR, 'Too many open files')
