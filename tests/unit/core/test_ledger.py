"""The ledger: changes in one order, structural ones in two steps, and a board that always says what the records say."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from dataplane.core.changes import (
    AdoptFile,
    AdoptPush,
    CellChange,
    RestoreAddresses,
    SetAddress,
    SetAdmin,
    SetFrontendMaxconn,
    SetGlobalMaxconn,
    SetMaxconn,
    SetWeight,
    ShutdownSessions,
    StructuralChange,
    WarmUp,
)
from dataplane.core.compose import Refused
from dataplane.core.layout import Layout, Rota
from dataplane.core.limit import bounds
from dataplane.core.model import AdminState, Backend, Global, Origin, Route, Server, Snapshot
from tests.unit.core.farm import Farm, backend, file, server

READY, DRAIN, MAINT = AdminState.READY, AdminState.DRAIN, AdminState.MAINT
ONE = file(backend('b', 3, server('x', 1, maxconn=4, minconn=4), server('y', 2)))


def adopt(farm: Farm, change: StructuralChange, now: int = 0) -> None:
    farm.ledger.adopt(farm.ledger.propose(change), now)
    farm.commit()


def chain(farm: Farm, of: int) -> list[int]:
    found, following = [], farm.cells[farm.at.FIRST_SERVER + of]
    while following:
        found.append(following - 1)
        following = farm.cells[farm.at.NEXT_SERVER + following - 1]
    return found


def push(*servers: str, name: str = 'p', **states: tuple[AdminState, int]) -> AdoptPush:
    made = tuple(Server(name=one, id=0, host=f'10.0.0.{ord(one[0])}', port=80) for one in servers)
    return AdoptPush(
        (Backend(name=name, id=0, servers=made),),
        (Route(host='', path_prefix='/', backend=name),),
        {(name, one): state for one, state in states.items()},
    )


def test_a_fresh_ledger_knows_nobody() -> None:
    farm = Farm(file())
    assert farm.last.tables == 1
    for names in (('b', 'x'), ('b', 'y')):
        with pytest.raises(Refused, match=r'^No such backend\.$'):
            farm.ledger.server(*names)


def test_cell_changes_reach_the_board_with_the_next_commit() -> None:
    farm = Farm(ONE)
    made = farm.apply(
        SetAdmin('b', 'x', DRAIN),
        SetWeight('b', 'y', 50),
        SetMaxconn('b', 'x', 7),
        ShutdownSessions('b', 'y', 12),
        SetFrontendMaxconn('fe', 5),
        SetGlobalMaxconn(77),
        now=321,
    )
    at, cells = farm.at, farm.cells
    assert (made.revision, made.tables, made.servers, made.backends) == (2, 1, (0, 1), ())
    assert (cells[at.REVISION], cells[at.TABLES]) == (2, 1)
    assert farm.column(at.ROTA, 2) == [Rota.PERSISTENT, Rota.IN]
    assert farm.column(at.LIMIT, 2) == [7, -1]
    assert farm.column(at.UWEIGHT, 2) == [1, 50]
    assert farm.column(at.GENERATION, 2) == [0, 12]
    assert farm.column(at.CHANGED_AT, 2) == [321, 0]
    assert (cells[at.FEMAXCONN], cells[at.GLOBAL_MAXCONN]) == (5, 77)
    assert (farm.ledger.frontend_maxconn('fe'), farm.ledger.maxconn) == (5, 77)


def test_applying_twice_is_applying_once() -> None:
    farm = Farm(ONE)
    changes = SetAdmin('b', 'x', MAINT), SetWeight('b', 'y', 50, percent=True), ShutdownSessions('b', 'y', 12)
    farm.apply(*changes, now=5)
    assert farm.apply(*changes, now=9).images == ()


@pytest.mark.parametrize(
    'change, words',
    [
        (SetAdmin('z', 'x', READY), 'No such backend.'),
        (SetAdmin('b', 'z', READY), 'No such server.'),
        (SetAddress('b', 'z', '10.0.0.1', 1), 'No such server.'),
        (SetWeight('b', 'x', 257), 'Absolute weight can only be between 0 and 256 inclusive.'),
        (SetWeight('b', 'x', -1, percent=True), 'Relative weight must be positive.'),
        (SetMaxconn('b', 'x', -1), 'Value out of range.'),
        (SetFrontendMaxconn('z', 1), 'No such frontend.'),
        (SetFrontendMaxconn('fe', 0), 'Value out of range.'),
        (SetGlobalMaxconn(0), 'Value out of range.'),
    ],
)
def test_refused_with_haproxys_words(change: CellChange | SetAddress, words: str) -> None:
    farm = Farm(ONE)
    with pytest.raises(Refused) as caught:
        farm.ledger.propose(change) if isinstance(change, SetAddress) else farm.ledger.apply(change, 0)
    assert caught.value.problems == (words,)
    assert farm.commit().images == ()


def test_unknown_frontend() -> None:
    with pytest.raises(Refused, match='No such frontend'):
        Farm(ONE).ledger.frontend_maxconn('z')


def test_a_proposal_changes_nothing_and_keeps_what_overtakes_it() -> None:
    farm = Farm(ONE)
    proposal = farm.ledger.propose(push('s'))
    assert (farm.commit().images, farm.ledger.tables.number) == ((), 1)
    farm.apply(SetAdmin('b', 'x', MAINT), SetWeight('b', 'y', 9))
    farm.ledger.adopt(proposal, 0)
    farm.commit()
    assert farm.ledger.tables is proposal.tables
    assert farm.ledger.server('b', 'x').effective is MAINT
    assert farm.ledger.server('b', 'y').uweight == 9


def test_a_proposal_for_what_is_no_more_is_no_proposal() -> None:
    farm = Farm(ONE)
    one, two = farm.ledger.propose(push('s')), farm.ledger.propose(push('t'))
    farm.ledger.adopt(one, 0)
    with pytest.raises(RuntimeError, match='tables 2 were proposed'):
        farm.ledger.adopt(two, 0)


def test_a_push_brings_backends_routes_and_wishes() -> None:
    farm = Farm(ONE)
    adopt(farm, push('s', 't', s=(DRAIN, 5), t=(READY, 0)))
    found = farm.ledger.tables.route('any', '/x')
    assert found is not None
    assert farm.ledger.tables.backends[found].name == 'p'
    record = farm.ledger.server('p', 's')
    assert (record.effective, record.generation, record.wished(Origin.PUSH), record.wished(Origin.CLI)) == (
        DRAIN,
        5,
        DRAIN,
        READY,
    )
    farm.apply(SetAdmin('p', 's', MAINT))
    adopt(farm, push('s', 't', s=(READY, 3)))
    record = farm.ledger.server('p', 's')
    assert (record.effective, record.generation) == (MAINT, 5)


def test_a_push_of_states_only_needs_no_preparation() -> None:
    farm = Farm(ONE)
    adopt(farm, push('s', 't'))
    proposal = farm.ledger.propose(push('s', 't', s=(MAINT, 0)))
    assert not proposal.is_structural
    assert proposal.tables.number == farm.ledger.tables.number
    farm.ledger.adopt(proposal, 9)
    made = farm.commit()
    assert (made.tables, made.servers) == (2, (farm.ledger.server('p', 's').index,))


def test_a_wish_for_nobody_is_refused() -> None:
    farm = Farm(ONE)
    with pytest.raises(Refused, match="state for 'p/z': no such server") as caught:
        farm.ledger.propose(push('s', z=(MAINT, 0)))
    assert caught.value.backends == ('p',)


def test_a_wish_may_be_for_a_server_of_the_file_and_survives_its_absence() -> None:
    farm = Farm(ONE)
    adopt(farm, AdoptPush((), (), {('b', 'x'): (DRAIN, 0)}))
    assert farm.ledger.server('b', 'x').effective is DRAIN
    adopt(farm, AdoptFile(file(backend('b', 3, server('y', 2)))))
    adopt(farm, AdoptFile(ONE))
    assert farm.ledger.server('b', 'x').effective is DRAIN


def test_who_leaves_stays_in_the_chain_until_reclaimed() -> None:
    farm = Farm(ONE)
    adopt(farm, AdoptFile(file(backend('b', 3, server('y', 2)))))
    assert (farm.ledger.tables.members[0], chain(farm, 0), list(farm.ledger.departed)) == ((1,), [1, 0], [0])
    assert farm.column(farm.at.ROTA, 2) == [Rota.GONE, Rota.IN]
    adopt(farm, AdoptFile(file(backend('b', 3, server('y', 2), server('z', 3)))))
    assert chain(farm, 0) == [1, 2, 0]
    farm.ledger.reclaim([0])
    assert farm.commit().images == ()
    assert chain(farm, 0) == [1, 2, 0]
    adopt(farm, AdoptFile(file(backend('b', 3, server('y', 2), server('z', 3), server('n', 4)))))
    assert chain(farm, 0) == [1, 2, 0]
    assert farm.ledger.server('b', 'n').index == 0
    assert not farm.ledger.departed


def test_reclaiming_somebody_who_is_there_is_an_error() -> None:
    farm = Farm(ONE)
    with pytest.raises(KeyError):
        farm.ledger.reclaim([0])


def test_who_comes_back_to_the_same_address_has_its_slots_still() -> None:
    farm = Farm(ONE)
    farm.apply(ShutdownSessions('b', 'x', 4), SetAdmin('b', 'x', MAINT))
    adopt(farm, AdoptFile(file(backend('b', 3, server('y', 2)))))
    adopt(farm, AdoptFile(ONE))
    record = farm.ledger.server('b', 'x')
    assert (record.index, record.effective, record.generation, chain(farm, 0)) == (0, READY, 4, [0, 1])
    assert farm.cells[farm.at.ROTA] == Rota.IN


def test_two_that_left_may_have_been_at_the_same_address() -> None:
    farm = Farm(file())
    here, there = push('s'), push('t')
    moved = AdoptPush((replace(there.backends[0], servers=(replace(here.backends[0].servers[0], host='h'),)),), (), {})
    for change in (here, push(), moved, here, push()):
        adopt(farm, change)
    assert set(farm.ledger.departed) == {0, 1}
    adopt(farm, push('s', 't'))
    assert farm.ledger.server('p', 't').index == 2


def test_reclaimed_between_proposal_and_adoption() -> None:
    farm = Farm(ONE)
    adopt(farm, AdoptFile(file(backend('b', 3, server('y', 2)))))
    proposal = farm.ledger.propose(AdoptFile(ONE))
    farm.ledger.reclaim([0])
    farm.ledger.adopt(proposal, 0)
    farm.commit()
    assert (farm.ledger.server('b', 'x').index, chain(farm, 0)) == (0, [0, 1])


def test_a_removed_backend_keeps_its_number_while_its_servers_are_there() -> None:
    farm = Farm(file(backend('a', 3, server('x', 1)), backend('b', 4)))
    adopt(farm, AdoptFile(file(backend('b', 4))))
    at = farm.at
    assert (chain(farm, 0), farm.cells[at.IN_ROTATION], farm.cells[at.ROTA]) == ([0], 0, Rota.GONE)
    adopt(farm, AdoptFile(file(backend('b', 4), backend('c', 5))))
    assert farm.ledger.tables.backend_of('c') == 2
    adopt(farm, AdoptFile(file(backend('b', 4), backend('a', 3, server('z', 9)))))
    assert farm.ledger.tables.backend_of('a') == 0
    assert chain(farm, 0) == [1, 0]
    adopt(farm, AdoptFile(file(backend('b', 4))))
    farm.ledger.reclaim([0, 1])
    adopt(farm, AdoptFile(file(backend('b', 4), backend('d', 6))))
    assert chain(farm, 0) == []
    assert farm.ledger.tables.backend_of('d') == 2


def test_what_was_set_at_run_time_survives_a_reload_unless_the_file_says_otherwise() -> None:
    farm = Farm(ONE)
    farm.apply(
        SetAdmin('b', 'x', DRAIN), SetWeight('b', 'x', 9), SetMaxconn('b', 'x', 2), SetFrontendMaxconn('fe', 5),
        SetGlobalMaxconn(6),
    )  # fmt: skip
    adopt(farm, SetAddress('b', 'x', '10.7.7.7', None))
    assert (farm.ledger.tables.servers[0].host, farm.ledger.tables.servers[0].port) == ('10.7.7.7', 8001)
    adopt(farm, AdoptFile(replace(ONE)))
    record = farm.ledger.server('b', 'x')
    assert (record.effective, record.uweight, record.maxconn, record.server.host) == (DRAIN, 9, 2, '10.7.7.7')
    assert (farm.ledger.frontend_maxconn('fe'), farm.ledger.maxconn) == (5, 6)
    other = file(backend('b', 3, server('x', 1, maxconn=3, minconn=3, weight=7, disabled=True)), maxconn=8)
    adopt(farm, AdoptFile(replace(other, globals=Global(maxconn=9))))
    record = farm.ledger.server('b', 'x')
    assert (record.effective, record.uweight, record.maxconn, record.server.host) == (MAINT, 7, 3, '10.7.7.7')
    assert (farm.ledger.frontend_maxconn('fe'), farm.ledger.maxconn) == (8, 9)


def test_an_address_with_a_port() -> None:
    farm = Farm(ONE)
    adopt(farm, SetAddress('b', 'y', '10.7.7.7', 99))
    assert (farm.ledger.tables.number, farm.ledger.server('b', 'y').server.port) == (2, 99)
    assert [s.host for s in farm.ledger.tables.snapshot.backends[0].servers] == ['10.0.0.1', '10.7.7.7']


def test_addresses_of_a_state_file_are_one_change() -> None:
    farm = Farm(ONE)
    adopt(farm, RestoreAddresses((('b', 'x', '10.7.7.6', 98), ('b', 'y', '10.7.7.7', 99))))
    assert farm.ledger.tables.number == 2
    servers = farm.ledger.tables.snapshot.backends[0].servers
    assert [(one.host, one.port) for one in servers] == [('10.7.7.6', 98), ('10.7.7.7', 99)]
    with pytest.raises(Refused, match='No such server'):
        farm.ledger.propose(RestoreAddresses((('b', 'x', 'h', 1), ('b', 'z', 'h', 1))))


def test_many_servers_are_few_slices() -> None:
    layout = Layout(workers=2, servers=1100, backends=4, frontends=1, entries=1)
    names = [f's{number}' for number in range(1000)]
    farm = Farm(file(backend('b', 3, *(server(name, number + 1) for number, name in enumerate(names)))), layout)
    made = farm.apply(*(SetAdmin('b', name, DRAIN) for name in names), now=5)
    assert (made.servers, made.backends) == ((), (0,))
    assert len(made.images) <= 8
    assert farm.column(layout.ROTA, 1000) == [Rota.PERSISTENT] * 1000


@pytest.mark.parametrize('count', [16, 17])
def test_few_servers_are_named_one_by_one(count: int) -> None:
    layout = Layout(workers=1, servers=30, backends=2, frontends=1, entries=1)
    farm = Farm(file(backend('b', 3, *(server(f's{number}', number + 1) for number in range(20)))), layout)
    made = farm.apply(*(SetAdmin('b', f's{number}', MAINT) for number in range(count)))
    assert (made.servers, made.backends) == ((tuple(range(16)), ()) if count == 16 else ((), (0,)))


WIDE = Layout(workers=1, servers=40, backends=8, frontends=3, entries=1)
NAMES = ['x', 'y', 'z']
servers = st.lists(
    st.builds(
        lambda name, weight, maxconn, minconn, backup, disabled, host: replace(
            server(name, 1 + NAMES.index(name), weight=weight, backup=backup, disabled=disabled),
            host=host, maxconn=max(maxconn, minconn), minconn=minconn or maxconn,
        ),
        st.sampled_from(NAMES), st.integers(0, 3), st.integers(0, 3), st.integers(0, 2), st.booleans(), st.booleans(),
        st.sampled_from(['10.0.0.1', '10.0.0.2']),
    ),
    unique_by=lambda made: made.name,
    max_size=3,
)  # fmt: skip
farms = st.lists(
    st.tuples(st.sampled_from(['a', 'b']), servers, st.booleans()), unique_by=lambda made: made[0], max_size=2
)
pairs = st.tuples(st.sampled_from(['a', 'b', 'p']), st.sampled_from(NAMES))


class Changes(RuleBasedStateMachine):
    """Any changes in any order, some committed together; the board is compared with the records after each commit."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0
        self.owners: dict[int, tuple[str, str]] = {}

    @initialize(made=farms)
    def begin(self, made: list[tuple[str, list[Server], bool]]) -> None:
        self.farm = Farm(self._file(made), WIDE)

    def _file(self, made: list[tuple[str, list[Server], bool]]) -> Snapshot:
        return file(*(backend(name, 3 + 'ab'.index(name), *group, allbackups=both) for name, group, both in made))

    def _structural(self, change: StructuralChange) -> None:
        number = self.farm.ledger.tables.number
        try:
            proposal = self.farm.ledger.propose(change)
        except Refused:
            return
        assert proposal.tables.number == number + proposal.is_structural
        self.farm.ledger.adopt(proposal, self.now)
        self.farm.commit()

    def _cells(self, change: CellChange) -> None:
        """Unknown names are refused; every value drawn here is in range."""
        with suppress(Refused):
            self.farm.ledger.apply(change, self.now)

    @rule(made=farms)
    def reload(self, made: list[tuple[str, list[Server], bool]]) -> None:
        self._structural(AdoptFile(self._file(made)))

    @rule(
        made=servers,
        states=st.dictionaries(st.sampled_from(NAMES), st.tuples(st.sampled_from(AdminState), st.integers(0, 9))),
    )
    def push(self, made: list[Server], states: dict[str, tuple[AdminState, int]]) -> None:
        known = {one.name for one in made}
        wishes = {('p', name): state for name, state in states.items() if name in known}
        self._structural(AdoptPush((Backend(name='p', id=0, servers=tuple(made)),), (), wishes))

    @rule(pair=pairs, port=st.sampled_from([None, 7]))
    def move(self, pair: tuple[str, str], port: int | None) -> None:
        self._structural(SetAddress(*pair, '10.9.9.9', port))

    @rule(pair=pairs, state=st.sampled_from(AdminState), origin=st.sampled_from(Origin), weight=st.integers(0, 300))
    def set(self, pair: tuple[str, str], state: AdminState, origin: Origin, weight: int) -> None:
        self.now += 1
        for change in (SetAdmin(*pair, state, origin), SetWeight(*pair, weight, percent=weight > 256)):
            self._cells(change)

    @rule(pair=pairs, maxconn=st.integers(0, 5), generation=st.integers(0, 20))
    def limit(self, pair: tuple[str, str], maxconn: int, generation: int) -> None:
        for change in (SetMaxconn(*pair, maxconn), ShutdownSessions(*pair, generation)):
            self._cells(change)

    @rule(which=st.integers(0, 7))
    def reclaim(self, which: int) -> None:
        gone = sorted(self.farm.ledger.departed)
        if gone:
            index = gone[which % len(gone)]
            self.farm.ledger.reclaim([index])
            del self.owners[index]

    @invariant()
    def the_board_says_what_the_records_say(self) -> None:
        if not hasattr(self, 'farm'):
            return
        self.farm.commit()
        self._check_servers()
        for index in self.farm.ledger.tables.backends:
            self._check_backend(index)

    def _check_servers(self) -> None:
        farm, ledger, at, cells = self.farm, self.farm.ledger, self.farm.at, self.farm.cells
        everybody = {**ledger.records, **ledger.departed}
        assert len(everybody) == len(ledger.records) + len(ledger.departed)
        for index, record in everybody.items():
            owner = (record.backend, record.name)
            assert self.owners.setdefault(index, owner) == owner
            assert index in chain(farm, record.backend_index)
            assert cells[at.BACKEND + index] == record.backend_index
        for index, record in ledger.records.items():
            found = [
                cells[column + index]
                for column in (at.ADMIN, at.OPSTATE, at.UWEIGHT, at.EWEIGHT, at.LIMIT, at.MINLIMIT)
            ]
            limits = bounds(record.maxconn, record.minconn)
            assert found == [record.admin, record.opstate, record.uweight, record.eweight, *limits]
            assert cells[at.GENERATION + index] == record.generation
        assert all(cells[at.ROTA + index] == Rota.GONE for index in ledger.departed)

    def _check_backend(self, index: int) -> None:
        farm, at, cells = self.farm, self.farm.at, self.farm.cells
        members = farm.ledger.tables.members[index]
        assert tuple(chain(farm, index))[: len(members)] == members
        within = [server for server in members if cells[at.ROTA + server] == Rota.IN]
        records = farm.ledger.records
        assert cells[at.IN_ROTATION + index] == len(within)
        assert cells[at.ROTATION_WEIGHT + index] == sum(records[server].eweight for server in within)
        assert all(records[server].usable for server in within)
        assert bool(within) == any(records[server].usable for server in members)
        assert len({records[server].server.backup for server in within}) <= 1
        active = [server for server in members if records[server].usable and not records[server].server.backup]
        assert not active or within == active
        assert cells[at.DYNAMIC_LIMITS + index] == any(cells[at.LIMIT + s] != cells[at.MINLIMIT + s] for s in members)


TestChanges = Changes.TestCase
TestChanges.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)


def test_servers_that_warm_up_get_more_in_one_commit_that_names_them() -> None:
    lines = [server(f's{n}', n, maxconn=10, minconn=10, weight=4, slowstart=2_000) for n in (1, 2)]
    farm = Farm(file(backend('px', 3, *lines)))
    at = farm.at
    warming = [farm.ledger.is_warming]  # never at the start of the process
    for state in (AdminState.MAINT, AdminState.READY):
        farm.apply(SetAdmin('px', 's1', state), SetAdmin('px', 's2', state), now=5_000)
    warming.append(farm.ledger.is_warming)
    assert (farm.column(at.LIMIT, 2), farm.column(at.EWEIGHT, 2), farm.column(at.OPSTATE, 2)) == (
        [1, 1],
        [4, 4],
        [1, 1],
    )
    assert farm.apply(WarmUp(), now=5_999).images == ()
    made = farm.apply(WarmUp(), now=6_100)
    assert (made.servers, farm.column(at.LIMIT, 2), farm.column(at.EWEIGHT, 2)) == ((0, 1), [5, 5], [36, 36])
    farm.apply(SetMaxconn('px', 's1', 20), now=6_200)
    assert farm.column(at.LIMIT, 2) == [10, 5]
    farm.apply(WarmUp(), now=7_000)
    assert (farm.column(at.LIMIT, 2), farm.column(at.EWEIGHT, 2), farm.column(at.OPSTATE, 2)) == (
        [20, 10],
        [64, 64],
        [2, 2],
    )
    assert [*warming, farm.ledger.is_warming] == [False, True, False]


def test_who_leaves_while_it_warms_up_is_waited_for_no_more() -> None:
    farm = Farm(file(backend('px', 3, server('s1', 1, slowstart=2_000))))
    farm.apply(SetAdmin('px', 's1', AdminState.MAINT), SetAdmin('px', 's1', AdminState.READY))
    farm.ledger.adopt(farm.ledger.propose(AdoptFile(file(backend('px', 3)))), 0)
    assert not farm.ledger.is_warming
