"""Both planes together: a control plane, data planes behind links that can be spoilt, servers that count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dataplane.wire.codec import FROM_CONTROLPLANE, Assembler, decode
from dataplane.wire.events import Event, Snapshot
from dataplane.wire.state import State, canonical, digest, empty, fold
from tests.integration.harness.faultlink import FaultLink
from tests.integration.harness.load import Load
from tests.integration.harness.planes import ControlPlane, DataPlane, Stage, routed
from tests.integration.harness.upstream import Upstream
from tests.integration.harness.waiting import until

BACKEND = 'app'
Version = tuple[int, int]


@dataclass
class World:
    """One control plane and some data planes, each with a link of its own; the servers are in backend `app`, routed to by all."""

    on: Stage
    control: ControlPlane
    links: list[FaultLink]
    planes: list[DataPlane]
    servers: dict[str, Upstream]

    @property
    def plane(self) -> DataPlane:
        """The first data plane."""
        return self.planes[0]

    @property
    def link(self) -> FaultLink:
        """Its link."""
        return self.links[0]

    async def head(self) -> Version:
        """The version all data planes are to reach."""
        return version((await self.control.must('GET', '/v1/dataplanes'))['head'])

    async def converged(self) -> bool:
        """Whether all data planes are connected and at the head."""
        document = await self.control.must('GET', '/v1/dataplanes')
        rows = {row['id']: row for row in document['items']}
        return all(
            plane.name in rows and rows[plane.name]['connected'] and rows[plane.name]['version'] == document['head']
            for plane in self.planes
        )

    async def settle(self, within: float = 20) -> None:
        """Return when all data planes are at the head."""
        await until(self.converged, within=within, what='all data planes are at the head', every=0.05)

    def load(self, connections: int, plane: int = 0, **options: Any) -> Load:
        """Load on a data plane, with pauses: most of a test is waiting for something else, and an unbroken load makes all of it slow."""
        return Load(self.planes[plane].port, connections, **{'pause': 0.03, **options})


async def world(
    on: Stage, names: str = 'a b', *, data_planes: int = 1, workers: int = 2, service: Any = 0.005, **spec: Any
) -> World:
    """Start it all. `spec` is of the backend (and `maxConn` of each of its servers)."""
    control = await on.control_plane()
    servers = {name: await on.upstream(name, service) for name in names.split()}
    await control.publish(BACKEND, servers, **spec)
    await control.must('PUT', '/v1/routes/all', {'backend': BACKEND})
    links: list[FaultLink] = []
    planes: list[DataPlane] = []
    for number in range(data_planes):
        links.append(await on.enter(FaultLink(control.port)))
        port = on.ports.take()
        url = f'http://127.0.0.1:{links[-1].port}'
        planes.append(
            await on.data_plane(routed(port), name=f'dp{number}', port=port, workers=workers, control_plane=url)
        )
    made = World(on, control, links, planes, servers)
    await made.settle()
    return made


def version(text: str) -> Version:
    """(term, seq) from 'term.seq'."""
    term, _, seq = text.partition('.')
    return int(term), int(seq)


@dataclass(frozen=True)
class Step:
    """What one acknowledged frame did: from where to where, and the state folded from the frames themselves."""

    before: Version
    after: Version
    state: State
    is_snapshot: bool


def history(link: FaultLink) -> list[Step]:
    """What the data plane behind `link` acknowledged, replayed from the frames that passed. AssertionError: it does not fit."""
    at: Version = (0, 0)
    state: State = empty()
    offered: dict[Version, tuple[str, Version, State, bool]] = {}
    assembler = Assembler()
    steps: list[Step] = []
    for row in link.passed:
        message = row.message
        if row.way == 'down' and message['type'] in {'event', 'snapshot'}:
            frame = decode(canonical(message), FROM_CONTROLPLANE)
            made = _offer(frame, at, state, assembler)
            if made is not None:
                offered[message['term'], message['seq']] = made
        elif row.way == 'up' and message['type'] in {'ack', 'hello'}:
            # a hello stands for an ack that was lost with its connection
            to = (message['term'], message['seq'])
            assert to >= at, f'{to} was acknowledged after {at}'
            if to > at:
                state_hash, before, state, is_snapshot = offered[to]
                assert message['state_hash'] == state_hash == digest(state), f'the state at {to} has another hash'
                assert is_snapshot or before == at, f'{to} was made for {before} and applied at {at}'
                steps.append(Step(at, to, state, is_snapshot))
                at = to
    return steps


def _offer(frame: object, at: Version, state: State, assembler: Assembler) -> tuple[str, Version, State, bool] | None:
    if isinstance(frame, Event):
        if (frame.term, frame.prev_seq) != at:
            return None
        return frame.state_hash, at, fold(state, frame.changes), False
    assert isinstance(frame, Snapshot)
    if frame.chunks == 0:
        return frame.state_hash, at, state, True
    whole = assembler.add(frame)
    return None if whole is None else (frame.state_hash, at, whole, True)
