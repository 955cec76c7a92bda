"""Heads of messages: llhttp parses the fields, and what it lets pass is refused here (RFC 9112, 2-6; RFC 9110, 5 and 7).

A head keeps its lines as the bytes they came in (`lines[0]` is the start line), so that forwarding is a join; the
positions of the few fields a proxy must act on are noted while llhttp walks over them. obs-fold, bare CR or LF, NUL and
whitespace before the colon do not survive llhttp; exact versions, one Host, one framing and the forms of the target are
checked here. Every refusal names its reason.
"""

from __future__ import annotations

import re
from typing import Final

import httptools

from dataplane.worker.framing import CHUNKED, UNTIL_CLOSE

_TOKEN: Final = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_REQUEST_LINE: Final = re.compile(rb'(' + _TOKEN + rb') ([!"$-~]+) HTTP/1\.([01])')
_STATUS_LINE: Final = re.compile(rb'HTTP/1\.([01]) ([1-5][0-9][0-9])(?: [\t\x20-\x7e\x80-\xff]*)?')
_HOST: Final = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|[!$&'()*+,;=._~0-9A-Za-z%-]*)(?::[0-9]*)?")
_ABSOLUTE: Final = re.compile(rb'[Hh][Tt][Tt][Pp][Ss]?://([^/?]*)(.*)')
_BROKEN: Final = re.compile(rb'[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|(?<!\r)\n|\r[^\n]')
_TOKEN_START: Final = re.compile(_TOKEN)

_REQUEST_FIELDS: Final = frozenset((
    b'host', b'content-length', b'transfer-encoding', b'connection', b'keep-alive', b'proxy-connection', b'te',
    b'trailer', b'upgrade', b'expect', b'proxy-authorization', b'proxy-authenticate', b'max-forwards',
    b'http2-settings',
))  # fmt: skip
_RESPONSE_FIELDS: Final = frozenset((
    b'content-length', b'transfer-encoding', b'connection', b'keep-alive', b'proxy-connection', b'te', b'trailer',
    b'upgrade', b'proxy-authorization', b'proxy-authenticate',
))  # fmt: skip
_PROTECTED: Final = frozenset((
    b'host', b'content-length', b'transfer-encoding', b'authorization', b'cookie', b'set-cookie', b'forwarded',
    b'x-real-ip', b'close', b'keep-alive', b'upgrade',
))  # fmt: skip
_KEPT: Final = frozenset((b'host', b'content-length', b'expect', b'max-forwards'))


class BadHead(Exception):
    """A head that must not be forwarded. `status` is the answer to a client; for a server it is always 502."""

    def __init__(self, reason: str, status: int = 400) -> None:
        super().__init__(reason)
        self.status = status


class Fields:
    """What llhttp's callbacks note of one head: how many fields, and those a proxy must act on."""

    __slots__ = ('count', 'noted', 'underscored', 'watched')

    def __init__(self, watched: frozenset[bytes]) -> None:
        self.watched = watched
        self.count = 0
        self.noted: list[tuple[int, bytes, bytes]] = []
        self.underscored: list[int] = []

    def on_header(self, name: bytes, value: bytes) -> None:
        """Llhttp's callback for each field, in order: field n stands on line n."""
        self.count += 1
        key = name.lower()
        if key in self.watched:
            self.noted.append((self.count, key, value.strip(b' \t')))
        if b'_' in name:
            self.underscored.append(self.count)


class Head:
    """The common part of requests and responses. `drop` lists lines that must not be forwarded."""

    __slots__ = ('drop', 'keep_alive', 'length', 'lines', 'upgrade', 'version')

    def __init__(self, lines: list[bytes], version: int) -> None:
        self.lines = lines
        self.version = version
        self.drop: list[int] = []
        self.length = 0
        self.upgrade = b''
        self.keep_alive = version == 1

    def connection(self, values: list[bytes]) -> None:
        """Act on the Connection options: persistence, upgrade, and the fields they nominate (RFC 9110, 7.6.1)."""
        options = {option.strip(b' \t').lower() for value in values for option in value.split(b',')}
        if b'close' in options:
            self.keep_alive = False
        elif b'keep-alive' in options:
            self.keep_alive = True
        if b'upgrade' not in options:
            self.upgrade = b''
        nominated = options - _PROTECTED
        if nominated - {b''}:
            self._drop_named(nominated)

    def _drop_named(self, names: set[bytes]) -> None:
        for position, line in enumerate(self.lines[1:], 1):
            name = line.partition(b':')[0].lower()
            if name in names and not name.startswith(b'x-forwarded-'):
                self.drop.append(position)

    def values(self, name: bytes) -> list[bytes]:
        """The values of the fields called `name` (lower case), in order. Walks over all lines: not for the hot path."""
        prefix = name + b':'
        return [line[len(prefix) :].strip(b' \t') for line in self.lines[1:] if line[: len(prefix)].lower() == prefix]

    def kept_lines(self) -> list[bytes]:
        """A new list of the lines that may be forwarded, start line included."""
        lines = self.lines.copy()
        if self.drop:
            for position in sorted(set(self.drop), reverse=True):
                del lines[position]
        return lines


class RequestHead(Head):
    """A request's head. `length` is a number of bytes or CHUNKED; `authority` is the host and port it is for."""

    __slots__ = ('authority', 'expects', 'max_forwards', 'method', 'origin', 'target')

    def __init__(self, lines: list[bytes], version: int, method: bytes, target: bytes) -> None:
        super().__init__(lines, version)
        self.method = method
        self.target = target
        self.origin = target
        self.authority = b''
        self.expects = False
        self.max_forwards = -1


class ResponseHead(Head):
    """A response's head. `length` is a number of bytes, CHUNKED or UNTIL_CLOSE, before the request's method counts."""

    __slots__ = ('status',)

    def __init__(self, lines: list[bytes], version: int, status: int) -> None:
        super().__init__(lines, version)
        self.status = status


def incomplete(data: bytes, known: int = 0) -> None:
    """Look at a head that is not complete yet: raise BadHead as soon as it can no longer become one.

    The first `known` bytes were looked at before, so that a head sent byte by byte costs no more than one sent at once.
    """
    if _TOKEN_START.match(data) is None or _BROKEN.search(data, max(0, known - 1)) is not None:
        raise BadHead('not the beginning of a request')


def parse_request(raw: bytes, max_fields: int) -> RequestHead:
    """Parse a request's head; `raw` ends with its empty line. Raises BadHead."""
    lines = raw.split(b'\r\n')
    match = _REQUEST_LINE.fullmatch(lines[0])
    if match is None:
        raise BadHead('malformed request line')
    if raw.find(b'\r\n\r\n') != len(raw) - 4:
        # Behind an empty line the server would read a request that was never looked at.
        raise BadHead('more than one head')
    fields = Fields(_REQUEST_FIELDS)
    # llhttp knows a closed list of methods and refuses others; the method was checked above and plays no part in
    # how fields are parsed, so it is fed a method of its own.
    parser = httptools.HttpRequestParser(fields)
    _feed(parser, b'POST / HTTP/1.1' + raw[len(lines[0]) :])
    if fields.count > max_fields:
        raise BadHead('too many header fields')
    method, target, minor = match.groups()
    del lines[-2:]
    head = RequestHead(lines, minor[0] - 48, method, target)
    _request_fields(head, fields)
    _target(head)
    return head


def _feed(parser: httptools.HttpRequestParser | httptools.HttpResponseParser, raw: bytes) -> None:
    try:
        parser.feed_data(raw)
    except httptools.HttpParserUpgrade:
        pass  # llhttp stops where another protocol may begin; the head is complete
    except httptools.HttpParserError as error:
        raise BadHead(str(error)) from error


def _request_fields(head: RequestHead, fields: Fields) -> None:
    hosts: list[bytes] = []
    connection: list[bytes] = []
    drop = head.drop
    for position, key, value in fields.noted:
        if key not in _KEPT:
            drop.append(position)
        if key == b'host':
            hosts.append(value)
        elif key == b'connection':
            connection.append(value)
        elif key == b'content-length':
            head.length = _length(value)
            head.lines[position] = b'Content-Length: %d' % head.length
        elif key == b'transfer-encoding':
            _transfer_encoding(head, value)
        elif key == b'upgrade':
            head.upgrade = value.lower() if not head.upgrade else head.upgrade + b',' + value.lower()
        elif key == b'expect':
            _expect(head, value, position)
        elif key == b'max-forwards' and head.method == b'OPTIONS':
            _max_forwards(head, value, position)
    drop.extend(fields.underscored)
    if len(hosts) > 1 or (not hosts and head.version == 1):
        raise BadHead('exactly one Host field is needed')
    if hosts:
        head.authority = hosts[0]
        if _HOST.fullmatch(head.authority) is None:
            raise BadHead('malformed Host field')
    if connection:
        head.connection(connection)
    else:
        head.upgrade = b''


def _length(value: bytes) -> int:
    if not value.isdigit() or len(value) > 18:
        raise BadHead('malformed Content-Length')
    return int(value)


def _transfer_encoding(head: Head, value: bytes) -> None:
    codings = [coding.strip(b' \t').lower() for coding in value.split(b',')]
    if head.version == 0:
        raise BadHead('Transfer-Encoding in an HTTP/1.0 message')
    if head.length == CHUNKED:
        # llhttp, lenient towards servers, lets a second such field pass; a client that does not would end elsewhere.
        raise BadHead('chunked twice')
    if codings != [b'chunked']:
        final = codings[-1] == b'chunked' and codings.count(b'chunked') == 1
        raise BadHead('unsupported Transfer-Encoding', 501 if final else 400)
    head.length = CHUNKED


def _expect(head: RequestHead, value: bytes, position: int) -> None:
    if value.lower() != b'100-continue':
        raise BadHead('unknown expectation', 417)
    if head.version == 0:
        head.drop.append(position)  # RFC 9110, 10.1.1: ignored in HTTP/1.0
    else:
        head.expects = True


def _max_forwards(head: RequestHead, value: bytes, position: int) -> None:
    if not value.isdigit() or len(value) > 9:
        raise BadHead('malformed Max-Forwards')
    head.max_forwards = int(value)
    head.lines[position] = b'Max-Forwards: %d' % max(0, head.max_forwards - 1)


def _target(head: RequestHead) -> None:
    """Check the form of the target (RFC 9112, 3.2) and turn absolute-form into origin-form with its own Host."""
    if head.method in (b'CONNECT', b'TRACE'):
        raise BadHead('method not allowed', 405)
    target = head.target
    if target[0] != 47:
        absolute = _ABSOLUTE.fullmatch(target)
        if absolute is not None:
            _absolute(head, absolute[1], absolute[2])
        elif target != b'*' or head.method != b'OPTIONS':
            raise BadHead('malformed request target')
    if b'%00' in target:
        raise BadHead('NUL in the request target')


def _absolute(head: RequestHead, authority: bytes, rest: bytes) -> None:
    if not authority or authority[0] == 58 or _HOST.fullmatch(authority) is None:
        raise BadHead('malformed authority in the request target')
    head.authority = authority
    if not rest and head.method == b'OPTIONS':
        head.origin = b'*'
    else:
        head.origin = rest if rest.startswith(b'/') else b'/' + rest
    head.lines[0] = b'%b %b HTTP/1.%d' % (head.method, head.origin, head.version)
    host = b'Host: ' + authority
    for position, line in enumerate(head.lines):
        if line[:5].lower() == b'host:':
            head.lines[position] = host
            return
    head.lines.append(host)


def parse_response(raw: bytes, max_fields: int) -> ResponseHead:
    """Parse a response's head; `raw` ends with its empty line. Raises BadHead."""
    lines = raw.split(b'\r\n')
    match = _STATUS_LINE.fullmatch(lines[0])
    if match is None:
        raise BadHead('malformed status line')
    fields = Fields(_RESPONSE_FIELDS)
    _feed(httptools.HttpResponseParser(fields), raw)
    if fields.count > max_fields:
        raise BadHead('too many header fields')
    del lines[-2:]
    head = ResponseHead(lines, match[1][0] - 48, int(match[2]))
    _response_fields(head, fields)
    return head


def _response_fields(head: ResponseHead, fields: Fields) -> None:
    length = UNTIL_CLOSE
    connection: list[bytes] = []
    for position, key, value in fields.noted:
        if key == b'content-length':
            length = _length(value)
            head.lines[position] = b'Content-Length: %d' % length
            if head.status < 200 or head.status == 204:
                head.drop.append(position)
            continue
        head.drop.append(position)
        if key == b'connection':
            connection.append(value)
        elif key == b'transfer-encoding':
            _transfer_encoding(head, value)
            length = CHUNKED
        elif key == b'upgrade':
            head.upgrade = value.lower()
    head.length = length
    if connection:
        head.connection(connection)
