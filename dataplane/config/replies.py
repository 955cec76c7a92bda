"""config: what `deny`, `tarpit` and `return` answer with (configuration manual 4.3: `http-request return`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from dataplane.config.errorfiles import CODES
from dataplane.config.naming import is_token
from dataplane.config.problems import Rejected, shown
from dataplane.config.ruling import header_format
from dataplane.config.values import parse_int
from dataplane.rules.actions import Reply

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dataplane.config.ruling import Ruling
    from dataplane.rules.model import Format
    from dataplane.rules.scope import Scope

CONDITIONS: Final = ('if', 'unless')
_BODILESS: Final = (204, 304)
_RETURNED: Final = 200
_BODIES: Final = ('string', 'lf-string', 'file', 'lf-file')
_PAGES: Final = ('errorfile', 'errorfiles')


@dataclass(slots=True)
class _Found:
    status: int
    content_type: str = ''
    body: Format | bytes | None = None
    page: bool = False
    source: tuple[str, str] | None = None
    headers: list[tuple[str, Format]] = field(default_factory=list)


def parse_reply(words: Sequence[str], what: str, default: int, scope: Scope, ruling: Ruling) -> tuple[Reply, int]:
    """The reply that `words` begin with, and how many they are. `what` names the rule, `default` is its status.

    A page of the proxy's own is meant where nothing says what the body is, but for `return`, whose answer is then empty.
    Raises Rejected.
    """
    returned = default == _RETURNED
    found = _Found(default)
    at = 0
    while at < len(words) and words[at] not in CONDITIONS:
        word = words[at]
        value = words[at + 1] if at + 1 < len(words) else ''
        if word == 'status' or (word == 'deny_status' and not returned):
            found.status = _status(value, word, what)
            found.page = found.page or word != 'status'
        elif word == 'content-type':
            found.content_type = _said(value, word, what)
        elif word in _BODIES:
            _one_body(found, word, what)
            found.body = _body(word, _said(value, word, what), scope, ruling)
        elif word == 'hdr':
            at += 1
            _header(found, value, words[at + 1 : at + 2], what, scope)
        elif word == 'default-errorfiles':
            _one_body(found, word, what)
            found.page = True
            at -= 1
        elif word in _PAGES:
            _one_body(found, word, what)
            found.source = word, _said(value, word, what)
        else:
            msg = f"{what} : expects 'if' or 'unless', or what is answered, but found '{shown(word)}'"
            raise Rejected(msg)
        at += 2
    if found.source is not None:
        return _page_reply(found, *found.source, what, scope, ruling), at
    return _reply(found, what, scope, empty=returned or bool(at)), at


def _one_body(found: _Found, word: str, what: str) -> None:
    if found.body is not None or found.source is not None:
        msg = f"{what} : '{word}' : the body is already given"
        raise Rejected(msg)


def _page_reply(found: _Found, word: str, name: str, what: str, scope: Scope, ruling: Ruling) -> Reply:
    """The answer is a file, or one that a section of files has for the status."""
    if found.status not in CODES:
        msg = f"{what} : status code '{found.status}' not handled by default with '{word}' argument"
        raise Rejected(msg)
    if found.content_type:
        scope.warnings.append(
            f"content-type '{shown(found.content_type)}' ignored by the http reply because of '{word}'."
        )
    if found.headers:
        scope.warnings.append(f"hdr parameters ignored by the http reply because of '{word}'.")
    if word == 'errorfiles':
        scope.sections.append((name, found.status, what))
        return Reply(found.status, section=name)
    page = ruling.error_files.page(found.status, name)
    return Reply(found.status, page=(page.closing, page.keeping))


def _reply(found: _Found, what: str, scope: Scope, *, empty: bool) -> Reply:
    """`empty`: something was said about the reply, so that it is no page unless that was said."""
    if found.body is not None and not found.content_type:
        msg = f'{what} : a content-type must be defined when a body is given'
        raise Rejected(msg)
    if found.body is not None and found.status in _BODILESS:
        msg = f'{what} : No body expected for {found.status} responses'
        raise Rejected(msg)
    if found.content_type and found.body is None:
        text = f"content-type '{shown(found.content_type)}' ignored by the http reply because neither errorfile nor payload defined."
        scope.warnings.append(text)
        found.content_type = ''
    if found.body is None and found.page and not found.headers:
        if found.status not in CODES:
            msg = f"{what} : status code '{found.status}' not handled by default with 'default-errorfiles' argument"
            raise Rejected(msg)
        return Reply(found.status)
    return Reply(found.status, found.content_type, found.body, tuple(found.headers), plain=empty)


def _status(value: str, word: str, what: str) -> int:
    status = parse_int(value, f'{what} : {word}', 200)
    if status > 599:
        msg = f"{what} : '{word}' expects a status from 200 to 599, not '{shown(value)}'"
        raise Rejected(msg)
    return status


def _said(value: str, word: str, what: str) -> str:
    if not value:
        msg = f"{what} : '{word}' expects an argument"
        raise Rejected(msg)
    return value


def _header(found: _Found, name: str, rest: Sequence[str], what: str, scope: Scope) -> None:
    if not rest or not is_token(name):
        msg = f"{what} : 'hdr' expects the name of a field and its value (got '{shown(name)}')"
        raise Rejected(msg)
    if name.lower() in ('content-length', 'content-type', 'transfer-encoding', 'connection'):
        scope.warnings.append(f"header '{shown(name)}' always ignored by the http reply.")
    else:
        found.headers.append((name.lower(), header_format(rest[0], scope)))


def _body(word: str, value: str, scope: Scope, ruling: Ruling) -> Format | bytes:
    if word == 'string':
        return value.encode('utf-8', 'surrogateescape')
    if word == 'file':
        return ruling.content(value)
    text = value if word == 'lf-string' else ruling.content(value).decode('utf-8', 'surrogateescape')
    return header_format(text, scope)  # as HAProxy does: what values bring along cannot look like the text's own
