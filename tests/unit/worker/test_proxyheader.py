"""The PROXY protocol as it is heard: what `core.outbound` says, and what must not be believed."""

from __future__ import annotations

from struct import pack

import pytest

from dataplane.core.outbound import NOWHERE, ProxyProtocol, header_of
from dataplane.rules.hashes import crc32c
from dataplane.worker.ends import Ends
from dataplane.worker.proxyheader import INVALID, NOT_A_HEADER, UNHANDLED, BadHeader, ProxyHeader, read_header

MOST = 16_384
SIGNATURE = b'\r\n\r\n\x00\r\nQUIT\n'
FOUR = bytes([192, 168, 0, 1, 10, 0, 0, 2]) + pack('!HH', 1_234, 81)
ENDS = Ends('192.168.0.1', 1_234, '10.0.0.2', 81)


def second(command: int, family: int, payload: bytes, length: int | None = None) -> bytes:
    return SIGNATURE + pack('!BBH', command, family, len(payload) if length is None else length) + payload


def tlv(kind: int, value: bytes) -> bytes:
    return pack('!BH', kind, len(value)) + value


@pytest.mark.parametrize('ends', [ENDS, Ends('2001:db8::1', 1, '::ffff:10.0.0.2', 65_535)])
@pytest.mark.parametrize('settings', [
    ProxyProtocol(version=1), ProxyProtocol(version=2), ProxyProtocol(version=2, ssl=True, unique_id=True, crc32c=True),
])  # fmt: skip
def test_what_is_said_is_heard(settings: ProxyProtocol, ends: Ends) -> None:
    said = header_of(settings, (ends.source, ends.source_port), (ends.target, ends.target_port), b'u-1')
    assert all(read_header(said[:at], MOST) is None for at in range(1, len(said)))
    heard = read_header(said + b'GET / HTTP/1.1', MOST)
    assert heard is not None
    assert (heard.ends, heard.size) == (ends, len(said))


@pytest.mark.parametrize('version', [1, 2])
def test_nothing_may_be_said_of_where_it_comes_from(version: int) -> None:
    said = header_of(ProxyProtocol(version=version), NOWHERE, NOWHERE)
    assert read_header(said, MOST) == ProxyHeader(None, b'', len(said))


@pytest.mark.parametrize('data', [
    b'PROXY UNKNOWN ffff:f::1 ::1 65535 65535\r\n', second(0x20, 0x11, FOUR), second(0x21, 0x31, bytes(216)), second(0x21, 0x12, FOUR),
])  # fmt: skip
def test_of_other_kinds_of_connections_no_address_is_taken(data: bytes) -> None:
    assert read_header(data, MOST) == ProxyHeader(None, b'', len(data))


def test_what_is_said_besides_is_kept_as_it_came() -> None:
    besides = tlv(2, b'host') + tlv(0xEA, b'') + tlv(5, b'u-1')
    assert read_header(second(0x21, 0x11, FOUR + besides) + b'rest', MOST) == ProxyHeader(
        ENDS, besides, 28 + len(besides)
    )


@pytest.mark.parametrize(
    'data',
    [
        b'GET / HTTP/1.1\r\n',
        b'P ',
        b'\r\n\r\nG',
        b'\n',
        b'PROXY\tTCP4',
        SIGNATURE[:-1] + b'\r',
        second(0x31, 0x11, FOUR),
    ],
)
def test_something_else(data: bytes) -> None:
    with pytest.raises(BadHeader) as caught:
        read_header(data, MOST)
    assert str(caught.value) == NOT_A_HEADER


@pytest.mark.parametrize('line', [b'SCTP 192.168.0.1 10.0.0.2 1234 81', b'TCP 1', b'', b'UNKNOWNS'])
def test_another_protocol(line: bytes) -> None:
    with pytest.raises(BadHeader) as caught:
        read_header(b'PROXY ' + line + b'\r\n', MOST)
    assert str(caught.value) == UNHANDLED


@pytest.mark.parametrize('line', [
    b'TCP4 192.168.0.1 10.0.0.2 1234', b'TCP4 192.168.0.1 10.0.0.2 1234 81 9', b'TCP4  192.168.0.1 10.0.0.2 1234 81',
    b'TCP4 192.168.0.1 10.0.0.2 1234 65536', b'TCP4 192.168.0.256 10.0.0.2 1234 81', b'TCP4 ::1 ::2 1234 81',
    b'TCP6 192.168.0.1 10.0.0.2 1234 81', b'TCP4 192.168.0.1 10.0.0.2 -1 81', b'TCP4 192.168.0.1 10.0.0.2 1234 81 ', b'TCP4 ',
])  # fmt: skip
def test_a_line_that_cannot_be_relied_on(line: bytes) -> None:
    with pytest.raises(BadHeader) as caught:
        read_header(b'PROXY ' + line + b'\r\n', MOST)
    assert str(caught.value) == INVALID


def test_a_line_without_an_end() -> None:
    assert read_header(b'PROXY TCP4 '.ljust(106, b'1'), MOST) is None
    with pytest.raises(BadHeader, match=INVALID):
        read_header(b'PROXY TCP4 '.ljust(107, b'1'), MOST)


@pytest.mark.parametrize('data', [
    second(0x22, 0x11, FOUR), second(0x21, 0x11, FOUR[:-1]), second(0x21, 0x21, FOUR),
    second(0x21, 0x11, FOUR + b'\x02\x00'), second(0x21, 0x11, FOUR + b'\x02\x00\x0a12345'), second(0x21, 0x11, FOUR + tlv(2, bytes(256))),
    second(0x21, 0x11, FOUR + tlv(5, bytes(129))), second(0x21, 0x11, FOUR + tlv(3, b'abcd')), second(0x21, 0x11, FOUR + tlv(3, b'')),
    second(0x21, 0x11, b'', 65_535),
])  # fmt: skip
def test_a_block_that_cannot_be_relied_on(data: bytes) -> None:
    with pytest.raises(BadHeader) as caught:
        read_header(data, MOST)
    assert str(caught.value) == INVALID


def test_a_checksum_is_that_of_all_but_itself() -> None:
    blank = second(0x21, 0x11, FOUR + tlv(3, bytes(4)) + tlv(4, b'x'))
    right = blank.replace(tlv(3, bytes(4)), tlv(3, pack('!I', crc32c(blank))))
    heard = read_header(right, MOST)
    assert heard is not None
    assert heard.ends == ENDS
    with pytest.raises(BadHeader) as caught:
        read_header(right[:-1] + b'y', MOST)
    assert caught.value.ends == ENDS
