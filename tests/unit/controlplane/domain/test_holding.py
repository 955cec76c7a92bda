from __future__ import annotations

from controlplane.domain.holding import ANY, NONE, UNKNOWN, Holding, held
from controlplane.domain.version import Version

V1, V2, V3 = (Version(1, seq) for seq in (1, 2, 3))


def test_what_is_told_may_be_in_force_at_once_and_what_was_may_still_be() -> None:
    holding = held(V1, 3, 0).assigned(V2, 1).assigned(V3, 2)
    assert (holding.share, holding.bound) == (2, 3)
    assert held(V1, 1, 0).assigned(V2, 4).bound == 4


def test_an_ack_leaves_what_may_be_in_flight() -> None:
    holding = held(V1, 3, 0).assigned(V2, 1).acked(V2)
    assert (holding.share, holding.bound, holding.settled) == (1, 3, False)
    assert holding.reported(V1, 0).bound == 3, 'figures from before the ack say nothing'
    assert holding.reported(V2, 2).bound == 2
    assert holding.reported(V2, 2).reported(V3, 3).bound == 2, 'what is above a share can but fall'
    assert holding.reported(V2, 1) == held(V2, 1, 0)
    assert holding.reported(V2, 1).settled


def test_an_ack_of_a_higher_share_leaves_nothing_behind() -> None:
    assert held(V1, 1, 0).assigned(V2, 3).acked(V2) == held(V2, 3, 0)


def test_an_ack_of_what_was_told_before_changes_nothing() -> None:
    holding = held(V2, 3, 0).assigned(V3, 1)
    assert holding.acked(V2) is holding
    assert holding.acked(V1) is holding


def test_of_whom_nothing_is_known_an_ack_is_not_enough() -> None:
    holding = UNKNOWN.assigned(V2, 1).acked(V2)
    assert holding.bound == ANY
    assert holding.reported(V2, 4).bound == 4
    assert NONE.bound == 0


def test_in_flight_within_the_share_is_not_remembered() -> None:
    assert held(V1, 2, 2) == Holding(((V1, 2),))
    assert held(V1, 2, 5).bound == 5
