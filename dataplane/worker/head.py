"""Heads of messages: whether one may be forwarded, and what of it (RFC 9112, 2-6; RFC 9110, 5 and 7).

A head stays the bytes it came in, and what must not be forwarded as it came is noted as edits of it, so that forwarding is
a copy where nothing changes. scan.py says whether its bytes are well formed; one Host, one framing and the
forms of the target are checked here. Every refusal names its reason. llhttp is the oracle of the tests
(docs/decisions/0003-heads.md).
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from dataplane.worker.framing import CHUNKED, UNTIL_CLOSE
from dataplane.worker.known import Field
from dataplane.worker.scan import TOKEN

try:
    from dataplane.native.heads import (
        content_length,
        has_escaped_nul,
        head_end,
        is_host,
        scan_request,
        scan_response,
    )
except ImportError:  # not compiled: its twin
    from dataplane.worker.scan import content_length, has_escaped_nul, head_end, is_host, scan_request, scan_response

_FIELD: Final = re.compile(rb'\n([^:\r]+):[^\r]*')
_ABSOLUTE: Final = re.compile(rb'[Hh][Tt][Tt][Pp][Ss]?://([^/?]*)(.*)')
_BROKEN: Final = re.compile(rb'[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|(?<!\r)\n|\r[^\n]')
_TOKEN_START: Final = re.compile(TOKEN)
_PROTECTED: Final = frozenset((
    b'host', b'content-length', b'transfer-encoding', b'authorization', b'cookie', b'set-cookie', b'forwarded',
    b'x-real-ip', b'close', b'keep-alive', b'upgrade',
))  # fmt: skip
_END: Final = 2  # bytes of the empty line
_LENGTH: Final = b'Content-Length: '
# constants: compiled code looks up what is imported in a dictionary each time, for 130 instructions
end_of_head: Final = head_end
_has_escaped_nul: Final = has_escaped_nul
_content_length: Final = content_length
_is_host: Final = is_host
_scan_request: Final = scan_request
_scan_response: Final = scan_response


class BadHead(Exception):
    """A head that must not be forwarded. `status` is the answer to a client; for a server it is always 502."""

    def __init__(self, reason: str, status: int = 400) -> None:
        super().__init__(reason)
        self.status = status


class Line(NamedTuple):
    """A field's line in a head: from where to where the next one begins, its name as it was written, its value."""

    start: int
    end: int
    name: bytes
    value: bytes


class Head:
    """The common part of requests and responses. `raw` is the head as it came, its empty line included."""

    __slots__ = ('_cut_from', '_cut_to', '_edits', 'keep_alive', 'length', 'raw', 'upgrade', 'version')

    def __init__(self, raw: bytes, version: int) -> None:
        self.raw = raw
        self.version = version
        # most heads have one line at most that is not forwarded, Connection: it is noted here, or nothing is (-1)
        self._cut_from = self._cut_to = -1
        self._edits: dict[int, tuple[int, bytes]] | None = None
        self.length = 0
        self.upgrade = b''
        self.keep_alive = version == 1

    @property
    def edits(self) -> dict[int, tuple[int, bytes]]:
        """What is forwarded otherwise than it came: where a line starts -> where the next begins, what stands there."""
        edits = self._edits
        if edits is None:
            edits = self._edits = {}
        if self._cut_from >= 0:
            edits[self._cut_from] = (self._cut_to, b'')
            self._cut_from = -1
        return edits

    def rewrite(self, raw: bytes, edits: dict[int, tuple[int, bytes]]) -> None:
        """Be another head of the same message: its framing and persistence are as they were."""
        self.raw, self._edits, self._cut_from = raw, edits, -1

    def drop(self, start: int, end: int) -> None:
        """Do not forward the line from `start` to where the next one begins."""
        if self._edits is None and self._cut_from < 0:
            self._cut_from, self._cut_to = start, end
        else:
            self.edits[start] = (end, b'')

    def replace(self, start: int, end: int, line: bytes) -> None:
        """Forward `line` instead of the one from `start` to where the next one begins."""
        if self.raw[start : end - 2] != line:
            self.edits[start] = (end, line + b'\r\n')

    def say_length(self, start: int, end: int, value: bytes) -> None:
        """Note the length that the line from `start` on says, and forward it as the number that was understood. Raises BadHead."""
        self.length = length = _content_length(value)
        if length < 0:
            raise BadHead('malformed Content-Length')
        # What nearly everybody writes is known without being written: 150 instructions instead of 800.
        plain = end - start - _END == len(_LENGTH) + len(value) and (value[0] != 48 or len(value) == 1)
        if not plain or self.raw[start : start + len(_LENGTH)] != _LENGTH:
            self.replace(start, end, b'Content-Length: %d' % length)

    def connection(self, values: list[bytes]) -> None:
        """Act on the Connection options: persistence, upgrade, and the fields they nominate (RFC 9110, 7.6.1)."""
        # what nearly everybody sends: 0.2 us instead of 1.5
        if len(values) == 1 and values[0].lower() == b'keep-alive':
            self.keep_alive = True
            self.upgrade = b''
            return
        options = {option.strip(b' \t').lower() for value in values for option in value.split(b',')}
        if b'close' in options:
            self.keep_alive = False
        elif b'keep-alive' in options:
            self.keep_alive = True
        if b'upgrade' not in options:
            self.upgrade = b''
        nominated = options - _PROTECTED
        if nominated - {b''}:
            for field in _FIELD.finditer(self.raw):
                name = field[1].lower()
                if name in nominated and not name.startswith(b'x-forwarded-'):
                    self.drop(field.start() + 1, field.end() + 2)

    def drop_underscored(self) -> None:
        """Drop the fields whose names many servers cannot tell from those with hyphens."""
        for field in _FIELD.finditer(self.raw):
            if b'_' in field[1]:
                self.drop(field.start() + 1, field.end() + 2)

    def values(self, name: bytes) -> list[bytes]:
        """The values of the fields called `name` (lower case), in order. Walks over all fields: not for the hot path."""
        prefix = name + b':'
        lines = self.raw.split(b'\r\n')
        return [line[len(prefix) :].strip(b' \t') for line in lines[1:] if line[: len(prefix)].lower() == prefix]

    def lines(self, name: bytes) -> list[Line]:
        """The lines of the fields called `name` (lower case) that are not dropped, in order."""
        found = []
        for field in _FIELD.finditer(self.raw):
            start, end = field.start() + 1, field.end() + 2
            if field[1].lower() == name and start not in self.edits:
                found.append(Line(start, end, field[1], self.raw[field.end(1) + 1 : field.end()].strip(b' \t')))
        return found

    def kept(self) -> bytes:
        """The lines that may be forwarded, start line included, each with its CRLF; the empty line is left out."""
        return self.forwarded(b'')[:-_END]

    def forwarded(self, added: bytes, more: dict[int, tuple[int, bytes]] | None = None) -> bytes:
        """The head as it is forwarded: the lines that may be, those that are `added`, each with its CRLF, and the empty line.

        `more`: edits of lines (start -> end, what stands there instead) for this time only.
        """
        raw = self.raw
        if not more and self._edits is None:
            # Two copies, or none: 400 instructions where all edits in a dictionary took 2,600.
            start, end = self._cut_from, self._cut_to
            if not added:
                return raw if start < 0 else raw[:start] + raw[end:]
            kept = raw[:-_END] if start < 0 else raw[:start] + raw[end:-_END]
            return kept + added + b'\r\n'
        edits = {**self.edits, **more} if more else self.edits
        pieces: list[bytes] = []
        position = 0
        for start, (end, line) in sorted(edits.items()):
            pieces.append(raw[position:start])
            pieces.append(line)
            position = end
        pieces += (raw[position:-_END], added, b'\r\n')
        return b''.join(pieces)


class RequestHead(Head):
    """A request's head. `length` is a number of bytes or CHUNKED; `authority` is the host and port it is for."""

    __slots__ = ('authority', 'expects', 'max_forwards', 'method', 'origin', 'target')

    def __init__(self, raw: bytes, version: int, method: bytes, target: bytes) -> None:
        super().__init__(raw, version)
        self.method = method
        self.target = target
        self.origin = target
        self.authority = b''
        self.expects = False
        self.max_forwards = -1

    def readdress(self, host: Field | None) -> None:
        """Forward the start line and the Host field (where it stands, or as a last line) that `origin` and `authority` say."""
        self.edits[0] = (self.raw.index(b'\n') + 1, b'%b %b HTTP/1.%d\r\n' % (self.method, self.origin, self.version))
        line = b'Host: ' + self.authority
        if host is not None:
            self.replace(host[2], host[3], line)
        else:
            end = len(self.raw) - _END
            self.edits[end] = (end, line + b'\r\n')


class ResponseHead(Head):
    """A response's head. `length` is a number of bytes, CHUNKED or UNTIL_CLOSE, before the request's method counts."""

    __slots__ = ('status',)

    def __init__(self, raw: bytes, version: int, status: int) -> None:
        super().__init__(raw, version)
        self.status = status


def incomplete(data: bytes, known: int = 0) -> None:
    """Look at a head that is not complete yet: raise BadHead as soon as it can no longer become one.

    The first `known` bytes were looked at before, so that a head sent byte by byte costs no more than one sent at once.
    """
    if _TOKEN_START.match(data) is None or _BROKEN.search(data, max(0, known - 1)) is not None:
        raise BadHead('not the beginning of a request')


def parse_request(raw: bytes, max_fields: int) -> RequestHead:
    """Parse a request's head; `raw` ends with its empty line. Raises BadHead."""
    found = _scan_request(raw)
    if found is None:
        raise BadHead('malformed request head')
    method, target, version, count, underscored, fields = found
    if count > max_fields:
        raise BadHead('too many header fields')
    head = RequestHead(raw, version, method, target)
    if underscored:
        head.drop_underscored()
    host = _request_fields(head, fields)
    _target(head, host)
    return head


def _request_fields(head: RequestHead, fields: list[Field]) -> Field | None:
    """Act on the fields a proxy must know. Returns the Host field."""
    host: Field | None = None
    connection: list[bytes] = []
    codings: list[bytes] = []
    lengths = 0
    for field in fields:
        key, value, start, end = field
        if key == b'host':
            if host is not None:
                raise BadHead('more than one Host field')
            host = field
            head.authority = value
        elif key == b'content-length':
            lengths += 1
            head.say_length(start, end, value)
        elif key == b'expect':
            _expect(head, value, start, end)
        elif key == b'max-forwards':
            if head.method == b'OPTIONS':
                _max_forwards(head, value, start, end)
        else:
            head.drop(start, end)
            if key == b'connection':
                connection.append(value)
            elif key == b'transfer-encoding':
                codings.append(value)
            elif key == b'upgrade':
                head.upgrade = value.lower() if not head.upgrade else head.upgrade + b',' + value.lower()
    if host is None and head.version == 1:
        raise BadHead('a Host field is needed')
    if not _is_host(head.authority):
        raise BadHead('malformed Host field')
    _one_framing(head, lengths, codings)
    if connection:
        head.connection(connection)
    else:
        head.upgrade = b''
    return host


def _one_framing(head: Head, lengths: int, codings: list[bytes]) -> None:
    """A message has one length, said once (RFC 9112, 6.3): anything else is how requests are smuggled."""
    if lengths > 1:
        raise BadHead('more than one Content-Length field')
    if codings:
        if lengths:
            raise BadHead('both Content-Length and Transfer-Encoding')
        _transfer_encoding(head, b','.join(codings))


def _transfer_encoding(head: Head, value: bytes) -> None:
    codings = [coding.strip(b' \t').lower() for coding in value.split(b',')]
    if head.version == 0:
        raise BadHead('Transfer-Encoding in an HTTP/1.0 message')
    if codings != [b'chunked']:
        final = codings[-1] == b'chunked' and codings.count(b'chunked') == 1
        raise BadHead('unsupported Transfer-Encoding', 501 if final else 400)
    head.length = CHUNKED


def _expect(head: RequestHead, value: bytes, start: int, end: int) -> None:
    if value.lower() != b'100-continue':
        raise BadHead('unknown expectation', 417)
    if head.version == 0:
        head.drop(start, end)  # RFC 9110, 10.1.1: ignored in HTTP/1.0
    else:
        head.expects = True


def _max_forwards(head: RequestHead, value: bytes, start: int, end: int) -> None:
    if not value.isdigit() or len(value) > 9:
        raise BadHead('malformed Max-Forwards')
    head.max_forwards = int(value)
    head.replace(start, end, b'Max-Forwards: %d' % max(0, head.max_forwards - 1))


def _target(head: RequestHead, host: Field | None) -> None:
    """Check the form of the target (RFC 9112, 3.2) and turn absolute-form into origin-form with its own Host."""
    if head.method == b'CONNECT' or head.method == b'TRACE':
        raise BadHead('method not allowed', 405)
    target = head.target
    if target[0] != 47:
        absolute = _ABSOLUTE.fullmatch(target)
        if absolute is not None:
            _absolute(head, absolute[1], absolute[2], host)
        elif target != b'*' or head.method != b'OPTIONS':
            raise BadHead('malformed request target')
    if _has_escaped_nul(target):
        raise BadHead('NUL in the request target')


def _absolute(head: RequestHead, authority: bytes, rest: bytes, host: Field | None) -> None:
    if not authority or authority[0] == 58 or not _is_host(authority):
        raise BadHead('malformed authority in the request target')
    head.authority = authority
    if not rest and head.method == b'OPTIONS':
        head.origin = b'*'
    else:
        head.origin = rest if rest.startswith(b'/') else b'/' + rest
    head.readdress(host)


def parse_response(raw: bytes, max_fields: int) -> ResponseHead:
    """Parse a response's head; `raw` ends with its empty line. Raises BadHead."""
    found = _scan_response(raw)
    if found is None:
        raise BadHead('malformed response head')
    version, status, count, fields = found
    if count > max_fields:
        raise BadHead('too many header fields')
    head = ResponseHead(raw, version, status)
    _response_fields(head, fields)
    return head


def _response_fields(head: ResponseHead, fields: list[Field]) -> None:
    head.length = UNTIL_CLOSE
    connection: list[bytes] = []
    codings: list[bytes] = []
    lengths = 0
    for key, value, start, end in fields:
        if key == b'content-length':
            lengths += 1
            head.say_length(start, end, value)
            if head.status < 200 or head.status == 204:
                head.drop(start, end)
            continue
        head.drop(start, end)
        if key == b'connection':
            connection.append(value)
        elif key == b'transfer-encoding':
            codings.append(value)
        elif key == b'upgrade':
            head.upgrade = value.lower()
    _one_framing(head, lengths, codings)
    if connection:
        head.connection(connection)
