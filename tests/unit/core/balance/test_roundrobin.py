"""Round robin against sequences recorded from HAProxy 2.6 with the same servers: the order is the same, pick for pick."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataplane.core.balance.roundrobin import FEW, NUMBERS
from dataplane.core.changes import SetAdmin, SetWeight
from dataplane.core.index import forget, spoil
from dataplane.core.layout import Layout
from dataplane.core.model import AdminState
from tests.unit.core.farm import Farm, backend, file, server, weighted

RECORDED = {
    (
        1,
        1,
        1,
        1,
    ): '01230123012301230',
    (
        1,
        2,
        3,
    ): '21202121202121202121202',
    (
        5,
        1,
        1,
    ): '00010020001002000100200010',
    (
        3,
        2,
    ): '00101001010010100101',
    (
        10,
        1,
    ): '00000000001000000000010000000000100000',
    (
        4,
        3,
        2,
        1,
    ): '01021030120102103012010210301201021',
    (
        7,
        5,
        3,
    ): '01021001201001201021001201001201021001201001201021',
    (
        100,
        50,
        25,
        1,
    ): (
        '00102010010201001020100102010010201001020103010201001020100102010010201001020100102010010201001020100102010010'
        '2010010201'
    ),
    (
        256,
        1,
    ): (
        '00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000'
        '0000000000'
    ),
    (
        2,
        2,
        1,
    ): '01012010120101201012',
    (1,): '00000000',
}

# weights, then picks seen and what was done on the stats socket after them
CHANGED: dict[str, tuple[tuple[int, ...], list[str | SetAdmin | SetWeight]]] = {
    'one that had all its picks': (
        (1, 1),
        [
            '0101010101010101010101010101010',
            SetWeight('b', 's0', 3),
            '100010001000100010001000100010001000100010001000100010001000',
        ],
    ),
    'heavier, then another lighter': (
        (1, 2, 3),
        [
            '2120',
            SetWeight('b', 's0', 6),
            '21002010200210020102',
            SetWeight('b', 's2', 1),
            '00012001000012001000',
        ],
    ),
    'lighter, then heavier': (
        (4, 4, 4),
        [
            '01201',
            SetWeight('b', 's1', 1),
            '20210202020210202020',
            SetWeight('b', 's1', 8),
            '201120112011201120112011201120',
        ],
    ),
    'one of equals leaves': (
        (1, 1, 1, 1),
        [
            '01230',
            SetAdmin('b', 's1', AdminState.MAINT),
            '2302302',
            SetAdmin('b', 's1', AdminState.READY),
            '302130213021',
        ],
    ),
    'the heaviest leaves': (
        (3, 2, 1),
        [
            '01020',
            SetAdmin('b', 's0', AdminState.MAINT),
            '1111211',
            SetAdmin('b', 's0', AdminState.READY),
            '2010102010102010',
        ],
    ),
    'all leave in turn': (
        (1, 1, 1),
        [
            '01',
            SetAdmin('b', 's0', AdminState.MAINT),
            '212',
            SetAdmin('b', 's1', AdminState.MAINT),
            '222',
            SetAdmin('b', 's2', AdminState.MAINT),
            SetAdmin('b', 's1', AdminState.READY),
            '11',
            SetAdmin('b', 's0', AdminState.READY),
            '101010',
        ],
    ),
}

# (weights, limits): requests as they came (+server) and ended (-server)
SATURATED = {
    ((1, 1, 1, 1), (1, 1, 1, 1)): (
        '+0-0+1-1+2-2+3-3+0+1-0-1+2-2+3-3+0+1+2+3-2+2-1-3-2-0+3+0+1+2-0-2+0-0+2+0-1+1-1+1-1+1-1-3+3+1-0-3+3+0-0-2-3-1+1'
        '-1+2-2+3+0+1+2-1-0+0+1-1-3+3+1-2-1-3-0+2+3-3-2+0+1-1-0+2-2+3-3+0-0+1+2+3+0-3+3-0+0-0+0-2-1-3-0+1-1+2-2+3+0-3+1'
        '+2+3-0+0-0-2-3-1+1+2'
    ),
    ((3, 2, 1), (2, 1, 1)): (
        '+0-0+1-1+0-0+2-2+0+1-0-1+0-0+1-1+0+2+0+1-0+0-2-1-0-0+1+0+2+0-0-0+0-0+0+0-2+2-2+2-2+2-2-1+1+2-0-1+0+1-1-0-0-2+0'
        '-0+0-0+1+0+0+2-0-0+0+0-0-1+0+1-2-1-0-0+0+1-1-0+0+2-2-0+0-0+1-1+0-0+1+0+2+0-2+2-0+0-0+0-0-1-2-0+1-1+0-0+1+0-1+2'
        '+0+1-0+0-0-0-1-2+1+0'
    ),
    ((1, 2, 3), (1, 1, 2)): (
        '+2-2+1-1+2-2+0-0+2+1-2-1+2-2+1-1+2+0+2+1-2+2-0-1-2-2+1+2+0+2-2-2+2-2+2+2-0+0-0+0-0+0-0-1+1+0-2-1+2+1-1-2-2-0+2'
        '-2+2-2+1+2+2+0-2-2+2+2-2-1+2+1-0-1-2-2+2+1-1-2+2+0-0-2+2-2+1-1+2-2+1+2+0+2-0+0-2+2-2+2-2-1-0-2+1-1+2-2+1+2-1+0'
        '+2+1-2+2-2-2-1-0+1+2'
    ),
    ((5, 1, 1, 2), (1, 3, 1, 1)): (
        '+0-0+0-0+3-3+0-0+1+0-1-0+3-3+0-0+2+0+3+1-0-3-1-2+0+3+2+1+1-1+1-1+1+1-1-1-2+2+1-3+3+1-1-1+1+1-1-1+1-1-3-2-0+0+3'
        '+2-3+3+1+1-1+1-1+1-0-1+0+1-1-0+0-1-2+2-0-3-2-1+0-0+0+3+1+2-2+1+2-3-1-2-1+3-3-0+0+1+3-0+0+2+1+1-1+1-1+1-1-1-1-3'
        '+3-0-2-3+0+3+2+1-3+3'
    ),
}


@pytest.mark.parametrize('weights', RECORDED, ids=str)
def test_order_is_haproxys(weights: tuple[int, ...]) -> None:
    assert weighted(weights).picks(len(RECORDED[weights])) == RECORDED[weights]


@pytest.mark.parametrize('name', CHANGED)
def test_order_after_changes_is_haproxys(name: str) -> None:
    weights, steps = CHANGED[name]
    farm = weighted(weights)
    for step in steps:
        if isinstance(step, str):
            assert farm.picks(len(step)) == step
        else:
            farm.apply(step)


@pytest.mark.parametrize('weights, limits', SATURATED, ids=str)
def test_order_around_full_servers_is_haproxys(weights: tuple[int, ...], limits: tuple[int, ...]) -> None:
    weighted(weights, limits).replay(SATURATED[weights, limits])


@given(st.lists(st.integers(1, 40), min_size=1, max_size=8))
def test_everybody_gets_its_weight_give_or_take_one(weights: list[int]) -> None:
    picks = weighted(weights).picks(sum(weights))
    assert all(abs(picks.count(str(i)) - weight) <= 1 for i, weight in enumerate(weights))


def test_the_avoided_one_only_when_nobody_else_has_room() -> None:
    farm = weighted((1, 1))
    assert [farm.pick(avoid=0) for _ in range(3)] == [1, 1, 1]
    assert farm.pick(avoid=0, full=(1,)) == 0
    assert weighted((1,)).pick(avoid=0) == 0


def test_where_nobody_has_room_nothing_moves() -> None:
    farm = weighted((1, 2, 3))
    seen = farm.picks(4)
    before = farm.cells[:]
    assert [farm.pick(full=(0, 1, 2)) for _ in range(5)] == [-1] * 5
    assert farm.cells == before
    assert seen + farm.picks(18) == RECORDED[1, 2, 3][:22]


def test_nobody_in_rotation() -> None:
    farm = weighted((1, 1))
    farm.apply(SetAdmin('b', 's0', AdminState.MAINT), SetWeight('b', 's1', 0))
    assert farm.pick() == -1


def test_cells_of_another_backend_are_no_place_in_this_one() -> None:
    farm = weighted((1, 1))
    farm.picks(3)
    farm.cells[farm.at.FWRR_SET + 1] += 1 << 2
    spoil(farm.cells, farm.at, 0)
    assert sorted(farm.picks(4)) == ['0', '0', '1', '1']


def test_numbers_stay_small() -> None:
    farm = weighted((7, 5, 3))
    highest = 0
    for turn in range(2_000):
        farm.pick(avoid=turn % 4, full=(turn % 3,))
        highest = max(highest, farm.cells[farm.at.FWRR_POS])
    assert highest < 3 * 16 * 15


@given(
    st.lists(st.integers(1, 20), min_size=2, max_size=6),
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 30), st.integers(0, 63), st.integers(-1, 5)), max_size=30),
)
def test_whatever_changes_a_pick_is_in_rotation_and_has_room(
    weights: list[int], steps: list[tuple[int, int, int, int]]
) -> None:
    farm = weighted(weights)
    for changed, weight, full, avoid in steps:
        farm.apply(SetWeight('b', f's{changed % len(weights)}', weight))
        open_to = [s for s in range(len(weights)) if farm.cells[farm.at.EWEIGHT + s] and not full >> s & 1]
        found = farm.pick(avoid, [s for s in range(len(weights)) if full >> s & 1])
        assert found in open_to if open_to else found == -1
        assert found == -1 or found != avoid or open_to == [avoid]


def test_forgetting_begins_anew() -> None:
    farm = weighted((1, 2, 3))
    farm.picks(5)
    forget(farm.cells, farm.at, 0)
    assert farm.picks(6) == RECORDED[1, 2, 3][:6]


def test_when_the_numbers_are_used_up_a_first_cycle_begins() -> None:
    farm = weighted((1, 2, 3))
    farm.picks(2)
    farm.cells[farm.at.CURSOR] = (1 << NUMBERS) - 1
    assert farm.picks(7) == '2' + RECORDED[1, 2, 3][:6]
    assert farm.cells[farm.at.CURSOR] < 20


@pytest.mark.parametrize('picked', range(12))
def test_a_server_that_comes_back_gets_its_share_at_once(picked: int) -> None:
    farm = weighted((1, 1, 1, 1))
    farm.picks(picked)
    farm.apply(SetAdmin('b', 's1', AdminState.DRAIN))
    assert '1' not in farm.picks(8)
    farm.apply(SetAdmin('b', 's1', AdminState.READY))
    assert farm.picks(8).count('1') == 2


MANY = Layout(workers=1, servers=40, backends=1, frontends=1, entries=1)


def many(count: int, **settings: object) -> Farm:
    servers = [server(f's{i}', i + 1, maxconn=2, minconn=2, **settings) for i in range(count)]
    return Farm(file(backend('b', 3, *servers, fullconn=1_000)), MANY)


@pytest.mark.parametrize('count', [FEW, FEW + 1, 40])
def test_however_many_the_order_is_that_of_turns(count: int) -> None:
    farm = many(count)
    found = []
    for _ in range(2 * count):
        found.append(farm.pick())
        farm.index.take(farm.cells, found[-1])
    assert found == [*range(count), *range(count)]
    assert farm.pick() == -1


def test_among_many_a_full_server_keeps_its_turn() -> None:
    farm = many(40)
    for busy in (0, 0, 1, 1):
        farm.index.take(farm.cells, busy)
    assert [farm.pick() for _ in range(10)] == list(range(2, 12))
    farm.index.give_back(farm.cells, 1)
    assert [farm.pick() for _ in range(3)] == [1, 12, 13]
    assert [farm.pick() for _ in range(40)] == [*range(14, 40), *range(2, 12), 1, 12, 13, 14]


def test_among_many_with_dynamic_limits_a_far_one_is_found_by_a_scan() -> None:
    servers = [server(f's{i}', i + 1, maxconn=9, minconn=1) for i in range(40)]
    farm = Farm(file(backend('b', 3, *servers, fullconn=1_000)), MANY)
    for busy in range(39):
        farm.index.take(farm.cells, busy)
    assert farm.pick() == farm.pick(avoid=39) == 39
    farm.index.take(farm.cells, 39)
    assert farm.pick() == -1
    farm.cells[farm.at.BETOTAL] = 500
    assert {farm.pick() for _ in range(120)} == set(range(40))
