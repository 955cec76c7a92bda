"""Which names are asked for, and what the answers change: everything that an answer changes is one revision.

Servers are looked at as the ledger has them when the change is made, and each change says what it was made from
(`core.naming.Renewed`); what somebody else changed meanwhile is left alone until the next answer. Until the first server asks for a name
nothing is loaded and no socket is opened.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from dataplane.core.changes import CellChange, Change, SetNamed, SetWeight
from dataplane.core.ledger import Ledger, Refused, ServerRecord
from dataplane.core.naming import (
    ADDITIONAL,
    BY_HAND,
    CACHE,
    NO_IP,
    NO_RECORD,
    Found,
    Renewed,
    Seat,
    Target,
    Wanting,
    found_of,
    preferred,
    seated,
    shared,
    weight_of,
)
from dataplane.supervisor.naming.counts import Counts
from dataplane.supervisor.naming.question import CAUSES, Question, Status

if TYPE_CHECKING:
    from dataplane.core.lookup import Lookup
    from dataplane.core.tables import Tables
    from dataplane.supervisor.naming.asker import Asked, Asker

Place = tuple[str, 'Asked']
"""A section, and what it is asked."""
SOURCE: Final = 'resolver'
_KINDS: Final = {'ipv4': 'A', 'ipv6': 'AAAA'}


class Publisher(Protocol):
    """The one door for changes."""

    @property
    def ledger(self) -> Ledger:
        """The supervisor's truth."""

    async def submit(self, changes: Sequence[Change], *, source: str) -> object:
        """Make the changes on all workers. Raises Refused."""


class Row(NamedTuple):
    """One nameserver, for those who show it."""

    section: str
    nameserver: str
    counts: Counts


class Names:
    """One per data plane. `follow` is called when a revision was applied; `run` is its task. `clock`: ms; `log(level, text)`."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        publisher: Publisher,
        clock: Callable[[], int],
        log: Callable[[str, str], None],
    ) -> None:
        self._loop, self._publisher, self._clock, self._log = loop, publisher, clock, log
        self._tables: Tables | None = None
        self._askers: dict[str, Asker] = {}
        self._counts: dict[str, dict[str, Counts]] = {}
        self._servers: dict[Place, list[int]] = {}
        self._bare: set[tuple[str, str, int]] = set()
        self._dirty: dict[Place, str] = {}
        self._refused = ''
        self._wake = asyncio.Event()

    # -- who is asked for what ----------------------------------------------------------------------------------------

    def follow(self) -> None:
        """Ask for what the tables in force want, and for nothing else."""
        tables = self._publisher.ledger.tables
        if tables is not self._tables:
            self._tables = tables
            if not tables.snapshot.resolvers and not self._askers:
                self._counts = {}
                return
            self._adopt(tables)
            self._want()

    def _adopt(self, tables: Tables) -> None:
        """Counters go on while their nameserver is declared; a section that is no more is asked nothing."""
        sections = {section.name: section for section in tables.snapshot.resolvers}
        before, self._counts = self._counts, {}
        for section in sections.values():
            known = before.get(section.name, {})
            self._counts[section.name] = {one.name: known.get(one.name, Counts()) for one in section.nameservers}
        for name in self._askers.keys() - sections.keys():
            self._askers.pop(name).close()
        for name, asker in self._askers.items():
            asker.adopt(sections[name], self._counts[name])

    def _want(self) -> None:
        before, self._servers = self._servers, defaultdict(list)
        for index, lookup in self._asking():
            for place in _places(lookup):
                if place[1][1] == 'SRV' or not self._comes_along(index, lookup):
                    self._servers[place].append(index)
        wanted: dict[str, set[Asked]] = {name: set() for name in self._askers}
        for section, asked in self._servers:
            wanted.setdefault(section, set()).add(asked)
        for section, names in wanted.items():
            self._asker(section).want(names)
        for place, servers in self._servers.items():
            if servers != before.get(place) and self._question(place).status is Status.VALID:
                self._hear(place[0], place[1], '')

    def _asking(self) -> Iterator[tuple[int, Lookup]]:
        """In the order of their declaration."""
        assert self._tables is not None
        for backend, members in self._tables.members.items():
            if not self._tables.backends[backend].disabled:
                for index in members:
                    lookup = self._tables.servers[index].lookup
                    if lookup is not None:
                        yield index, lookup

    def _comes_along(self, index: int, lookup: Lookup) -> bool:
        """Do addresses come along with the server's SRV record, so that its host is not to be asked for?"""
        assert self._tables is not None
        return lookup.is_service and (lookup.resolvers, lookup.fqdn, self._tables.servers[index].port) not in self._bare

    def _asker(self, name: str) -> Asker:
        if name not in self._askers:
            # who has no such servers needs no library for messages: it takes a tenth of a second to load
            from dataplane.supervisor.naming.asker import Asker

            assert self._tables is not None
            section = next(one for one in self._tables.snapshot.resolvers if one.name == name)
            self._askers[name] = Asker(self._loop, section, self._counts[name], self._clock, self._hear)
        return self._askers[name]

    def _question(self, place: Place) -> Question:
        return self._askers[place[0]].questions[place[1]]

    # -- what the answers change --------------------------------------------------------------------------------------

    def _hear(self, section: str, asked: Asked, nameserver: str) -> None:
        self._dirty[section, asked] = nameserver
        self._wake.set()

    async def run(self) -> None:
        """Make changes of the answers that came, until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            dirty, self._dirty = self._dirty, {}
            renewed: dict[int, Found] = {}
            weights: list[CellChange] = []
            for place, nameserver in dirty.items():
                if place not in self._servers or place[1] not in self._askers[place[0]].questions:
                    continue
                if place[1][1] == 'SRV':
                    weights += self._of_service(place, renewed)
                else:
                    self._of_name(place, nameserver, renewed)
            await self._submit(renewed, weights)

    async def _submit(self, renewed: dict[int, Found], weights: list[CellChange]) -> None:
        changes = []
        for index, found in renewed.items():
            record = self._publisher.ledger.records.get(index)
            was = None if record is None else found_of(record.server)
            if record is not None and was is not None and was != found:
                changes.append(Renewed(record.backend, record.name, was, found))
        steps: list[list[Change]] = [[SetNamed(tuple(changes))]] if changes else []
        steps += [[one] for one in weights]
        for step in steps:
            try:
                await self._publisher.submit(step, source=SOURCE)
            except Refused as problem:
                if str(problem) != self._refused:  # the same answer comes once a second
                    self._refused = str(problem)
                    self._log('warning', f'What nameservers answered is not used: {problem}')

    def _records(self, place: Place) -> dict[str, list[ServerRecord]]:
        """The servers that want it, by their backend. The ledger may be ahead of what was followed."""
        found: dict[str, list[ServerRecord]] = defaultdict(list)
        for index in self._servers[place]:
            record = self._publisher.ledger.records.get(index)
            if record is not None and place in _places(record.server.lookup):
                found[record.backend].append(record)
        return found

    def _of_name(self, place: Place, nameserver: str, renewed: dict[int, Found]) -> None:
        """Addresses of a name, or that it has none."""
        question = self._question(place)
        if question.status is not Status.VALID:
            if question.forgets(self._clock()):
                for records in self._records(place).values():
                    for record in records:
                        _without(record, CAUSES[question.status], renewed)
            return
        first = self._servers[place][0]
        for records in self._records(place).values():
            for group in _apart([record for record in records if not _is_set_by_hand(record)]):
                wanting = [Wanting((one.backend, one.name), *_has(one)) for one in group]
                given = shared(wanting, question.addresses)
                for record in group:
                    address, was = given[record.backend, record.name], found_of(record.server)
                    assert was is not None
                    if not address:
                        _without(record, NO_IP, renewed)
                    elif address != was.host:
                        by = f'{place[0]}/{nameserver}' if nameserver and record.index == first else CACHE
                        if by != CACHE:
                            self._counts[place[0]][nameserver].update += 1
                        renewed[record.index] = replace(was, host=address, said=by)

    def _of_service(self, place: Place, renewed: dict[int, Found]) -> list[CellChange]:
        """Servers of a service. Returns what its records say of weights."""
        question = self._question(place)
        if question.status is not Status.VALID and not question.forgets(self._clock()):
            return []
        weights: list[CellChange] = []
        self._know_bare(place[0], question)
        for records in self._records(place).values():
            given = seated([_seat(record) for record in records], question.targets)
            for record in records:
                target, was = given[record.backend, record.name], found_of(record.server)
                assert was is not None
                if target is not None:
                    renewed[record.index] = self._at(place[0], target, was, record)
                    weights += self._weights(record, target)
                elif was.fqdn or was.host:
                    renewed[record.index] = Found(was.of, renamed=was.renamed, said=NO_RECORD)
        self._want()
        return weights

    def _know_bare(self, section: str, question: Question) -> None:
        """Which of its records came without addresses."""
        there = {(section, *target.place) for target in question.targets}
        bare = {(section, *target.place) for target in question.targets if not target.addresses}
        self._bare = (self._bare - there) | bare
        if len(self._bare) > 2 * len(self._publisher.ledger.records) + len(bare):
            self._bare = bare  # hosts come and go for ever; the next answers say it again

    def _at(self, section: str, target: Target, was: Found, record: ServerRecord) -> Found:
        """A server with that record: at the address that came along, the one it has there already, or one that is known."""
        lookup = record.server.lookup
        assert lookup is not None
        here = was.host if was.fqdn == target.host else ''
        if target.addresses:
            host = preferred(target.addresses, here, lookup)
            said = was.said if host == was.host else ADDITIONAL
        else:
            asker = self._askers[section]
            known = asker.questions.get((target.host, _KINDS[lookup.prefer]))
            host = here or preferred(known.addresses if known is not None else (), '', lookup)
            said = was.said if host == was.host else CACHE if host else ''
        return Found(was.of, host, target.port, target.host, renamed=True, said=said)

    def _weights(self, record: ServerRecord, target: Target) -> list[CellChange]:
        """The weight that the record says, where it counts and the algorithm takes it."""
        lookup, weight = record.server.lookup, weight_of(target.weight)
        assert lookup is not None
        balance = self._publisher.ledger.tables.backends[record.backend_index].balance
        if not lookup.weighs or weight == record.uweight or not (balance.dynamic or weight in (0, record.iweight)):
            return []
        return [SetWeight(record.backend, record.name, weight)]

    # -- who looks ----------------------------------------------------------------------------------------------------

    def rows(self) -> list[Row]:
        """What was counted of every nameserver, in the order of the file."""
        return [Row(section, name, counts) for section, known in self._counts.items() for name, counts in known.items()]

    def clear(self) -> None:
        """Count from 0 again."""
        for row in self.rows():
            row.counts.clear()

    def close(self) -> None:
        """Ask nobody any more."""
        for asker in self._askers.values():
            asker.close()
        self._askers.clear()


def _places(lookup: Lookup | None) -> Iterator[Place]:
    """What a server asks: for the records of its service, and for the addresses of its host."""
    if lookup is not None and lookup.is_service:
        yield lookup.resolvers, (lookup.name.removesuffix('.').lower(), 'SRV')
    if lookup is not None and lookup.host:
        yield lookup.resolvers, (lookup.host.removesuffix('.').lower(), _KINDS[lookup.prefer])


def _has(record: ServerRecord) -> tuple[str, Lookup]:
    """The address it has, '' for none, and what it asks for."""
    found = found_of(record.server)
    assert found is not None
    assert record.server.lookup is not None
    return found.host, record.server.lookup


def _is_set_by_hand(record: ServerRecord) -> bool:
    """Has a person given it its address? Then it has that until the name is forgotten, as in HAProxy."""
    lookup = record.server.lookup
    return lookup is not None and lookup.said == BY_HAND


def _apart(records: list[ServerRecord]) -> list[list[ServerRecord]]:
    """Servers between which an address is not given twice: those of SRV records with different ports may be on one machine."""
    groups: dict[int, list[ServerRecord]] = defaultdict(list)
    for record in records:
        lookup = record.server.lookup
        groups[record.server.port if lookup is not None and lookup.is_service else -1].append(record)
    return list(groups.values())


def _without(record: ServerRecord, cause: str, renewed: dict[int, Found]) -> None:
    """It has no address any more."""
    was = found_of(record.server)
    if was is not None and was.host:
        renewed[record.index] = replace(was, host='', said=cause)


def _seat(record: ServerRecord) -> Seat:
    lookup = record.server.lookup
    assert lookup is not None
    since = record.changed_at if lookup.renamed and not lookup.fqdn else 0
    return Seat((record.backend, record.name), lookup.fqdn, record.server.port, since)
