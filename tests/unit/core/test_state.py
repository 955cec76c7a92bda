"""Operational states: every cell of the transition table, and who may be sent what."""

from __future__ import annotations

from itertools import product

import pytest

from dataplane.core.layout import Rota
from dataplane.core.model import AdminState
from dataplane.core.state import TRANSITIONS, Cause, ImpossibleTransition, OpState, reach, step, usable

S, T, R, P = OpState.STOPPED, OpState.STARTING, OpState.RUNNING, OpState.STOPPING
EXPECTED = {
    (S, Cause.UP): R, (S, Cause.WARM): T, (S, Cause.MAINT): S,
    (T, Cause.WARMED): R, (T, Cause.DOWN): S, (T, Cause.NOLB): P, (T, Cause.MAINT): S,
    (R, Cause.DOWN): S, (R, Cause.NOLB): P, (R, Cause.MAINT): S,
    (P, Cause.UP): R, (P, Cause.WARM): T, (P, Cause.DOWN): S, (P, Cause.MAINT): S,
}  # fmt: skip


def test_numbers_are_those_of_the_state_file() -> None:
    assert [(state.name, int(state)) for state in OpState] == [
        ('STOPPED', 0), ('STARTING', 1), ('RUNNING', 2), ('STOPPING', 3),
    ]  # fmt: skip


@pytest.mark.parametrize('state, cause', list(product(OpState, Cause)))
def test_every_cell(state: OpState, cause: Cause) -> None:
    if (state, cause) in EXPECTED:
        assert step(state, cause) is EXPECTED[state, cause]
    else:
        with pytest.raises(ImpossibleTransition, match=f'{cause.name} cannot happen .* {state.name}'):
            step(state, cause)


def test_every_state_can_be_left_for_maintenance_and_has_a_way_up() -> None:
    for state, causes in TRANSITIONS.items():
        assert causes[Cause.MAINT] is S
        assert state in (T, R) or causes[Cause.UP] is R


@pytest.mark.parametrize('admin, state, eweight, elected', list(product(AdminState, OpState, (0, 16), (False, True))))
def test_reach(admin: AdminState, state: OpState, eweight: int, elected: bool) -> None:
    fit = admin is AdminState.READY and state in (T, R) and eweight > 0
    assert usable(admin, state, eweight) is fit
    if admin is AdminState.MAINT or state is S:
        expected = Rota.OUT
    else:
        expected = Rota.IN if fit and elected else Rota.PERSISTENT
    assert reach(admin, state, eweight, elected=elected) is expected
