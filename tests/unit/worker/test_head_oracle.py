"""llhttp as the oracle of the parser of heads: what is accepted here it accepts as well, and sees the same fields."""

from __future__ import annotations

import httptools
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dataplane.worker.head import BadHead, parse_request, parse_response


class Seen:
    """What llhttp's callbacks were told."""

    def __init__(self) -> None:
        self.fields: list[tuple[bytes, bytes]] = []
        self.complete = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name, value.strip(b' \t')))

    def on_headers_complete(self) -> None:
        self.complete = True


_NAMES = st.sampled_from([
    b'Host', b'host', b'Content-Length', b'content-length', b'Transfer-Encoding', b'Connection', b'X-A', b'x_b', b'Te',
    b'Expect', b'Cookie', b'X-A ', b' X', b'', b'X\x00', b"!#$%&'*+-.^`|~", b'Upgrade', b'X:Y',
])  # fmt: skip
_VALUES = st.sampled_from([
    b' a', b'a', b'', b' 1 ', b' 0', b'\t7\t', b' chunked', b' Chunked', b' gzip, chunked', b' close', b' x\x01', b' x\x7f',
    b' \xff\x80', b' a\rb', b' a\nb', b' a\r\n b', b' keep-alive, x-a', b' 100-continue', b' +1', b' 1,1', b' websocket',
])  # fmt: skip
_FIELD = st.builds(lambda name, value: name + b':' + value, _NAMES, _VALUES)
_LINES = st.lists(_FIELD | st.binary(max_size=12), max_size=6)
_ENDS = st.sampled_from([b'\r\n', b'\r\n', b'\r\n', b'\r\n', b'\n', b'\r'])


def _raw(start: bytes, lines: list[bytes], end: bytes) -> bytes:
    return start + b'\r\n' + b''.join(line + end for line in lines) + b'\r\n'


def _fed(parser: httptools.HttpRequestParser | httptools.HttpResponseParser, raw: bytes) -> None:
    try:
        parser.feed_data(raw)
    except httptools.HttpParserUpgrade:
        pass  # it stops where another protocol may begin: the head was good


@settings(max_examples=1500, deadline=None)
@given(st.sampled_from([b'1.1', b'1.0']), _LINES, _ENDS)
@example(b'1.1', [b'Host: a', b'Transfer-Encoding: chunked', b'Content-Length: 3'], b'\r\n')
@example(b'1.1', [b'Host: a', b'Content-Length: 3', b'Content-Length: 3'], b'\r\n')
def test_a_request_accepted_here_is_accepted_by_llhttp(version: bytes, lines: list[bytes], end: bytes) -> None:
    raw = _raw(b'POST / HTTP/' + version, lines, end)
    if raw.find(b'\r\n\r\n') != len(raw) - 4:
        return  # who reads heads cuts them at the first empty line
    try:
        parse_request(raw, 101)
    except BadHead:
        return
    seen = Seen()
    _fed(httptools.HttpRequestParser(seen), raw)
    assert seen.complete
    assert seen.fields == _fields(raw)


@settings(max_examples=1500, deadline=None)
@given(st.sampled_from([b'HTTP/1.1 200 OK', b'HTTP/1.0 404', b'HTTP/1.1 304 ', b'HTTP/1.1 204 x\xff']), _LINES, _ENDS)
def test_a_response_accepted_here_is_accepted_by_llhttp(start: bytes, lines: list[bytes], end: bytes) -> None:
    raw = _raw(start, lines, end)
    if raw.find(b'\r\n\r\n') != len(raw) - 4:
        return
    try:
        parse_response(raw, 101)
    except BadHead:
        return
    seen = Seen()
    _fed(httptools.HttpResponseParser(seen), raw)
    assert seen.complete
    assert seen.fields == _fields(raw)


def _fields(raw: bytes) -> list[tuple[bytes, bytes]]:
    lines = [line.partition(b':') for line in raw.split(b'\r\n')[1:-2]]
    return [(name, value.strip(b' \t')) for name, _, value in lines]
