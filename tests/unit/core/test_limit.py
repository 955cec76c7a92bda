"""Limits: static, dynamic, none; and what a line's two numbers mean."""

from __future__ import annotations

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataplane.core.layout import UNLIMITED
from dataplane.core.limit import bounds, declared, default_fullconn, limit
from dataplane.core.model import Backend, Frontend
from dataplane.rules.actions import Rules, Switch
from tests.unit.core.farm import SMALL


def at(top: int, low: int, fullconn: int, beconn: int) -> int:
    cells = array('q', [0]) * SMALL.size
    cells[SMALL.BACKEND + 3] = 2
    cells[SMALL.LIMIT + 3], cells[SMALL.MINLIMIT + 3], cells[SMALL.FULLCONN + 2] = top, low, fullconn
    return limit(cells, SMALL, 3, beconn)


@pytest.mark.parametrize(
    'beconn, slots', [(0, 10), (19, 10), (20, 10), (21, 10), (22, 11), (100, 50), (199, 99), (200, 100), (999, 100)]
)
def test_a_dynamic_limit_grows_with_the_backends_load(beconn: int, slots: int) -> None:
    assert at(100, 10, 200, beconn) == slots


@given(st.integers(-1, 1000), st.integers(0, 10_000), st.integers(1, 1000))
def test_a_static_limit_does_not_move(top: int, beconn: int, fullconn: int) -> None:
    assert at(top, top, fullconn, beconn) == top


def test_without_slots_load_changes_nothing() -> None:
    assert at(0, 5, 10, 9) == 0
    assert at(UNLIMITED, 5, 10, 9) == UNLIMITED


@given(st.integers(1, 1000), st.integers(1, 1000), st.integers(1, 1000), st.integers(0, 2000))
def test_between_its_bounds_and_rising(maxconn: int, minconn: int, fullconn: int, beconn: int) -> None:
    top, low = bounds(*declared(maxconn, minconn))
    found = at(top, low, fullconn, beconn)
    assert low <= found <= top
    assert found <= at(top, low, fullconn, beconn + 1)


@pytest.mark.parametrize(
    'line, meaning', [((0, 0), (0, 0)), ((10, 0), (10, 10)), ((0, 4), (4, 4)), ((3, 4), (4, 4)), ((10, 4), (10, 4))]
)
def test_what_a_line_means(line: tuple[int, int], meaning: tuple[int, int]) -> None:
    assert declared(*line) == meaning


@pytest.mark.parametrize(
    'now, cells', [((0, 0), (-1, -1)), ((0, 4), (-1, -1)), ((10, 4), (10, 4)), ((3, 4), (3, 3)), ((5, 5), (5, 5))]
)
def test_what_the_cells_say(now: tuple[int, int], cells: tuple[int, int]) -> None:
    assert bounds(*now) == cells


def test_default_fullconn_is_a_tenth_of_who_can_reach_it() -> None:
    def front(maxconn: int, **settings: object) -> Frontend:
        return Frontend(name='f', id=2, binds=(), maxconn=maxconn, **settings)  # type: ignore[arg-type]

    fronts = [
        front(1000, default_backend='b'),
        front(101, rules=Rules(switches=(Switch('b'),)), default_backend='c'),
        front(5000, default_backend='c'),
        front(7000, use_routes=True),
    ]
    assert default_fullconn(Backend(name='b', id=3), fronts) == 111
    assert default_fullconn(Backend(name='p', id=3, pushed=True), fronts) == 700
    assert default_fullconn(Backend(name='z', id=3), fronts) == 1


@pytest.mark.parametrize(
    'maxconn, minconn, share, cells',
    [
        (10, 10, 3, (3, 3)),
        (10, 2, 3, (3, 2)),
        (10, 4, 3, (3, 3)),
        (2, 2, 3, (2, 2)),
        (0, 0, 3, (3, 3)),
        (10, 2, 0, (0, 0)),
    ],
)
def test_no_number_raises_a_share(maxconn: int, minconn: int, share: int, cells: tuple[int, int]) -> None:
    assert bounds(maxconn, minconn, share) == cells
