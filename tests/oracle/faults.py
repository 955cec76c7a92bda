"""Messages that must not be relayed, one fault each: what they look like and what becomes of them.

A request with a fault is answered by this hop with the status given here, and the server sees nothing of it that is whole.
A response with a fault becomes 502, or, once its head was passed on, an answer that is visibly cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

CUT: Final = 0
_CHUNKED: Final = b'Transfer-Encoding: chunked'
_END: Final = b'0\r\n\r\n'


@dataclass(frozen=True)
class Fault:
    """`lines` are put among the other fields (in this order), `tail` follows the head. `rule` says where it is written."""

    rule: str
    status: int = 400
    start: bytes = b'POST /fault HTTP/1.1'
    lines: tuple[bytes, ...] = ()
    tail: bytes = b''
    host: bool = True

    @property
    def in_body(self) -> bool:
        """Can it only be seen after the head was passed on?"""
        return self.lines == (_CHUNKED,)


def _start(line: bytes, status: int = 400) -> Fault:
    return Fault('RFC 9112, 3: request-line', status, start=line)


def _line(*lines: bytes, status: int = 400, rule: str = 'RFC 9112, 5: field-line') -> Fault:
    return Fault(rule, status, lines=lines)


def _length(*lines: bytes, tail: bytes = b'') -> Fault:
    return Fault('RFC 9112, 6.3 (4, 5); RFC 9110, 8.6: Content-Length', lines=lines, tail=tail)


def _coding(*lines: bytes, status: int = 400, tail: bytes = _END) -> Fault:
    return Fault('RFC 9112, 6.1, 6.3 (3, 4) and 11.2: Transfer-Encoding', status, lines=lines, tail=tail)


def _host(*lines: bytes) -> Fault:
    return Fault('RFC 9112, 3.2: exactly one valid Host', lines=lines, host=False)


def _chunks(tail: bytes) -> Fault:
    return Fault('RFC 9112, 7.1: chunked-body', lines=(_CHUNKED,), tail=tail)


REQUEST_FAULTS: Final = {
    'te-cl': _coding(_CHUNKED, b'Content-Length: 5'),
    'cl-te': _coding(b'Content-Length: 5', _CHUNKED),
    'cl-te-odd-case': _coding(b'content-length: 5', b'tRANSFER-eNCODING: ChunkeD'),
    'cl-cl': _length(b'Content-Length: 5', b'Content-Length: 6', tail=b'abcdef'),
    'cl-cl-same': _length(b'Content-Length: 5', b'Content-Length: 5', tail=b'abcde'),
    'cl-list': _length(b'Content-Length: 5, 5', tail=b'abcde'),
    'cl-plus': _length(b'Content-Length: +5', tail=b'abcde'),
    'cl-minus': _length(b'Content-Length: -5'),
    'cl-hex': _length(b'Content-Length: 0x5', tail=b'abcde'),
    'cl-underscore': _length(b'Content-Length: 1_0'),
    'cl-empty': _length(b'Content-Length:'),
    'cl-inner-space': _length(b'Content-Length: 1 0', tail=b'a'),
    'cl-exponent': _length(b'Content-Length: 1e1', tail=b'a'),
    'cl-not-ascii': _length(b'Content-Length: \xb2', tail=b'ab'),
    'cl-huge': _length(b'Content-Length: 99999999999999999999'),
    'cl-two-to-64': _length(b'Content-Length: 18446744073709551617', tail=b'a'),
    'cl-vertical-tab': _length(b'Content-Length: \x0b5', tail=b'abcde'),
    'te-twice': _coding(_CHUNKED, _CHUNKED),
    'te-twice-other': _coding(_CHUNKED, b'Transfer-Encoding: identity'),
    'te-list-twice': _coding(b'Transfer-Encoding: chunked, chunked'),
    'te-not-last': _coding(b'Transfer-Encoding: chunked, gzip'),
    'te-prefix': _coding(b'Transfer-Encoding: xchunked'),
    'te-suffix': _coding(b'Transfer-Encoding: chunkedx'),
    'te-identity': _coding(b'Transfer-Encoding: identity'),
    'te-empty': _coding(b'Transfer-Encoding:'),
    'te-quoted': _coding(b'Transfer-Encoding: "chunked"'),
    'te-parameter': _coding(b'Transfer-Encoding: chunked;q=1'),
    'te-vertical-tab': _coding(b'Transfer-Encoding: \x0bchunked'),
    'te-trailing-comma': _coding(b'Transfer-Encoding: chunked,'),
    'te-stacked': _coding(b'Transfer-Encoding: gzip, chunked', status=501),
    'te-space-before-colon': _coding(b'Transfer-Encoding : chunked'),
    'te-tab-before-colon': _coding(b'Transfer-Encoding\t: chunked'),
    'te-folded': _coding(b'Transfer-Encoding:\r\n chunked'),
    'te-after-bare-lf': _coding(b'X: y\nTransfer-Encoding: chunked'),
    'te-after-bare-cr': _coding(b'X: y\rTransfer-Encoding: chunked'),
    'te-after-nul': _coding(b'X: y\0Transfer-Encoding: chunked'),
    'te-in-1-0': Fault('RFC 9112, 6.1', start=b'POST / HTTP/1.0', lines=(_CHUNKED,), tail=b'0\r\n\r\n'),
    'obs-fold': _line(b'X-A: 1\r\n 2', rule='RFC 9112, 5.2'),
    'obs-fold-tab': _line(b'X-A: 1\r\n\t2', rule='RFC 9112, 5.2'),
    'obs-fold-empty': _line(b'X-A: 1\r\n ', rule='RFC 9112, 5.2'),
    'space-before-colon': _line(b'X-A : 1', rule='RFC 9112, 5.1'),
    'space-in-name': _line(b'X A: 1'),
    'no-colon': _line(b'X-A'),
    'no-name': _line(b': 1'),
    'name-not-token': _line(b'X(A): 1'),
    'name-not-ascii': _line(b'X-\xe9: 1'),
    'name-with-nul': _line(b'X-\0: 1'),
    'bare-lf': _line(b'X-A: 1\nX-B: 2', rule='RFC 9112, 2.2'),
    'bare-lf-twice': _line(b'X-A: 1\n\nGET /smuggled HTTP/1.1', rule='RFC 9112, 2.2'),
    'bare-cr': _line(b'X-A: 1\rX-B: 2', rule='RFC 9112, 2.2'),
    'cr-cr-lf': _line(b'X-A: 1\r', rule='RFC 9112, 2.2'),
    'nul': _line(b'X-A: 1\x002', rule='RFC 9110, 5.5'),
    'control': _line(b'X-A: 1\x012', rule='RFC 9110, 5.5'),
    'delete': _line(b'X-A: 1\x7f2', rule='RFC 9110, 5.5'),
    'two-spaces': _start(b'POST  / HTTP/1.1'),
    'tab-for-space': _start(b'POST\t/ HTTP/1.1'),
    'space-at-the-end': _start(b'POST / HTTP/1.1 '),
    'space-at-the-start': _start(b' POST / HTTP/1.1'),
    'space-in-target': _start(b'POST /a b HTTP/1.1'),
    'no-version': _start(b'POST /'),
    'no-target': _start(b'POST HTTP/1.1'),
    'version-0-9': _start(b'POST / HTTP/0.9'),
    'version-1-2': _start(b'POST / HTTP/1.2'),
    'version-2-0': _start(b'POST / HTTP/2.0'),
    'version-1-10': _start(b'POST / HTTP/1.10'),
    'version-lower-case': _start(b'POST / http/1.1'),
    'version-space': _start(b'POST / HTTP/ 1.1'),
    'version-other': _start(b'POST / ICAP/1.1'),
    'method-not-token': _start(b'P(ST / HTTP/1.1'),
    'method-empty': _start(b' / HTTP/1.1'),
    'target-fragment': _start(b'POST /a#b HTTP/1.1'),
    'target-not-ascii': _start(b'POST /\xe9 HTTP/1.1'),
    'target-control': _start(b'POST /\x01 HTTP/1.1'),
    'target-nul': _start(b'POST /\0 HTTP/1.1'),
    'target-encoded-nul': _start(b'POST /a%00b HTTP/1.1'),
    'target-relative': _start(b'POST a/b HTTP/1.1'),
    'target-asterisk': _start(b'POST * HTTP/1.1'),
    'target-authority': _start(b'POST a.example:80 HTTP/1.1'),
    'target-userinfo': _start(b'POST http://u:p@a.example/ HTTP/1.1'),
    'target-no-authority': _start(b'POST http:///a HTTP/1.1'),
    'target-port-only': _start(b'POST http://:80/ HTTP/1.1'),
    'target-other-scheme': _start(b'POST ftp://a.example/ HTTP/1.1'),
    'connect': _start(b'CONNECT a.example:80 HTTP/1.1', 405),
    'trace': _start(b'TRACE / HTTP/1.1', 405),
    'bare-lf-after-start': _start(b'POST / HTTP/1.1\nX: y'),
    'host-missing': _host(),
    'host-twice': _host(b'Host: a.example', b'Host: a.example'),
    'host-twice-other': _host(b'Host: a.example', b'hOST: b.example'),
    'host-with-path': _host(b'Host: a.example/x'),
    'host-with-user': _host(b'Host: u@a.example'),
    'host-with-space': _host(b'Host: a.example b.example'),
    'host-bad-port': _host(b'Host: a.example:8x'),
    'expectation-unknown': _line(b'Expect: 200-ok', status=417, rule='RFC 9110, 10.1.1'),
    'chunk-plus': _chunks(b'+3\r\nabc\r\n0\r\n\r\n'),
    'chunk-minus': _chunks(b'-3\r\nabc\r\n0\r\n\r\n'),
    'chunk-0x': _chunks(b'0x3\r\nabc\r\n0\r\n\r\n'),
    'chunk-underscore': _chunks(b'0_3\r\nabc\r\n0\r\n\r\n'),
    'chunk-not-hex': _chunks(b'g\r\nabc\r\n0\r\n\r\n'),
    'chunk-empty-size': _chunks(b'\r\nabc\r\n0\r\n\r\n'),
    'chunk-space-first': _chunks(b' 3\r\nabc\r\n0\r\n\r\n'),
    'chunk-space-after': _chunks(b'3 \r\nabc\r\n0\r\n\r\n'),
    'chunk-too-many-digits': _chunks(b'00000000000000003\r\nabc\r\n0\r\n\r\n'),
    'chunk-overflow': _chunks(b'10000000000000003\r\nabc\r\n0\r\n\r\n'),
    'chunk-bare-lf-after-size': _chunks(b'3\nabc\r\n0\r\n\r\n'),
    'chunk-bare-lf-after-data': _chunks(b'3\r\nabc\n0\r\n\r\n'),
    'chunk-bare-cr-after-size': _chunks(b'3\rabc\r\n0\r\n\r\n'),
    'chunk-cr-x-after-data': _chunks(b'3\r\nabc\rX0\r\n\r\n'),
    'chunk-too-much-data': _chunks(b'3\r\nabcd\r\n0\r\n\r\n'),
    'chunk-extension-nul': _chunks(b'3;\0\r\nabc\r\n0\r\n\r\n'),
    'chunk-extension-bare-lf': _chunks(b'3;x\nabc\r\n0\r\n\r\n'),
    'chunk-extension-bare-cr': _chunks(b'3;x\ry\r\nabc\r\n0\r\n\r\n'),
    'chunk-extension-endless': _chunks(b'3;' + b'x' * 2_000 + b'\r\nabc\r\n0\r\n\r\n'),
    'chunk-second-bad': _chunks(b'3\r\nabc\r\nz\r\nabc\r\n0\r\n\r\n'),
    'chunk-last-bare-lf': _chunks(b'3\r\nabc\r\n0\n\r\n'),
    'trailer-no-colon': _chunks(b'0\r\nX\r\n\r\n'),
    'trailer-folded': _chunks(b'0\r\nX: 1\r\n 2\r\n\r\n'),
    'trailer-bare-lf': _chunks(b'0\r\nX: 1\n\r\n'),
    'trailer-nul': _chunks(b'0\r\nX: \0\r\n\r\n'),
    'trailer-space-before-colon': _chunks(b'0\r\nX : 1\r\n\r\n'),
    'trailers-endless': _chunks(b'0\r\n' + b'X: 1234567\r\n' * 1_000 + b'\r\n'),
    'head-too-large': _line(b'X-A: ' + b'a' * 20_000, rule='RFC 9110, 5.4; tune.bufsize'),
    'too-many-fields': _line(*(b'X-%d: a' % n for n in range(150)), rule='RFC 9110, 5.4; tune.http.maxhdr'),
    'target-too-long': _start(b'POST /' + b'a' * 20_000 + b' HTTP/1.1'),
    'not-http': _start(b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'),
    'http-2-preface': _start(b'PRI * HTTP/2.0'),
}  # fmt: skip


def _bad(*lines: bytes, start: bytes = b'HTTP/1.1 200 OK', tail: bytes = b'', rule: str = 'RFC 9112, 4 to 6') -> Fault:
    return Fault(rule, 502, start, lines, tail)


def _cut(line: bytes, tail: bytes) -> Fault:
    return Fault('RFC 9112, 8: an incomplete message stays incomplete', CUT, b'HTTP/1.1 200 OK', (line,), tail)


RESPONSE_FAULTS: Final = {
    'answer-te-cl': _bad(_CHUNKED, b'Content-Length: 2', tail=b'2\r\nok\r\n0\r\n\r\n'),
    'answer-cl-te': _bad(b'Content-Length: 2', _CHUNKED, tail=b'2\r\nok\r\n0\r\n\r\n'),
    'answer-cl-cl': _bad(b'Content-Length: 2', b'Content-Length: 3', tail=b'ok!'),
    'answer-cl-plus': _bad(b'Content-Length: +2', tail=b'ok'),
    'answer-cl-hex': _bad(b'Content-Length: 0x2', tail=b'ok'),
    'answer-te-twice': _bad(_CHUNKED, _CHUNKED, tail=_END),
    'answer-te-stacked': _bad(b'Transfer-Encoding: gzip, chunked', tail=_END),
    'answer-te-not-last': _bad(b'Transfer-Encoding: chunked, gzip', tail=_END),
    'answer-te-in-1-0': _bad(_CHUNKED, start=b'HTTP/1.0 200 OK', tail=_END),
    'answer-obs-fold': _bad(b'X-A: 1\r\n 2', b'Content-Length: 2', tail=b'ok'),
    'answer-space-before-colon': _bad(b'X-A : 1', b'Content-Length: 2', tail=b'ok'),
    'answer-no-colon': _bad(b'X-A', b'Content-Length: 2', tail=b'ok'),
    'answer-bare-lf': _bad(b'X-A: 1\nX-B: 2', b'Content-Length: 2', tail=b'ok'),
    'answer-bare-cr': _bad(b'X-A: 1\rX-B: 2', b'Content-Length: 2', tail=b'ok'),
    'answer-nul': _bad(b'X-A: \0', b'Content-Length: 2', tail=b'ok'),
    'answer-name-not-token': _bad(b'X(A): 1', b'Content-Length: 2', tail=b'ok'),
    'answer-status-short': _bad(b'Content-Length: 2', start=b'HTTP/1.1 20 OK', tail=b'ok'),
    'answer-status-long': _bad(b'Content-Length: 2', start=b'HTTP/1.1 2000 OK', tail=b'ok'),
    'answer-status-none': _bad(b'Content-Length: 2', start=b'HTTP/1.1 OK', tail=b'ok'),
    'answer-status-000': _bad(b'Content-Length: 2', start=b'HTTP/1.1 000 OK', tail=b'ok'),
    'answer-status-600': _bad(b'Content-Length: 2', start=b'HTTP/1.1 600 OK', tail=b'ok'),
    'answer-version': _bad(b'Content-Length: 2', start=b'HTTP/2.0 200 OK', tail=b'ok'),
    'answer-not-http': _bad(start=b'SSH-2.0-x'),
    'answer-too-large': _bad(b'X-A: ' + b'a' * 20_000, b'Content-Length: 2', tail=b'ok'),
    'answer-too-many-fields': _bad(*(b'X-%d: a' % n for n in range(150)), b'Content-Length: 2', tail=b'ok'),
    'answer-101-unasked': _bad(b'Connection: Upgrade', b'Upgrade: websocket', start=b'HTTP/1.1 101 Switching Protocols'),
    'answer-short': _cut(b'Content-Length: 10', b'abc'),
    'answer-chunks-short': _cut(_CHUNKED, b'3\r\nabc\r\n'),
    'answer-chunk-short': _cut(_CHUNKED, b'5\r\nabc'),
    'answer-no-last-crlf': _cut(_CHUNKED, b'3\r\nabc\r\n0\r\n'),
    'answer-chunk-not-hex': _cut(_CHUNKED, b'3\r\nabc\r\nx\r\nabc\r\n0\r\n\r\n'),
    'answer-chunk-0x': _cut(_CHUNKED, b'0x3\r\nabc\r\n0\r\n\r\n'),
    'answer-chunk-bare-lf': _cut(_CHUNKED, b'3\nabc\n0\n\n'),
    'answer-chunk-overflow': _cut(_CHUNKED, b'10000000000000003\r\nabc\r\n0\r\n\r\n'),
    'answer-chunk-too-much': _cut(_CHUNKED, b'3\r\nabcd\r\n0\r\n\r\n'),
    'answer-trailer-bad': _cut(_CHUNKED, b'3\r\nabc\r\n0\r\nX : 1\r\n\r\n'),
}  # fmt: skip
