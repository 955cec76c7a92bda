"""The rules for heads, one case each; how they look on the wire is in tests/integration/safe_http."""

from __future__ import annotations

import itertools
import re

import pytest

from dataplane.worker.framing import CHUNKED, UNTIL_CLOSE
from dataplane.worker.head import BadHead, RequestHead, ResponseHead, incomplete, parse_request, parse_response


def request(raw: bytes, fields: int = 101) -> RequestHead:
    return parse_request(raw, fields)


def get(*lines: bytes, version: bytes = b'1.1', start: bytes = b'GET /') -> RequestHead:
    return request(b''.join((start, b' HTTP/', version, b'\r\n', *(line + b'\r\n' for line in lines), b'\r\n')))


def response(*lines: bytes, start: bytes = b'HTTP/1.1 200 OK') -> ResponseHead:
    return parse_response(b''.join((start, b'\r\n', *(line + b'\r\n' for line in lines), b'\r\n')), 101)


def kept(head: RequestHead | ResponseHead) -> list[bytes]:
    """The lines that go on."""
    *lines, rest = head.kept().split(b'\r\n')
    assert rest == b''
    return lines


def test_a_plain_request() -> None:
    head = get(b'Host: a.example:81', b'X-A:  b ')
    assert (head.method, head.target, head.version, head.authority) == (b'GET', b'/', 1, b'a.example:81')
    assert head.keep_alive
    assert head.length == 0
    assert kept(head) == [b'GET / HTTP/1.1', b'Host: a.example:81', b'X-A:  b ']


@pytest.mark.parametrize('method', [b'FOO', b'get', b'PRI', b'M-SEARCH', b'X!'])
def test_any_token_is_a_method(method: bytes) -> None:
    assert get(b'Host: a', start=method + b' /').method == method


@pytest.mark.parametrize(
    'raw, status',
    [
        (b'GET / HTTP/1.1\r\n\r\n', 400),
        (b'GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n', 400),
        (b'GET / HTTP/1.1\r\nHost: a b\r\n\r\n', 400),
        (b'GET / HTTP/1.1\r\nHost: u@a\r\n\r\n', 400),
        (b'GET / HTTP/1.1\r\nHost: a/b\r\n\r\n', 400),
        (b'GET / HTTP/1.2\r\nHost: a\r\n\r\n', 400),
        (b'GET / HTTP/2.0\r\nHost: a\r\n\r\n', 400),
        (b'GET / HTTP/0.9\r\nHost: a\r\n\r\n', 400),
        (b'GET / http/1.1\r\nHost: a\r\n\r\n', 400),
        (b'GET / ICE/1.0\r\nHost: a\r\n\r\n', 400),
        (b'GET /\r\n\r\n', 400),
        (b'GET  / HTTP/1.1\r\nHost: a\r\n\r\n', 400),
        (b'GET /  HTTP/1.1\r\nHost: a\r\n\r\n', 400),
        (b' GET / HTTP/1.1\r\nHost: a\r\n\r\n', 400),
        (b'GET / HTTP/1.1 \r\nHost: a\r\n\r\n', 400),
        (b'G(T / HTTP/1.1\r\nHost: a\r\n\r\n', 400),
        (b'GET /\x80 HTTP/1.1\r\nHost: a\r\n\r\n', 400),
        (b'GET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n', 400),
        (b'GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n', 400),
        (b'GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n', 400),
        (b'GET x HTTP/1.1\r\nHost: a\r\n\r\n', 400),
        (b'GET * HTTP/1.1\r\nHost: a\r\n\r\n', 400),
        (b'GET http://u@b/ HTTP/1.1\r\nHost: b\r\n\r\n', 400),
        (b'GET http:///x HTTP/1.1\r\nHost: b\r\n\r\n', 400),
        (b'GET ftp://b/ HTTP/1.1\r\nHost: b\r\n\r\n', 400),
        (b'CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n', 405),
        (b'TRACE / HTTP/1.1\r\nHost: a\r\n\r\n', 405),
        (b'GET / HTTP/1.1\r\nHost: a\r\nX : 1\r\n\r\n', 400),
        (b'GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n', 400),
        (b'GET / HTTP/1.1\r\nHost: a\r\n: 1\r\n\r\n', 400),
        (b'GET / HTTP/1.1\r\nHost: a\r\nX@: 1\r\n\r\n', 400),
        (b'GET / HTTP/1.1\r\nHost: a\r\nX\x80: 1\r\n\r\n', 400),
        (b'GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n', 400),
        (b'GET / HTTP/1.1\r\n Host: a\r\n\r\n', 400),
        (b'GET / HTTP/1.1\r\nHost: a\r\nX: 1\r2\r\n\r\n', 400),
        (b'GET / HTTP/1.1\r\nHost: a\r\nX: 1\n2\r\n\r\n', 400),
        (b'GET / HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n', 400),
        (b'GET / HTTP/1.1\r\nHost: a\r\nX: \x7f\r\n\r\n', 400),
        (b'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n', 400),
        (b'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\n', 400),
        (b'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n', 400),
        (b'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\n', 400),
        (b'POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n', 400),
        (b'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1 2\r\n\r\n', 400),
        (b'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1234567890123456789\r\n\r\n', 400),
        (b'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n', 400),
        (b'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n', 400),
        (b'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n', 400),
        (b'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n', 400),
        (b'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n', 400),
        (b'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: x-chunked\r\n\r\n', 400),
        (b'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n', 400),
        (b'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\r\n', 400),
        (b'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n', 501),
        (b'POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n', 400),
        (b'GET / HTTP/1.1\r\nHost: a\r\nExpect: the-unexpected\r\n\r\n', 417),
        (b'OPTIONS / HTTP/1.1\r\nHost: a\r\nMax-Forwards: x\r\n\r\n', 400),
    ],
)
def test_what_must_not_be_forwarded(raw: bytes, status: int) -> None:
    with pytest.raises(BadHead) as refused:
        request(raw)
    assert refused.value.status == status


@pytest.mark.parametrize('second', [b'GET /b HTTP/1.0\r\nX: y\r\n\r\n', b'x\r\n\r\n', b'\r\n', b'X: y\r\n\r\n'])
def test_what_has_an_empty_line_inside_is_no_head(second: bytes) -> None:
    with pytest.raises(BadHead):
        request(b'GET / HTTP/1.1\r\nHost: a\r\n\r\n' + second)


def test_the_number_of_fields_is_bounded() -> None:
    raw = b'GET / HTTP/1.1\r\nHost: a\r\n' + b'X: a\r\n' * 100 + b'\r\n'
    assert len(kept(request(raw, 101))) == 102
    with pytest.raises(BadHead):
        request(raw, 100)
    with pytest.raises(BadHead):
        parse_response(b'HTTP/1.1 200 OK\r\n' + b'X: a\r\n' * 101 + b'\r\n', 100)


def test_absolute_form_overrules_host_and_becomes_origin_form() -> None:
    head = get(b'Host: other', start=b'GET http://b.example:81/q?x=1')
    assert kept(head) == [b'GET /q?x=1 HTTP/1.1', b'Host: b.example:81']
    assert (head.target, head.origin, head.authority) == (b'http://b.example:81/q?x=1', b'/q?x=1', b'b.example:81')


@pytest.mark.parametrize(
    'start, line',
    [
        (b'GET http://b', b'GET / HTTP/1.1'),
        (b'GET HTTP://b?x', b'GET /?x HTTP/1.1'),
        (b'OPTIONS http://b', b'OPTIONS * HTTP/1.1'),
        (b'OPTIONS *', b'OPTIONS * HTTP/1.1'),
    ],
)
def test_forms_without_a_path(start: bytes, line: bytes) -> None:
    assert kept(get(b'Host: b', start=start))[0] == line


def test_absolute_form_brings_the_host_that_http_1_0_need_not_send() -> None:
    assert kept(get(start=b'GET http://b/', version=b'1.0')) == [b'GET / HTTP/1.0', b'Host: b']


def test_hop_by_hop_fields_end_here() -> None:
    head = get(
        b'Host: a', b'Connection: close, X-Foo', b'X-Foo: 1', b'Keep-Alive: 5', b'TE: trailers', b'Trailer: X',
        b'Proxy-Connection: x', b'Upgrade: h2c', b'Proxy-Authorization: s', b'HTTP2-Settings: x', b'X-Bar: 2',
    )  # fmt: skip
    assert kept(head) == [b'GET / HTTP/1.1', b'Host: a', b'X-Bar: 2']
    assert not head.keep_alive
    assert head.upgrade == b''


def test_nominations_that_would_harm_are_ignored() -> None:
    lines = [b'Host: a', b'X-Forwarded-For: 1', b'Authorization: b', b'Cookie: c', b'Content-Length: 0']
    head = get(
        b'Connection: Host, X-Forwarded-For, Authorization, cookie, Content-Length, transfer-encoding, close', *lines
    )
    assert kept(head)[1:] == lines


def test_names_with_an_underscore_are_dropped() -> None:
    assert kept(get(b'Host: a', b'X_Real: 1', b'X-Real: 2')) == [b'GET / HTTP/1.1', b'Host: a', b'X-Real: 2']


@pytest.mark.parametrize(
    'version, lines, keep',
    [
        (b'1.1', [], True), (b'1.1', [b'Connection: close'], False), (b'1.0', [], False),
        (b'1.0', [b'Connection: Keep-Alive'], True), (b'1.1', [b'Connection: keep-alive, close'], False),
        (b'1.1', [b'Connection: a', b'Connection: CLOSE'], False),
    ],
)  # fmt: skip
def test_persistence(version: bytes, lines: list[bytes], keep: bool) -> None:
    assert get(b'Host: a', *lines, version=version).keep_alive is keep


def test_upgrade_counts_only_when_connection_names_it() -> None:
    assert get(b'Host: a', b'Upgrade: WebSocket', b'Connection: keep-alive, Upgrade').upgrade == b'websocket'
    assert get(b'Host: a', b'Upgrade: websocket').upgrade == b''
    assert get(b'Host: a', b'Upgrade: a', b'Upgrade: b', b'Connection: upgrade').upgrade == b'a,b'


def test_expect_is_for_http_1_1() -> None:
    assert get(b'Host: a', b'Expect: 100-Continue').expects
    old = get(b'Host: a', b'Expect: 100-continue', version=b'1.0')
    assert not old.expects
    assert kept(old) == [b'GET / HTTP/1.0', b'Host: a']


def test_lengths_are_written_anew() -> None:
    head = get(b'Host: a', b'CONTENT-LENGTH:  007 ', start=b'POST /')
    assert head.length == 7
    assert kept(head)[-1] == b'Content-Length: 7'
    assert get(b'Host: a', b'Transfer-Encoding: Chunked', start=b'POST /').length == CHUNKED


def test_max_forwards_counts_down_for_options_only() -> None:
    head = get(b'Host: a', b'Max-Forwards: 3', start=b'OPTIONS *')
    assert head.max_forwards == 3
    assert kept(head)[-1] == b'Max-Forwards: 2'
    assert get(b'Host: a', b'Max-Forwards: 0').max_forwards == -1


def test_values_of_a_field() -> None:
    head = get(b'Host: a', b'X-P:  1 ', b'x-p:2', b'X-Pq: 3')
    assert head.values(b'x-p') == [b'1', b'2']


@pytest.mark.parametrize(
    'data', [b'\x16\x03\x01', b'GET / HTTP/1.1\nHost: a\n\n', b'GET /\x00', b' ', b'GET / H\r\nx\ry']
)
def test_what_cannot_become_a_request_is_refused_at_once(data: bytes) -> None:
    with pytest.raises(BadHead):
        incomplete(data)


def test_only_what_is_new_is_looked_at() -> None:
    incomplete(b'GET /\x00', 7)
    incomplete(b'GET / HTTP/1.1\r\n', 15)
    with pytest.raises(BadHead):
        incomplete(b'GET / HTTP/1.1\n', 14)
    with pytest.raises(BadHead):
        incomplete(b'GET / HTTP/1.1\rX', 15)


@pytest.mark.parametrize(
    'data', [b'G', b'GET', b'GET / HTTP/1.1', b'GET / HTTP/1.1\r', b'GET / HTTP/1.1\r\nHost: \xe9']
)
def test_what_may_become_a_request_is_waited_for(data: bytes) -> None:
    incomplete(data)


@pytest.mark.parametrize(
    'lines, length',
    [([], UNTIL_CLOSE), ([b'Content-Length: 4'], 4), ([b'Transfer-Encoding: chunked'], CHUNKED)],
)
def test_response_framing(lines: list[bytes], length: int) -> None:
    assert response(*lines).length == length


def test_a_plain_response() -> None:
    head = response(b'Connection: keep-alive, X-A', b'X-A: 1', b'Server: s', start=b'HTTP/1.0 404 Not Here')
    assert (head.status, head.version, head.keep_alive) == (404, 0, True)
    assert kept(head) == [b'HTTP/1.0 404 Not Here', b'Server: s']


@pytest.mark.parametrize('start', [b'HTTP/1.1 200', b'HTTP/1.1 200 ', b'HTTP/1.1 299 \xe9t\xe9'])
def test_reasons_may_be_anything_printable(start: bytes) -> None:
    assert response(start=start).status // 100 == 2


@pytest.mark.parametrize(
    'start, lines',
    [
        (b'HTTP/1.1 20 OK', []), (b'HTTP/1.1 2000 OK', []), (b'HTTP/1.1  200 OK', []), (b'HTTP/1.1 099 OK', []),
        (b'HTTP/2.0 200 OK', []), (b'HTTP/1.1 200 O\x01K', []), (b'ICY 200 OK', []), (b'HTTP/1.1 600 X', []),
        (b'HTTP/1.1 200 OK', [b'A: b', b' c']), (b'HTTP/1.1 200 OK', [b'A : b']), (b'HTTP/1.1 200 OK', [b'A: \x00']),
        (b'HTTP/1.1 200 OK', [b'Content-Length: 5', b'Transfer-Encoding: chunked']),
        (b'HTTP/1.1 200 OK', [b'Content-Length: 5', b'Content-Length: 5']),
        (b'HTTP/1.1 200 OK', [b'Transfer-Encoding: chunked', b'Transfer-Encoding: chunked']),
        (b'HTTP/1.1 200 OK', [b'Transfer-Encoding: gzip']), (b'HTTP/1.0 200 OK', [b'Transfer-Encoding: chunked']),
    ],
)  # fmt: skip
def test_responses_that_must_not_be_forwarded(start: bytes, lines: list[bytes]) -> None:
    with pytest.raises(BadHead):
        response(*lines, start=start)


def test_switching_protocols_names_its_protocol() -> None:
    head = response(b'Upgrade: WebSocket', b'Connection: Upgrade', start=b'HTTP/1.1 101 Switching Protocols')
    assert head.upgrade == b'websocket'
    assert kept(response(b'Content-Length: 5', start=b'HTTP/1.1 204 No')) == [b'HTTP/1.1 204 No']


HOST = re.compile(rb"(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z!$&'()*+,;=._~%-]*)(:[0-9]*)?")
"""RFC 3986, 3.2.2: an address in brackets or a registered name, and perhaps a port."""


def is_taken(host: bytes) -> bool:
    try:
        get(b'Host:' + host)
    except BadHead:
        return False
    return True


def test_a_host_is_a_name_or_an_address_and_perhaps_a_port() -> None:
    """The short way for what nearly everybody sends, and the expression behind it, say the same."""
    letters = [
        b'a',
        b'F',
        b'0',
        b'9',
        b':',
        b'[',
        b']',
        b'.',
        b'-',
        b'_',
        b'%',
        b'@',
        b'/',
        b'!',
        b'#',
        b'?',
        b'"',
        b'\xb2',
    ]
    for length in range(5):
        for word in itertools.product(letters if length < 4 else letters[2:10], repeat=length):
            host = b''.join(word)
            assert is_taken(host) == (HOST.fullmatch(host) is not None), host
