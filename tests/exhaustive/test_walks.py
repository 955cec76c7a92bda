"""Larger worlds than can be explored in full: hypothesis chooses a way through them, every invariant checked on it."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataplane.core.layout import UNLIMITED, Algorithm
from tests.exhaustive.explore import Explorer
from tests.exhaustive.reach import TO_THE_END
from tests.exhaustive.world import DRAINED, KILL, OFF, OFF1, ON, ON1, ONE, TWO, State, Wish, World

FREE = ('limit', 0, UNLIMITED)
EVERYBODY = tuple(
    Wish(v, own, persistent) for v in range(4) for own, persistent in ((None, False), (0, True), (1, False))
)

WALKS = 300 if TO_THE_END else 20

LARGE: dict[str, World] = {
    'roundrobin': World(
        4, (1, 2, 1), EVERYBODY, (OFF, ON, DRAINED, TWO, ON), 2, 3, 2, 2, 3, algorithm=Algorithm.ROUNDROBIN
    ),
    'leastconn': World(
        4, (2, 1), EVERYBODY, (OFF, OFF1, ON, KILL, ON1, ONE), 2, 3, 2, 2, 2, algorithm=Algorithm.LEASTCONN
    ),
    'random': World(3, (1, 1, 1), EVERYBODY[:9], (DRAINED, FREE, ON, OFF1), 1, 3, 1, 1, 4, algorithm=Algorithm.RANDOM),
    'first, backup': World(3, (1, 1, 2), EVERYBODY[:9], (OFF, ON, DRAINED), 2, 2, 2, 2, 2, backups=(2,)),
    'minconn': World(3, (3, 2), EVERYBODY[:9], (OFF, ON), 1, 4, 1, 1, 2, minlimits=(1, 1), fullconn=6),
    'small pool, full queues': World(3, (1, 1), EVERYBODY[:9], (OFF, ON), 1, 2, 1, 1, 2, pool=4, maxqueue=1),
}


@pytest.mark.parametrize('name', LARGE)
def test_a_way_through_a_large_world(name: str) -> None:
    """Sixty steps, each chosen among all that may come next; at the end all that comes by itself is let come."""
    explorer = Explorer(LARGE[name])

    @settings(max_examples=WALKS, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.integers(0, 10_000), min_size=30, max_size=60))
    def walk(choices: list[int]) -> None:
        x = State(LARGE[name])
        for choice in choices:
            following = list(explorer.steps(x))
            if not following:
                break
            x = following[choice % len(following)][1]
            explorer.check(x)
        settle(explorer, x)

    walk()


def settle(explorer: Explorer, x: State) -> None:
    """Whatever order it comes in, what comes by itself comes to an end, and everything holds then."""
    for _ in range(500):
        coming = next((n for _, n, itself in explorer.steps(x) if itself), None)
        if coming is None:
            explorer.check(x)
            return
        x = coming
        explorer.check(x)
    raise AssertionError('what comes by itself does not come to an end')
