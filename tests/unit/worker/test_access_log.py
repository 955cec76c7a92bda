from __future__ import annotations

import asyncio
import contextlib
import os
import select
import socket
from array import array
from pathlib import Path

import pytest

from dataplane.core.counters import C
from dataplane.core.layout import Layout
from dataplane.core.model import Global, LogTarget
from dataplane.wire.ringing import LARGEST, pair, unpacked
from dataplane.worker.access_log import BUFFER_LIMIT, AccessLog, StreamSink, open_sink


class Board:
    def __init__(self) -> None:
        self.layout = Layout(workers=1, servers=1, backends=1, frontends=1, entries=1)
        self.cells = array('q', bytes(8 * self.layout.size))

    def log(self) -> AccessLog:
        return AccessLog(asyncio.get_running_loop(), self.cells, self.layout, 0)

    @property
    def dropped(self) -> int:
        return self.cells[self.layout.process_counters(0) + C.DROPPED_LOGS]


def raw(address: str, **settings: object) -> LogTarget:
    return LogTarget(address=address, format='raw', **settings)  # type: ignore[arg-type]


async def read(fd: int, size: int) -> bytes:
    """`size` bytes of a pipe, as they are flushed."""
    os.set_blocking(fd, False)
    out = b''
    while len(out) < size:
        try:
            out += os.read(fd, 1 << 20)
        except BlockingIOError:
            await asyncio.sleep(0.002)
    return out


async def full(fd: int) -> None:
    """Return when a pipe takes no more."""
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    while True:
        if not poll.poll(0):
            return
        await asyncio.sleep(0.002)


async def test_lines_go_to_a_descriptor_in_order() -> None:
    ours, theirs = os.pipe()
    board = Board()
    log = board.log()
    for number in range(1_000):
        log.write((raw(f'fd@{theirs}'),), f'line {number}')
    expected = b''.join(b'line %d\n' % number for number in range(1_000))
    assert await asyncio.wait_for(read(ours, len(expected)), 30) == expected
    log.close()
    os.close(ours)
    os.close(theirs)
    assert board.dropped == 0


async def test_a_reader_that_stands_still_never_holds_the_loop_and_what_does_not_fit_is_counted() -> None:
    ours, theirs = os.pipe()
    board = Board()
    log = board.log()
    line = 'x' * 1_000
    target = raw(f'fd@{theirs}')
    for _ in range(3_000):
        log.write((target,), line)
    kept = BUFFER_LIMIT // 1_001
    assert board.dropped == 3_000 - kept
    await asyncio.wait_for(full(theirs), 30)
    assert len(await asyncio.wait_for(read(ours, kept * 1_001), 30)) == kept * 1_001
    log.close()
    os.close(ours)
    os.close(theirs)


async def test_a_reader_that_is_gone_costs_lines_only() -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    board = Board()
    log = board.log()
    log.write((raw(f'fd@{theirs}'),), 'lost')
    assert board.dropped == 0
    log.close()
    assert board.dropped == 1
    os.close(theirs)


async def received(receiver: socket.socket) -> bytes:
    """The next datagram, which the log sends when its batch is due."""
    receiver.setblocking(False)
    return await asyncio.wait_for(asyncio.get_running_loop().sock_recv(receiver, 200), 30)


async def test_datagrams_one_per_line(tmp_path: Path) -> None:
    udp, unix = socket.socket(type=socket.SOCK_DGRAM), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    udp.bind(('127.0.0.1', 0))
    unix.bind(str(tmp_path / 'log'))
    board = Board()
    log = board.log()
    targets = (raw(f'127.0.0.1:{udp.getsockname()[1]}'), raw(str(tmp_path / 'log')))
    log.write(targets, 'one')
    log.write(targets, 'two')
    for receiver in (udp, unix):
        assert [await received(receiver), await received(receiver)] == [b'one', b'two']
        receiver.close()
    log.write(targets[1:], 'nobody listens')
    log.close()
    assert board.dropped == 1


async def test_what_cannot_be_opened_is_dropped(tmp_path: Path) -> None:
    board = Board()
    log = board.log()
    log.write((raw('nonsense'), raw(str(tmp_path / 'nobody'))), 'x')
    log.close()
    assert board.dropped == 2
    with pytest.raises(ValueError, match='nonsense'):
        open_sink('nonsense')


@pytest.mark.parametrize('address', ['localhost:514', ':514', '127.1:514'])
async def test_no_name_is_ever_looked_up(address: str) -> None:
    with pytest.raises(ValueError, match='does not appear to be an IPv4 or IPv6 address'):
        open_sink(address)


async def test_datagrams_over_ipv6() -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as udp:
        udp.bind(('::1', 0))
        sink = open_sink(f'[::1]:{udp.getsockname()[1]}')
        assert sink.add(b'one')
        assert not sink.flush()
        assert await received(udp) == b'one'
        assert sink.close() == 0


async def test_levels_lengths_tags_and_hosts() -> None:
    udp = socket.socket(type=socket.SOCK_DGRAM)
    udp.bind(('127.0.0.1', 0))
    address = f'127.0.0.1:{udp.getsockname()[1]}'
    board = Board()
    log = board.log()
    log.adopt(Global(log_tag='sluice', log_send_hostname='here', node='n1'), {address})
    log.write((raw(address, level='notice'),), 'not wanted')
    log.write((raw(address, length=5),), 'too long')
    assert await received(udp) == b'too '
    log.write((LogTarget(address=address, facility='local1', level='info', min_level='debug'),), 'x')
    message = (await received(udp)).decode()
    assert message.startswith('<143>')
    assert message.endswith(f' here sluice[{os.getpid()}]: x')
    log.adopt(Global(log_tag='sluice', node='n1'), {address})
    log.write((LogTarget(address=address, format='rfc5424'),), 'x')
    assert f' n1 sluice {os.getpid()} - - x' in (await received(udp)).decode()
    log.close()
    udp.close()
    assert board.dropped == 0


async def test_a_socket_to_what_is_named_no_more_is_closed_after_its_lines(tmp_path: Path) -> None:
    path = str(tmp_path / 'log')
    udp = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    udp.bind(path)
    log = Board().log()
    log.write((raw(path),), 'the last')
    before = len(os.listdir('/proc/self/fd'))
    log.adopt(Global(), {'stdout'})
    assert len(os.listdir('/proc/self/fd')) == before - 1
    assert await received(udp) == b'the last'
    log.close()
    udp.close()


def test_a_regular_file_takes_everything_at_once(tmp_path: Path) -> None:
    with (tmp_path / 'log').open('wb') as file:
        sink = StreamSink(file.fileno())
        for number in range(5_000):
            assert sink.add(b'%d' % number)
        assert sink.flush() is False
    assert len((tmp_path / 'log').read_bytes().splitlines()) == 5_000


async def test_lines_for_a_ring_go_to_the_supervisor() -> None:
    board = Board()
    ours, theirs = pair()
    with ours, theirs:
        log = AccessLog(asyncio.get_running_loop(), board.cells, board.layout, 0, theirs)
        log.write([raw('ring@r'), raw('ring@other')], 'one')
        log.write([raw('ring@r')], 'two')
        log.close()
        assert [unpacked(ours.recv(LARGEST)) for _ in range(2)] == [(b'r', [b'one', b'two']), (b'other', [b'one'])]
        assert board.dropped == 0


async def test_lines_for_a_ring_that_find_no_room_are_dropped() -> None:
    board = Board()
    ours, theirs = pair()
    with ours, theirs:
        log = AccessLog(asyncio.get_running_loop(), board.cells, board.layout, 0, theirs)
        with contextlib.suppress(BlockingIOError):
            while theirs.send(b'r\0' + b'x' * 1_000):
                pass
        for _ in range(3):
            log.write([raw('ring@r')], 'lost')
        log.close()
        assert board.dropped == 3


async def test_without_a_way_to_the_supervisor_they_are_dropped() -> None:
    board = Board()
    log = board.log()
    log.write([raw('ring@r')], 'lost')
    log.close()
    assert board.dropped == 1
