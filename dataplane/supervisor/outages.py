"""When backends had no usable server: how often, for how long, and since when things are as they are.

A backend is down while none of its servers may be chosen, whatever the reason: checks, maintenance, weight 0, a lease that
ran out. How it was found (at the start, or in a new configuration) is no transition; a backend without servers is never down.
HAProxy 2.6 forgets an outage that the end of a maintenance or a weight ended; here the time of every one counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from dataplane.cli.fields import Value
from dataplane.core.commit import Commit
from dataplane.core.layout import Layout
from dataplane.core.ledger import Ledger
from dataplane.core.model import Backend
from dataplane.core.tables import Tables
from dataplane.supervisor.publish import Applied


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """One backend: whether it has a usable server, since when, how often it lost its last one, how long it had none before."""

    serves: bool
    since: int
    downs: int = 0
    down_ms: int = 0

    def became(self, *, serves: bool, now: int) -> Outage:
        """After a revision that left it so."""
        if serves is self.serves:
            return self
        if serves:
            return replace(self, serves=True, since=now, down_ms=self.down_ms + now - self.since)
        return replace(self, serves=False, since=now, downs=self.downs + 1)


class Outages:
    """Watches the publisher. Only what a revision names is looked at, unless it came with other tables."""

    def __init__(
        self, ledger: Ledger, cells: Sequence[int] | memoryview, layout: Layout, clock: Callable[[], int]
    ) -> None:
        self._ledger, self._cells, self._at, self._clock = ledger, cells, layout, clock
        self._known: dict[str, Outage] = {}
        self._tables: Tables | None = None

    def __repr__(self) -> str:
        return f'<Outages backends={len(self._known)} down={sum(not one.serves for one in self._known.values())}>'

    def __call__(self, commit: Commit, applied: Applied, source: str) -> None:
        """A revision was applied: note which backends it took down or brought back."""
        del applied, source
        now, tables, records = self._clock(), self._ledger.tables, self._ledger.records
        if tables is not self._tables:
            self._tables = tables
            self._known = {
                backend.name: self._outage(index, backend, now) for index, backend in tables.backends.items()
            }
            return
        named = {records[server].backend_index for server in commit.servers if server in records}
        for index in named.union(commit.backends):
            backend = tables.backends.get(index)
            if backend is not None:
                self._known[backend.name] = self._outage(index, backend, now)

    def _outage(self, index: int, backend: Backend, now: int) -> Outage:
        serves = bool(self._cells[self._at.IN_ROTATION + index]) or not backend.servers
        known = self._known.get(backend.name)
        return Outage(serves=serves, since=now) if known is None else known.became(serves=serves, now=now)

    def clear(self) -> None:
        """Count from 0 again how often backends went down; how long they were is kept, as in HAProxy."""
        self._known = {name: replace(one, downs=0) for name, one in self._known.items()}

    def restore(self, backend: str, downs: int) -> None:
        """Count on from how often a backend went down before this process was started."""
        if (known := self._known.get(backend)) is not None:
            self._known[backend] = replace(known, downs=known.downs + downs)

    def columns(self, backend: Backend) -> dict[str, Value]:
        """`chkdown`, `lastchg` and, where there are servers, `downtime` of a backend's row."""
        now = self._clock()
        known = self._known.get(backend.name, Outage(serves=True, since=now))  # of a revision that is not applied yet
        age = max(0, now - known.since)
        values: dict[str, Value] = {'chkdown': known.downs, 'lastchg': age // 1000}
        if backend.servers:
            values['downtime'] = (known.down_ms + (0 if known.serves else age)) // 1000
        return values
