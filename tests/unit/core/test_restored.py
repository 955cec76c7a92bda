"""What of a saved state counts for a server that may be declared differently by now."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dataplane.core.admin import Admin
from dataplane.core.changes import RestoreState, SetHealth
from dataplane.core.checks import AgentCheck, ServerCheck
from dataplane.core.health import Order, Verdict
from dataplane.core.layout import Rota
from dataplane.core.model import Server
from dataplane.core.record import ServerRecord
from dataplane.core.savedstate import SavedState
from dataplane.core.state import OpState
from tests.unit.core.farm import Farm, backend, file, server

NOW = 50_000
SAVED = SavedState(
    backend='b', server='x', host='10.0.0.1', port=8001, opstate=OpState.RUNNING, admin=0, uweight=1, iweight=1, age=9_000,
    check=0, agent=0,
)  # fmt: skip
F, C, D = int(Admin.FMAINT), int(Admin.CMAINT), int(Admin.FDRAIN)


def restored(declared: Server | None = None, **saved: object) -> ServerRecord:
    farm = Farm(file(backend('b', 3, declared or server('x', 1), server('y', 2, track=('b', 'x')))))
    farm.apply(RestoreState('b', 'x', replace(SAVED, **saved)), now=NOW)  # type: ignore[arg-type]
    return farm.ledger.server('b', 'x')


@pytest.mark.parametrize(
    'declared, saved, uweight', [(10, (5, 10), 5), (10, (5, 9), 10), (0, (7, 0), 7), (1, (0, 1), 0)]
)
def test_a_weight_counts_while_the_declared_one_is_the_same(
    declared: int, saved: tuple[int, int], uweight: int
) -> None:
    assert restored(server('x', 1, weight=declared), uweight=saved[0], iweight=saved[1]).uweight == uweight


@pytest.mark.parametrize(
    'disabled, saved, flags',
    [
        (False, 0, 0),
        (False, F, F),  # maintenance set at run time lives on
        (False, F | C, 0),  # the line said so, and does not any more
        (False, C, 0),  # it was made ready against the line, which agrees by now
        (True, F | C, F | C),
        (True, C, C),  # made ready against the line, which has not changed
        (True, F, F | C),  # the line says so now
        (True, 0, F | C),
        (False, D, D),
        (True, C | D, C | D),
        (True, D, F | C),  # in maintenance nobody drains
        (False, F | D, F),
    ],
)
def test_flags(disabled: bool, saved: int, flags: int) -> None:
    assert restored(server('x', 1, disabled=disabled), admin=saved).admin == flags


@pytest.mark.parametrize('declared, before, drains', [(1, 1, True), (1, 0, False), (0, 0, True), (0, 1, True)])
def test_drain_that_came_from_a_weight_of_0_goes_with_it(declared: int, before: int, drains: bool) -> None:
    record = restored(server('x', 1, weight=declared), admin=D, iweight=before, uweight=before)
    assert bool(record.admin & D) is drains


@pytest.mark.parametrize(
    'opstate, verdict, order',
    [
        (OpState.STOPPED, Verdict.DOWN, Order.ZERO),
        (OpState.STOPPING, Verdict.STOPPING, Order.TOP),
        (OpState.RUNNING, Verdict.UP, Order.TOP),
    ],
)
def test_what_checks_found_is_known_again(opstate: OpState, verdict: Verdict, order: Order) -> None:
    record = restored(server('x', 1, check=ServerCheck()), opstate=opstate, check=6)
    side = record.health.check
    assert (record.opstate, side.verdict, side.order) == (opstate, verdict, order)
    assert (record.changed_at, record.downs, record.down_ms) == (NOW - 9_000, 0, 0)


def test_a_result_that_comes_late_counts_for_the_state_it_was_found_in_only() -> None:
    farm = Farm(file(backend('b', 3, server('x', 1, check=ServerCheck()))))
    before = farm.ledger.server('b', 'x').health.check.serial
    farm.apply(RestoreState('b', 'x', replace(SAVED, opstate=OpState.STOPPED, check=6)), now=NOW)
    farm.apply(SetHealth('b', 'x', Verdict.UP, before), now=NOW)
    assert farm.ledger.server('b', 'x').opstate is OpState.STOPPED


def test_down_without_a_check_is_down_until_somebody_says_otherwise() -> None:
    assert restored(opstate=OpState.STOPPED).opstate is OpState.STOPPED


def test_a_server_in_maintenance_is_up_once_it_leaves_it() -> None:
    record = restored(opstate=OpState.STOPPED, admin=F)
    assert record.opstate is OpState.STOPPED
    assert record.health.opstate() is OpState.RUNNING


def test_who_tracks_follows_and_has_no_state_of_its_own() -> None:
    farm = Farm(file(backend('b', 3, server('x', 1, check=ServerCheck()), server('y', 2, track=('b', 'x')))))
    stopped = replace(SAVED, opstate=OpState.STOPPED, check=6)
    farm.apply(RestoreState('b', 'y', replace(stopped, server='y')), now=NOW)
    assert farm.ledger.server('b', 'y').opstate is OpState.RUNNING
    farm.apply(RestoreState('b', 'x', stopped), now=NOW)
    assert farm.ledger.server('b', 'y').opstate is OpState.STOPPED
    assert farm.column(farm.at.ROTA, 2) == [Rota.OUT] * 2


def test_checks_that_were_switched_off_are_and_ask_where_they_asked() -> None:
    both = server('x', 1, check=ServerCheck(), agent=AgentCheck(port=1))
    record = restored(
        both, check=2, agent=18, check_port=81, check_addr='10.0.0.8', agent_port=82, agent_addr='10.0.0.9'
    )
    health = record.health
    assert (health.check.enabled, health.agent.enabled) == (False, False)
    assert (health.check_target.addr, health.check_target.port) == ('10.0.0.8', 81)
    assert (health.agent_target.addr, health.agent_target.port) == ('10.0.0.9', 82)
    kept = restored(both, check=6, agent=22).health
    assert (kept.check.enabled, kept.agent.enabled) == (True, True)
    assert restored(check=2, agent=18).health.check.enabled is False


@pytest.mark.parametrize(
    'slowstart, age, opstate',
    [(60_000, 9_000, OpState.STARTING), (5_000, 9_000, OpState.RUNNING), (0, 0, OpState.RUNNING)],
)
def test_who_warmed_up_goes_on_with_it(slowstart: int, age: int, opstate: OpState) -> None:
    record = restored(server('x', 1, slowstart=slowstart), opstate=OpState.STARTING, age=age)
    assert record.opstate is opstate
    if opstate is OpState.STARTING:
        assert (record.warm_since, record.warm_for) == (NOW - age, age)


def test_nobody_else_begins_to_warm_up() -> None:
    record = restored(server('x', 1, slowstart=60_000, disabled=True), admin=C)
    assert record.opstate is OpState.RUNNING
