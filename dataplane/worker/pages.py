"""HAProxy's built-in answers, byte for byte as HAProxy 2.6 puts them on the wire.

Two shapes exist there: what the HTTP/1 parser answers itself (400, 408: capitalised names and always `Connection: close`)
and what a stream answers (lower-case names, keep-alive unless something forces the close).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from dataplane.core.answers import ErrorPage
    from dataplane.core.model import Backend, Frontend

_PAGES: Final = {
    200: ('OK', 'Service ready.'),
    400: ('Bad request', 'Your browser sent an invalid request.'),
    401: ('Unauthorized', 'You need a valid user and password to access this content.'),
    403: ('Forbidden', 'Request forbidden by administrative rules.'),
    404: ('Not Found', 'The resource could not be found.'),
    405: (
        'Method Not Allowed',
        'A request was made of a resource using a request method not supported by that resource',
    ),
    407: ('Unauthorized', 'You need a valid user and password to access this content.'),
    408: ('Request Time-out', "Your browser didn't send a complete request in time."),
    410: ('Gone', 'The resource is no longer available and will not be available again.'),
    413: ('Payload Too Large', 'The request entity exceeds the maximum allowed.'),
    414: ('URI Too Long', 'The request target is too long.'),
    417: ('Expectation Failed', 'The expectation given in the request cannot be met.'),
    421: ('Misdirected Request', 'Request sent to a non-authoritative server.'),
    422: ('Unprocessable Content', 'The server cannot process the contained instructions.'),
    425: ('Too Early', 'Your browser sent early data.'),
    429: ('Too Many Requests', 'You have sent too many requests in a given amount of time.'),
    431: ('Request Header Fields Too Large', 'The header fields of the request are too large.'),
    500: ('Internal Server Error', 'An internal server error occurred.'),
    501: ('Not Implemented', '.The server does not support the functionality required to fulfill the request.'),
    502: ('Bad Gateway', 'The server returned an invalid or incomplete response.'),
    503: ('Service Unavailable', 'No server is available to handle this request.'),
    504: ('Gateway Time-out', "The server didn't respond in time."),
}


def _body(status: int) -> bytes:
    reason, text = _PAGES[status]
    return f'<html><body><h1>{status} {reason}</h1>\n{text}\n</body></html>\n'.encode()


def _page(status: int, *, close: bool) -> bytes:
    body = _body(status)
    head = (
        f'HTTP/1.1 {status} {_PAGES[status][0]}\r\ncontent-length: {len(body)}\r\n'
        f'cache-control: no-cache\r\ncontent-type: text/html\r\n'
    )
    return head.encode() + (b'connection: close\r\n\r\n' if close else b'\r\n') + body


def _parser_page(status: int) -> bytes:
    body = _body(status)
    head = (
        f'HTTP/1.1 {status} {_PAGES[status][0]}\r\nContent-length: {len(body)}\r\n'
        f'Cache-Control: no-cache\r\nConnection: close\r\nContent-Type: text/html\r\n\r\n'
    )
    return head.encode() + body


_CLOSING: Final = (400, 408)
_KEEP: Final = {status: _page(status, close=False) for status in _PAGES}
_CLOSE: Final = {status: _page(status, close=True) for status in _PAGES}
_PARSER: Final = {status: _parser_page(status) for status in _PAGES}


def page(status: int, *, close: bool) -> bytes:
    """The whole answer of a stream to its client. KeyError for a status without a built-in page."""
    return _CLOSE[status] if close else _KEEP[status]


def leaves_open(status: int) -> bool:
    """May a connection stay after this page? Not after what is said to a client that has sent nothing usable, or nothing at
    all, whoever says it: HAProxy's own pages of these statuses say `connection: close`.
    """
    return status not in _CLOSING


def empty_page(version: int, *, keep: bool) -> bytes:
    """The whole answer to a request that asks for nothing but an answer; `keep`: its connection stays."""
    answer = b'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'
    return closing(answer) if not keep else answer if version else kept_open(answer)


def own_page(status: int, *owners: Frontend | Backend | None) -> ErrorPage | None:
    """The `errorfile` of the first of these proxies that has one for the status."""
    return next((page for owner in owners if owner for page in owner.error_pages if page.status == status), None)


def without_body(answer: bytes) -> bytes:
    """The same answer to a HEAD request; of an empty page nothing."""
    return answer[: answer.find(b'\r\n\r\n') + 4] if answer else answer


def with_field(answer: bytes, name: bytes, value: bytes) -> bytes:
    """The same answer with this field, in place of those of its name; of an empty page nothing."""
    end = answer.find(b'\r\n\r\n') + 2
    lines = answer[:end].split(b'\r\n')[:-1]
    kept = [line for line in lines if line.partition(b':')[0].lower() != name]
    return b'%b\r\n%b: %b\r\n%b' % (b'\r\n'.join(kept), name, value, answer[end:]) if answer else answer


def closing(answer: bytes) -> bytes:
    """The same answer where the connection closes after it."""
    return _saying(answer, b'connection: close\r\n')


def kept_open(answer: bytes) -> bytes:
    """The same answer for a client of HTTP/1.0 whose connection stays: without a word it would take it for closed."""
    return _saying(answer, b'connection: keep-alive\r\n')


def _saying(answer: bytes, line: bytes) -> bytes:
    """The answer with one more line at the end of its head."""
    end = answer.find(b'\r\n\r\n') + 2
    return b'%b%b%b' % (answer[:end], line, answer[end:])


def parser_page(status: int) -> bytes:
    """The whole answer to what was not even a request; the connection closes after it."""
    return _PARSER[status]
