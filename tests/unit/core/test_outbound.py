from __future__ import annotations

from struct import unpack

import pytest

from dataplane.core.outbound import ProxyProtocol, header_of, local_header
from dataplane.rules.hashes import crc32c

V4 = (('127.0.0.1', 45606), ('127.0.0.1', 18081))
V6 = (('::1', 1), ('2001:db8::1', 80))
NONE = (('', 0), ('', 0))
V1, V2 = ProxyProtocol(version=1), ProxyProtocol(version=2)
SIGNATURE = b'\r\n\r\n\x00\r\nQUIT\n'


@pytest.mark.parametrize(
    'ends,expected',
    [
        (V4, b'PROXY TCP4 127.0.0.1 127.0.0.1 45606 18081\r\n'),
        (V6, b'PROXY TCP6 ::1 2001:db8::1 1 80\r\n'),
        (NONE, b'PROXY UNKNOWN\r\n'),
    ],
)
def test_version_1(ends: tuple[tuple[str, int], tuple[str, int]], expected: bytes) -> None:
    assert header_of(V1, *ends) == expected


def test_version_2_over_ipv4_ipv6_and_no_address() -> None:
    assert header_of(V2, *V4) == SIGNATURE + b'!\x11\x00\x0c' + bytes((127, 0, 0, 1, 127, 0, 0, 1)) + b'\xb2&F\xa1'
    assert header_of(V2, *V6)[12:16] == b'!!\x00\x24'
    assert header_of(V2, *NONE) == SIGNATURE + b' \x00\x00\x00'


def test_the_bytes_of_haproxy() -> None:
    """Seen on HAProxy 2.6 with `proxy-v2-options unique-id,crc32c,ssl` and no format of ids."""
    seen = (
        SIGNATURE + b'!\x11\x00\x1e\x7f\x00\x00\x01\x7f\x00\x00\x01\xa6$F\xa1\x03\x00\x04d\xf2\x9c\xb2\x05\x00\x00'
        b' \x00\x05\x00\x00\x00\x00\x00'
    )
    settings = ProxyProtocol(version=2, ssl=True, unique_id=True, crc32c=True)
    assert header_of(settings, ('127.0.0.1', 0xA624), ('127.0.0.1', 18081)) == seen


def test_an_id_is_told_and_the_sum_is_right() -> None:
    settings = ProxyProtocol(version=2, unique_id=True, crc32c=True)
    made = header_of(settings, *V4, b'x' * 200)
    at = 16 + 12
    assert made[at : at + 3] == b'\x03\x00\x04'
    (told,) = unpack('!I', made[at + 3 : at + 7])
    assert told == crc32c(made[: at + 3] + bytes(4) + made[at + 7 :])
    assert made[at + 7 :] == b'\x05\x00\x80' + b'x' * 128, 'an id is cut at 128 bytes'
    assert unpack('!H', made[14:16])[0] == len(made) - 16


def test_checks_are_local() -> None:
    """Seen on HAProxy 2.6 with `check send-proxy-v2 proxy-v2-options crc32c,unique-id,ssl`."""
    settings = ProxyProtocol(version=2, ssl=True, unique_id=True, crc32c=True)
    seen = SIGNATURE + b' \x00\x00\x0f\x03\x00\x04\x88\x9d\xa1\xdf \x00\x05\x00\x00\x00\x00\x00'
    assert local_header(settings, *V4) == seen
    assert local_header(V1, *V4) == header_of(V1, *V4)
