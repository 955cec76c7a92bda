from __future__ import annotations

from array import array

import pytest

from dataplane.core.balance import BALANCERS
from dataplane.core.balance.balancer import Balancer
from dataplane.core.balance.tree import Shape
from dataplane.core.layout import Algorithm, Layout

AT = Layout(workers=1, servers=1, backends=1, frontends=1, entries=1)


def test_every_algorithm_has_one_and_only_those_that_go_by_load_look_at_every_slot() -> None:
    assert set(BALANCERS) == set(Algorithm)
    assert all(isinstance(balancer, Balancer) for balancer in BALANCERS.values())
    moved = {algorithm for algorithm, balancer in BALANCERS.items() if balancer.moves}
    assert moved == {Algorithm.LEASTCONN, Algorithm.BOUNDED}


def test_one_that_answers_nothing_says_so() -> None:
    cells, shape, nobody = array('q', bytes(8 * AT.size)), Shape(AT, 0, (0,)), Balancer()
    with pytest.raises(NotImplementedError):
        nobody.choose(cells, shape, -1, lambda server: True, lambda: 0)
    with pytest.raises(NotImplementedError):
        nobody.look(cells, shape, 0)
    with pytest.raises(NotImplementedError):
        nobody.join(cells, shape, 1)
    with pytest.raises(NotImplementedError):
        nobody.forget(cells, AT, 0, (0,))
