"""Records: what a change of one server leads to, and what of it outlives a new declaration."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dataplane.core.model import AdminState, Origin
from dataplane.core.reach import Reach
from dataplane.core.record import appeared
from dataplane.core.state import OpState
from tests.unit.core.farm import server

READY, DRAIN, MAINT = AdminState.READY, AdminState.DRAIN, AdminState.MAINT
LINE = server('s', 1, weight=10, maxconn=8, minconn=8)
FRESH = appeared(LINE, 3, 1, 'b', 100)


def test_a_server_that_appears_runs() -> None:
    assert (FRESH.name, FRESH.index, FRESH.backend_index, FRESH.backend) == ('s', 3, 1, 'b')
    assert (FRESH.effective, FRESH.opstate, FRESH.changed_at) == (READY, OpState.RUNNING, 100)
    assert (FRESH.uweight, FRESH.iweight, FRESH.eweight, FRESH.maxconn, FRESH.minconn) == (10, 10, 160, 8, 8)
    assert FRESH.usable


def test_a_disabled_one_does_not() -> None:
    record = appeared(replace(LINE, disabled=True), 3, 1, 'b', 100)
    assert (record.admin, record.effective, record.opstate, record.usable) == (5, MAINT, OpState.STOPPED, False)


def test_maintenance_stops_and_leaving_it_starts() -> None:
    down = FRESH.asked(Origin.CLI, MAINT, 200)
    assert (down.effective, down.opstate, down.changed_at) == (MAINT, OpState.STOPPED, 200)
    drained = down.asked(Origin.CLI, DRAIN, 300)
    assert (drained.effective, drained.opstate, drained.changed_at) == (DRAIN, OpState.RUNNING, 300)
    assert drained.asked(Origin.CLI, READY, 400).changed_at == 400


def test_a_second_wish_for_the_same_changes_nothing_seen() -> None:
    down = FRESH.asked(Origin.CLI, MAINT, 200)
    assert down.asked(Origin.CLI, MAINT, 300) is down
    both = down.asked(Origin.PUSH, MAINT, 300)
    assert (both.effective, both.changed_at) == (MAINT, 200)
    assert both.asked(Origin.CLI, READY, 400).effective is MAINT
    assert both.wished(Origin.PUSH) is MAINT


def test_draining_keeps_it_running() -> None:
    drained = FRESH.asked(Origin.PUSH, DRAIN, 200)
    assert (drained.effective, drained.opstate, drained.usable) == (DRAIN, OpState.RUNNING, False)


def test_weights_are_absolute_or_of_the_declared_one() -> None:
    assert FRESH.weighed(0, percent=False).usable is False
    heavier = FRESH.weighed(20, percent=False)
    assert (heavier.uweight, heavier.weighed(50, percent=True).uweight) == (20, 5)
    with pytest.raises(ValueError, match='between 0 and 256'):
        FRESH.weighed(257, percent=False)


def test_a_static_limit_stays_static() -> None:
    assert (FRESH.limited(3).maxconn, FRESH.limited(3).minconn) == (3, 3)
    dynamic = appeared(replace(LINE, maxconn=8, minconn=2), 3, 1, 'b', 0).limited(5)
    assert (dynamic.maxconn, dynamic.minconn) == (5, 2)
    with pytest.raises(ValueError, match='out of range'):
        FRESH.limited(-1)


def test_a_generation_never_falls() -> None:
    shut = FRESH.shut(7)
    assert shut.generation == 7
    assert shut.shut(6) is shut


def test_the_same_declaration_is_the_same_record() -> None:
    assert FRESH.redeclared(LINE, 3, 1, 500) is FRESH


def test_what_was_set_outlives_what_was_not_declared_anew() -> None:
    busy = FRESH.asked(Origin.CLI, DRAIN, 1).weighed(3, percent=False).limited(2).shut(9)
    moved = busy.redeclared(replace(LINE, port=99), 4, 2, 500)
    assert (moved.index, moved.backend_index, moved.server.port) == (4, 2, 99)
    assert (moved.effective, moved.uweight, moved.iweight, moved.maxconn, moved.generation) == (DRAIN, 3, 10, 2, 9)


def test_a_new_declared_value_counts_at_once() -> None:
    busy = FRESH.weighed(3, percent=False).limited(2).asked(Origin.CLI, DRAIN, 1)
    assert busy.redeclared(replace(LINE, weight=7), 3, 1, 500).uweight == 7
    limited = busy.redeclared(replace(LINE, maxconn=9, minconn=4), 3, 1, 500)
    assert (limited.maxconn, limited.minconn, limited.uweight) == (9, 4, 3)
    disabled = busy.redeclared(replace(LINE, disabled=True), 3, 1, 500)
    assert (disabled.effective, disabled.changed_at) == (MAINT, 500)
    assert disabled.redeclared(LINE, 3, 1, 600).effective is READY


@pytest.mark.parametrize(
    'share, due, offered',
    [
        (None, False, {Reach.HEARD, Reach.ALONE, Reach.LEFT}),
        (2, False, {Reach.HEARD, Reach.ALONE}),
        (0, True, {Reach.HEARD}),
        (0, False, set()),
    ],
)
def test_a_server_is_offered_as_far_as_the_control_plane_s_word_reaches(
    share: int | None, due: bool, offered: set[Reach]
) -> None:
    record = appeared(replace(LINE, share=share, share_due=due), 3, 1, 'b', 100)
    assert {reach for reach in Reach if record.offered(reach)} == offered


def test_a_server_warms_up_in_whole_seconds_after_maintenance_but_not_when_it_appears() -> None:
    slow = appeared(replace(LINE, slowstart=4_000), 3, 1, 'b', 100)
    assert (slow.opstate, slow.eweight, slow.limits) == (OpState.RUNNING, 160, (8, 8))
    slow = slow.asked(Origin.CLI, MAINT, 200).asked(Origin.CLI, READY, 1_000)
    seen = []
    for now in (1_000, 1_999, 2_000, 3_500, 4_999, 5_000, 9_000):
        slow = slow.warmed(now)
        seen.append((slow.opstate, slow.eweight, slow.limits))
    starting, running = OpState.STARTING, OpState.RUNNING
    assert seen == [
        (starting, 10, (1, 1)), (starting, 10, (1, 1)), (starting, 50, (2, 2)), (starting, 90, (4, 4)),
        (starting, 130, (6, 6)), (running, 160, (8, 8)), (running, 160, (8, 8)),
    ]  # fmt: skip


def test_who_drains_while_it_warms_up_goes_on_warming() -> None:
    slow = appeared(replace(LINE, slowstart=10_000, disabled=True), 3, 1, 'b', 100).asked(Origin.CONFIG, READY, 0)
    assert slow.opstate is OpState.STARTING
    slow = slow.warmed(5_000).asked(Origin.CLI, DRAIN, 5_100).asked(Origin.CLI, READY, 5_200)
    assert (slow.opstate, slow.warm_since, slow.limits) == (OpState.STARTING, 0, (4, 4))


def test_warming_up_leaves_no_limit_without_one_and_none_at_none() -> None:
    unlimited = appeared(replace(LINE, maxconn=0, minconn=0, slowstart=2_000, disabled=True), 3, 1, 'b', 0)
    assert unlimited.asked(Origin.CONFIG, READY, 0).limits == (-1, -1)
    shared = appeared(replace(LINE, share=0, share_due=True, slowstart=2_000, disabled=True), 3, 1, 'b', 0)
    assert shared.asked(Origin.CONFIG, READY, 0).limits == (0, 0)
