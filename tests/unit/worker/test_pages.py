from __future__ import annotations

import pytest

from dataplane.worker.pages import STATUSES, page, parser_page, without_body

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


@pytest.mark.parametrize('status', STATUSES)
def test_lengths_are_true(status: int) -> None:
    for answer in (page(status, close=False), page(status, close=True), parser_page(status)):
        head, body = answer.split(b'\r\n\r\n')
        assert b'ontent-length: %d\r\n' % len(body) in head
        assert SEEN_LENGTHS.get(status, len(body)) == len(body)
        assert without_body(answer) == head + b'\r\n\r\n'
