"""A data plane's supervisor without processes: the real ledger and layout, cells in an array, changes committed at once.

For tests of what stands in front of the ledger (stats socket, page, exporter). Workers' rows are filled in by the tests.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from dataplane.core import commit
from dataplane.core.changes import AdoptFile, Change, StructuralChange
from dataplane.core.counters import C
from dataplane.core.layout import Layout
from dataplane.core.ledger import Ledger
from dataplane.core.model import Backend, Balance, Bind, Frontend, Global, Server, Snapshot
from dataplane.health.watch import Watch
from dataplane.rules.book import Book
from dataplane.rules.patience import Patience, endless
from dataplane.supervisor.aids import Surroundings
from dataplane.supervisor.checkfigures import CheckFigures
from dataplane.supervisor.figures import Figures, Identity, Supervision
from dataplane.supervisor.mapverbs import MapVerbs
from dataplane.supervisor.memory import pools
from dataplane.supervisor.outages import Outages
from dataplane.supervisor.publish import Applied
from dataplane.supervisor.pulse import Beat
from dataplane.supervisor.questions import Answers
from dataplane.supervisor.rings import Rings
from dataplane.supervisor.verbs import Verbs

SNAPSHOT = Snapshot(
    globals=Global(maxconn=1000, nbthread=2, node='n1', stats_timeout=5000),
    frontends=(Frontend(name='fe', id=2, binds=(Bind(name='b', host='127.0.0.1', port=80),), maxconn=100),),
    backends=(
        Backend(
            name='px',
            id=3,
            balance=Balance(algorithm='roundrobin'),
            fullconn=10,
            servers=(
                Server(name='s1', id=1, host='127.0.0.1', port=18472, maxconn=1, minconn=1, weight=10),
                Server(name='s2', id=2, host='127.0.0.1', port=18473, maxqueue=5, backup=True),
                Server(name='s3', id=3, host='127.0.0.1', port=18474, disabled=True),
            ),
        ),
        Backend(name='empty', id=4, balance=Balance(algorithm='leastconn')),
    ),
)
IDENTITY = Identity(version='1.2.3', release_date='2026/11/23', started_ms=0, started_at=1_700_000_000)


@dataclass
class Outcome:
    revision: int
    missing: tuple[int, ...] = ()


@dataclass
class CountersSeen:
    """What was to be cleared: 'max', 'all', or the index of a server."""

    silent: tuple[int, ...] = ()
    cleared: list[str | int] = field(default_factory=list)

    async def all(self, *, everything: bool) -> tuple[int, ...]:
        self.cleared.append('all' if everything else 'max')
        return self.silent

    async def server(self, index: int) -> tuple[int, ...]:
        self.cleared.append(index)
        return self.silent


@dataclass
class DoorsSeen:
    """What was done to frontends."""

    done: list[tuple[str, str]] = field(default_factory=list)

    async def disable(self, frontend: Frontend) -> None:
        self.done.append(('disable', frontend.name))

    async def enable(self, frontend: Frontend) -> None:
        self.done.append(('enable', frontend.name))

    async def shutdown(self, frontend: Frontend) -> None:
        self.done.append(('shutdown', frontend.name))


@dataclass
class Plane:
    """Everything the stats socket needs. `now_ms` is the clock; `missing` what the next changes report, `silent` who does
    not answer questions."""

    snapshot: Snapshot = SNAPSHOT
    now_ms: int = 10_000
    missing: tuple[int, ...] = ()
    silent: tuple[int, ...] = ()
    killed: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    rows: list[dict[str, object]] = field(default_factory=list)
    watches: dict[tuple[int, bool], Watch] = field(default_factory=dict)
    beat: Beat = field(default_factory=lambda: Beat(sent=321, idle_pct=87))
    supervision: Supervision = field(default_factory=Supervision)
    said: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    counters: CountersSeen = field(default_factory=CountersSeen)
    doors: DoorsSeen = field(default_factory=DoorsSeen)
    patience: Patience = endless

    def __post_init__(self) -> None:
        self.layout = Layout(workers=4, servers=64, backends=16, frontends=8, entries=32, listeners=4)
        self.cells = array('q', bytes(8 * self.layout.size))
        self.cells[self.layout.ROWS] = self.snapshot.globals.nbthread
        self.ledger = Ledger(self.layout)
        self.revision = 0
        self.outages = Outages(self.ledger, self.cells, self.layout, lambda: self.now_ms)
        self.make(AdoptFile(self.snapshot))
        self.book = Book.made(self.snapshot.references, self.snapshot.variables, 0, lambda _name, _key: None)
        self.checks = CheckFigures(self.ledger, self.watches, lambda: self.now_ms)
        self.figures = Figures(
            cells=self.cells,
            layout=self.layout,
            tables=lambda: self.ledger.tables,
            identity=IDENTITY,
            supervision=lambda: self.supervision,
            clock=lambda: self.now_ms,
            wall=lambda: 1_700_000_100.0,
            checks=self.checks,
            outages=self.outages,
            doors=lambda frontend: 'STOP' if frontend.disabled else 'OPEN',
            beat=lambda: self.beat,
        )
        self.rings = Rings(lambda: 1_700_000_000.0)
        self.ring = self.rings.events
        self.environment = {'HOME': '/root'}
        self.pids = {0: 4_000_001, 1: 4_000_002}

    def make(self, *changes: Change) -> Outcome:
        """Make changes true on the board, as the supervisor's door does."""
        for change in changes:
            if isinstance(change, StructuralChange):
                self.ledger.adopt(self.ledger.propose(change), self.now_ms)
            else:
                self.ledger.apply(change, self.now_ms)
        self.revision += 1
        revision = self.ledger.commit(self.revision)
        commit.commit(self.cells, self.layout, revision)
        self.outages(revision, Applied(revision=self.revision), 'test')
        return Outcome(self.revision, self.missing)

    async def submit(self, changes: Sequence[Change], *, source: str) -> Outcome:
        self.sources.append(source)
        return self.make(*changes)

    async def sessions(self) -> Answers:
        return Answers(rows=self.rows, silent=self.silent)

    async def kill_session(self, session_id: str, /) -> tuple[bool, tuple[int, ...]]:
        self.killed.append(session_id)
        return any(row['id'] == session_id for row in self.rows), self.silent

    def verbs(self, wall_ms: Callable[[], int] = lambda: 5_000) -> Verbs:
        made = Verbs(
            publisher=self,
            workers=self,
            figures=self.figures,
            counters=self.counters,
            doors=self.doors,
            around=Surroundings(self.rings, ('[WARNING]  (1) : careful',), self),
            pools=lambda: pools(self.cells, self.layout, self.ledger.tables),
            wall_ms=wall_ms,
        )
        made.maps = MapVerbs(self).methods
        return made

    async def ask(self, what: str, **fields: Any) -> Answers:
        """Of two workers, what `said` has for the question."""
        self.asked.append((what, fields))
        return Answers(rows=self.rows, said=self.said.get(what, []), silent=self.silent)

    async def settled(self) -> tuple[int, ...]:
        """There are no workers that would have to follow; `missing` died first."""
        return self.missing

    def server(self, backend: str, server: str) -> int:
        """Index of a server."""
        index = self.ledger.tables.server_of(backend, server)
        assert index is not None
        return index

    def count(self, start: int, counter: C, amount: int = 1) -> None:
        """Add to a counter of the block that begins at `start`."""
        self.cells[start + counter] += amount
