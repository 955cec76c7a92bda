from __future__ import annotations

import pytest

from controlplane.domain.desired import Desired, Write
from controlplane.domain.refusals import Conflict, Invalid, NotFound
from controlplane.domain.version import Version
from tests.unit.controlplane.domain.specs import APP, BACKEND, ROUTE, S1, S2, SERVER, app

ROUTE_SPEC = {'host': '', 'pathPrefix': '/', 'backend': 'app'}


def test_what_changes_nothing_is_left_out() -> None:
    desired = app(S1, S2)
    assert desired.effective([Write(S1, {**SERVER}), Write(APP, BACKEND), Write(S2, SERVER, {})]) == []
    drain = Write(S1, {**SERVER, 'adminState': 'drain'})
    assert desired.effective([drain, Write(S2, SERVER)]) == [drain]


def test_labels_alone_are_a_change_that_data_planes_do_not_see() -> None:
    desired = app(S1)
    (write,) = desired.effective([Write(S1, SERVER, {'node': 'n1'})])
    after = desired.after([write], Version(1, 3))
    assert after.state == desired.state
    assert after.labels == {S1: {'node': 'n1'}}
    assert after.versions[S1] == (1, 3)
    assert after.after([Write(S1, {**SERVER, 'weight': 2})], Version(1, 4)).labels == after.labels


def test_a_backend_takes_its_servers_along() -> None:
    desired = app(S1, S2)
    gone = desired.after([Write(APP, None)], Version(1, 3))
    assert gone == Desired()
    assert gone.spec(S1) is None
    with pytest.raises(NotFound, match='no backend app'):
        gone.require(S1)
    with pytest.raises(NotFound, match='no backend app'):
        gone.servers('app')


def test_all_that_is_wrong_is_said_at_once() -> None:
    writes = [Write(S1, {**SERVER, 'port': 0}), Write(S2, {**SERVER, 'weight': -1}, {'a b': 'c'})]
    with pytest.raises(Invalid) as refused:
        app().effective(writes)
    assert len(refused.value.problems) == 3
    many = {f'l{n}': '' for n in range(33)}
    with pytest.raises(Invalid, match='more than 32 labels'):
        app().effective([Write(S1, SERVER, many)])


def test_a_server_needs_its_backend_and_a_match_only_one_route() -> None:
    with pytest.raises(Conflict, match='no such backend'):
        Desired().effective([Write(S1, SERVER)])
    desired = Desired().after([Write(ROUTE, ROUTE_SPEC)], Version(1, 2))
    twin = Write(type(ROUTE)('route', 'r2'), ROUTE_SPEC)
    with pytest.raises(Conflict, match='already matched by route r1'):
        desired.effective([twin])
    assert desired.effective([Write(ROUTE, None), twin]) != []
    assert str(ROUTE) == 'route r1'
