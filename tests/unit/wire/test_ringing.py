"""Lines for rings, packed and on their way."""

from __future__ import annotations

import contextlib

import pytest

from dataplane.wire.ringing import LARGEST, MOST, packed, pair, unpacked


def test_lines_come_out_as_they_went_in() -> None:
    lines = [b'a', b'', b'c' * 100, b'with \xff bytes']
    ((packet, count),) = packed(b'r', lines)
    assert count == 4
    assert unpacked(packet) == (b'r', lines)


def test_a_packet_is_bounded_but_for_a_line_that_is_longer() -> None:
    lines = [b'x' * 10_000] * 7 + [b'y' * 65_535, b'z']
    packets = list(packed(b'r', lines))
    assert sum(count for _, count in packets) == len(lines)
    assert [line for packet, _ in packets for line in unpacked(packet)[1]] == lines
    assert all(len(packet) <= MOST or count == 1 for packet, count in packets)
    assert max(len(packet) for packet, _ in packets) < LARGEST


def test_nothing_is_no_packet() -> None:
    assert list(packed(b'r', [])) == []


def test_a_line_cannot_make_two() -> None:
    ((packet, _),) = packed(b'r', [b'a\0b'])
    assert unpacked(packet) == (b'r', [b'a b'])


def test_packets_stay_whole_and_nobody_waits() -> None:
    ours, theirs = pair()
    with ours, theirs:
        sent = 0
        with contextlib.suppress(BlockingIOError):
            while theirs.send(b'r\0' + b'x' * 1_000):
                sent += 1
        assert sent > 10
        assert {ours.recv(LARGEST) for _ in range(sent)} == {b'r\0' + b'x' * 1_000}
        with pytest.raises(BlockingIOError):
            ours.recv(LARGEST)
        theirs.send(b'r\0' + b'y' * 65_535)
        assert len(ours.recv(LARGEST)) == 65_537
