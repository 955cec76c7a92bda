"""The state that follows from admin flags, check, agent and the server tracked, in every combination."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataplane.core.changes import (
    AdoptFile,
    Change,
    ForceHealth,
    HealthChange,
    SetAdmin,
    SetHealth,
    SetTarget,
    ShutdownSessions,
    SwitchCheck,
    WarmUp,
)
from dataplane.core.checks import AgentCheck, InitState, ServerCheck
from dataplane.core.health import Health, Order, Side, Target, Verdict, declared
from dataplane.core.layout import Layout
from dataplane.core.ledger import Ledger, Refused, ServerRecord
from dataplane.core.model import AdminState, Backend, Origin, Server, Snapshot
from dataplane.core.state import OpState

READY, DRAIN, MAINT = AdminState.READY, AdminState.DRAIN, AdminState.MAINT
DOWN, STOPPING, UP = Verdict.DOWN, Verdict.STOPPING, Verdict.UP


def server(name: str = 's', number: int = 1, **settings: Any) -> Server:
    return Server(name=name, id=number, host='h', port=1, **settings)


class Farm:
    """A ledger with one backend."""

    def __init__(self, *servers: Server) -> None:
        self.ledger = Ledger(Layout(workers=1, servers=16, backends=4, frontends=1, entries=4))
        self.now = 0
        self.adopt(*servers)

    def adopt(self, *servers: Server) -> None:
        proposal = self.ledger.propose(AdoptFile(Snapshot(backends=(Backend(name='be', id=2, servers=servers),))))
        self.ledger.adopt(proposal, self.now)

    def do(self, *changes: Change) -> None:
        self.now += 1_000
        for change in changes:
            self.ledger.apply(change, self.now)  # type: ignore[arg-type]

    def record(self, name: str = 's') -> ServerRecord:
        return self.ledger.server('be', name)

    def find(self, verdict: Verdict, *, agent: bool = False, name: str = 's') -> SetHealth:
        health = self.record(name).health
        serial = (health.agent if agent else health.check).serial
        return SetHealth('be', name, verdict, serial, ', why', agent=agent)


@pytest.mark.parametrize(
    'check, agent, on, asked, stood, found, whose',
    tuple(product(Verdict, (DOWN, UP), (True, False), (True, False), Verdict, Verdict, (True, False))),
)
def test_every_finding_in_every_combination(
    check: Verdict, agent: Verdict, on: bool, asked: bool, stood: Verdict, found: Verdict, whose: bool
) -> None:
    """`whose`: the agent's. HAProxy's check.c (check_notify_success, _failure, _stopping), said once more."""
    if whose and found is STOPPING:
        return  # no agent says so
    before = Health(check=Side(verdict=check, enabled=on), agent=Side(verdict=agent, enabled=asked), stands=stood)
    after = before.found(found, agent=whose)
    side = after.agent if whose else after.check
    assert side.verdict is found
    if not side.enabled or (found is not DOWN and (after.check if whose else after.agent).says_down):
        expected = stood
    elif found is not UP or not whose:
        expected = found
    else:
        expected = STOPPING if stood is STOPPING or (on and check is STOPPING) else UP
    assert after.stands is expected
    assert after.opstate() is {DOWN: OpState.STOPPED, STOPPING: OpState.STOPPING, UP: OpState.RUNNING}[expected]
    assert after.found(found, agent=whose) is after


@pytest.mark.parametrize('tracked', OpState)
def test_a_server_that_tracks_is_in_the_other_ones_state(tracked: OpState) -> None:
    expected = {OpState.STARTING: OpState.RUNNING}.get(tracked, tracked)
    assert Health(stands=DOWN, tracked=tracked).opstate() is expected


def test_switching_a_check_changes_nothing_until_the_next_verdict() -> None:
    farm = Farm(server(check=ServerCheck(), agent=AgentCheck()))
    farm.do(ForceHealth('be', 's', DOWN, agent=True))
    farm.do(SwitchCheck('be', 's', enabled=False, agent=True))
    assert farm.record().opstate is OpState.STOPPED
    farm.do(farm.find(UP))
    assert farm.record().opstate is OpState.RUNNING
    farm.do(SwitchCheck('be', 's', enabled=True, agent=True))
    assert (farm.record().opstate, farm.record().downs) == (OpState.RUNNING, 1)
    farm.do(farm.find(UP))
    assert farm.record().opstate is OpState.RUNNING
    farm.do(farm.find(DOWN))
    farm.do(SwitchCheck('be', 's', enabled=False), farm.find(UP))
    assert farm.record().opstate is OpState.STOPPED
    farm.do(farm.find(UP, agent=True))
    assert farm.record().opstate is OpState.RUNNING


def test_what_is_said_by_hand_goes_before_what_both_checks_say() -> None:
    farm = Farm(server(check=ServerCheck(), agent=AgentCheck()))
    farm.do(farm.find(DOWN, agent=True), ForceHealth('be', 's', UP), farm.find(UP))
    assert farm.record().opstate is OpState.RUNNING
    farm.do(farm.find(DOWN, agent=True))
    assert farm.record().opstate is OpState.STOPPED
    farm.do(farm.find(DOWN), ForceHealth('be', 's', UP, agent=True))
    assert farm.record().opstate is OpState.RUNNING
    farm.do(farm.find(DOWN))
    assert farm.record().opstate is OpState.STOPPED


@pytest.mark.parametrize('state', InitState)
def test_what_a_server_is_taken_for_before_its_first_check(state: InitState) -> None:
    farm = Farm(server(check=ServerCheck(init_state=state)))
    down = state in (InitState.DOWN, InitState.FULLY_DOWN)
    assert farm.record().opstate is (OpState.STOPPED if down else OpState.RUNNING)


CHANGES = st.one_of(
    st.builds(
        SetAdmin, st.just('be'), st.just('s'), st.sampled_from(AdminState), st.sampled_from((Origin.CLI, Origin.PUSH))
    ),
    st.builds(ForceHealth, st.just('be'), st.just('s'), st.sampled_from(Verdict)),
    st.builds(SwitchCheck, st.just('be'), st.just('s'), st.booleans(), st.booleans()),
    st.tuples(st.sampled_from(Verdict), st.booleans()),
)


@given(st.lists(CHANGES, max_size=25))
def test_state_is_always_what_follows_and_wishes_and_findings_are_kept_apart(changes: list[Any]) -> None:
    farm = Farm(server(check=ServerCheck(), agent=AgentCheck()), server('t', 2, track=('be', 's')))
    wishes = {Origin.CLI: READY, Origin.PUSH: READY}
    for change in changes:
        if isinstance(change, tuple):
            change = farm.find(change[0] if not change[1] or change[0] is not STOPPING else UP, agent=change[1])
        if isinstance(change, SetAdmin):
            wishes[change.origin] = change.state
        before = farm.record()
        farm.do(change)
        record, follower = farm.record(), farm.record('t')
        assert {origin: record.wished(origin) for origin in wishes} == wishes
        if record.effective is MAINT:
            assert record.opstate is OpState.STOPPED
        else:
            assert record.opstate is record.health.opstate()
        assert follower.effective is record.effective
        assert follower.opstate is record.opstate
        assert record.downs - before.downs == (
            before.opstate is not OpState.STOPPED and record.opstate is OpState.STOPPED
        )
        again = record
        farm.do(change)
        assert farm.record().opstate is again.opstate


def test_a_drained_server_goes_down_and_comes_back_drained() -> None:
    farm = Farm(server(check=ServerCheck()))
    farm.do(SetAdmin('be', 's', DRAIN, Origin.PUSH))
    farm.do(farm.find(DOWN))
    assert (farm.record().effective, farm.record().opstate) == (DRAIN, OpState.STOPPED)
    farm.do(farm.find(UP))
    assert (farm.record().effective, farm.record().opstate) == (DRAIN, OpState.RUNNING)


def test_leaving_maintenance_begins_anew_and_what_was_found_before_is_stale() -> None:
    farm = Farm(server(check=ServerCheck()))
    late = farm.find(DOWN)
    farm.do(SetAdmin('be', 's', MAINT))
    farm.do(SetAdmin('be', 's', READY))
    farm.do(late)
    health = farm.record().health
    assert (farm.record().opstate, health.check.serial, health.check.order) == (OpState.RUNNING, 1, Order.RISE)


def test_a_server_that_is_down_for_its_agent_stays_so_after_maintenance() -> None:
    farm = Farm(server(check=ServerCheck(), agent=AgentCheck()))
    farm.do(farm.find(DOWN, agent=True))
    farm.do(SetAdmin('be', 's', MAINT), SetAdmin('be', 's', READY))
    assert farm.record().opstate is OpState.STOPPED
    farm.do(SwitchCheck('be', 's', enabled=False, agent=True))
    assert farm.record().opstate is OpState.STOPPED
    farm.do(SetAdmin('be', 's', MAINT), SetAdmin('be', 's', READY))
    assert farm.record().opstate is OpState.RUNNING


def test_forced_without_any_check() -> None:
    farm = Farm(server())
    farm.do(ForceHealth('be', 's', DOWN))
    assert (farm.record().opstate, farm.record().health.reason) == (OpState.STOPPED, ', changed from CLI')
    farm.do(ForceHealth('be', 's', STOPPING))
    assert farm.record().opstate is OpState.STOPPING
    farm.do(ForceHealth('be', 's', UP))
    assert farm.record().opstate is OpState.RUNNING


def test_a_server_that_tracks_is_not_told() -> None:
    farm = Farm(server(check=ServerCheck()), server('t', 2, track=('be', 's')))
    with pytest.raises(Refused, match='cannot change health on a tracking server'):
        farm.do(ForceHealth('be', 't', DOWN))


def test_times_and_counts_of_being_down() -> None:
    farm = Farm(server(check=ServerCheck()))
    farm.do(farm.find(DOWN))
    farm.now += 4_000
    farm.do(farm.find(UP))
    assert (farm.record().downs, farm.record().down_ms) == (1, 5_000)
    farm.do(SetAdmin('be', 's', DRAIN))
    farm.do(farm.find(DOWN))
    farm.do(SetAdmin('be', 's', READY))
    farm.do(farm.find(UP))
    assert (farm.record().downs, farm.record().down_ms) == (2, 7_000)


def test_targets_are_set_one_by_one() -> None:
    farm = Farm(server(check=ServerCheck(), agent=AgentCheck()))
    farm.do(SetTarget('be', 's', addr='a'), SetTarget('be', 's', port=5), SetTarget('be', 's', agent=True, send=b'x'))
    health = farm.record().health
    assert (health.check_target, health.agent_target) == (Target(addr='a', port=5), Target(send=b'x'))


def test_on_marked_down_ends_its_sessions() -> None:
    farm = Farm(server(check=ServerCheck(), shutdown_when_down=True), server('t', 2, check=ServerCheck()))
    farm.do(ShutdownSessions('be', 's', 100))
    farm.do(farm.find(DOWN), farm.find(DOWN, name='t'))
    assert (farm.record().generation, farm.record('t').generation) == (101, 0)
    farm.do(farm.find(UP))
    farm.do(SetAdmin('be', 's', MAINT))
    assert farm.record().generation == 102


def test_on_marked_up_ends_sessions_of_the_backups() -> None:
    farm = Farm(server(check=ServerCheck(), shutdown_backups_when_up=True), server('b', 2, backup=True), server('t', 3))
    farm.do(farm.find(DOWN))
    assert farm.record('b').generation == 0
    farm.do(farm.find(UP))
    assert (farm.record('b').generation, farm.record('t').generation) == (1, 0)


def test_trackers_of_trackers_follow_and_a_reload_lets_them_go() -> None:
    farm = Farm(
        server('u', 3, track=('be', 't')), server('t', 2, track=('be', 's')), server(check=ServerCheck(), disabled=True)
    )
    assert [farm.record(name).effective for name in 'stu'] == [MAINT] * 3
    farm.do(SetAdmin('be', 's', READY))
    farm.do(farm.find(DOWN))
    assert [farm.record(name).opstate for name in 'stu'] == [OpState.STOPPED] * 3
    farm.adopt(server('u', 3), server('t', 2), server(check=ServerCheck()))
    assert [farm.record(name).opstate for name in 'stu'] == [OpState.STOPPED, OpState.RUNNING, OpState.RUNNING]


def test_a_reload_keeps_what_was_found_while_there_is_a_check() -> None:
    farm = Farm(server(check=ServerCheck()))
    farm.do(farm.find(DOWN))
    farm.adopt(server(check=ServerCheck(port=5)))
    assert farm.record().opstate is OpState.STOPPED
    farm.adopt(server())
    assert farm.record().opstate is OpState.RUNNING
    farm.adopt(server(check=ServerCheck(init_state=InitState.DOWN)))
    assert farm.record().opstate is OpState.STOPPED


def test_declared() -> None:
    assert declared(server()) == Health()
    assert declared(server(track=('be', 'x'))).via == 'be/x'
    health: HealthChange = SetHealth('be', 's', UP, 0)
    assert health.agent is False


def test_who_comes_back_with_slowstart_warms_up_and_is_warm_at_the_start() -> None:
    farm = Farm(server(check=ServerCheck(), slowstart=10_000), server('t', 2, track=('be', 's'), slowstart=0))
    assert farm.record().opstate is OpState.RUNNING
    farm.do(farm.find(DOWN))
    farm.do(farm.find(UP))
    assert (farm.record().opstate, farm.record('t').opstate) == (OpState.STARTING, OpState.RUNNING)
    farm.now += 10_000
    farm.do(WarmUp())
    assert (farm.record().opstate, farm.record('t').opstate) == (OpState.RUNNING, OpState.RUNNING)
    farm.do(farm.find(STOPPING))
    farm.do(farm.find(UP))
    assert farm.record().opstate is OpState.STARTING
