"""What reaches how far: which servers are offered while the control plane is heard, is not, has been left or has lost its say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dataplane.core.reach import Reach
from dataplane.core.record import appeared
from tests.unit.core.farm import server

WHOLE, PART, NONE, DUE = (None, False), (2, False), (0, False), (0, True)


@pytest.mark.parametrize(
    'reach, offered',
    [
        (Reach.HEARD, {WHOLE, PART, DUE}),
        (Reach.ALONE, {WHOLE, PART}),
        (Reach.LEFT, {WHOLE}),
        (Reach.ENDED, set()),
    ],
)
def test_the_less_is_heard_the_fewer_are_offered(reach: Reach, offered: set[tuple[int | None, bool]]) -> None:
    for share, due in (WHOLE, PART, NONE, DUE):
        line = replace(server('s', 1, weight=10, maxconn=8, minconn=8), share=share, share_due=due)
        assert appeared(line, 3, 1, 'b', 100).offered(reach) is ((share, due) in offered)


def test_every_reach_is_known() -> None:
    assert [str(reach) for reach in Reach] == ['heard', 'alone', 'left', 'ended']
