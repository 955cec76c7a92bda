from __future__ import annotations

import pytest

from dataplane.core.model import ForwardFor
from dataplane.worker.head import RequestHead, parse_request, parse_response
from dataplane.worker.headers import ForwardedFor, request_bytes, response_bytes, wants_websocket


def head(*lines: str, start: str = 'GET / HTTP/1.1') -> RequestHead:
    return parse_request('\r\n'.join((start, 'Host: a', *lines, '', '')).encode(), 101)


def test_what_need_not_change_is_relayed_as_it_came() -> None:
    raw = b'GET /a%20b HTTP/1.1\r\nHost: a\r\nx-ODD:  \tv \r\nX-Bytes: \xe9\xff\r\n\r\n'
    assert request_bytes(parse_request(raw, 101), b'', close=False, switch=False) == raw


@pytest.mark.parametrize(
    'start, close, switch, field',
    [
        ('GET / HTTP/1.1', False, False, b''), ('GET / HTTP/1.1', True, False, b'Connection: close\r\n'),
        ('GET / HTTP/1.0', False, False, b'Connection: keep-alive\r\n'), ('GET / HTTP/1.0', True, False, b'Connection: close\r\n'),
        ('GET / HTTP/1.1', True, True, b'Connection: Upgrade\r\nUpgrade: websocket\r\n'),
    ],
)  # fmt: skip
def test_the_connection_field_is_written_anew(start: str, close: bool, switch: bool, field: bytes) -> None:
    out = request_bytes(head('Connection: x', start=start), b'X-F: 1', close=close, switch=switch)
    assert out == start.encode() + b'\r\nHost: a\r\nX-F: 1\r\n' + field + b'\r\n'


@pytest.mark.parametrize(
    'lines, start, wants',
    [
        (('Upgrade: websocket', 'Connection: upgrade'), 'GET / HTTP/1.1', True),
        (('Upgrade: websocket',), 'GET / HTTP/1.1', False),
        (('Upgrade: h2c', 'Connection: upgrade'), 'GET / HTTP/1.1', False),
        (('Upgrade: websocket, h2c', 'Connection: upgrade'), 'GET / HTTP/1.1', False),
        (('Upgrade: websocket', 'Connection: upgrade'), 'POST / HTTP/1.1', False),
        (('Upgrade: websocket', 'Connection: upgrade'), 'GET / HTTP/1.0', False),
        (('Upgrade: websocket', 'Connection: upgrade', 'Content-Length: 1'), 'GET / HTTP/1.1', False),
    ],
)
def test_which_upgrades_are_forwarded(lines: tuple[str, ...], start: str, wants: bool) -> None:
    assert wants_websocket(head(*lines, start=start)) is wants


def test_responses() -> None:
    old = parse_response(b'HTTP/1.0 200 Fine\r\nKeep-Alive: 1\r\nX: y\r\n\r\n', 101)
    assert response_bytes(old, b'close', chunked=False) == b'HTTP/1.1 200 Fine\r\nX: y\r\nConnection: close\r\n\r\n'
    new = parse_response(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', 101)
    assert response_bytes(new, b'', chunked=True) == b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'


@pytest.mark.parametrize(
    'option, client, lines, line',
    [
        (ForwardFor(), '192.0.2.1', (), b'X-Forwarded-For: 192.0.2.1'),
        (ForwardFor(), '192.0.2.1', ('X-Forwarded-For: 1',), b'X-Forwarded-For: 192.0.2.1'),
        (ForwardFor(if_none=True), '192.0.2.1', ('x-forwarded-for: 1',), b''),
        (ForwardFor(header='X-Client', if_none=True), '::1', ('x-forwarded-for: 1',), b'X-Client: ::1'),
        (ForwardFor(except_net='192.0.2.0/24'), '192.0.2.1', (), b''),
        (ForwardFor(except_net='192.0.2.77/24'), '192.0.3.1', (), b'X-Forwarded-For: 192.0.3.1'),
        (ForwardFor(except_net='192.0.2.0/24'), '::1', (), b'X-Forwarded-For: ::1'),
        (ForwardFor(), '', (), b''),
    ],
)
def test_forwardfor(option: ForwardFor, client: str, lines: tuple[str, ...], line: bytes) -> None:
    assert ForwardedFor(option).line(head(*lines), client) == line
