from __future__ import annotations

from typing import Any

from controlplane.domain.desired import SCOPE, Desired, Key, Scope, Write
from controlplane.domain.division import Division, divided_limits, reported_grants
from controlplane.domain.planes import Plane
from controlplane.domain.shares import Grant
from controlplane.domain.version import Version
from dataplane.wire.events import Ack, Drained, Hello, Status
from tests.unit.controlplane.domain.specs import APP, BACKEND, S1, S2, SERVER

V1, V2, V3 = (Version(1, seq) for seq in (1, 2, 3))
DIVIDED = Write(APP, BACKEND, {SCOPE: 'divided'})


def server(limit: int) -> dict[str, Any]:
    return {**SERVER, 'maxConn': limit}


def desired(*writes: Write) -> Desired:
    return Desired().after([DIVIDED, *writes], V1)


def hello(name: str, seq: int = 0, policy: str = 'stop') -> Hello:
    return Hello(dp_id=name, term=1 if seq else 0, seq=seq, term_seen=1, state_hash='', workers=1, on_partition=policy)


def test_only_limits_of_divided_backends_are_divided() -> None:
    state = desired(Write(S1, server(3)), Write(S2, server(0)))
    assert divided_limits(state, 'app') == {'s1': 3}
    assert state.scope('app') is Scope.DIVIDED
    assert state.scope('other') is Scope.PER_REPLICA
    own = state.after([Write(APP, BACKEND, {})], V2)
    assert divided_limits(own, 'app') == {}


def test_shares_of_a_new_server_go_with_its_own_version() -> None:
    before = desired()
    division = Division(before, V1, [])
    for name in ('a', 'b'):
        division.joined(Plane(name), hello(name), [], before, V1, lapsed=False)
    assert not division.is_used
    after = before.after([Write(S1, server(3))], V2)
    division.happened(before, after, [S1], V2)
    assert division.view(S1) == {
        'a': {'share': 2, 'held': 2, 'due': 2},
        'b': {'share': 1, 'held': 1, 'due': 1},
    }
    assert division.shares_of('b') == {'app': {'s1': 1}}
    assert not division.is_due()


def test_a_change_of_scope_or_of_no_limit_closes_the_books() -> None:
    before = desired(Write(S1, server(3)))
    division = Division(before, V1, [])
    after = before.after([Write(APP, BACKEND, {})], V2)
    division.happened(before, after, [APP], V2)
    assert division.view(S1) is None
    assert not division.is_used


def test_what_is_reported_is_what_is_booked() -> None:
    state = desired(Write(S1, server(5)), Write(S2, server(5)))
    division = Division(state, V1, [Plane('a'), Plane('b')])
    rows = [('app', 's1', 'share', 2, 4), ('app', 's2', 'due', 0, 0), ('app', 'x', 'gone', 0, 1)]
    division.joined(Plane('a'), hello('a', 1), rows, state, V2, lapsed=False)
    assert (division.view(S1) or {})['a'] == {'share': 2, 'held': 4, 'due': 2}
    assert (division.view(S1) or {})['b']['held'] is None
    gone = division.account(Key('server', 'x', 'app'))
    assert gone is not None
    assert gone.holdings['a'].bound == 1
    division.stated('a', Drained(term=1, seq=1, servers=(('app', 'x', 'gone'),)))
    assert gone.holdings['a'].bound == 0
    assert reported_grants(rows) == {'app': {'s1': Grant(2), 's2': Grant(0, due=True)}}


def test_who_has_no_lease_uses_nothing_of_what_it_was_told() -> None:
    state = desired(Write(S1, server(5)))
    rows = [('app', 's1', 'share', 2, 1)]
    for policy, row, held in (('stop', rows, 1), ('keep', rows, 1), ('keep', [('app', 's1', 'own', 0, 0)], None)):
        division = Division(state, V1, [])
        division.joined(Plane('a'), hello('a', 1, policy), row, state, V2, lapsed=True)
        assert (division.view(S1) or {})['a']['held'] == held


def test_who_cannot_be_told_or_is_not_durably_known_gets_nothing_more() -> None:
    state = desired(Write(S1, server(2)))
    division = Division(state, V1, [])
    division.joined(Plane('a', held_back=True), hello('a'), [], state, V1, lapsed=False)
    division.joined(Plane('b', durable=False), hello('b'), [], state, V1, lapsed=False)
    assert not division.is_due()
    division.reachable('b')
    division.assign(V2)
    assert division.shares_of('b') == {'app': {'s1': 2}}


def test_a_data_plane_that_does_not_report_is_trusted_only_when_it_has_nothing() -> None:
    state = desired(Write(S1, server(2)))
    division = Division(state, V1, [])
    division.joined(Plane('new'), hello('new'), None, state, V1, lapsed=False)
    division.joined(Plane('old'), hello('old', 7), None, state, V1, lapsed=False)
    view = division.view(S1) or {}
    assert (view['new']['held'], view['old']['held']) == (0, None)
    division.assign(V2)
    division.acked(Plane('old'), V2)
    division.reported('old', Status(term=1, seq=2, servers=(('app', 's1', 0, 0, 'UP'),)))
    assert division.is_due()
    division.parted(Plane('old'))
    division.joined(Plane('old'), hello('old', 2), None, state, V2, lapsed=False)
    assert (division.view(S1) or {})['old']['held'] == 1


def test_it_says_when_the_books_are_to_be_looked_at() -> None:
    state, called = desired(Write(S1, server(2))), []
    division = Division(state, V1, [])
    division.on_due = lambda: called.append(1)
    division.joined(Plane('a'), hello('a'), [], state, V1, lapsed=False)
    division.assign(V2)
    assert len(called) == 1
    division.acked(Plane('a'), Version(*_acked(2)))
    division.left('a')
    assert len(called) == 2
    assert division.view(S1) == {}


def _acked(seq: int) -> tuple[int, int]:
    ack = Ack(term=1, seq=seq, state_hash='')
    return ack.term, ack.seq
