from __future__ import annotations

from typing import Any

from controlplane.domain.delivery import Courier, Recipient
from controlplane.domain.desired import Desired, Write
from controlplane.domain.log import Log
from controlplane.domain.projection import Projector, with_grant
from controlplane.domain.shares import Grant, Grants
from controlplane.domain.version import Version
from dataplane.wire import codec
from dataplane.wire import state as wire
from dataplane.wire.events import Hello
from tests.unit.controlplane.domain.specs import APP, BACKEND, S1, S2, SERVER

LIMITED = {**SERVER, 'maxConn': 4, 'minConn': 3}
STATE = Desired().after([Write(APP, BACKEND), Write(S1, LIMITED), Write(S2, LIMITED)], Version(1, 2)).state


def grants(one: Grant, two: Grant) -> Grants:
    return {'app': {'s1': one, 's2': two}}


def test_a_share_is_said_beside_the_limit_and_passes_the_wire_s_own_check() -> None:
    projected = Projector().of(STATE, grants(Grant(3), Grant(0, due=True)))
    servers = projected['backends']['app']['servers']
    assert servers == {'s1': {**LIMITED, 'share': 3}, 's2': {**LIMITED, 'share': 0, 'shareDue': True}}
    assert wire.check(projected) == []
    assert 'share' not in STATE['backends']['app']['servers']['s1']


def test_who_does_not_know_shares_is_told_in_other_words() -> None:
    assert with_grant(LIMITED, Grant(2), knows=False) == {**LIMITED, 'maxConn': 2, 'minConn': 2}
    assert with_grant(LIMITED, Grant(0), knows=False) == {**LIMITED, 'adminState': 'maint'}


def test_a_share_is_never_above_a_limit_that_was_lowered_since() -> None:
    assert with_grant({**LIMITED, 'maxConn': 1}, Grant(3), knows=True)['share'] == 1


def test_equal_projections_are_one_object_and_what_is_not_divided_is_shared() -> None:
    projector, state = Projector(), {**STATE, 'backends': {**STATE['backends'], 'other': {'servers': {}}}}
    one = projector.of(state, grants(Grant(1), Grant(3)))
    two = projector.of(state, grants(Grant(1), Grant(3)))
    three = projector.of(state, grants(Grant(1), Grant(2)))
    assert one['backends']['app'] is two['backends']['app']
    assert one['backends']['app']['servers']['s1'] is three['backends']['app']['servers']['s1']
    assert one['backends']['other'] is state['backends']['other']
    assert projector.of(state, {}) is state
    assert projector.of(state, grants(Grant(1), Grant(3)), ['app']) is state


def test_what_nobody_used_for_two_batches_is_forgotten() -> None:
    projector, mine = Projector(), grants(Grant(1), Grant(3))
    first = projector.of(STATE, mine)['backends']['app']
    projector.turn()
    assert projector.of(STATE, mine)['backends']['app'] is first
    projector.turn()
    projector.turn()
    assert projector.of(STATE, mine)['backends']['app'] is not first


def test_a_parcel_is_encoded_once_per_distinct_projection() -> None:
    log = Log(3, STATE)
    equal, other = grants(Grant(1), Grant(1)), grants(Grant(2), Grant(2))
    courier = Courier(log, grants=lambda: {'a': equal, 'b': grants(Grant(1), Grant(1)), 'c': other})
    nothing = courier.arrived(Hello(dp_id='a', term=0, seq=0, term_seen=0, state_hash='', workers=1), {})
    parcels = [courier.parcel(nothing, Recipient(name), 0) for name in 'abc']
    assert courier.encoded == 2
    assert parcels[0] is not None
    assert parcels[1] is not None
    assert parcels[0].frames is parcels[1].frames
    assembler = codec.Assembler()
    found: Any = codec.decode(parcels[0].frames[0], codec.FROM_CONTROLPLANE)
    state = assembler.add(found)
    assert state is not None
    assert state == parcels[0].held.state
    assert found.state_hash == wire.digest(state)


def test_who_says_what_it_has_is_believed_if_the_hash_is_of_that() -> None:
    courier = Courier(Log(3, STATE))
    mine = grants(Grant(1), Grant(0, due=True))
    digest = wire.digest(Projector().of(STATE, mine))
    hello = Hello(dp_id='a', term=2, seq=9, term_seen=2, state_hash=digest, workers=1)
    assert courier.arrived(hello, {}, mine).state == Projector().of(STATE, mine)
    assert courier.arrived(hello, {}, grants(Grant(1), Grant(1))).state is None
