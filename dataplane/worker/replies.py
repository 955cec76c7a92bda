"""What the proxy answers by a rule: pages, replies with a body of their own, and redirects.

An answer is made whole, with its status, for a connection that stays; the exchange adds what it says about the connection.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

from dataplane.rules.actions import Redirect, Reply, Where
from dataplane.rules.closures import compiled_format
from dataplane.rules.fetches.request import host_of, path_and_query
from dataplane.rules.reasons import reason_of
from dataplane.worker.rewriting import clean

if TYPE_CHECKING:
    from dataplane.rules.stores import Store
    from dataplane.worker.transaction import Transaction


class Made(NamedTuple):
    """A status, and the whole answer (None: the page of that status); `closing`: another one is sent where the connection closes after
    it, and `stays`: may it stay?
    """

    status: int
    answer: bytes | None = None
    closing: bytes | None = None
    stays: bool = True


Answer = Callable[['Transaction'], Made]
_UNCACHED: Final = (302, 303, 307)
_BODILESS: Final = (204, 304)


def answer_of(reply: Reply, store: Store) -> Answer:
    """What answers by a reply."""
    status = reply.status
    page = store.pages.get((reply.section, status)) if reply.section else reply.page
    if page is not None:
        closing, keeping = page
        ready = Made(status, closing if keeping is None else keeping, closing, keeping is not None)
        return lambda _: ready
    if reply.body is None and not reply.plain:
        usual = Made(status)
        return lambda _: usual
    headers = [(name.encode(), compiled_format(value, store)) for name, value in reply.headers]
    body = reply.body
    fixed = body if isinstance(body, bytes) else b''
    write = compiled_format(body, store) if body is not None and not isinstance(body, bytes) else None
    kind = reply.content_type.encode()
    start = b'HTTP/1.1 %d %b\r\n' % (status, reason_of(status))

    def answer(transaction: Transaction) -> Made:
        said = ((name, clean(value(transaction))) for name, value in headers)
        lines = [start, *(b'%b: %b\r\n' % (name, text) for name, text in said if text)]
        content = fixed if write is None else write(transaction)
        if status in _BODILESS:
            return Made(status, b''.join((*lines, b'\r\n')))
        lines.append(b'content-length: %d\r\n' % len(content))
        if kind and content:
            lines.append(b'content-type: %b\r\n' % kind)
        return Made(status, b''.join((*lines, b'\r\n', content)))

    return answer


def redirect_of(redirect: Redirect, store: Store) -> Answer:
    """What answers by a redirect."""
    write = compiled_format(redirect.target, store)
    code, cookie = redirect.code, redirect.cookie.encode()
    start = b'HTTP/1.1 %d %b\r\ncontent-length: 0\r\nlocation: ' % (code, reason_of(code))
    rest = b'\r\ncache-control: no-cache\r\n' if code in _UNCACHED else b'\r\n'
    if cookie:
        rest += b'set-cookie: %b\r\n' % clean(cookie)
    rest += b'\r\n'

    def answer(transaction: Transaction) -> Made:
        return Made(code, start + clean(_location(redirect, write(transaction), transaction)) + rest)

    return answer


def _location(redirect: Redirect, target: bytes, transaction: Transaction) -> bytes:
    shown = path_and_query(transaction.uri)
    path, mark, query = shown.partition(b'?')
    if redirect.where is Where.LOCATION:
        if redirect.keep_query and query:
            return target + (b'&' if b'?' in target else b'?') + query
        return target
    if redirect.drop_query:
        mark = query = b''
    path = path or b'/'
    if redirect.append_slash and not path.endswith(b'/'):
        path += b'/'
    if redirect.where is Where.SCHEME:
        return target + b'://' + host_of(transaction) + path + mark + query
    if target == b'/':
        return path + mark + query
    return target + path + mark + query
