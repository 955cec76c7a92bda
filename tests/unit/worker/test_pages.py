from __future__ import annotations

import pytest

from dataplane.core.answers import ErrorPage
from dataplane.core.model import Backend, Frontend
from dataplane.worker.pages import kept_open, own_page, page, parser_page, without_body

# as HAProxy 2.6 was seen to send them
SEEN_503 = (
    b'HTTP/1.1 503 Service Unavailable\r\ncontent-length: 107\r\ncache-control: no-cache\r\ncontent-type: text/html\r\n'
    b'\r\n<html><body><h1>503 Service Unavailable</h1>\nNo server is available to handle this request.\n</body></html>\n'
)
SEEN_400 = (
    b'HTTP/1.1 400 Bad request\r\nContent-length: 90\r\nCache-Control: no-cache\r\nConnection: close\r\n'
    b'Content-Type: text/html\r\n\r\n'
    b'<html><body><h1>400 Bad request</h1>\nYour browser sent an invalid request.\n</body></html>\n'
)
SEEN_LENGTHS = {
    400: 90, 401: 112, 403: 93, 404: 83, 405: 146, 407: 112, 408: 110, 410: 114, 413: 106, 421: 104, 422: 116, 425: 80,
    429: 117, 500: 97, 501: 136, 502: 107, 503: 107, 504: 92,
}  # fmt: skip


def test_pages_are_haproxys_byte_for_byte() -> None:
    assert page(503, close=False) == SEEN_503
    assert page(503, close=True) == SEEN_503.replace(b'text/html\r\n', b'text/html\r\nconnection: close\r\n')
    assert parser_page(400) == SEEN_400


@pytest.mark.parametrize('status', [*SEEN_LENGTHS, 414, 417, 431])
def test_lengths_are_true(status: int) -> None:
    for answer in (page(status, close=False), page(status, close=True), parser_page(status)):
        head, body = answer.split(b'\r\n\r\n')
        assert b'ontent-length: %d\r\n' % len(body) in head
        assert SEEN_LENGTHS.get(status, len(body)) == len(body)
        assert without_body(answer) == head + b'\r\n\r\n'


def test_the_backends_own_page_goes_before_the_frontends() -> None:
    theirs, ours = ErrorPage(status=503, closing=b'back'), ErrorPage(status=503, closing=b'front')
    other = ErrorPage(status=502, closing=b'front 502')
    front = Frontend(name='f', id=1, binds=(), maxconn=1, error_pages=(ours, other))
    back = Backend(name='b', id=2, error_pages=(theirs,))
    assert own_page(503, back, front) is theirs
    assert own_page(502, back, front) is other
    assert own_page(503, None, front) is ours
    assert own_page(504, back, front) is None


def test_an_empty_page_has_no_head_either() -> None:
    assert without_body(b'') == b''


def test_http_1_0_is_told_that_the_connection_stays() -> None:
    stays = SEEN_503.replace(b'text/html\r\n', b'text/html\r\nconnection: keep-alive\r\n')
    assert kept_open(page(503, close=False)) == stays
