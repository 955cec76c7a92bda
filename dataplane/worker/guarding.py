"""What options make of messages behind all rules: names of fields that may not pass, and cookies that a cache would keep.

`option http-restrict-req-hdr-names` and `option checkcache` (configuration manual 4.2). Without the former, names with an
underscore are not forwarded (head.py): `preserve` lets them pass.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from dataplane.core.counters import C
from dataplane.core.termination import REJECTED, RESPONSE_REJECTED
from dataplane.rules.actions import NamePolicy
from dataplane.wire.syslog import LEVELS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dataplane.rules.view import Fields
    from dataplane.worker.transaction import Transaction

_UNUSUAL: Final = re.compile(rb'[^a-z0-9-]')
_HOP: Final = b'connection'
_SAFE_METHODS: Final = (b'GET', b'HEAD', b'OPTIONS', b'TRACE')
_CACHEABLE: Final = frozenset((200, 203, 204, 206, 300, 301, 404, 405, 410, 414, 501))
_NOT_KEPT: Final = frozenset((
    b'private', b'no-cache', b'no-store', b'max-age=0', b's-maxage=0', b'no-cache="set-cookie"',
    b'no-cache="set-cookie',  # the first of several, which a comma follows
))  # fmt: skip
_TOLD: Final = (b'etag', b'last-modified', b'expires')
_ALERT: Final = LEVELS.index('alert')
FORBIDDEN: Final = (REJECTED, 403, C.DREQ)
UNSAFE: Final = (RESPONSE_REJECTED, 502, C.DRESP)


def passes_names(transaction: Transaction, policy: NamePolicy) -> bool:
    """Do a request's names let it pass? `delete` and `preserve` change what of it is forwarded."""
    fields = transaction.request
    if not any(_UNUSUAL.search(name) for name, _ in fields):
        return True
    if policy is NamePolicy.DELETE:
        transaction.delete(lambda name: _UNUSUAL.search(name) is not None)
    elif policy is NamePolicy.PRESERVE:
        nominated = {option for value in _values(fields, _HOP) for option in _list(value)}
        transaction.restore(lambda name: b'_' in name and name not in nominated)
    return policy is not NamePolicy.REJECT


def passes_caches(transaction: Transaction) -> bool:
    """May a server's response go on? Not with a cookie that caches could keep with it; then the log is told."""
    fields = transaction.response
    if not any(_values(fields, b'set-cookie')) or not _is_kept(transaction.method, transaction.status, fields):
        return True
    story, targets = transaction.exchange.story, transaction.frontend.log_targets
    if targets:
        where = f'instance {story.backend_name}, server {story.server_name}'
        transaction.context.log.write_at(targets, f'Blocking cacheable cookie in response from {where}.', _ALERT)
    return False


def _is_kept(method: bytes, status: int, fields: Fields) -> bool:
    """May a cache keep the whole response? HAProxy's reading of RFC 9111: not without a word on how long, or how to ask again."""
    kept = method in _SAFE_METHODS and status in _CACHEABLE
    told = any(name in _TOLD for name, _ in fields)
    if any(b'no-cache' in _list(value) for value in _values(fields, b'pragma')):
        return False
    for directive in (one for value in _values(fields, b'cache-control') for one in _list(value)):
        if directive == b'public':
            kept = True
        elif directive in _NOT_KEPT:
            kept = False
        told = told or directive.startswith((b'max-age=', b's-maxage='))
    return kept and told


def _values(fields: Fields, wanted: bytes) -> Iterator[bytes]:
    return (value for name, value in fields if name == wanted)


def _list(value: bytes) -> list[bytes]:
    """The members of a list, in lower case. A comma in quotes divides, too, which the names looked for allow for."""
    return [one.strip(b' \t') for one in value.lower().split(b',')]
