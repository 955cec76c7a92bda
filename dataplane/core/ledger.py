"""The supervisor's whole truth: what every server was declared as, what was set since, and what the board must say.

All changes of the shared world come here, in one order. Cell changes are applied at once; structural ones are proposed
(new tables, nothing changed yet), prepared by the workers, then adopted; in between, cell changes go on and are kept.
`commit` gives what differs from the last commit as column images, made outside the lock. What must hold:

- a server's index means that server until it was reclaimed: who is removed stays in its backend's chain, out of rotation,
  while streams may hold slots of it, and comes back to the same index if it reappears with the same address meanwhile;
- the chain of a backend changes only together with the number of the tables, because processes cache it by that number;
- session generations and table numbers never fall.

The order of columns in one commit does not matter: they are copied in under one hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from dataplane.core.allocate import Indexes, allocate
from dataplane.core.backends import changed
from dataplane.core.changes import (
    AddBackend,
    AddServer,
    AdoptFile,
    AdoptPush,
    CellChange,
    ForceHealth,
    HealthChange,
    PublishBackend,
    RemoveBackend,
    RemoveServer,
    Rename,
    RenameServer,
    RestoreAddresses,
    RestoreState,
    SetAdmin,
    SetCookies,
    SetFrontendMaxconn,
    SetGlobalMaxconn,
    SetHealth,
    SetLease,
    SetMaxconn,
    SetNamed,
    SetRateLimit,
    SetTarget,
    SetWeight,
    ShutdownSessions,
    StructuralChange,
    SwitchCheck,
    WarmUp,
)
from dataplane.core.columns import Columns
from dataplane.core.commit import Commit
from dataplane.core.compose import Refused, Sources, compose
from dataplane.core.dynamic import NOT_IN_MAINTENANCE, RENAMED_IN_MAINTENANCE, adding, removing, renaming
from dataplane.core.layout import Layout, Rate
from dataplane.core.model import AdminState, Origin
from dataplane.core.naming import named
from dataplane.core.record import ServerRecord, appeared
from dataplane.core.restored import restored
from dataplane.core.rotation import Rotation
from dataplane.core.state import OpState
from dataplane.core.tables import Tables
from dataplane.core.wheels import check_wheels

__all__ = ['Ledger', 'Proposal', 'Refused', 'ServerRecord']

STATIC_WEIGHTS = "Backend is using a static LB algorithm and only accepts weights '0%' and '100%'."
_NOT_UP = (OpState.STOPPED, OpState.STOPPING)
_FEW = 16
"""So many changed servers are named one by one in a commit; more are named by their backends."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A structural change that could be made. `tables` is what workers prepare.

    Without a difference that workers can see (`is_structural` False: only weights, limits and states differ) the number of
    `tables` is the one in force, and nothing needs to be prepared. `removes`: the index of a server that must be in
    maintenance, still when this is adopted; `renames` likewise.
    """

    tables: Tables
    sources: Sources
    base: Sources
    is_structural: bool
    removes: int | None = None
    renames: int | None = None


class Ledger:
    """One per data plane, in its supervisor. Times are monotonic ms."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.tables = Tables(0)
        self.maxconn = 0
        self._sources = Sources()
        self._records: dict[int, ServerRecord] = {}
        self._departed: dict[int, ServerRecord] = {}
        self._resting: frozenset[int] = frozenset()
        self._frontend_maxconn: dict[str, int] = {}
        self._warming: set[int] = set()
        self._trackers: dict[tuple[str, str], tuple[int, ...]] = {}
        self._columns = Columns()
        self._rotation = Rotation(layout, self._columns)

    # -- questions --------------------------------------------------------------------------------------------------

    @property
    def departed(self) -> Mapping[int, ServerRecord]:
        """Servers, by index, that no table has any more and that may still hold slots, until `reclaim`."""
        return MappingProxyType(self._departed)

    @property
    def records(self) -> Mapping[int, ServerRecord]:
        """All servers of the tables in force, by index."""
        return MappingProxyType(self._records)

    @property
    def is_warming(self) -> bool:
        """Does any server warm up? Then a WarmUp is due every second."""
        return bool(self._warming)

    def server(self, backend: str, server: str) -> ServerRecord:
        """What is known of a server. Raises Refused with HAProxy's words for an unknown name."""
        if self.tables.backend_of(backend) is None:
            raise Refused(('No such backend.',), (backend,))
        index = self.tables.server_of(backend, server)
        if index is None:
            raise Refused(('No such server.',), (backend,))
        return self._records[index]

    def frontend_maxconn(self, frontend: str) -> int:
        """The limit in force of a frontend. Raises Refused for an unknown name."""
        if frontend not in self._frontend_maxconn:
            raise Refused(('No such frontend.',))
        return self._frontend_maxconn[frontend]

    # -- cell changes -----------------------------------------------------------------------------------------------

    def apply(self, change: CellChange, now_ms: int) -> None:
        """Make a cell change true from the next commit on. Raises Refused (and changes nothing) when it cannot be."""
        match change:
            case SetFrontendMaxconn():
                self._set_frontend_maxconn(change)
            case SetGlobalMaxconn():
                self._set_maxconn(_at_least_one(change.maxconn))
            case SetRateLimit():
                self._columns.set(self.layout.RATE_LIMITS, change.rate, change.limit)
            case WarmUp():
                for index in tuple(self._warming):
                    self._keep(self._records[index].warmed(now_ms))
            case SetWeight():
                self._keep(self.weighed(change))
            case SetLease():
                self._rotation.rely(change.reach, self.tables)
            case _:
                before = self.server(change.backend, change.server)
                record = _changed(before, change, now_ms)
                self._keep(record)
                self._moved(before, record, now_ms)

    def weighed(self, change: SetWeight) -> ServerRecord:
        """The server with another weight. Raises Refused when it may not weigh that at run time.

        Static algorithms know two weights only, and on a ring there must be room for its points.
        """
        before = self.server(change.backend, change.server)
        try:
            after = before.weighed(change.weight, percent=change.percent)
        except ValueError as problem:
            raise Refused((str(problem),), (change.backend,)) from problem
        if self.tables.backends[before.backend_index].balance.dynamic:
            if after.uweight > max(before.uweight, before.iweight):
                check_wheels(self.tables, {**self._records, after.index: after}, self.layout.wheels)
        elif after.uweight not in (0, before.iweight):
            raise Refused((STATIC_WEIGHTS,), (before.backend,))
        return after

    def _set_frontend_maxconn(self, change: SetFrontendMaxconn) -> None:
        index = self.tables.frontend_of(change.frontend)
        if index is None:
            raise Refused(('No such frontend.',))
        self._limit_frontend(index, change.frontend, _at_least_one(change.maxconn))

    def _limit_frontend(self, index: int, name: str, maxconn: int) -> None:
        self._frontend_maxconn[name] = maxconn
        self._columns.set(self.layout.FEMAXCONN, index, maxconn)

    def _set_maxconn(self, maxconn: int) -> None:
        self.maxconn = maxconn
        self._columns.set(self.layout.GLOBAL_MAXCONN, 0, maxconn)

    def _keep(self, record: ServerRecord) -> None:
        """This is the record from now on."""
        self._records[record.index] = record
        if record.opstate is OpState.STARTING:
            self._warming.add(record.index)
        else:
            self._warming.discard(record.index)
        self._rotation.put(record)

    def _moved(self, before: ServerRecord, record: ServerRecord, now: int) -> None:
        """What follows for others from a server's change: who tracks it follows, and backups' sessions may end."""
        came_up = before.opstate in _NOT_UP and record.opstate not in _NOT_UP
        if came_up and record.server.shutdown_backups_when_up and record.eweight and not record.server.backup:
            for index in self.tables.members[record.backend_index]:
                backup = self._records[index]
                if backup.server.backup:
                    self._keep(backup.shut(backup.generation + 1))
        for index in self._trackers.get((record.backend, record.name), ()):
            tracker = self._records[index]
            following = tracker.following(record, now)
            if following is not tracker:
                self._keep(following)
                self._moved(tracker, following, now)

    def _track(self, now: int) -> None:
        """Learn who tracks whom in new tables, and have them follow."""
        trackers: dict[tuple[str, str], list[int]] = {}
        for index, server in self.tables.servers.items():
            if server.track is not None:
                trackers.setdefault(server.track, []).append(index)
        self._trackers = {key: tuple(found) for key, found in trackers.items()}
        for key in self._trackers:
            leader = self.tables.server_of(*key)
            if leader is not None:
                self._moved(self._records[leader], self._records[leader], now)

    # -- structural changes -------------------------------------------------------------------------------------------

    def propose(self, change: StructuralChange) -> Proposal:
        """What the change would lead to; nothing changes yet. Raises Refused with every problem found."""
        removes = renames = None
        renamed: dict[tuple[str, str], int] = {}
        match change:
            case AdoptFile():
                sources = self._sources.following(change.snapshot)
            case AdoptPush():
                sources = self._sources.pushing(change.backends, change.routes, change.states)
            case AddServer():
                sources = adding(self._sources, self.tables, change)
            case AddBackend() | RemoveBackend() | PublishBackend():
                sources = changed(self._sources, self.tables, change)
            case RemoveServer():
                sources, removes = removing(self._sources, self.tables, self._records, change)
            case RenameServer():
                sources, renames = renaming(self._sources, self.tables, self._records, change)
                renamed[change.backend, change.name] = renames
            case SetCookies():
                if self.tables.backend_of(change.backend) is None:
                    raise Refused(('No such backend.',), (change.backend,))
                sources = self._sources.cooked(change.backend, change.wanted)
            case Rename():
                self.server(change.backend, change.server)
                sources = self._sources.asking_for((change.backend, change.server), change.fqdn)
            case SetNamed():
                sources = self._sources.finding(named(self._sources.asking(), change.renewed))
            case RestoreAddresses():
                known = [(self.server(backend, server), host, port) for backend, server, host, port in change.addresses]
                sources = self._sources.addressed(
                    {(record.backend, record.name): (host, port) for record, host, port in known}
                )
            case _:
                server = self.server(change.backend, change.server).server
                address = change.host, server.port if change.port is None else change.port
                sources = self._sources.addressed({(change.backend, change.server): address})
        snapshot = compose(sources, self.tables.snapshot, self._sources)
        tables, is_structural = allocate(snapshot, self.tables, self._indexes(renamed))
        check_wheels(tables, self._records, self.layout.wheels)
        if isinstance(change, AdoptPush):
            _check_states(change, tables)
        return Proposal(tables, sources, self._sources, is_structural, removes, renames)

    def adopt(self, proposal: Proposal, now_ms: int) -> None:
        """The proposal becomes the truth, with the cell changes applied since. Raises RuntimeError if another came between,
        and Refused when one of the cell changes forbids it.
        """
        if proposal.base is not self._sources:
            raise RuntimeError(f'tables {proposal.tables.number} were proposed for a configuration that is no more')
        for index, said in ((proposal.removes, NOT_IN_MAINTENANCE), (proposal.renames, RENAMED_IN_MAINTENANCE)):
            if index is not None and self._records[index].effective is not AdminState.MAINT:
                raise Refused((said,))
        before, self.tables, self._sources = self.tables, proposal.tables, proposal.sources
        old = self._records | self._departed
        self._records = {}
        for backend, servers in self.tables.members.items():
            for index in servers:
                before_it = old.pop(index, None)
                record = self._declared(backend, index, before_it, now_ms)
                if record is before_it:
                    self._records[index] = record
                else:
                    self._keep(record)
        self._departed = old
        for record in old.values():
            self._warming.discard(record.index)
            self._rotation.retire(record)
        if proposal.is_structural:
            self._resting = frozenset(before.backends.keys() - self.tables.backends.keys())
            self._rotation.arrange(self.tables, old.values())
        self._track(now_ms)
        self._adopt_limits(before)

    def _declared(self, backend: int, index: int, old: ServerRecord | None, now: int) -> ServerRecord:
        """The record of a server of the new tables: its old one carried over, or a fresh one."""
        name, server = self.tables.backends[backend].name, self.tables.servers[index]
        if old is None:
            record = appeared(server, index, backend, name, now)
        elif index in self._departed:
            record = appeared(server, index, backend, name, now).shut(old.generation)
        else:
            record = old.redeclared(server, index, backend, now)
        wish, generation = self._sources.states.get((name, server.name), (AdminState.READY, 0))
        return record.asked(Origin.PUSH, wish, now).shut(generation)

    def _adopt_limits(self, before: Tables) -> None:
        """Connection limits of frontends and of the whole: what was set at run time lives on where the file says the same."""
        known = {frontend.name: frontend.maxconn for frontend in before.frontends.values()}
        kept, self._frontend_maxconn = self._frontend_maxconn, {}
        for index, frontend in self.tables.frontends.items():
            same = known.get(frontend.name) == frontend.maxconn
            self._limit_frontend(index, frontend.name, kept[frontend.name] if same else frontend.maxconn)
        was, now = before.snapshot.globals, self.tables.snapshot.globals
        if not self.maxconn or was.maxconn != now.maxconn:
            self._set_maxconn(now.maxconn)
        if was.maxconnrate != now.maxconnrate:
            self._columns.set(self.layout.RATE_LIMITS, Rate.CONNECTIONS, now.maxconnrate)
        if was.maxsessrate != now.maxsessrate:
            self._columns.set(self.layout.RATE_LIMITS, Rate.SESSIONS, now.maxsessrate)

    def _indexes(self, renamed: Mapping[tuple[str, str], int]) -> Indexes:
        departed = {
            index: (record.backend_index, (record.backend, record.name, record.server.host, record.server.port))
            for index, record in self._departed.items()
        }
        return Indexes(self.layout, departed, self._resting, renamed)

    # -- commit -------------------------------------------------------------------------------------------------------

    def commit(self, revision: int) -> Commit:
        """Everything that changed since the last commit, which is taken for done."""
        self._rotation.elect(self.tables, self._records)
        servers, backends = self._rotation.looked_at()
        if len(servers) > _FEW:
            backends |= {self._columns.get(self.layout.BACKEND, server) for server in servers}
            servers = set()
        staged, wheels = self._rotation.wheels.images()
        return Commit(
            revision, self.tables.number, (*self._columns.images(), *wheels), tuple(sorted(servers)),
            tuple(sorted(backends)), staged,
        )  # fmt: skip

    def reclaim(self, indexes: Iterable[int]) -> None:
        """These servers left and hold nothing any more (Plane.is_removable): their indexes are free for others.

        They leave the chain with the next tables; until then they are passed over. Raises KeyError for a server that
        has not departed.
        """
        for index in indexes:
            del self._departed[index]


def _changed(
    record: ServerRecord, change: SetAdmin | SetMaxconn | ShutdownSessions | RestoreState | HealthChange, now: int
) -> ServerRecord:
    """The record after a change of its server. Raises Refused when a value is out of range."""
    try:
        match change:
            case SetAdmin():
                return record.asked(change.origin, change.state, now)
            case SetMaxconn():
                return record.limited(change.maxconn)
            case SetHealth() | ForceHealth() | SwitchCheck() | SetTarget():
                return record.examined(change, now)
            case RestoreState():
                return restored(record, change.saved, now)
            case _:
                return record.shut(change.generation)
    except ValueError as problem:
        raise Refused((str(problem),), (record.backend,)) from problem


def _at_least_one(maxconn: int) -> int:
    if maxconn < 1:
        raise Refused(('Value out of range.',))
    return maxconn


def _check_states(change: AdoptPush, tables: Tables) -> None:
    """A wish for a server that nobody declared is refused rather than forgotten."""
    unknown = [key for key in change.states if tables.server_of(*key) is None]
    if unknown:
        raise Refused(
            (f"state for '{backend}/{server}': no such server" for backend, server in unknown),
            dict.fromkeys(backend for backend, _ in unknown),
        )
