"""A small data plane for tests of the rules: a ledger, a board of plain cells, and the balancer of its one backend."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence

from dataplane.core.balance import BALANCERS
from dataplane.core.changes import AdoptFile, CellChange
from dataplane.core.commit import Commit, commit
from dataplane.core.layout import Algorithm, Layout
from dataplane.core.ledger import Ledger
from dataplane.core.model import Backend, Balance, Frontend, Server, Snapshot

SMALL = Layout(workers=2, servers=12, backends=4, frontends=3, entries=8)


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
        self.revision = 0
        self.ledger.adopt(self.ledger.propose(AdoptFile(snapshot)), 0)
        self.last = self.commit()

    def commit(self) -> Commit:
        """Make what the ledger says true on the board."""
        self.revision += 1
        made = self.ledger.commit(self.revision)
        commit(self.cells, self.at, made)
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
        """Limits as they are, by what TOTAL says is in use."""
        limit = self.cells[self.at.LIMIT + server]
        return limit < 0 or self.cells[self.at.TOTAL + server] < limit

    def pick(
        self,
        avoid: int = -1,
        room: Callable[[int], bool] | None = None,
        draw: Callable[[], int] = lambda: 0,
        of: int = 0,
    ) -> int:
        """What the balancer of backend number `of` chooses."""
        members: Sequence[int] = self.ledger.tables.members[of]
        balancer = BALANCERS[Algorithm(self.cells[self.at.ALGORITHM + of])]
        return balancer.choose(self.cells, self.at, members, of, avoid, room or self.room, draw)

    def picks(self, count: int) -> str:
        """As many choices in a row, nobody ever full, as digits."""
        return ''.join(str(self.pick(room=lambda server: True)) for _ in range(count))

    def replay(self, script: str) -> None:
        """`+2` a request that must go to server 2, `-2` one of its requests ends; as recorded from HAProxy."""
        for place in range(0, len(script), 2):
            mark, number = script[place], int(script[place + 1])
            if mark == '+':
                assert self.pick() == number, (script[:place], number)
            self.cells[self.at.TOTAL + number] += 1 if mark == '+' else -1


def weighted(weights: Sequence[int], maxconns: Sequence[int] = (), algorithm: str = 'roundrobin') -> Farm:
    """One backend `b` of servers s0, s1, ... with these weights and limits (0: none)."""
    limits = maxconns or [0] * len(weights)
    servers = [
        server(f's{i}', i + 1, weight=weight, maxconn=limit, minconn=limit)
        for i, (weight, limit) in enumerate(zip(weights, limits, strict=True))
    ]
    return Farm(file(backend('b', 3, *servers, balance=Balance(algorithm=algorithm))))
