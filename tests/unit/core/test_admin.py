"""Administrative flags: every cell of the truth table, and the lattice's laws."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataplane.core.admin import DRAIN_MASK, LOCAL_MASK, MAINT_MASK, Admin, effective, initial, shown, wish, wished
from dataplane.core.model import AdminState, Origin

READY, DRAIN, MAINT = AdminState.READY, AdminState.DRAIN, AdminState.MAINT
RANK = {READY: 0, DRAIN: 1, MAINT: 2}
flags = st.integers(0, 0x3FF)
origins = st.sampled_from(Origin)
states = st.sampled_from(AdminState)


def test_values_are_those_of_the_state_file() -> None:
    assert [int(flag) for flag in Admin] == [1, 2, 4, 8, 16, 32, 64, 0x100, 0x200]
    assert (MAINT_MASK & LOCAL_MASK, DRAIN_MASK & LOCAL_MASK) == (0x23, 0x18)


@pytest.mark.parametrize(
    'origin, state, added, cleared',
    [
        (Origin.CLI, READY, 0x000, 0x009),
        (Origin.CLI, DRAIN, 0x008, 0x001),
        (Origin.CLI, MAINT, 0x001, 0x008),
        (Origin.CONFIG, READY, 0x000, 0x00D),
        (Origin.CONFIG, DRAIN, 0x008, 0x005),
        (Origin.CONFIG, MAINT, 0x005, 0x008),
        (Origin.PUSH, READY, 0x000, 0x300),
        (Origin.PUSH, DRAIN, 0x200, 0x100),
        (Origin.PUSH, MAINT, 0x100, 0x200),
    ],
)
def test_a_wish_sets_and_clears_its_own_flags_only(origin: Origin, state: AdminState, added: int, cleared: int) -> None:
    assert wish(0, origin, state) == added
    assert wish(0x3FF, origin, state) == 0x3FF & ~cleared


@pytest.mark.parametrize('local', [0, Admin.FDRAIN, Admin.FMAINT])
@pytest.mark.parametrize('pushed', [0, Admin.PDRAIN, Admin.PMAINT])
def test_the_most_restrictive_side_counts(local: int, pushed: int) -> None:
    sides = [effective(local), effective(pushed)]
    assert effective(local | pushed) is max(sides, key=RANK.__getitem__)


@pytest.mark.parametrize(
    'flag, state',
    [
        (0, READY), (Admin.FMAINT, MAINT), (Admin.IMAINT, MAINT), (Admin.CMAINT, READY), (Admin.FDRAIN, DRAIN),
        (Admin.IDRAIN, DRAIN), (Admin.RMAINT, MAINT), (Admin.HMAINT, READY), (Admin.PMAINT, MAINT), (Admin.PDRAIN, DRAIN),
    ],
)  # fmt: skip
def test_what_a_flag_counts_as(flag: int, state: AdminState) -> None:
    assert effective(flag) is state


@given(flags, origins, states)
def test_asking_twice_is_asking_once(before: int, origin: Origin, state: AdminState) -> None:
    once = wish(before, origin, state)
    assert wish(once, origin, state) == once


@given(flags, origins, states)
def test_nobody_gets_less_than_they_asked_for(before: int, origin: Origin, state: AdminState) -> None:
    assert RANK[effective(wish(before, origin, state))] >= RANK[state]


@given(flags, states, st.sampled_from([Origin.CLI, Origin.CONFIG]), states)
def test_sides_do_not_touch_each_other(before: int, pushed: AdminState, local: Origin, wanted: AdminState) -> None:
    one = wish(wish(before, Origin.PUSH, pushed), local, wanted)
    assert one == wish(wish(before, local, wanted), Origin.PUSH, pushed)
    assert wished(one, Origin.PUSH) is pushed


def test_a_disabled_line_is_shown_as_5_and_a_person_can_enable_it() -> None:
    assert initial(True) == 5
    assert initial(False) == 0
    enabled = wish(5, Origin.CLI, READY)
    assert (enabled, effective(enabled)) == (Admin.CMAINT, READY)


def test_what_each_side_wishes() -> None:
    both = int(Admin.FDRAIN | Admin.PMAINT)
    assert (wished(both, Origin.CLI), wished(both, Origin.CONFIG), wished(both, Origin.PUSH)) == (DRAIN, DRAIN, MAINT)


@pytest.mark.parametrize(
    'flags,expected',
    [
        (0, 0),
        (Admin.FMAINT, Admin.FMAINT),
        (Admin.PMAINT, Admin.FMAINT),
        (Admin.PDRAIN | Admin.CMAINT, Admin.FDRAIN | Admin.CMAINT),
        (Admin.PMAINT | Admin.PDRAIN, Admin.FMAINT | Admin.FDRAIN),
    ],
)
def test_flags_as_haproxy_numbers_them(flags: int, expected: int) -> None:
    assert shown(flags) == expected
