"""What a tree cannot say: who has room where limits grow with the load, and who is left when one is to be avoided."""

from __future__ import annotations

import pytest

from dataplane.core import invariants
from dataplane.core.model import Balance
from tests.unit.core.farm import Farm, backend, file, server, weighted


@pytest.mark.parametrize('algorithm', ['first', 'leastconn'])
def test_avoiding_leaves_the_tree_as_it_was(algorithm: str) -> None:
    farm = weighted((1, 1, 1), algorithm=algorithm)
    farm.whole()
    before = farm.cells[:]
    assert farm.pick(avoid=0) == 1
    assert farm.cells == before
    invariants.check(farm.cells, farm.at)


@pytest.mark.parametrize('algorithm', ['first', 'leastconn'])
def test_dynamic_limits_are_asked_of_each(algorithm: str) -> None:
    servers = [server(f's{i}', i + 1, maxconn=8, minconn=1) for i in range(4)]
    farm = Farm(file(backend('b', 3, *servers, balance=Balance(algorithm=algorithm), fullconn=1_000)))
    for busy in range(3):
        farm.index.take(farm.cells, busy)
    assert farm.pick() == farm.pick(avoid=3) == 3
    farm.index.take(farm.cells, 3)
    assert farm.pick() == farm.pick(avoid=3) == -1
    farm.cells[farm.at.BETOTAL] = 500
    assert farm.pick() == 0
    assert farm.pick(avoid=0) == 1
