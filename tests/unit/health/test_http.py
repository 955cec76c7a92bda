"""The request as HAProxy 2.6 was seen to send it, and answers that are none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataplane.core.checks import Request
from dataplane.health.http import BadAnswer, read_answer, request_bytes
from tests.unit.health.words import wording


def test_the_usual_request() -> None:
    assert request_bytes(Request(), '', wording()) == b'OPTIONS / HTTP/1.0\r\n\r\n'


def test_a_newer_version_closes_its_connection() -> None:
    request = Request(method='GET', uri='/x', version='HTTP/1.1', headers=(('Host', 'foo'),))
    assert request_bytes(request, '', wording()) == b'GET /x HTTP/1.1\r\nhost: foo\r\nconnection: close\r\n\r\n'


def test_body_and_state() -> None:
    request = Request(
        method='POST', uri='/p', version='HTTP/1.1', headers=(('Host', 'h'), ('X-Y', 'z'), ('Content-Length', '99')),
        body='abc def', state=True,
    )  # fmt: skip
    assert request_bytes(request, 'UP; name=c/s', wording()) == (
        b'POST /p HTTP/1.1\r\nhost: h\r\nx-y: z\r\nx-haproxy-server-state: UP; name=c/s\r\ncontent-length: 7\r\n'
        b'connection: close\r\n\r\nabc def'
    )


@pytest.mark.parametrize(
    'data',
    [
        b'HTTP/2.0 200 OK\r\n\r\n', b'HTTP/1.1 20 OK\r\n\r\n', b'HTTP/1.1 2000 OK\r\n\r\n', b'HTTX', b'\0\0\0\0\0',
        b'HTTP/1.1 200 OK\r\nbad field\r\n\r\n', b'HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n',
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n',
    ],
)  # fmt: skip
def test_no_http(data: bytes) -> None:
    with pytest.raises(BadAnswer):
        read_answer(data, ended=False)


@pytest.mark.parametrize('data', [b'', b'H', b'HTTP/1.1 200 OK\r\nA: b\r\n'])
def test_a_head_that_is_not_there_yet(data: bytes) -> None:
    assert read_answer(data, ended=False) is None
    with pytest.raises(BadAnswer):
        read_answer(data, ended=True)


@pytest.mark.parametrize(
    'data, body, complete',
    [
        (b'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab', b'ab', False),
        (b'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcd', b'abc', True),
        (b'HTTP/1.1 200\r\n\r\nabc', b'abc', False),
        (b'HTTP/1.1 204 No Content\r\n\r\n', b'', True),
        (b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n', b'ab', False),
        (b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n', b'ab', True),
    ],
)
def test_bodies(data: bytes, body: bytes, complete: bool) -> None:
    answer = read_answer(data, ended=False)
    assert answer is not None
    assert (answer.body, answer.complete) == (body, complete)


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_an_answer_or_none(data: bytes, ended: bool) -> None:
    try:
        answer = read_answer(b'HTTP/1.1 200 OK\r\n' + data, ended=ended)
    except BadAnswer:
        return
    assert answer is None or answer.status == 200 or 100 <= answer.status <= 999


def test_who_asks_for_another_protocol_says_so_and_its_answer_is_a_final_one() -> None:
    request = Request(version='HTTP/1.1', headers=(('Connection', 'upgrade'), ('Upgrade', 'raw')))
    assert request_bytes(request, '', wording()) == b'OPTIONS / HTTP/1.1\r\nconnection: upgrade\r\nupgrade: raw\r\n\r\n'
    answer = read_answer(b'HTTP/1.1 101 Switching Protocols\r\nUpgrade: raw\r\n\r\n', ended=False)
    assert answer is not None
    assert (answer.status, answer.complete) == (101, True)


@pytest.mark.parametrize(
    'uri, target',
    [
        ('http://a/x?y', 'http://h.example:81/x?y'), ('http://a', 'http://h.example:81'), ('http://a?b', 'http://h.example:81?b'),
        ('/x?u=http://a/', '/x?u=http://a/'), ('*', '*'),
    ],
)  # fmt: skip
def test_an_absolute_uri_has_the_authority_of_its_host(uri: str, target: str) -> None:
    request = Request(uri=uri, headers=(('Host', 'h.example:81'),))
    assert request_bytes(request, '', wording()) == f'OPTIONS {target} HTTP/1.0\r\nhost: h.example:81\r\n\r\n'.encode()
    assert request_bytes(Request(uri=uri), '', wording()) == f'OPTIONS {uri} HTTP/1.0\r\n\r\n'.encode()
