from __future__ import annotations

import pytest

from dataplane.wire import codec, state
from dataplane.wire.events import Ack, Event, Goodbye, Hello, Lease, Snapshot

BACKEND = {
    'balance': 'first',
    'retries': 3,
    'redispatch': 0,
    'fullconn': 0,
    'allbackups': False,
    'timeouts': dict.fromkeys(state.TIMEOUTS),
}


def world(count: int) -> state.State:
    changes = [{'kind': 'backend', 'name': f'backend-{n}-{"x" * 100}', 'spec': BACKEND} for n in range(count)]
    return state.fold(state.empty(), changes)


def parts(frames: list[str]) -> list[Snapshot]:
    decoded = [codec.decode(frame, codec.FROM_CONTROLPLANE) for frame in frames]
    return [part for part in decoded if isinstance(part, Snapshot)]


def test_what_is_encoded_is_decoded() -> None:
    ack = Ack(term=1, seq=2, state_hash='ab')
    assert codec.decode(codec.encode(ack), codec.FROM_DATAPLANE) == ack
    assert codec.decode(codec.encode(ack).encode(), codec.FROM_DATAPLANE) == ack


@pytest.mark.parametrize(
    'frame,words',
    [
        ('{', 'not JSON'),
        ('[]', 'must be an object, not list'),
        ('{"type":"lease","term":1,"lease_ms":1}', "type 'lease' is not expected here"),
        ('{"type":["x"]}', 'is not expected here'),
        ('{"type":"goodbye","reason":1.5}', 'numbers must be whole: 1.5'),
        ('{"type":"goodbye","reason":NaN}', 'numbers must be whole: NaN'),
        (b'\xff\xfe{', 'not UTF-8|not JSON'),
        (b'"\xff"', 'not UTF-8'),
        ('[' * 200_000, 'nested too deeply'),
        ('x' * (codec.MAX_FRAME + 1), 'larger than'),
    ],
)
def test_bad_frames_say_what_is_wrong(frame: str | bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        codec.decode(frame, codec.FROM_DATAPLANE)


def test_each_side_expects_only_the_other_sides_messages() -> None:
    hello = Hello(dp_id='a', term=0, seq=0, term_seen=0, state_hash='', workers=1)
    with pytest.raises(ValueError, match='hello'):
        codec.decode(codec.encode(hello), codec.FROM_CONTROLPLANE)
    assert codec.decode(codec.encode(Lease(term=1, lease_ms=1)), codec.FROM_CONTROLPLANE) == Lease(term=1, lease_ms=1)
    for expected in (codec.FROM_DATAPLANE, codec.FROM_CONTROLPLANE):
        assert codec.decode(codec.encode(Goodbye(reason='r')), expected) == Goodbye(reason='r')


def test_a_message_larger_than_a_frame_is_refused() -> None:
    changes = tuple({'kind': 'route', 'id': 'r', 'spec': 'x' * 100_000} for _ in range(50))
    with pytest.raises(ValueError, match=r'event: .* bytes are more than a frame may hold'):
        codec.encode(Event(term=1, seq=1, prev_seq=0, ts=0, changes=changes, state_hash=''))


def test_a_snapshot_in_several_frames_is_put_together_again() -> None:
    whole = world(2_000)
    frames = list(codec.chunked(3, 9, whole, limit=128 * 1024))
    assert len(frames) > 3
    assert max(map(len, frames)) <= 128 * 1024
    assembler = codec.Assembler()
    results = [assembler.add(part) for part in parts(frames)]
    assert results[:-1] == [None] * (len(frames) - 1)
    assert results[-1] == whole


def test_an_empty_state_is_one_frame() -> None:
    (frame,) = codec.chunked(1, 1, state.empty())
    (part,) = parts([frame])
    assert codec.Assembler().add(part) == state.empty()
    assert not codec.same(part)


def test_frames_out_of_order_or_of_another_version_are_refused() -> None:
    first = parts(list(codec.chunked(1, 1, world(1_000), limit=128 * 1024)))
    other = parts(list(codec.chunked(1, 2, world(1_000), limit=128 * 1024)))
    assembler = codec.Assembler()
    with pytest.raises(ValueError, match='out of order'):
        assembler.add(first[1])
    assembler.add(first[0])
    with pytest.raises(ValueError, match='out of order'):
        assembler.add(other[1])
    for part in other:
        last = assembler.add(part)
    assert last == world(1_000)


def test_a_snapshot_with_another_hash_or_impossible_count_is_refused() -> None:
    (part,) = parts(list(codec.chunked(1, 1, world(1))))
    lying = Snapshot(**{**{k: v for k, v in part.to_dict().items() if k != 'type'}, 'state_hash': 'ff'})
    with pytest.raises(ValueError, match='does not have the hash'):
        codec.Assembler().add(lying)
    nothing = Snapshot(term=1, seq=1, chunk=0, chunks=0, changes=(), state_hash='ff')
    assert codec.same(nothing)
    with pytest.raises(ValueError, match='frame 0 of 0 cannot be'):
        codec.Assembler().add(nothing)
