"""A small data plane for tests of the rules: a ledger, a board of plain cells, and the balancer of its one backend."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence

from dataplane.core.changes import AdoptFile, CellChange
from dataplane.core.commit import Commit, commit, stage
from dataplane.core.index import Index
from dataplane.core.layout import Layout
from dataplane.core.ledger import Ledger
from dataplane.core.limit import limit
from dataplane.core.model import Backend, Balance, Frontend, Server, Snapshot

SMALL = Layout(workers=2, servers=12, backends=4, frontends=3, entries=8, wheels=2_048)


def server(name: str, number: int, **settings: object) -> Server:
    """A server of an address of its own."""
    return Server(name=name, id=number, host='10.0.0.1', port=8000 + number, **settings)  # type: ignore[arg-type]


def backend(name: str, number: int, *servers: Server, **settings: object) -> Backend:
    """A backend with round robin unless said otherwise."""
    balance = settings.pop('balance', Balance(algorithm='roundrobin'))
    return Backend(name=name, id=number, servers=servers, balance=balance, **settings)  # type: ignore[arg-type]


def file(*backends: Backend, maxconn: int = 100) -> Snapshot:
    """A configuration with one frontend that sends everything to the first backend."""
    first = backends[0].name if backends else None
    frontend = Frontend(name='fe', id=2, binds=(), maxconn=maxconn, default_backend=first, use_routes=True)
    return Snapshot(frontends=(frontend,), backends=backends)


class Farm:
    """A ledger and the board it commits to. Revisions count from 1."""

    def __init__(self, snapshot: Snapshot, layout: Layout = SMALL) -> None:
        self.at = layout
        self.cells = array('q', [0]) * layout.size
        self.ledger = Ledger(layout)
        self.index = Index(layout)
        self.revision = 0
        self.ledger.adopt(self.ledger.propose(AdoptFile(snapshot)), 0)
        self.last = self.commit()

    def commit(self) -> Commit:
        """Make what the ledger says true on the board."""
        self.revision += 1
        made = self.ledger.commit(self.revision)
        stage(self.cells, made)
        commit(self.cells, self.at, made, self.index)
        return made

    def apply(self, *changes: CellChange, now: int = 0) -> Commit:
        """Cell changes, committed as one revision."""
        for change in changes:
            self.ledger.apply(change, now)
        return self.commit()

    def column(self, first: int, count: int) -> list[int]:
        """The first cells of a column."""
        return list(self.cells[first : first + count])

    def room(self, server: int) -> bool:
        """Is a slot of the server free?"""
        at = self.at
        most = limit(self.cells, at, server, self.cells[at.BETOTAL + self.cells[at.BACKEND + server]])
        return most < 0 or self.cells[at.TOTAL + server] < most

    def whole(self, of: int = 0) -> None:
        """What is to be made anew of an index is made."""
        while self.cells[self.at.STALE + of]:
            self.index.renew(self.cells, of, 100)

    def pick(self, avoid: int = -1, full: Iterable[int] = (), draw: Callable[[], int] = lambda: 0, of: int = 0) -> int:
        """What the balancer of backend number `of` chooses, while these servers have no room."""
        cells, at = self.cells, self.at
        kept = {server: (cells[at.LIMIT + server], cells[at.MINLIMIT + server]) for server in full}
        self.whole(of)
        for server in kept:
            self.limit(server, 0, 0)
        chosen = self.index.choose(cells, of, avoid, self.room, draw)
        for server, limits in kept.items():
            self.limit(server, *limits)
        return chosen

    def limit(self, server: int, most: int, least: int) -> None:
        """Another limit, as a commit says it."""
        self.cells[self.at.LIMIT + server], self.cells[self.at.MINLIMIT + server] = most, least
        self.index.look(self.cells, server)

    def picks(self, count: int) -> str:
        """As many choices in a row, each answered before the next, as digits."""
        found = []
        for _ in range(count):
            found.append(self.pick())
            self.index.take(self.cells, found[-1])
            self.index.give_back(self.cells, found[-1])
        return ''.join(map(str, found))

    def replay(self, script: str) -> None:
        """`+2` a request that must go to server 2, `-2` one of its requests ends; as recorded from HAProxy."""
        for place in range(0, len(script), 2):
            mark, number = script[place], int(script[place + 1])
            if mark == '+':
                assert self.pick() == number, (script[:place], number)
            (self.index.take if mark == '+' else self.index.give_back)(self.cells, number)


def weighted(weights: Sequence[int], maxconns: Sequence[int] = (), algorithm: str = 'roundrobin') -> Farm:
    """One backend `b` of servers s0, s1, ... with these weights and limits (0: none)."""
    limits = maxconns or [0] * len(weights)
    servers = [
        server(f's{i}', i + 1, weight=weight, maxconn=limit, minconn=limit)
        for i, (weight, limit) in enumerate(zip(weights, limits, strict=True))
    ]
    return Farm(file(backend('b', 3, *servers, balance=Balance(algorithm=algorithm))))
