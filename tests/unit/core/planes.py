"""One backend with its workers' planes, for tests of the doors: holds are made by `hold`, streams by `stream`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from dataplane.core import invariants
from dataplane.core.changes import CellChange
from dataplane.core.commit import Commit, stage
from dataplane.core.layout import ANY, Layout
from dataplane.core.plane import Plane
from dataplane.core.stream import Admission, Stream
from tests.unit.core.farm import Farm, backend, file, server

LAYOUT = Layout(workers=2, servers=6, backends=2, frontends=1, entries=8, wheels=1_024)


class Planes:
    """`limits` are the maxconns of servers s1, s2, ... of backend px (board index 0)."""

    def __init__(self, *limits: int, layout: Layout = LAYOUT, **settings: object) -> None:
        settings_of_servers = {'maxqueue': settings.pop('maxqueue', 0)}
        lines = [
            server(f's{n}', n, maxconn=most, minconn=most, **settings_of_servers) for n, most in enumerate(limits, 1)
        ]
        self.farm = Farm(file(backend('px', 3, *lines, **settings)), layout)
        self.at, self.cells = layout, self.farm.cells
        self.workers = [Plane(self.cells, layout, worker, lambda: 0) for worker in range(layout.workers)]
        self.supervisor = Plane(self.cells, layout, -1, lambda: 0)
        self.tables = self.farm.ledger.tables.number
        self.rings: tuple[int, ...] = ()

    @contextmanager
    def hold(self, plane: Plane, budget: int = 100, *, torn: bool = False) -> Iterator[Plane]:
        """A hold of `plane`, after which every invariant is checked."""
        plane.enter(torn=torn)
        yield plane
        self.rings = plane.leave(budget)
        invariants.check(self.cells, self.at)

    def admit(self, worker: int, stream: Stream, now: int = 1000, budget: int = 100) -> Admission:
        """One stream in one hold."""
        with self.hold(self.workers[worker], budget) as plane:
            return plane.admit(stream, self.tables, now)

    def release(self, worker: int, stream: Stream) -> None:
        """Its end, in one hold."""
        with self.hold(self.workers[worker]) as plane:
            plane.release(stream)

    def settle(self, worker: int, *waiting: Stream) -> tuple[list[Stream], list[Stream]]:
        """The doorbell of a worker that waits with these streams."""
        with self.hold(self.workers[worker]) as plane:
            return plane.settle({stream.entry: stream for stream in waiting})

    def change(self, *changes: CellChange) -> Commit:
        """Commit cell changes; the hold does not pump."""
        for change in changes:
            self.farm.ledger.apply(change, 0)
        self.farm.revision += 1
        revision = self.farm.ledger.commit(self.farm.revision)
        stage(self.cells, revision)
        self.supervisor.enter(torn=False)
        self.supervisor.commit(revision)
        self.rings = self.supervisor.leave()
        return revision

    def pump(self) -> None:
        """The supervisor's own holds until nothing is left."""
        while True:
            with self.hold(self.supervisor) as plane:
                if not plane.pump_idle():
                    return

    def used(self, index: int) -> int:
        """Slots of a server in use, by the truth."""
        return invariants.used_slots(self.cells, self.at, index)


def stream(wish: int = ANY, klass: int = 0, offset: int = 0, *, redispatch: bool = False) -> Stream:
    """A stream for backend px."""
    return Stream(0, wish, klass, offset, redispatch=redispatch)
