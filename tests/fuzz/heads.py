"""Heads of messages: what is accepted is beyond doubt for everybody behind, and the compiled twin thinks the same of it."""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import httptools

import dataplane.native
from dataplane.worker import scan
from dataplane.worker.framing import CHUNKED, UNTIL_CLOSE
from dataplane.worker.head import BadHead, Head, RequestHead, incomplete, parse_request, parse_response
from dataplane.worker.headers import request_bytes, response_bytes, wants_websocket
from dataplane.worker.rewriting import Rewriting, fields_of
from tests.oracle.wire import Incomplete, Malformed, read_request, read_response

BUILT = Path(__file__).resolve().parents[2] / 'build' / 'compiled'
MOST_FIELDS = 101
_ONE_HOP = frozenset((
    b'keep-alive', b'proxy-connection', b'te', b'trailer', b'proxy-authorization', b'proxy-authenticate', b'http2-settings',
))  # fmt: skip


@cache
def twin() -> ModuleType | None:
    """The compiled scanner: installed, or as `make compile` has left it; None where there is none."""
    built = str(BUILT / 'dataplane' / 'native')
    dataplane.native.__path__.append(built)
    try:
        return importlib.import_module('dataplane.native.heads')
    except ImportError:
        return None
    finally:
        dataplane.native.__path__.remove(built)


class _Told:
    """llhttp's callbacks."""

    def __init__(self) -> None:
        self.fields: list[tuple[bytes, bytes]] = []
        self.complete = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name.lower(), value.strip(b' \t')))

    def on_headers_complete(self) -> None:
        self.complete = True


def _whole(data: bytes) -> bytes | None:
    """A head, as whoever reads heads would cut it off; a part of the input is enough."""
    end = data.find(b'\r\n\r\n')
    return data[: end + 4] if end >= 0 else None


def _agrees(name: str, raw: bytes) -> Any:
    """What the expressions say of these bytes, which is what the twin says."""
    said = getattr(scan, name)(raw)
    compiled = twin()
    if compiled is not None:
        assert getattr(compiled, name)(raw) == said, f'{name}: the compiled twin differs'
    return said


def _llhttp(parser: Any, raw: bytes) -> bool:
    """Could it have an opinion?"""
    try:
        parser.feed_data(raw)
    except httptools.HttpParserUpgrade:
        pass  # it stops where another protocol may begin: the head was good
    except httptools.HttpParserInvalidMethodError:
        return False  # it knows a list of methods
    return True


def _unchanged_by_rules(head: Head) -> None:
    """Rules that change nothing leave a head as it was; what they see is what came."""
    start = head.raw[: head.raw.index(b'\r\n')]
    if 0 in head.edits:
        start = head.edits[0][1][:-2]
    raw, edits = Rewriting(head, head.edits).finish(start)
    kept = head.kept()
    again = type(head).__new__(type(head))
    Head.__init__(again, raw, head.version)
    again.rewrite(raw, edits)
    assert again.kept() == kept, 'rules that change nothing change something'


def requests(data: bytes) -> None:
    """Of a request that is accepted, the server behind reads what was understood here."""
    raw = _whole(data)
    for known in (0, len(data) // 2):
        try:
            incomplete(data[:200], min(known, 200))
        except BadHead:
            pass
    if raw is None:
        _agrees('scan_request', data)
        _agrees('is_host', data)
        return
    _agrees('scan_request', raw)
    try:
        head = parse_request(raw, MOST_FIELDS)
    except BadHead:
        return
    told = _Told()
    if head.version == 1 or head.length != CHUNKED:
        if _llhttp(httptools.HttpRequestParser(told), raw):
            assert told.complete
            assert told.fields == fields_of(head)
    _unchanged_by_rules(head)
    for close, switch in ((False, wants_websocket(head)), (True, False)):
        _forwarded(head, request_bytes(head, b'X-Forwarded-For: 1.2.3.4', close=close, switch=switch))


def _forwarded(head: RequestHead, out: bytes) -> None:
    """Read it as the server behind would, by the letter."""
    assert out.count(b'\r\n\r\n') == 1
    body = b'0\r\n\r\n' if head.length == CHUNKED else b'x' * min(head.length, 1_000)
    if head.length > 1_000:
        return
    try:
        request, rest = read_request(out + body + b'GET /next HTTP/1.1\r\n')
    except Malformed as malformed:
        if head.version == 0 and b'host:' not in out.lower():
            return
        raise AssertionError(f'the server behind is sent {malformed}') from malformed
    assert rest == b'GET /next HTTP/1.1\r\n', 'the server behind sees another end of it'
    assert (request.method, request.target) == (head.method, head.origin)
    names = [name.lower() for name, _ in request.fields]
    assert not _ONE_HOP & set(names)
    assert not any(b'_' in name for name in names)
    assert names.count(b'host') <= 1
    assert names.count(b'content-length') + names.count(b'transfer-encoding') <= 1
    again = parse_request(out, MOST_FIELDS + 4)
    assert (again.method, again.target, again.length, again.authority) == (
        head.method,
        head.origin,
        head.length,
        head.authority,
    )


def responses(data: bytes) -> None:
    """Of a response that is accepted, the client reads what was understood here."""
    raw = _whole(data)
    if raw is None:
        _agrees('scan_response', data)
        return
    _agrees('scan_response', raw)
    try:
        head = parse_response(raw, MOST_FIELDS)
    except BadHead:
        return
    _unchanged_by_rules(head)
    if head.status == 101:
        return
    chunked = head.length == CHUNKED and head.status not in (204, 304) and head.status >= 200
    out = response_bytes(head, b'close', chunked=chunked)
    assert out.count(b'\r\n\r\n') == 1
    if head.length > 1_000:
        return
    bodiless = head.status < 200 or head.status in (204, 304)
    body = (
        b''
        if bodiless
        else b'2\r\nok\r\n0\r\n\r\n'
        if chunked
        else b'x' * (5 if head.length == UNTIL_CLOSE else head.length)
    )
    try:
        response, rest = read_response(out + body, b'GET', ended=True)
    except (Malformed, Incomplete) as wrong:
        raise AssertionError(f'the client is sent {wrong!r}') from wrong
    assert not rest, 'the client sees another end of it'
    assert response.status == head.status
    assert response.whole
    names = {name.lower() for name, _ in response.fields}
    assert not (_ONE_HOP - {b'http2-settings'}) & names
