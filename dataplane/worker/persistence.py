"""Persistence: whom a request must go to before any balancing (manual 4.2: `use-server`, `cookie`, `force-persist`, `ignore-persist`,
`option persist`), and what rules have set for this one request.

The wish that comes of it says to the board under which states of that server it may be had: while it takes persistent traffic, or
- forced - as long as it is in the tables at all. Backups, drained servers and those of weight 0 are taken like any other.
"""

from __future__ import annotations

from dataclasses import replace
from enum import Enum
from typing import TYPE_CHECKING, Final

from dataplane.core import line
from dataplane.core.layout import Rota
from dataplane.worker.cookies import Standing

if TYPE_CHECKING:
    from dataplane.core.model import Timeouts
    from dataplane.worker.routed import Routed
    from dataplane.worker.rulebook import ProxyRules
    from dataplane.worker.transaction import Transaction

_IN: Final = int(Rota.IN)


class Persistence(Enum):
    """What rules say of a request's persistence. FORCED: also on a server that is down, and never elsewhere."""

    USUAL = 'usual'
    FORCED = 'forced'
    IGNORED = 'ignored'


def insisted(rules: ProxyRules, transaction: Transaction) -> Persistence:
    """What the first of `force-persist` and `ignore-persist` says whose condition holds."""
    for holds, ignores in rules.persistence:
        if holds is None or holds(transaction):
            return Persistence.IGNORED if ignores else Persistence.FORCED
    return Persistence.USUAL


def standing_of(exchange: Routed, server: int) -> Standing:
    """May a persistent request have this server?"""
    cells, at, _ = exchange.board()
    rota = cells[at.ROTA + server]
    if rota > 0:
        return Standing.UP
    forced = exchange.persistence is Persistence.FORCED or exchange.backend_of().persist
    return Standing.DOWN if forced and rota == 0 else Standing.BARRED


def wish_for(exchange: Routed, server: int) -> int:
    """The wish of a request that is persistent on this server, which may be had."""
    _, at, _ = exchange.board()
    if exchange.persistence is Persistence.FORCED or standing_of(exchange, server) is Standing.DOWN:
        return at.forced_queue(server)
    return 2 * server


def server_named(exchange: Routed, rules: ProxyRules, transaction: Transaction) -> int | None:
    """The server of the first `use-server` whose condition holds and that may be had."""
    _, _, tables = exchange.board()

    def usable(name: str) -> bool:
        index = tables.server_of(rules.name, name)
        return index is not None and standing_of(exchange, index) is not Standing.BARRED

    found = rules.server(transaction, usable)
    return None if found is None else tables.server_of(rules.name, found)


def is_preferred(exchange: Routed, server: int, *, bound: bool) -> bool:
    """Should a request that may go anywhere go where its client has a connection of its own? `bound`: it has said there who it is."""
    cells, at, _ = exchange.board()
    backend = exchange.backend_of()
    if cells[at.BACKEND + server] != exchange.backend or cells[at.ROTA + server] != _IN:
        return False
    if bound:
        return True
    most, limit = backend.max_keep_alive_queue, cells[at.LIMIT + server]
    has_room = limit < 0 or cells[at.TOTAL + server] < limit
    return backend.prefer_last_server and (most is None or has_room or line.queued(cells, at, server) < most)


class Overrides:
    """What rules have set: timeouts (ms) by the names of their fields, and the number of retries."""

    __slots__ = ('_retries', '_timeouts')

    def __init__(self) -> None:
        self._timeouts: dict[str, int] = {}
        self._retries: int | None = None

    def note(self, name: str, value: int) -> None:
        """One of them; `retries` is the number."""
        if name == 'retries':
            self._retries = max(0, value)
        else:
            self._timeouts[name] = value

    def leave(self) -> None:
        """It goes to another proxy than the one whose rules these are of: a number of retries was meant for that one."""
        self._retries = None

    def of(self, timeouts: Timeouts, retries: int) -> tuple[Timeouts, int]:
        """What a proxy says, with these."""
        if self._timeouts:
            timeouts = replace(timeouts, **self._timeouts)
        return timeouts, retries if self._retries is None else self._retries
