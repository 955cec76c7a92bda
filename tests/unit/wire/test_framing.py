"""Packets over a real socket pair: whole, in order, with their descriptors, and never waiting."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import closing

import pytest

from dataplane.wire.framing import MAX_DESCRIPTORS, MAX_KEPT, Channel, Packet, pack, unpack


@pytest.fixture
def ends() -> Iterator[tuple[Channel, Channel]]:
    ours, theirs = Channel.pair()
    other = Channel(theirs)
    with closing(ours), closing(other):
        yield ours, other


def _next(channel: Channel) -> Packet:
    packet = channel.receive()
    assert packet is not None
    return packet


def test_message_arrives_whole(ends: tuple[Channel, Channel]) -> None:
    ours, other = ends
    assert other.receive() is None
    assert ours.send({'op': 'effects', 'revision': 7})
    assert ours.send({'op': 'later'})
    assert _next(other) == Packet({'op': 'effects', 'revision': 7}, ())
    assert _next(other).message == {'op': 'later'}
    assert other.receive() is None


def test_descriptors_travel_and_belong_to_the_receiver(ends: tuple[Channel, Channel]) -> None:
    ours, other = ends
    reader, writer = os.pipe()
    ours.send({'op': 'fd'}, (reader, writer))
    os.close(reader)
    os.close(writer)
    _, (their_reader, their_writer) = _next(other)
    os.write(their_writer, b'x')
    assert os.read(their_reader, 1) == b'x'
    assert not os.get_inheritable(their_reader)
    os.close(their_reader)
    os.close(their_writer)


def test_large_message_travels_in_a_memfd_with_descriptors_in_order(ends: tuple[Channel, Channel]) -> None:
    ours, other = ends
    reader, writer = os.pipe()
    rows = [{'id': f'0x{i:x}', 'age': i} for i in range(20_000)]
    ours.send({'rows': rows}, (writer,))
    os.close(writer)
    message, fds = _next(other)
    assert message == {'rows': rows}
    os.write(fds[0], b'y')
    assert os.read(reader, 1) == b'y'
    os.close(fds[0])
    os.close(reader)


def test_too_many_descriptors_are_refused(ends: tuple[Channel, Channel]) -> None:
    with pytest.raises(ValueError, match='descriptors'):
        ends[0].send({}, [0] * (MAX_DESCRIPTORS + 1))


def test_what_is_not_taken_is_kept_in_order_with_its_descriptors(ends: tuple[Channel, Channel]) -> None:
    ours, other = ends
    reader, writer = os.pipe()
    sent = 0
    while ours.send({'n': sent}, (writer,) if sent == 0 else ()):
        sent += 1
    ours.send({'n': sent + 1}, (writer,))
    os.close(writer)
    assert ours.pending == 2
    assert not ours.flush()
    got = []
    while (packet := other.receive()) is not None:
        got.append(packet)
        ours.flush()
    assert ours.pending == 0
    assert [packet.message['n'] for packet in got] == list(range(sent + 2))
    os.write(got[-1].fds[0], b'z')
    assert os.read(reader, 1) == b'z'
    for packet in got:
        for fd in packet.fds:
            os.close(fd)
    os.close(reader)


def test_who_does_not_read_is_an_error_not_memory(ends: tuple[Channel, Channel]) -> None:
    ours, _ = ends
    while ours.send({}):
        pass
    for _ in range(MAX_KEPT - 1):
        ours.send({})
    with pytest.raises(BlockingIOError, match='does not read'):
        ours.send({})


def test_closing_kept_packets_closes_their_descriptors() -> None:
    ours, theirs = Channel.pair()
    reader, writer = os.pipe()
    while ours.send({}):
        pass
    ours.send({}, (writer,))
    os.close(writer)
    ours.close()
    ours.close()
    assert ours.fileno() == -1
    assert os.read(reader, 1) == b''
    os.close(reader)
    theirs.close()


def test_end_of_file(ends: tuple[Channel, Channel]) -> None:
    ours, other = ends
    ours.send({'op': 'last'})
    ours.close()
    assert _next(other).message == {'op': 'last'}
    with pytest.raises(EOFError):
        other.receive()
    with pytest.raises(OSError, match='Broken pipe'):
        other.send({})


def test_unread_packets_at_the_other_side_s_death_are_an_end_of_file(ends: tuple[Channel, Channel]) -> None:
    ours, other = ends
    ours.send({'op': 'never read'})
    other.close()
    with pytest.raises(EOFError):
        ours.receive()


@pytest.mark.parametrize('data', [b'{', b'[]', b'"x"', b'{"*large*":"x"}', b'{"*large*":10}', b'{"*large*":-1}'])
def test_malformed_packets_are_named(data: bytes) -> None:
    ours, theirs = Channel.pair()
    with closing(ours), theirs:
        theirs.send(data)
        with pytest.raises(ValueError, match='packet: '):
            ours.receive()


def test_large_message_cut_short_is_named_and_its_descriptor_closed() -> None:
    ours, theirs = Channel.pair()
    reader, writer = os.pipe()
    fd = os.memfd_create('short')
    os.write(fd, b'{}')
    with closing(ours), theirs:
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack('ii', fd, writer))]
        theirs.sendmsg([b'{"*large*":20}'], rights)
        os.close(fd)
        os.close(writer)
        with pytest.raises(ValueError, match='has only 2'):
            ours.receive()
    assert os.read(reader, 1) == b''
    os.close(reader)


def test_parts_keep_shared_references_and_each_reader_its_own_place() -> None:
    shared = ['server']
    fd = pack([[shared], {'all': shared}, None])
    first, second = unpack(os.dup(fd)), unpack(os.dup(fd))
    os.close(fd)
    (one,) = next(first)
    assert next(second) == [['server']]
    assert next(first)['all'] is one
    assert list(first) == [None]
    assert list(second) == [{'all': ['server']}, None]


def test_no_parts() -> None:
    assert list(unpack(pack([]))) == []


def test_parts_that_nobody_looks_at_leave_no_descriptor() -> None:
    fd = pack(['a'])
    parts = unpack(fd)
    with pytest.raises(OSError, match='Bad file descriptor'):
        os.fstat(fd)
    assert list(parts) == ['a']
