"""First: the lowest id with room, as recorded from HAProxy 2.6."""

from __future__ import annotations

from dataplane.core.changes import SetAdmin
from dataplane.core.model import AdminState, Balance
from tests.unit.core.farm import Farm, backend, file, server, weighted

RECORDED = '+0-0+0+0+1+2-0-2+0+2-0-2+0-0+0-0+0+2-1+1-0-2+0+2-0+0-0+0-1-0+0+1-1+1-2-1-0-0+0+0'


def test_order_is_haproxys() -> None:
    weighted((1, 9, 1), (2, 1, 1), 'first').replay(RECORDED)


def test_by_id_and_not_by_place() -> None:
    servers = server('c', 30), server('a', 10), server('b', 20)
    farm = Farm(file(backend('b', 3, *servers, balance=Balance(algorithm='first'))))
    assert farm.pick() == 1
    assert farm.pick(full=(1,)) == 2


def test_avoided_drained_and_full() -> None:
    farm = weighted((1, 1, 1), algorithm='first')
    assert farm.pick(avoid=0) == 1
    farm.apply(SetAdmin('b', 's1', AdminState.DRAIN))
    assert farm.pick(avoid=0) == 2
    assert farm.pick(avoid=0, full=(1, 2)) == 0
    assert farm.pick(full=(0, 1, 2)) == -1
    assert farm.pick() == 0
