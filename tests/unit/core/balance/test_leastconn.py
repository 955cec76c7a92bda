"""Least connections against sequences recorded from HAProxy 2.6, and what HAProxy leaves open."""

from __future__ import annotations

import pytest

from dataplane.core.balance.leastconn import NUMBERS
from dataplane.core.changes import SetAdmin, SetWeight
from dataplane.core.index import forget
from dataplane.core.model import AdminState
from tests.unit.core.farm import weighted

RECORDED = {
    ((1, 1, 1, 1), (9, 9, 9, 9)): (
        '+0+1+2+3+0+1+2-0+3+0-0-0+0+0+1+2-2+3+0-1+2-0-0+0+1-3+0+3+2+1+0+3-3+3-2+2-0-1-2+0+1-0+2-0+0-2+0-2-1-1+2+1-3+2-0'
        '+1-0-2-0+0-1-3+0-0-3-2+3+0+2-3-1-0+3-1-1-0-0-3+1+0'
    ),
    ((3, 2, 1), (9, 9, 9)): (
        '+0+1+2+0+1+0+0-1+1+1-1-0+0+1+0+2-0+0+1-1+0-1-1+1+1-1+1+1+0+1+0+2-0+0-2+1-1-0-2+2+0-1+1-0+0-0+0-1-1-0+1+1-2+2-0'
        '+0-0-1-0+0-0-0+0-0-1-2+0+1+2-0-1-0+0-1-0-2-1-0+1+0'
    ),
    ((1, 1, 1), (2, 1, 1)): (
        '+0+1+2+0-0+0-1-0+1+0-2-1-0+2-2+1+2-0+0-0-1+0+1-2+2+0-2+2-0+0-2-0+2+0-2-1+2-2+1-0-0+2-1+0-0+1-2+0-0-1+2-2+0+1-0'
        '+2-2+0-1-0+2+1+0-1-0+1-1+0-2-0+1-1+2-2+0-0+1+2-1-2'
    ),
}


@pytest.mark.parametrize('weights, limits', RECORDED, ids=str)
def test_never_a_higher_key_than_haproxys(weights: tuple[int, ...], limits: tuple[int, ...]) -> None:
    farm = weighted(weights, limits, 'leastconn')
    script = RECORDED[weights, limits]

    def key(server: int) -> int:
        served = farm.cells[farm.at.TOTAL + server]
        return (served + 1) * 4096 // (16 * weights[server]) if served else 0

    for place in range(0, len(script), 2):
        number = int(script[place + 1])
        if script[place] == '+':
            assert key(farm.pick()) == key(number), script[:place]
        (farm.index.take if script[place] == '+' else farm.index.give_back)(farm.cells, number)


def test_among_equal_weights_with_room_the_order_is_haproxys() -> None:
    weighted((1, 1, 1, 1), (9, 9, 9, 9), 'leastconn').replay(RECORDED[(1, 1, 1, 1), (9, 9, 9, 9)])


def test_equals_take_turns() -> None:
    farm = weighted((1, 1, 1), algorithm='leastconn')
    assert farm.picks(7) == '0120120'


def test_the_avoided_one_only_when_nobody_else_has_room() -> None:
    farm = weighted((1, 1, 1), algorithm='leastconn')
    assert farm.pick(avoid=0) == 1
    assert farm.pick(avoid=0, full=(1, 2)) == 0
    assert farm.pick(full=(0, 1, 2)) == -1


def test_only_servers_in_rotation() -> None:
    farm = weighted((1, 1, 1), algorithm='leastconn')
    farm.apply(SetAdmin('b', 's0', AdminState.DRAIN), SetWeight('b', 's1', 0))
    assert farm.picks(3) == '222'


def test_forgetting_begins_with_the_first() -> None:
    farm = weighted((1, 1, 1), algorithm='leastconn')
    farm.picks(2)
    forget(farm.cells, farm.at, 0)
    assert farm.picks(2) == '01'


def test_when_the_numbers_are_used_up_all_are_numbered_anew() -> None:
    farm = weighted((1, 1, 1), algorithm='leastconn')
    farm.picks(1)
    farm.cells[farm.at.CURSOR] = (1 << NUMBERS) - 1
    farm.index.take(farm.cells, 1)
    assert farm.cells[farm.at.STALE] == 1
    farm.index.give_back(farm.cells, 1)
    assert farm.picks(6) == '012012'
    assert farm.cells[farm.at.CURSOR] < 40
