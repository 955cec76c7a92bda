"""The statistics page among a proxy's rules: asked after `http-request` and before `redirect`, as in HAProxy.

A request whose address begins with the page's meets `stats http-request`, in order, and the conditions of `stats admin`; then the
supervisor is asked for the answer (inquiry.py), which also looks at the credentials that `stats auth` wants. What is neither GET,
HEAD nor POST goes on like any request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dataplane.core.counters import C
from dataplane.core.termination import REJECTED
from dataplane.rules.actions import Allow
from dataplane.rules.closures import compiled
from dataplane.rules.statspage import STATS, Ask, StatsPage
from dataplane.worker.acting import asks_who
from dataplane.worker.replies import Made
from dataplane.worker.services import taken_by
from dataplane.worker.verdicts import PageOf, Then, Verdict

if TYPE_CHECKING:
    from dataplane.rules.stores import Store
    from dataplane.worker.acting import Holds
    from dataplane.worker.transaction import Transaction

_METHODS: Final = (b'GET', b'HEAD', b'POST')
_FORBIDDEN: Final = 403


class PageRules:
    """The page of one proxy, or of a half of it."""

    __slots__ = ('_admin', '_granted', '_refused', '_rules', '_uri')

    def __init__(self, page: StatsPage, proxy: str, store: Store, *, backend: bool) -> None:
        self._uri = page.uri.encode()
        self._rules: list[tuple[Holds | None, Verdict | None]] = [
            (None if rule.condition is None else compiled(rule.condition, store), _verdict(rule.action))
            for rule in page.rules
        ]
        self._admin: list[Holds | None] = [
            None if condition is None else compiled(condition, store) for condition in page.admin
        ]
        self._granted = Verdict(Then.ASK, page=PageOf(proxy, backend, granted=True))
        self._refused = Verdict(Then.ASK, page=PageOf(proxy, backend, granted=False))

    def verdict(self, transaction: Transaction) -> Verdict | None:
        """None: this does not ask for the page."""
        uri = transaction.uri
        if not uri.startswith(b'/'):
            uri = b'/' + uri.partition(b'://')[2].partition(b'/')[2]
        if not uri.startswith(self._uri) or transaction.method not in _METHODS:
            return None
        taken_by(STATS, transaction.exchange.story)
        for holds, verdict in self._rules:
            if holds is None or holds(transaction):
                if verdict is not None:
                    return verdict
                break
        if any(holds is None or holds(transaction) for holds in self._admin):
            return self._granted
        return self._refused


def _verdict(action: object) -> Verdict | None:
    """What an action of `stats http-request` comes to; None: the page may be seen."""
    if isinstance(action, Allow):
        return None
    if isinstance(action, Ask):
        return asks_who(action.realm)
    return Verdict(Then.ANSWER, REJECTED, lambda _: Made(_FORBIDDEN), C.DREQ)
