"""config: answers in place of built-in pages that stand in the file itself: `http-error` and `errorloc*` (configuration manual 4.2).

Both become the page that an `errorfile` of the same answer would be, which is also how they go before and after each other.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from dataplane.config.errorfiles import CODES, error_page, status_of
from dataplane.config.problems import Rejected, shown
from dataplane.config.replies import parse_reply
from dataplane.config.rules import request_phase
from dataplane.rules.reasons import reason_of

if TYPE_CHECKING:
    from dataplane.config.draft import ProxyDraft
    from dataplane.config.reader import Line
    from dataplane.config.ruling import Ruling
    from dataplane.rules.model import Format

_WHAT: Final = "'http-error'"
_REDIRECTS: Final = {'errorloc': 302, 'errorloc302': 302, 'errorloc303': 303}


def parse_http_error(line: Line, proxy: ProxyDraft, ruling: Ruling) -> None:
    """`http-error status N [content-type T] string|file B [hdr NAME VALUE]...`. Raises Rejected."""
    scope = ruling.scope(request_phase(proxy), proxy)
    reply, taken = parse_reply(line.words[1:], _WHAT, 0, scope, ruling)
    line.at_most(taken)
    if reply.status not in CODES:
        msg = f'{_WHAT} : a status that has a page is expected: one of {", ".join(map(str, CODES))}'
        raise Rejected(msg)
    if reply.body is not None and not isinstance(reply.body, bytes):
        msg = f"{_WHAT} : 'lf-string' and 'lf-file' are not supported: pages are made when the file is read"
        raise Rejected(msg)
    body = reply.body or b''
    fields = [(name.encode(), _literal(name, value)) for name, value in reply.headers]
    fields.append((b'content-length', b'%d' % len(body)))
    if reply.content_type:
        fields.append((b'content-type', reply.content_type.encode()))
    proxy.error_pages[reply.status] = error_page(reply.status, _answer(reply.status, fields) + body)


def _literal(name: str, value: Format) -> bytes:
    if not all(isinstance(part, bytes) for part in value.parts):
        msg = f"{_WHAT} : hdr '{name}' : expressions are not supported: pages are made when the file is read"
        raise Rejected(msg)
    return b''.join(part for part in value.parts if isinstance(part, bytes))


def parse_errorloc(line: Line, proxy: ProxyDraft) -> None:
    """`errorloc`, `errorloc302` or `errorloc303 CODE URL`: clients are sent there instead. Raises Rejected."""
    keyword, code, url = line.words[0], line.word(1), line.word(2)
    line.at_most(2)
    status = status_of(code, f"'{keyword}'")
    if not re.fullmatch('[!-~]+', url):
        msg = f"'{keyword}' expects <status_code> and <url> as arguments (got '{shown(url)}')."
        raise Rejected(msg)
    fields = [(b'cache-control', b'no-cache'), (b'content-length', b'0'), (b'location', url.encode())]
    proxy.error_pages[status] = error_page(status, _answer(_REDIRECTS[keyword], fields))


def _answer(status: int, fields: list[tuple[bytes, bytes]]) -> bytes:
    head = b''.join(b'%b: %b\r\n' % field for field in fields)
    return b'HTTP/1.1 %d %b\r\n%b\r\n' % (status, reason_of(status), head)
