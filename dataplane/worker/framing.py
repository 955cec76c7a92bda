"""Where a body ends (RFC 9112, chapters 6 and 7): strict decoding of what comes in, own framing of what goes out.

A decoder takes bytes as they arrive and gives back the payload among them; `done` says that the body is complete and
`rest` holds what came after it. Nothing of the sender's framing survives: chunk extensions and trailers are checked,
bounded and dropped. `more` says that not all that came has been looked at, since tiny chunks by the thousand take their
time and others are waiting: feed it again, with nothing if need be, a turn later.
"""

from __future__ import annotations

import re
from typing import Final

CHUNKED: Final = -1
UNTIL_CLOSE: Final = -2
LAST_CHUNK: Final = b'0\r\n\r\n'

_SIZE_LINE: Final = re.compile(rb'([0-9A-Fa-f]{1,15})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?')
_TRAILER_LINE: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*")
_LINE_LIMIT: Final = 1_024
_TRAILERS_LIMIT: Final = 8_192
_EXTENSIONS_LIMIT: Final = 16_384
_AT_ONCE: Final = 256  # lines: a quarter of a millisecond, not compiled


class BadBody(Exception):
    """The sender's framing is not what RFC 9112 allows; the connection cannot go on."""


class LengthBody:
    """A body of `remaining` bytes."""

    __slots__ = ('done', 'more', 'remaining', 'rest')

    def __init__(self, length: int) -> None:
        self.remaining = length
        self.done = length == 0
        self.more = False
        self.rest = b''

    def feed(self, data: bytes) -> bytes:
        """Take what arrived and return the payload in it."""
        left = self.remaining - len(data)
        if left > 0:
            self.remaining = left
            return data
        payload, self.rest = (data, b'') if not left else (data[: self.remaining], data[self.remaining :])
        self.remaining = 0
        self.done = True
        return payload


class CloseBody:
    """A body that ends with the connection (RFC 9112, 6.3, rule 8); whoever sees the end of file sets `done`."""

    __slots__ = ('done', 'more', 'rest')

    def __init__(self) -> None:
        self.done = self.more = False
        self.rest = b''

    def feed(self, data: bytes) -> bytes:
        """Everything is payload."""
        return data


class ChunkedBody:
    """The chunked coding, decoded strictly: CRLF only, plain hexadecimal sizes, bounded lines and trailers."""

    __slots__ = ('_at', '_extensions', '_kept', '_left', '_trailers', 'done', 'more', 'rest')

    def __init__(self) -> None:
        self._kept = b''
        self._left = 0  # > 0: payload and its CRLF still to come; 0: a size line; -1: trailers
        self._trailers = 0
        self._extensions = 0
        self._at = 0  # where in what is kept to go on
        self.done = self.more = False
        self.rest = b''

    def feed(self, data: bytes) -> bytes:
        """Take what arrived and return the payload in it. Raises BadBody; the payload before the fault is lost."""
        position, turns = 0, _AT_ONCE
        if self.more:
            self.more = False
            data, position = (self._kept[self._at :] + data, 0) if data else (self._kept, self._at)
            self._kept = b''
        elif self._kept:
            data, self._kept = self._kept + data, b''
        payloads: list[bytes] = []
        while not self.done:
            if self._left > 0:
                position = self._payload(data, position, payloads)
            elif self._left == 0 and not turns:
                self._kept, self._at, self.more = data, position, True
                break
            else:
                turns -= 1
                position = self._line(data, position)
            if position < 0:
                break
        return payloads[0] if len(payloads) == 1 else b''.join(payloads)

    def _payload(self, data: bytes, position: int, payloads: list[bytes]) -> int:
        """Take payload from `position`; where to go on, or -1 when more data is needed."""
        end = position + self._left - 2
        if len(data) < end + 2:
            taken = max(0, min(end, len(data)) - position)
            if taken:
                payloads.append(data[position : position + taken])
                self._left -= taken
            self._keep(data, position + taken)
            if self._kept and not b'\r\n'.startswith(self._kept):
                raise BadBody('a chunk is not followed by CRLF')
            return -1
        if data[end : end + 2] != b'\r\n':
            raise BadBody('a chunk is not followed by CRLF')
        if end > position:
            payloads.append(data[position:end])
        self._left = 0
        return end + 2

    def _line(self, data: bytes, position: int) -> int:
        """Take a size or trailer line from `position`; where to go on, or -1 when more data is needed."""
        end = data.find(b'\n', position)
        if end < 0:
            self._keep(data, position)
            if len(self._kept) > _LINE_LIMIT:
                raise BadBody('a line of the chunked coding is too long')
            return -1
        if end == position or data[end - 1] != 13:
            raise BadBody('a bare line feed in the chunked coding')
        line = data[position : end - 1]
        if len(line) > _LINE_LIMIT:
            raise BadBody('a line of the chunked coding is too long')
        if self._left == 0:
            self._size(line)
        elif not line:
            self.done = True
            self.rest = data[end + 1 :]
        else:
            self._trailer(line)
        return end + 1

    def _size(self, line: bytes) -> None:
        match = _SIZE_LINE.fullmatch(line)
        if match is None:
            raise BadBody(f'not a chunk size: {line[:32]!r}')
        digits = match[1]
        self._extensions += len(line) - len(digits)
        if self._extensions > _EXTENSIONS_LIMIT:
            raise BadBody('too many chunk extensions')
        size = int(digits, 16)
        self._left = size + 2 if size else -1

    def _trailer(self, line: bytes) -> None:
        self._trailers += len(line)
        if self._trailers > _TRAILERS_LIMIT or _TRAILER_LINE.fullmatch(line) is None:
            raise BadBody('a malformed or too long trailer section')

    def _keep(self, data: bytes, position: int) -> None:
        self._kept = data[position:]


Body = LengthBody | CloseBody | ChunkedBody


def body_of(length: int) -> Body:
    """The decoder for a length, CHUNKED or UNTIL_CLOSE."""
    if length >= 0:
        return LengthBody(length)
    return ChunkedBody() if length == CHUNKED else CloseBody()


def decoded(framed: bytes) -> bytes:
    """The payload of what is known to be well framed, all at once."""
    body = ChunkedBody()
    pieces = [body.feed(framed)]
    while body.more:
        pieces.append(body.feed(b''))
    return b''.join(pieces)


def chunk(payload: bytes) -> bytes:
    """`payload` (not empty: that would be the end) as one chunk."""
    return b'%x\r\n%b\r\n' % (len(payload), payload)
