"""What rules do to a head's fields, and the bytes it becomes: nothing can end a line, and what ends at this hop stays here."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataplane.rules.reasons import reason_of
from dataplane.worker.head import RequestHead, parse_request, parse_response
from dataplane.worker.rewriting import Rewriting, clean

RAW = b'GET /x HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nConnection: keep-alive, x-gone\r\nX-Gone: g\r\nx-a: 2, 3\r\nContent-Length: 05\r\n\r\n'


def request(raw: bytes = RAW) -> RequestHead:
    return parse_request(raw, 101)


def rewriting(head: RequestHead) -> Rewriting:
    return Rewriting(head, head.edits)


def finished(head: RequestHead, lines: Rewriting) -> bytes:
    head.rewrite(*lines.finish(b'GET /y HTTP/1.1'))
    return head.kept()


def test_untouched_fields_are_forwarded_as_before() -> None:
    head = request()
    before = head.kept().partition(b'\r\n')[2]
    assert finished(head, rewriting(head)) == b'GET /y HTTP/1.1\r\n' + before


def test_rules_see_what_is_not_forwarded() -> None:
    lines = rewriting(request())
    assert dict(lines.fields)[b'connection'] == b'keep-alive, x-gone'
    assert dict(lines.fields)[b'x-gone'] == b'g'


def test_fields_are_put_replaced_and_deleted() -> None:
    head = request()
    lines = rewriting(head)
    lines.put(b'x-b', b'new', alone=False)
    lines.put(b'x-a', b'one', alone=True)
    lines.replace(b'host', lambda value: value + b'ost')
    lines.delete(lambda name: name == b'x-b')
    assert lines.fields[0] == (b'host', b'host')
    assert finished(head, lines) == b'GET /y HTTP/1.1\r\nHost: host\r\nContent-Length: 5\r\nx-a: one\r\n'


def test_a_second_list_goes_on_where_the_first_left_off() -> None:
    head = request()
    lines = rewriting(head)
    lines.put(b'x-b', b'new', alone=False)
    finished(head, lines)
    again = rewriting(head)
    again.replace(b'x-b', lambda value: value * 2)
    assert finished(head, again).endswith(b'x-b: newnew\r\n')
    assert b'x-gone' not in head.kept().lower()


def test_how_long_a_message_is_cannot_be_deleted() -> None:
    head = request()
    lines = rewriting(head)
    lines.delete(lambda _: True)
    assert finished(head, lines) == b'GET /y HTTP/1.1\r\nContent-Length: 5\r\n'


def test_the_host_of_an_absolute_target_is_the_one_that_is_seen() -> None:
    head = request(b'GET http://other/z HTTP/1.1\r\nHost: h\r\n\r\n')
    assert rewriting(head).fields == [(b'host', b'other')]
    head = request(b'GET http://other/z HTTP/1.0\r\n\r\n')
    assert rewriting(head).fields == [(b'host', b'other')]


@given(st.binary(max_size=20), st.binary(max_size=20))
def test_no_value_ends_its_line(one: bytes, two: bytes) -> None:
    head = request()
    lines = rewriting(head)
    lines.put(b'x-b', one, alone=False)
    lines.replace(b'x-a', lambda _: two)
    out = finished(head, lines)
    assert out.count(b'\r\n') == 6
    assert out.count(b'\n') == out.count(b'\r') == 6
    assert b'\0' not in out


@pytest.mark.parametrize('value, kept', [(b'a b', b'a b'), (b'a\r\nb: c', b'a  b: c'), (b'\0', b' '), (b'\t', b'\t')])
def test_what_would_end_a_line_is_a_blank(value: bytes, kept: bytes) -> None:
    assert clean(value) == kept


@pytest.mark.parametrize(
    'status, reason',
    [
        (200, b'OK'),
        (299, b'Success'),
        (302, b'Found'),
        (418, b"I'm a teapot"),
        (498, b'Client Error'),
        (599, b'Server Error'),
    ],
)
def test_reasons(status: int, reason: bytes) -> None:
    assert reason_of(status) == reason


def test_a_response_too() -> None:
    head = parse_response(b'HTTP/1.1 200 OK\r\nServer: s\r\nConnection: close\r\nContent-Length: 2\r\n\r\n', 101)
    lines = Rewriting(head, head.edits)
    lines.delete(lambda name: name == b'server')
    head.rewrite(*lines.finish(b'HTTP/1.1 299 Fine'))
    assert head.kept() == b'HTTP/1.1 299 Fine\r\nContent-Length: 2\r\n'
