"""Rules: the reason that goes with a status where nobody says another (RFC 9110, 15; HAProxy for the rest)."""

from __future__ import annotations

from typing import Final

_REASONS: Final[dict[int, bytes]] = {
    200: b'OK', 201: b'Created', 202: b'Accepted', 203: b'Non-Authoritative Information', 204: b'No Content', 205: b'Reset Content',
    206: b'Partial Content', 300: b'Multiple Choices', 301: b'Moved Permanently', 302: b'Found', 303: b'See Other', 304: b'Not Modified',
    305: b'Use Proxy', 307: b'Temporary Redirect', 308: b'Permanent Redirect', 400: b'Bad Request', 401: b'Unauthorized',
    402: b'Payment Required', 403: b'Forbidden', 404: b'Not Found', 405: b'Method Not Allowed', 406: b'Not Acceptable',
    407: b'Proxy Authentication Required', 408: b'Request Timeout', 409: b'Conflict', 410: b'Gone', 411: b'Length Required',
    412: b'Precondition Failed', 413: b'Payload Too Large', 414: b'URI Too Long', 415: b'Unsupported Media Type',
    416: b'Range Not Satisfiable', 417: b'Expectation Failed', 418: b"I'm a teapot", 421: b'Misdirected Request',
    422: b'Unprocessable Content', 423: b'Locked', 424: b'Failed Dependency', 425: b'Too Early', 426: b'Upgrade Required',
    428: b'Precondition Required', 429: b'Too Many Requests', 431: b'Request Header Fields Too Large',
    451: b'Unavailable For Legal Reasons', 500: b'Internal Server Error', 501: b'Not Implemented', 502: b'Bad Gateway',
    503: b'Service Unavailable', 504: b'Gateway Timeout', 505: b'HTTP Version Not Supported', 507: b'Insufficient Storage',
    511: b'Network Authentication Required',
}  # fmt: skip
_CLASSES: Final = {2: b'Success', 3: b'Redirection', 4: b'Client Error', 5: b'Server Error'}


def reason_of(status: int) -> bytes:
    """The usual reason of a status, or of its class."""
    return _REASONS.get(status) or _CLASSES.get(status // 100, b'Other')
