"""What bytes on a connection mean: one message after the other, read by the letter of RFC 9112 and independently of the proxy.

Strict on purpose: whatever a proxy forwards must be beyond doubt for every receiver, so a reader that guesses proves nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

Fields = tuple[tuple[bytes, bytes], ...]

_TOKEN: Final = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_REQUEST: Final = re.compile(rb'(' + _TOKEN + rb') ([\x21-\x7e]+) HTTP/1\.([01])')
_STATUS: Final = re.compile(rb'HTTP/1\.([01]) ([1-5][0-9]{2}) ?([\t\x20-\x7e\x80-\xff]*)')
_FIELD: Final = re.compile(
    rb'(' + _TOKEN + rb'):[ \t]*((?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?)[ \t]*'
)
_SIZE: Final = re.compile(rb'([0-9A-Fa-f]{1,15})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?')
_SWITCHING: Final = 101
_FINAL: Final = 200
_BODILESS: Final = (204, 304)


class Malformed(Exception):
    """No message: what was received breaks RFC 9112."""


class Incomplete(Exception):
    """The beginning of a message; `head` is its start, as far as it can be told."""

    def __init__(self, head: Request | Response | None = None) -> None:
        super().__init__()
        self.head = head


@dataclass(frozen=True)
class Request:
    """A request as its receiver understands it: body decoded, fields as they stand."""

    method: bytes
    target: bytes
    version: int
    fields: Fields
    body: bytes = b''


@dataclass(frozen=True)
class Response:
    """A response as its receiver understands it. `whole`: its end was seen; `until_close`: that was the connection's."""

    status: int
    version: int
    reason: bytes
    fields: Fields
    body: bytes = b''
    whole: bool = True
    until_close: bool = False

    @property
    def keeps(self) -> bool:
        """May the connection be used for another request?"""
        options = {option.strip().lower() for option in b','.join(values(self.fields, b'connection')).split(b',')}
        if b'close' in options or self.until_close or not self.whole:
            return False
        return self.version == 1 or b'keep-alive' in options


def values(fields: Fields, name: bytes) -> list[bytes]:
    """The values of the fields called `name` (lower case), in order."""
    return [value for key, value in fields if key.lower() == name]


def read_request(data: bytes) -> tuple[Request, bytes]:
    """The first request in `data` and what follows it. Raises Incomplete or Malformed."""
    lines, rest = _head(data)
    match = _REQUEST.fullmatch(lines[0])
    if match is None:
        raise Malformed(f'request line {lines[0]!r}')
    fields = _fields(lines[1:])
    request = Request(match[1], match[2], match[3][0] - 48, fields)
    hosts = values(fields, b'host')
    if len(hosts) > 1 or (request.version == 1 and not hosts):
        raise Malformed(f'{len(hosts)} Host fields')
    length = _length(fields)
    try:
        body, rest = (b'', rest) if length is None else _body(rest, length)
    except Incomplete:
        raise Incomplete(request) from None
    return Request(request.method, request.target, request.version, fields, body), rest


def read_response(data: bytes, method: bytes, *, ended: bool) -> tuple[Response, bytes]:
    """The first response to a `method` request in `data` and what follows it; `ended`: no more will come.

    Raises Incomplete while more may come, and Malformed. One that was cut is returned with `whole` False.
    """
    try:
        lines, rest = _head(data)
    except Incomplete:
        if ended:
            raise Malformed(f'an end within a head: {data[:200]!r}') from None
        raise
    match = _STATUS.fullmatch(lines[0])
    if match is None:
        raise Malformed(f'status line {lines[0]!r}')
    status, fields = int(match[2]), _fields(lines[1:])
    start = (status, match[1][0] - 48, match[3], fields)
    if status < _FINAL or status in _BODILESS or method == b'HEAD':
        if status < _FINAL or status == 204:
            _unframed(status, fields)
        return Response(*start), rest
    length = _length(fields)
    if length is None:
        if not ended:
            raise Incomplete(Response(*start, rest))
        return Response(*start, rest, until_close=True), b''
    try:
        body, rest = _body(rest, length)
    except Incomplete:
        cut = Response(*start, _so_far(rest, length), whole=False)
        if not ended:
            raise Incomplete(cut) from None
        return cut, b''
    return Response(*start, body), rest


def _unframed(status: int, fields: Fields) -> None:
    """RFC 9110, 8.6 and RFC 9112, 6.1: neither length nor coding in 1xx and 204."""
    if status != _SWITCHING and (values(fields, b'content-length') or values(fields, b'transfer-encoding')):
        raise Malformed(f'a framed {status}')


def _head(data: bytes) -> tuple[list[bytes], bytes]:
    end = data.find(b'\r\n\r\n')
    if end < 0:
        raise Incomplete
    return data[:end].split(b'\r\n'), data[end + 4 :]


def _fields(lines: list[bytes]) -> Fields:
    matches = [(_FIELD.fullmatch(line), line) for line in lines]
    for match, line in matches:
        if match is None:
            raise Malformed(f'field line {line!r}')
    return tuple((match[1], match[2]) for match, _ in matches if match is not None)


def _length(fields: Fields) -> int | None:
    """The body's length, -1 for chunked, None without any (RFC 9112, 6.3)."""
    lengths, codings = values(fields, b'content-length'), values(fields, b'transfer-encoding')
    if codings:
        if lengths or len(codings) > 1 or codings[0].lower() != b'chunked':
            raise Malformed(f'Transfer-Encoding {codings} with Content-Length {lengths}')
        return -1
    if not lengths:
        return None
    if len(lengths) > 1 or not lengths[0].isdigit():
        raise Malformed(f'Content-Length {lengths}')
    return int(lengths[0])


def _body(data: bytes, length: int) -> tuple[bytes, bytes]:
    if length >= 0:
        if len(data) < length:
            raise Incomplete
        return data[:length], data[length:]
    payloads: list[bytes] = []
    while True:
        size, data = _chunk_size(data)
        if not size:
            return b''.join(payloads), _trailers(data)
        if len(data) < size + 2:
            raise Incomplete
        if data[size : size + 2] != b'\r\n':
            raise Malformed('a chunk without its CRLF')
        payloads.append(data[:size])
        data = data[size + 2 :]


def _chunk_size(data: bytes) -> tuple[int, bytes]:
    line, found, rest = data.partition(b'\r\n')
    if not found:
        raise Incomplete
    match = _SIZE.fullmatch(line)
    if match is None:
        raise Malformed(f'chunk size {line!r}')
    return int(match[1], 16), rest


def _trailers(data: bytes) -> bytes:
    while True:
        line, found, data = data.partition(b'\r\n')
        if not found:
            raise Incomplete
        if not line:
            return data
        _fields([line])


def _so_far(data: bytes, length: int) -> bytes:
    """The payload of a body that was cut."""
    if length >= 0:
        return data
    payloads: list[bytes] = []
    try:
        while True:
            size, data = _chunk_size(data)
            payloads.append(data[:size])
            data = data[size + 2 :]
            if not size:
                break
    except Incomplete:
        pass  # the cut
    return b''.join(payloads)
