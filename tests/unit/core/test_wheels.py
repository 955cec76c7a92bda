"""Wheels: whose slots they are, what points are made from, and where in the pool they lie."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataplane.core.balance.wheel import PLACE_BITS, POINT_BITS
from dataplane.core.changes import AdoptFile, SetAdmin, SetWeight
from dataplane.core.compose import Refused
from dataplane.core.layout import Layout
from dataplane.core.model import AdminState, Backend, Balance, Server
from dataplane.core.wheels import key_of, spread, unit_of
from dataplane.rules.hashes import avalanche
from tests.unit.core.farm import Farm, backend, file, server

MAP, RING = Balance(algorithm='uri'), Balance(algorithm='uri', consistent=True)


def scanned(weights: list[int]) -> list[int]:
    """The same by looking at everybody for every slot."""
    whole, scores, slots = sum(weights), [0] * len(weights), []
    for _ in range(whole):
        scores = [score + weight for score, weight in zip(scores, weights, strict=True)]
        best = max(range(len(weights)), key=lambda i: ((scores[i] + whole) // whole, -i))
        scores[best] -= whole
        slots.append(best)
    return slots


@given(st.lists(st.integers(1, 20), min_size=1, max_size=12))
def test_slots_are_those_of_a_scan(weights: list[int]) -> None:
    assert spread(weights) == scanned(weights)


def test_a_unit_is_what_all_weights_are_multiples_of() -> None:
    assert [unit_of(weights) for weights in ([], [0, 0], [4, 6], [0, 5, 10])] == [1, 1, 2, 5]


@pytest.mark.parametrize(
    'settings, key',
    [
        ({}, 7 << 12),
        ({'host': '10.0.0.1', 'hash_key': 'addr'}, avalanche(0x0100_000A)),
        ({'host': '10.0.0.1', 'hash_key': 'addr-port'}, avalanche(avalanche(80) + 0x0100_000A & 0xFFFF_FFFF)),
        ({'host': 'name.test', 'hash_key': 'addr'}, 7 << 12),
    ],
)
def test_points_are_made_from_the_id_or_the_address(settings: dict[str, str], key: int) -> None:
    assert key_of(Server(**{'name': 's', 'id': 7, 'host': 'h', 'port': 80} | settings)) == key  # type: ignore[arg-type]


def test_an_ipv6_address_is_hashed_too() -> None:
    keys = {
        key_of(Server(name='s', id=1, host=f'2001:db8::{n}', port=80, hash_key=key))
        for n in (1, 2)
        for key in ('addr', 'addr-port')
    }
    assert len(keys) == 4


def px(balance: Balance, *weights: int) -> Backend:
    lines = [server(f's{n}', n + 1, weight=weight) for n, weight in enumerate(weights)]
    return backend('px', 3, *lines, balance=balance)


def wheel(farm: Farm, of: int = 0) -> list[int]:
    """The slots that the board has."""
    start, size = farm.cells[farm.at.WHEEL + of], farm.cells[farm.at.WHEEL_SIZE + of]
    return list(farm.cells[start : start + size])


def test_a_map_is_made_anew_when_somebody_leaves_and_is_not_otherwise() -> None:
    farm = Farm(file(px(MAP, 2, 4, 2)))
    assert wheel(farm) == [0, 1, 1, 2]
    farm.apply(SetAdmin('px', 's1', AdminState.DRAIN))
    assert wheel(farm) == [0, 2]
    assert not farm.apply(SetAdmin('px', 's1', AdminState.DRAIN)).staged
    farm.apply(SetAdmin('px', 's1', AdminState.READY))
    assert wheel(farm) == [0, 1, 1, 2]
    farm.apply(*(SetAdmin('px', f's{n}', AdminState.MAINT) for n in range(3)))
    assert wheel(farm) == []


def test_the_points_of_a_ring_stay_until_few_of_them_count() -> None:
    farm = Farm(file(px(RING, 1, 1, 1, 1, 1)))
    made = wheel(farm)
    assert len(made) == 5 * 16
    assert sorted(slot >> PLACE_BITS for slot in made if slot >> POINT_BITS & 0x3FFF == 2) == sorted(
        avalanche((3 << 12) + point) for point in range(16)
    )
    for number in range(3):
        assert not farm.apply(SetAdmin('px', f's{number}', AdminState.MAINT)).staged
    farm.apply(SetAdmin('px', 's3', AdminState.MAINT))
    assert len(wheel(farm)) == 16
    farm.apply(SetAdmin('px', 's0', AdminState.READY))
    assert len(wheel(farm)) == 32


def test_a_server_that_weighs_more_gets_more_points_and_keeps_them() -> None:
    farm = Farm(file(px(RING, 1, 1)))
    assert not farm.apply(SetWeight('px', 's0', 0)).staged
    farm.apply(SetWeight('px', 's0', 3))
    assert len(wheel(farm)) == 64
    assert not farm.apply(SetWeight('px', 's0', 1)).staged


def test_what_is_staged_lies_where_nothing_lay() -> None:
    farm = Farm(file(px(MAP, 1, 1, 1)))
    for state in (AdminState.DRAIN, AdminState.READY) * 4:
        before = range(farm.cells[farm.at.WHEEL], farm.cells[farm.at.WHEEL] + farm.cells[farm.at.WHEEL_SIZE])
        for image in farm.apply(SetAdmin('px', 's1', state)).staged:
            assert image.start not in before
            assert before.start not in range(image.start, image.start + len(image.values))


def test_in_a_full_pool_wheels_are_moved_within_the_hold() -> None:
    layout = Layout(workers=1, servers=12, backends=4, frontends=3, entries=8, wheels=7)
    farm = Farm(file(px(MAP, 1, 1, 1, 1), backend('other', 4, server('o', 1), server('p', 2), balance=MAP)), layout)
    made = farm.apply(SetAdmin('px', 's1', AdminState.DRAIN))
    assert (wheel(farm), wheel(farm, 1), made.staged) == ([0, 2, 3], [4, 5], ())
    farm.apply(SetAdmin('px', 's1', AdminState.READY))
    assert (wheel(farm), wheel(farm, 1)) == ([0, 1, 2, 3], [4, 5])


def test_what_needs_more_than_the_pool_has_is_refused() -> None:
    layout = Layout(workers=1, servers=12, backends=4, frontends=3, entries=8, wheels=40)
    farm = Farm(file(px(RING, 1, 1)), layout)
    with pytest.raises(Refused, match="backend 'px': its servers weigh too much"):
        farm.ledger.apply(SetWeight('px', 's0', 2), 0)
    with pytest.raises(Refused, match="backend 'px': its servers weigh too much"):
        farm.ledger.propose(AdoptFile(file(px(RING, 1, 2))))
    farm.ledger.propose(AdoptFile(file(px(MAP, 100, 200))))


@pytest.mark.parametrize('balance', [Balance(algorithm='static-rr'), MAP, Balance(algorithm='sticky')])
def test_static_algorithms_know_two_weights(balance: Balance) -> None:
    farm = Farm(file(px(balance, 5, 5)))
    for weight, percent in ((0, False), (5, False), (0, True), (100, True)):
        farm.apply(SetWeight('px', 's0', weight, percent))
    with pytest.raises(Refused, match='Backend is using a static LB algorithm'):
        farm.ledger.apply(SetWeight('px', 's0', 50, percent=True), 0)
