from __future__ import annotations

import json
from typing import Any

import pytest

from dataplane.supervisor.follower import Adopt, Answer, Follower, Leave, Renumber
from dataplane.supervisor.lastgood import LastGood
from dataplane.wire.codec import FROM_CONTROLPLANE, chunked, decode
from dataplane.wire.events import Ack, Event, Goodbye, Lease, Message, Nack, Snapshot
from dataplane.wire.state import Change, State, digest, empty, fold
from tests.unit.supervisor.test_translate import backend, server

ONE: State = {'backends': {'b': backend({'s': server()})}, 'routes': {}}


def drain(state: str = 'drain', name: str = 's') -> Change:
    return {'kind': 'server', 'backend': 'b', 'name': name, 'spec': server(adminState=state)}


def event(at: tuple[int, int], prev: int, base: State, *changes: Change, state_hash: str = '') -> Event:
    state_hash = state_hash or digest(fold(base, changes))
    return Event(term=at[0], seq=at[1], prev_seq=prev, ts=0, changes=changes, state_hash=state_hash)


def snapshot(term: int, seq: int, state: State) -> Message:
    (frame,) = chunked(term, seq, state)
    return decode(frame, FROM_CONTROLPLANE)


def following(term: int = 2, seq: int = 5, state: State = ONE) -> Follower:
    return Follower(term, LastGood(term, seq, state))


def adopt(follower: Follower, message: Message) -> Adopt:
    step = follower.receive(message)
    assert isinstance(step, Adopt)
    follower.adopted(step)
    return step


def nack(step: object) -> Nack:
    assert isinstance(step, Answer)
    assert isinstance(step.message, Nack)
    return step.message


def ack(step: object) -> tuple[int, int]:
    assert isinstance(step, Answer)
    assert isinstance(step.message, Ack)
    return step.message.term, step.message.seq


def test_a_new_data_plane_is_nowhere() -> None:
    follower = Follower(0, None)
    assert follower.version == (0, 0)
    assert follower.state_hash == digest(empty())


def test_a_snapshot_is_adopted_whole() -> None:
    follower = Follower(0, None)
    step = adopt(follower, snapshot(1, 9, ONE))
    assert step.state == ONE
    assert follower.version == (1, 9)
    assert follower.state_hash == digest(ONE)


def test_nothing_counts_before_the_step_was_made_true() -> None:
    follower = Follower(0, None)
    assert isinstance(follower.receive(snapshot(1, 9, ONE)), Adopt)
    assert follower.version == (0, 0)
    assert follower.state == empty()


def test_a_snapshot_in_chunks() -> None:
    servers = {f's{number}': server() for number in range(2_000)}
    state: State = {'backends': {'b': backend(servers)}, 'routes': {}}
    frames = [decode(frame, FROM_CONTROLPLANE) for frame in chunked(1, 1, state, 128 * 1024)]
    assert len(frames) > 1
    follower = Follower(0, None)
    assert [follower.receive(frame) for frame in frames[:-1]] == [None] * (len(frames) - 1)
    assert adopt(follower, frames[-1]).state == state


def test_a_snapshot_whose_frames_arrive_twice() -> None:
    servers = {f's{number}': server() for number in range(2_000)}
    state: State = {'backends': {'b': backend(servers)}, 'routes': {}}
    frames = [decode(frame, FROM_CONTROLPLANE) for frame in chunked(1, 1, state, 128 * 1024)]
    follower = Follower(0, None)
    steps = [follower.receive(frame) for frame in frames for _ in range(2)]
    (step,) = (step for step in steps if step is not None)
    assert isinstance(step, Adopt)
    assert step.state == state


def test_a_new_connection_forgets_half_a_snapshot() -> None:
    servers = {f's{number}': server() for number in range(2_000)}
    frames = [
        decode(f, FROM_CONTROLPLANE)
        for f in chunked(1, 1, {'backends': {'b': backend(servers)}, 'routes': {}}, 128 * 1024)
    ]
    follower = Follower(0, None)
    follower.receive(frames[0])
    follower.begin()
    step = follower.receive(frames[1])
    assert nack(step).code == 'INVALID'
    assert isinstance(step, Answer)
    assert step.leaves


def test_an_event_is_folded_over_the_state_it_was_made_for() -> None:
    follower = following()
    step = adopt(follower, event((2, 6), 5, ONE, drain()))
    assert step.state['backends']['b']['servers']['s']['adminState'] == 'drain'
    assert follower.version == (2, 6)


def test_a_merged_event_may_skip_numbers() -> None:
    follower = following()
    adopt(follower, event((2, 40), 5, ONE, drain()))
    assert follower.version == (2, 40)


@pytest.mark.parametrize('seq', [1, 4, 5])
def test_what_is_applied_is_acknowledged_again_and_not_applied(seq: int) -> None:
    follower = following()
    assert ack(follower.receive(event((2, seq), seq - 1, ONE, drain()))) == (2, 5)
    assert ack(follower.receive(snapshot(2, seq, ONE))) == (2, 5)
    assert follower.state == ONE


def test_an_older_snapshot_with_another_state_is_not_gone_back_to() -> None:
    follower = following()
    assert ack(follower.receive(snapshot(2, 4, empty()))) == (2, 5)
    assert follower.state == ONE


def test_a_snapshot_of_the_same_version_with_another_state_repairs() -> None:
    follower = following()
    assert adopt(follower, snapshot(2, 5, empty())).state == empty()


def test_a_gap_is_reported_once_until_something_fits() -> None:
    follower = following()
    gap = nack(follower.receive(event((2, 8), 7, ONE, drain())))
    assert (gap.code, gap.applied_term, gap.applied_seq) == ('GAP', 2, 5)
    assert follower.receive(event((2, 9), 8, ONE, drain())) is None
    assert follower.version == (2, 5)
    adopt(follower, snapshot(2, 9, ONE))
    assert nack(follower.receive(event((2, 12), 11, ONE, drain()))).code == 'GAP'
    follower.begin()
    assert nack(follower.receive(event((2, 13), 12, ONE, drain()))).code == 'GAP'


def test_an_event_of_a_new_term_needs_a_snapshot() -> None:
    follower = following()
    assert nack(follower.receive(event((3, 6), 5, ONE, drain()))).code == 'GAP'
    assert follower.term_seen == 3


def test_a_wrong_hash_changes_nothing() -> None:
    follower = following()
    refusal = nack(follower.receive(event((2, 6), 5, ONE, drain(), state_hash='0' * 64)))
    assert refusal.code == 'HASH_MISMATCH'
    assert (follower.version, follower.state) == ((2, 5), ONE)


def test_a_bad_change_is_refused_and_names_its_backend() -> None:
    follower = following()
    bad: dict[str, Any] = {'kind': 'server', 'backend': 'b', 'name': 's', 'spec': server(weight=999)}
    refusal = nack(follower.receive(event((2, 6), 5, ONE, bad, state_hash='x')))
    assert (refusal.code, refusal.backends) == ('INVALID', ('b',))
    assert 'weight' in refusal.detail
    assert follower.state == ONE


@pytest.mark.parametrize('kind', ['event', 'snapshot'])
def test_more_than_a_data_plane_can_hold_is_refused(kind: str) -> None:
    changes = [
        {'kind': 'route', 'id': str(n), 'spec': {'host': '', 'pathPrefix': f'/{n}', 'backend': 'b'}}
        for n in range(16_385)
    ]
    message: Message = event((2, 6), 5, ONE, *changes)
    if kind == 'snapshot':
        state_hash = digest(fold(empty(), changes))
        message = Snapshot(term=2, seq=6, chunk=0, chunks=1, changes=tuple(changes), state_hash=state_hash)
    assert 'routes' in nack(following().receive(message)).detail


def test_an_older_term_is_not_obeyed_and_the_link_is_left() -> None:
    follower = following(term=7)
    for message in (event((6, 900), 5, ONE, drain()), snapshot(6, 900, empty()), Lease(term=6, lease_ms=1)):
        assert isinstance(follower.receive(message), Leave)
    assert (follower.version, follower.term_seen) == ((7, 5), 7)


def test_the_fence_is_the_highest_term_heard_even_if_nothing_of_it_was_applied() -> None:
    follower = following()
    assert follower.receive(Lease(term=9, lease_ms=1000)) is None
    assert isinstance(follower.receive(event((2, 6), 5, ONE, drain())), Leave)
    assert Follower(9, LastGood(2, 5, ONE)).term_seen == 9
    assert Follower(0, LastGood(2, 5, ONE)).term_seen == 2


def test_the_snapshot_without_frames_moves_the_number_only() -> None:
    follower = following()
    same = Snapshot(term=3, seq=1, chunk=0, chunks=0, changes=(), state_hash=digest(ONE))
    step = follower.receive(same)
    assert step == Renumber(3, 1)
    follower.adopted(step)
    assert (follower.version, follower.state) == ((3, 1), ONE)
    assert ack(follower.receive(same)) == (3, 1)


def test_the_snapshot_without_frames_for_another_state_asks_for_frames() -> None:
    other = Snapshot(term=3, seq=1, chunk=0, chunks=0, changes=(), state_hash=digest(empty()))
    assert nack(following().receive(other)).code == 'HASH_MISMATCH'


def test_a_refusal_from_within_is_a_nack_that_says_where_we_are() -> None:
    follower = following()
    step = follower.receive(event((2, 6), 5, ONE, drain()))
    assert isinstance(step, Adopt)
    refusal = follower.refused(step, ['one', 'two'], ['b', 'b', 'c'])
    assert (refusal.code, refusal.detail, refusal.backends) == ('REFUSED', 'one; two', ('b', 'c'))
    assert (refusal.applied_term, refusal.applied_seq) == (2, 5)
    json.dumps(refusal.to_dict())
    assert follower.receive(event((2, 7), 6, ONE, drain())) is None


def test_goodbye_is_not_about_the_state() -> None:
    assert following().receive(Goodbye(reason='restart')) is None
