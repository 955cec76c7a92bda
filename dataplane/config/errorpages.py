"""config: answers in place of built-in pages that stand in the file itself: `http-error` and `errorloc*` (configuration manual 4.2).

Both become the page that an `errorfile` of the same answer would be, which is also how they go before and after each other - but for
`http-error` lines with expressions, which are evaluated each time.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from dataplane.config.errorfiles import CODES, error_page, status_of
from dataplane.config.errorsections import FromSection
from dataplane.config.problems import Rejected, shown
from dataplane.config.replies import parse_reply
from dataplane.config.rules import request_phase
from dataplane.core.answers import ErrorPage
from dataplane.rules.model import Format
from dataplane.rules.reasons import reason_of

if TYPE_CHECKING:
    from dataplane.config.draft import ProxyDraft
    from dataplane.config.reader import Line
    from dataplane.config.ruling import Ruling
    from dataplane.rules.actions import Reply

_WHAT: Final = "'http-error'"
_REDIRECTS: Final = {'errorloc': 302, 'errorloc302': 302, 'errorloc303': 303}


def parse_http_error(line: Line, proxy: ProxyDraft, ruling: Ruling) -> None:
    """`http-error status N ...`, as `http-request return` has it. Raises Rejected.

    What is the same for all requests becomes a page; what is made of the request stays a reply.
    """
    scope = ruling.scope(request_phase(proxy), proxy)
    words = line.words[1:]
    reply, taken = parse_reply(words, _WHAT, 0, scope, ruling)
    line.at_most(taken)
    if reply.status not in CODES:
        msg = f'{_WHAT} : a status that has a page is expected: one of {", ".join(map(str, CODES))}'
        raise Rejected(msg)
    if reply.section:
        scope.sections.clear()
        proxy.error_lines.append(FromSection(reply.section, (reply.status,), _WHAT, line.file, line.number))
    elif 'default-errorfiles' not in words:
        proxy.error_lines.append((reply.status, _page(reply) or replace(reply, plain=True)))
    ruling.warn(line, scope)


def _page(reply: Reply) -> ErrorPage | None:
    """The page that a reply always is; None of one that is made anew each time."""
    if reply.page is not None:
        return ErrorPage(status=reply.status, closing=reply.page[0], keeping=reply.page[1])
    if isinstance(reply.body, Format) or not all(_is_literal(value) for _, value in reply.headers):
        return None
    body = reply.body or b''
    fields = [(name.encode(), b''.join(map(bytes, value.parts))) for name, value in reply.headers]  # type: ignore[arg-type]  # texts
    fields.append((b'content-length', b'%d' % len(body)))
    if reply.content_type:
        fields.append((b'content-type', reply.content_type.encode()))
    return error_page(reply.status, _answer(reply.status, fields) + body)


def _is_literal(value: Format) -> bool:
    return all(isinstance(part, bytes) for part in value.parts)


def parse_errorloc(line: Line, proxy: ProxyDraft) -> None:
    """`errorloc`, `errorloc302` or `errorloc303 CODE URL`: clients are sent there instead. Raises Rejected."""
    keyword, code, url = line.words[0], line.word(1), line.word(2)
    line.at_most(2)
    status = status_of(code, f"'{keyword}'")
    if not re.fullmatch('[!-~]+', url):
        msg = f"'{keyword}' expects <status_code> and <url> as arguments (got '{shown(url)}')."
        raise Rejected(msg)
    fields = [(b'cache-control', b'no-cache'), (b'content-length', b'0'), (b'location', url.encode())]
    proxy.error_lines.append((status, error_page(status, _answer(_REDIRECTS[keyword], fields))))


def _answer(status: int, fields: list[tuple[bytes, bytes]]) -> bytes:
    head = b''.join(b'%b: %b\r\n' % field for field in fields)
    return b'HTTP/1.1 %d %b\r\n%b\r\n' % (status, reason_of(status), head)
