"""Random draws: by weight, the lighter of those drawn, never one without room while another has some."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataplane.core.changes import SetAdmin
from dataplane.core.model import AdminState, Balance
from tests.unit.core.farm import Farm, backend, file, server


def drawn(weights: tuple[int, ...], draws: int = 1) -> Farm:
    servers = [server(f's{i}', i + 1, weight=weight) for i, weight in enumerate(weights)]
    return Farm(file(backend('b', 3, *servers, balance=Balance(algorithm='random', draws=draws))))


def dice(seed: int = 1) -> Callable[[], int]:
    rng = random.Random(seed)
    return lambda: rng.getrandbits(32)


def share(farm: Farm, count: int = 6_000, full: Iterable[int] = ()) -> list[float]:
    draw = dice()
    seen = Counter(farm.pick(full=full, draw=draw) for _ in range(count))
    return [seen[s] / count for s in range(len(farm.ledger.tables.members[0]))]


@pytest.mark.parametrize('weights', [(1, 1, 1), (3, 2, 1), (256, 1, 1), (0, 5, 5)], ids=str)
def test_by_weight(weights: tuple[int, ...]) -> None:
    assert share(drawn(weights)) == pytest.approx([w / sum(weights) for w in weights], abs=0.03)


def test_by_weight_also_when_most_have_no_room() -> None:
    farm = drawn((1, 1, 1, 1, 1, 1, 1, 1, 2, 4))
    found = share(farm, full=range(8))
    assert found == pytest.approx([0] * 8 + [1 / 3, 2 / 3], abs=0.03)


def test_two_draws_take_the_lighter_for_its_weight() -> None:
    farm = drawn((1, 2), draws=2)
    farm.cells[farm.at.TOTAL], farm.cells[farm.at.TOTAL + 1] = 3, 4
    draws = iter([0, 2**32 - 1])
    assert farm.pick(draw=lambda: next(draws)) == 1
    farm.cells[farm.at.TOTAL + 1] = 7
    heavy_first = iter([2**32 - 1, 0])
    assert farm.pick(draw=lambda: next(heavy_first)) == 0


def test_the_first_drawn_on_a_tie() -> None:
    farm = drawn((1, 1), draws=2)
    draws = iter([2**31, 0])
    assert farm.pick(draw=lambda: next(draws)) == 1


@given(st.sets(st.integers(0, 4)), st.integers(-1, 4), st.integers(0, 2**32 - 1), st.integers(1, 3))
def test_never_full_never_avoided_while_there_is_another(full: set[int], avoid: int, number: int, draws: int) -> None:
    farm = drawn((1, 1, 9, 1, 256), draws)
    found = farm.pick(avoid, full, lambda: number)
    open_to = {0, 1, 2, 3, 4} - full
    if open_to - {avoid}:
        assert found in open_to - {avoid}
    else:
        assert found == (avoid if open_to else -1)


def test_one_hit_and_then_misses_still_compares() -> None:
    farm = drawn((1, 1, 1), draws=2)
    farm.cells[farm.at.TOTAL] = 1
    numbers = iter([0, *[2**32 - 1] * 8, 0])
    assert farm.pick(full=(2,), draw=lambda: next(numbers)) == 1


def test_only_servers_in_rotation() -> None:
    farm = drawn((1, 1))
    farm.apply(SetAdmin('b', 's0', AdminState.DRAIN))
    assert farm.pick() == 1
    farm.apply(SetAdmin('b', 's1', AdminState.MAINT))
    assert farm.pick() == -1


def test_down_the_tree_an_avoided_one_is_only_drawn_alone() -> None:
    farm = drawn((4, 2, 1, 1, 1, 1, 1, 1, 1))
    draw = dice()
    seen = Counter(farm.pick(avoid=0, full=range(3, 9), draw=draw) for _ in range(3_000))
    assert seen[0] == 0
    assert seen[1] / 3_000 == pytest.approx(2 / 3, abs=0.03)
    assert farm.pick(avoid=0, full=range(1, 9), draw=draw) == 0
    assert share(farm)[0] == pytest.approx(4 / 13, abs=0.03)


def test_dynamic_limits_are_asked_of_each() -> None:
    servers = [server(f's{i}', i + 1, maxconn=8, minconn=1) for i in range(4)]
    farm = Farm(file(backend('b', 3, *servers, balance=Balance(algorithm='random'), fullconn=1_000)))
    for busy in range(3):
        farm.index.take(farm.cells, busy)
    draw = dice()
    assert {farm.pick(draw=draw) for _ in range(50)} == {3}
    assert farm.pick(avoid=3, draw=draw) == 3
    farm.index.take(farm.cells, 3)
    assert farm.pick(draw=draw) == -1
    farm.cells[farm.at.BETOTAL] = 500
    assert {farm.pick(draw=draw) for _ in range(50)} == {0, 1, 2, 3}
