"""The two that read heads: what each answers, and that both answer the same for whatever bytes."""

from __future__ import annotations

import random
from collections.abc import Callable
from importlib import import_module, util

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataplane.worker import scan

PIECES = (
    b'GET', b'P_ST', b' ', b'  ', b'/', b'/a?b#c', b'*', b'HTTP/1.1', b'HTTP/1.0', b'HTTP/1.2', b'HTTP/2.0', b'\r\n', b'\n', b'\r',
    b'Host', b'hOsT', b'host_', b':', b' :', b': ', b'a', b'\t', b'Content-Length', b'transfer-encoding', b'TE', b'Upgrade',
    b'X-' + b'y' * 40, b'HTTP2-Settings', b'\x00', b'\x7f', b'\xff', b'\x80', b'200', b'99', b'600', b'10', b' OK', b'', b'long value ' * 3, b'\x1f', b'\t' * 9, b'\x80' * 11, b'~\x7f',
)  # fmt: skip
REQUEST = b'GET /a HTTP/1.1\r\nHost: a\r\nX_y: 1\r\nContent-Length:\t 5 \r\nAccept: */*\r\n\r\n'
RESPONSE = b'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nServer: x\r\nCONNECTION: close\r\n\r\n'

Scan = Callable[[bytes], object]


def twins() -> list[tuple[Scan, Scan]]:
    if util.find_spec('dataplane.native.heads') is None:
        pytest.skip('dataplane.native.heads is not compiled here; `make test-compiled` compares the two')
    native = import_module('dataplane.native.heads')
    return [
        (scan.scan_request, native.scan_request), (scan.scan_response, native.scan_response),
        (scan.is_host, native.is_host),
    ]  # fmt: skip


def same(raw: bytes) -> None:
    for written, compiled in twins():
        assert compiled(raw) == written(raw), raw


def same_end(data: bytes) -> None:
    native = import_module('dataplane.native.heads')
    for start in range(len(data) + 2):
        assert native.head_end(data, start) == scan.head_end(data, start), (data, start)


def test_where_a_head_ends() -> None:
    assert scan.head_end(b'a\r\n\r\nb\r\n\r\n', 0) == 5
    assert scan.head_end(b'a\r\n\r\nb\r\n\r\n', 2) == 10
    assert scan.head_end(b'\r\n\r\n', 0) == 4
    assert [scan.head_end(data, 0) for data in (b'', b'\r\n\r', b'\n\r\n\r', b'\r\r\n\n')] == [-1, -1, -1, -1]


@pytest.mark.parametrize(
    'value, length',
    [
        (b'0', 0), (b'5', 5), (b'007', 7), (b'9' * 18, 10**18 - 1), (b'9' * 19, -1), (b'', -1), (b'-1', -1), (b'+1', -1),
        (b'1 ', -1), (b'0x1', -1), (b'1_0', -1), (b'\xb2', -1), (b'1\x00', -1),
    ],
)  # fmt: skip
def test_a_length(value: bytes, length: int) -> None:
    assert scan.content_length(value) == length


@pytest.mark.parametrize('target', [b'/', b'/%00', b'/a%0', b'/%001', b'/%0%00', b''])
def test_a_nul_in_disguise(target: bytes) -> None:
    assert scan.has_escaped_nul(target) is (b'%00' in target)


@settings(max_examples=1000, deadline=None)
@given(st.lists(st.sampled_from((b'\r', b'\n', b'\r\n', b'a', b'%', b'0', b'%00', b'7')), max_size=12))
def test_both_find_the_same_in_small_things(pieces: list[bytes]) -> None:
    twins()
    data = b''.join(pieces)
    native = import_module('dataplane.native.heads')
    same_end(data)
    assert native.has_escaped_nul(data) is scan.has_escaped_nul(data)
    assert native.content_length(data) == scan.content_length(data)


def test_a_request() -> None:
    fields = [(b'host', b'a', 17, 26), (b'content-length', b'5', 34, 55)]
    assert scan.scan_request(REQUEST) == (b'GET', b'/a', 1, 4, True, fields)


def test_a_response() -> None:
    fields = [(b'content-length', b'5', 17, 36), (b'connection', b'close', 47, 66)]
    assert scan.scan_response(RESPONSE) == (1, 200, 3, fields)
    assert scan.scan_response(b'HTTP/1.0 404\r\n\r\n') == (0, 404, 0, [])


@pytest.mark.parametrize(
    'raw', [b'', b'\r\n', b'GET / HTTP/1.1\r\n', b'GET / HTTP/1.1\r\n\r\nX', b'HTTP/1.1 20 OK\r\n\r\n']
)
def test_neither(raw: bytes) -> None:
    assert scan.scan_request(raw) is None
    assert scan.scan_response(raw) is None


@pytest.mark.parametrize(
    'authority, good',
    [
        (b'', True), (b'a', True), (b'a.example:80', True), (b'a:', True), (b':80', True), (b'[::1]', True),
        (b'[::1]:80', True), (b"x!$&'()*+,;=._~%-9", True), (b'[]', False), (b'[::1', False), (b'[::g]', False),
        (b'[::1]a', False), (b'a:b', False), (b'a:1:2', False), (b'a b', False), (b'a@b', False), (b'a/b', False),
        (b'a\x00', False), (b'[::1\x00]', False), (b'a:80\x00', False), (b'\xe9', False), (b'a[', False), (b'a"', False),
    ],
)  # fmt: skip
def test_a_host_and_perhaps_a_port(authority: bytes, good: bool) -> None:
    assert scan.is_host(authority) is good


@settings(max_examples=1000, deadline=None)
@given(st.lists(st.sampled_from((b'a', b':', b'[', b']', b'8', b'.', b'\x00', b'%', b'@', b'f')), max_size=8))
def test_both_take_the_same_for_a_host(pieces: list[bytes]) -> None:
    same(b''.join(pieces))


@settings(max_examples=3000, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=30))
def test_both_read_whatever_pieces_alike(pieces: list[bytes]) -> None:
    same(b''.join(pieces))


@settings(max_examples=2000, deadline=None)
@given(st.sampled_from([REQUEST, RESPONSE]), st.randoms(use_true_random=False))
def test_both_read_a_head_with_changed_bytes_alike(raw: bytes, rng: random.Random) -> None:
    changed = bytearray(raw)
    for _ in range(rng.randint(1, 3)):
        changed[rng.randrange(len(changed))] = rng.choice((rng.randrange(256), 0, 9, 10, 13, 32, 58, 95))
    same(bytes(changed))


@pytest.mark.parametrize('raw', [REQUEST, RESPONSE])
def test_both_read_every_beginning_and_every_byte_alike(raw: bytes) -> None:
    for end in range(len(raw) + 1):
        same(raw[:end])
        same(raw[:end] + raw[end + 1 :])
    for place in range(len(raw)):
        for byte in range(256):
            same(raw[:place] + bytes((byte,)) + raw[place + 1 :])
