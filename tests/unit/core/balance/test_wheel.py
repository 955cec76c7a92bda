"""What is asked of a wheel: whose turn it is, and who is tied to a hash value, whatever leaves, is full or loaded."""

from __future__ import annotations

from collections import Counter

import pytest

from dataplane.core.changes import SetAdmin, SetWeight
from dataplane.core.model import AdminState, Balance
from dataplane.rules.hashes import avalanche
from tests.unit.core.farm import Farm, backend, file, server

MAP, RING = Balance(algorithm='uri'), Balance(algorithm='uri', consistent=True)
BOUNDED = Balance(algorithm='uri', consistent=True, factor=110)
DOWN, UP = AdminState.MAINT, AdminState.READY
VALUES = [avalanche(number) for number in range(400)]


def farm_of(balance: Balance, *weights: int, maxconn: int = 0, **settings: object) -> Farm:
    lines = [
        server(f's{n}', n + 1, weight=weight, maxconn=maxconn, minconn=maxconn, **settings)
        for n, weight in enumerate(weights)
    ]
    return Farm(file(backend('px', 3, *lines, balance=balance)))


def target(farm: Farm, value: int, avoid: int = -1) -> int:
    farm.whole()
    return farm.index.target(farm.cells, 0, value, avoid, farm.room)


def targets(farm: Farm) -> list[int]:
    return [target(farm, value) for value in VALUES]


def test_static_round_robin_goes_round_and_past_the_full() -> None:
    farm = farm_of(Balance(algorithm='static-rr'), 1, 2, 1)
    assert farm.picks(8) == '01120112'
    assert [farm.pick(full=(0,)) for _ in range(3)] == [1, 1, 2]
    assert [farm.pick(avoid=1) for _ in range(3)] == [0, 2, 0]
    assert farm.pick(avoid=1, full=(0, 2)) == 1
    assert farm.pick(full=(0, 1, 2)) == -1


def test_where_many_are_full_who_has_had_room_for_the_longest_is_next() -> None:
    farm = Farm(
        file(backend('px', 3, *(server(f's{n}', n + 1) for n in range(12)), balance=Balance(algorithm='static-rr')))
    )
    farm.whole()
    for number in range(10):
        farm.limit(number, 0, 0)
    assert [farm.index.choose(farm.cells, 0, -1, farm.room, lambda: 0) for _ in range(4)] == [10, 11, 10, 11]


def test_a_map_gives_every_value_its_slot() -> None:
    farm = farm_of(MAP, 1, 2, 1)
    assert [target(farm, value) for value in range(8)] == [0, 1, 1, 2, 0, 1, 1, 2]
    assert target(farm, 1, avoid=1) == 1
    farm.apply(SetAdmin('px', 's1', DOWN))
    assert [target(farm, value) for value in range(4)] == [0, 2, 0, 2]


def test_on_a_ring_only_the_values_of_who_left_move_and_they_come_back() -> None:
    farm = farm_of(RING, 1, 1, 1, 1)
    before = targets(farm)
    assert min(Counter(before).values()) > 30
    farm.apply(SetAdmin('px', 's2', DOWN))
    during = targets(farm)
    assert 2 not in during
    assert all(now == then for now, then in zip(during, before, strict=True) if then != 2)
    farm.apply(SetAdmin('px', 's2', UP))
    assert targets(farm) == before


def test_a_ring_goes_by_weight_as_it_is_now() -> None:
    farm = farm_of(RING, 10, 10)
    before = targets(farm)
    farm.apply(SetWeight('px', 's0', 1))
    lighter = targets(farm)
    assert Counter(lighter)[0] < 80
    assert all(then == 0 for now, then in zip(lighter, before, strict=True) if now == 0)
    farm.apply(SetWeight('px', 's0', 100, percent=True))
    assert targets(farm) == before


def test_on_a_ring_somebody_else_is_tried_after_a_failure() -> None:
    farm = farm_of(RING, 1, 1, 1)
    for value in VALUES[:50]:
        assert target(farm, value, avoid=target(farm, value)) != target(farm, value)
    farm.apply(SetAdmin('px', 's1', DOWN), SetAdmin('px', 's2', DOWN))
    assert target(farm, 5, avoid=0) == 0


def test_nobody_in_rotation_is_nobody_to_be_tied_to() -> None:
    for balance in (MAP, RING, Balance(algorithm='sticky')):
        farm = farm_of(balance, 1)
        farm.apply(SetAdmin('px', 's0', DOWN))
        assert target(farm, 3) == -1


def test_algorithms_without_a_hash_tie_nobody() -> None:
    for word in ('roundrobin', 'static-rr', 'leastconn', 'first', 'random'):
        assert target(farm_of(Balance(algorithm=word), 1, 1), 3) == -1


def full(farm: Farm, server: int) -> None:
    farm.limit(server, 0, 0)


@pytest.mark.parametrize('affinity, leaves', [('always', False), ('maxconn', True), ('maxqueue', True)])
def test_what_a_stream_keeps_to_its_server_for(affinity: str, leaves: bool) -> None:
    farm = farm_of(Balance(algorithm='uri', consistent=True, affinity=affinity), 1, 1, maxconn=5, maxqueue=2)
    tied = target(farm, 77)
    farm.whole()
    full(farm, tied)
    assert (target(farm, 77) != tied) is (affinity == 'maxconn')
    farm.cells[farm.at.QUEUE_LENGTH + 2 * tied + 1] = 2
    assert (target(farm, 77) != tied) is leaves
    full(farm, 1 - tied)
    farm.cells[farm.at.QUEUE_LENGTH + 2 * (1 - tied)] = 2
    assert target(farm, 77) == tied, 'with nobody better it is the nearest'


def test_nobody_takes_more_than_the_factor_says() -> None:
    farm = farm_of(BOUNDED, 1, 1, 2)
    farm.whole()
    for streams in range(1, 60):
        farm.index.take(farm.cells, target(farm, 77))
        in_use = [farm.cells[farm.at.TOTAL + n] for n in range(3)]
        for number, weight in enumerate((1, 1, 2)):
            assert in_use[number] <= -(-streams * 110 // 100) * weight // 4 + 1
    assert min(in_use) > 0
    for number in range(3):
        while farm.cells[farm.at.TOTAL + number]:
            farm.index.give_back(farm.cells, number)
    assert farm.cells[farm.at.FWRR_CYCLE] == 0


def test_a_sticky_backend_has_one_server_until_it_leaves() -> None:
    farm = farm_of(Balance(algorithm='sticky'), 1, 1, 1)
    assert target(farm, 0) == 0
    farm.apply(SetAdmin('px', 's0', DOWN))
    assert target(farm, 0) == 1
    farm.apply(SetAdmin('px', 's0', UP))
    assert target(farm, 0) == 1, 'who comes back takes nothing away'
    farm.apply(SetAdmin('px', 's1', DOWN))
    assert target(farm, 0) == 0


def test_an_active_server_goes_before_the_backup_a_sticky_backend_fell_back_to() -> None:
    lines = [server('a', 1), server('b', 2, backup=True), server('c', 3, backup=True)]
    farm = Farm(file(backend('px', 3, *lines, balance=Balance(algorithm='sticky'))))
    farm.apply(SetAdmin('px', 'a', DOWN), SetAdmin('px', 'b', DOWN))
    assert target(farm, 0) == 2
    farm.apply(SetAdmin('px', 'b', UP))
    assert target(farm, 0) == 2
    farm.apply(SetAdmin('px', 'a', UP))
    assert target(farm, 0) == 0


@pytest.mark.parametrize('balance', [MAP, RING, Balance(algorithm='static-rr')])
@pytest.mark.parametrize('allbackups', [False, True])
def test_backups_serve_by_the_same_algorithm(balance: Balance, allbackups: bool) -> None:
    lines = [server('a', 1), server('b', 2, backup=True), server('c', 3, backup=True)]
    farm = Farm(file(backend('px', 3, *lines, balance=balance, allbackups=allbackups)))
    assert set(farm.picks(6)) == {'0'}
    farm.apply(SetAdmin('px', 'a', DOWN))
    assert set(farm.picks(40)) == ({'1', '2'} if allbackups else {'1'})
    if balance.hashed:
        assert set(targets(farm)) == ({1, 2} if allbackups else {1})
