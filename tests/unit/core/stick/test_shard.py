"""One shard: found by key, in order, purged and expired as HAProxy does, right again after any death."""

from __future__ import annotations

from array import array
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataplane.core.stick.definition import Data, Definition, KeyType
from dataplane.core.stick.layout import FREE, HASH, LIFE, USED, TableLayout
from dataplane.core.stick.shard import Shard

EXPIRE = 1_000


def hash_of(key: bytes) -> int:
    """Few different ones, so that chains are long."""
    return sum(key) % 5


class Bench:
    """A shard by itself, and its figures by name."""

    def __init__(self, size: int = 4, *, nopurge: bool = False, expire: int = EXPIRE) -> None:
        stores = (Data('gpc0'), Data('conn_cur'), Data('conn_rate', period=100), Data('bytes_in_cnt'), Data('gpt0'))
        definition = Definition(
            name='t', key=KeyType.BINARY, length=8, size=size, expire=expire, nopurge=nopurge, stores=stores
        )
        self.layout = TableLayout(definition, 2)
        self.cells = array('q', bytes(8 * self.layout.size))
        self.shard = Shard(self.cells, memoryview(self.cells).cast('B'), 0, definition, self.layout)
        self.size = size

    def find(self, key: bytes, now: int = 0) -> int:
        return self.shard.find(key, hash_of(key), now)

    def make(self, key: bytes, now: int = 0) -> int:
        return self.shard.make(key, hash_of(key), now, lambda: self.shard.used >= self.size)

    def keys(self) -> list[bytes]:
        return [self.shard.key(at) for at in self.shard]


def test_memory_of_zeros_is_an_empty_table() -> None:
    bench = Bench()
    assert (bench.find(b'a'), bench.keys(), bench.shard.used, bench.shard.broken()) == (0, [], 0, '')


def test_a_full_table_loses_who_was_used_longest_ago() -> None:
    bench = Bench(size=2)
    a, _ = bench.make(b'a', 1), bench.make(b'b', 2)
    bench.shard.touch(a, 3)
    assert bench.make(b'c', 4)
    assert bench.keys() == [b'a', b'c']
    assert bench.shard.broken() == ''


def test_whom_somebody_tracks_is_never_purged() -> None:
    bench = Bench(size=2)
    for key in (b'a', b'b'):
        bench.shard.track(bench.make(key, 1), 1, 1)
    assert bench.make(b'c', 2) == 0
    bench.shard.track(bench.find(b'b'), 1, -1)
    assert bench.make(b'c', 3)
    assert bench.keys() == [b'a', b'c']


def test_a_worker_of_any_number_tracks_and_is_forgotten_alone() -> None:
    bench = Bench()
    a, b = bench.make(b'a', 1), bench.make(b'b', 2)
    bench.shard.track(a, 0, 1)
    assert bench.shard.forget(1, 0, 10, 3) == -1, 'it never tracked anything: there is nothing to look at'
    for at in (a, b):
        bench.shard.track(at, 1, 1)
    assert (bench.shard.trackers(a), bench.shard.trackers(b)) == (2, 1)
    assert bench.shard.forget(1, 0, 1, 4) == 1
    assert (bench.shard.trackers(a), bench.shard.trackers(b)) == (1, 1)
    assert bench.shard.forget(1, 1, 10, 4) == -1
    assert (bench.shard.trackers(a), bench.shard.trackers(b)) == (1, 0)
    assert bench.shard.broken() == ''


def test_nopurge_turns_newcomers_away() -> None:
    bench = Bench(size=1, nopurge=True)
    assert bench.make(b'a', 1)
    assert bench.make(b'b', 2) == 0
    # but what has expired makes room all the same
    assert bench.make(b'b', 1 + EXPIRE)
    assert bench.keys() == [b'b']


def test_what_expired_is_gone_even_where_nobody_took_it_out() -> None:
    bench = Bench()
    bench.make(b'a', 0)
    assert bench.find(b'a', EXPIRE - 1)
    assert bench.find(b'a', EXPIRE) == 0
    assert bench.shard.used == 0


def test_whom_somebody_tracks_does_not_expire() -> None:
    bench = Bench()
    at = bench.make(b'a', 0)
    bench.shard.track(at, 0, 1)
    assert bench.find(b'a', 5 * EXPIRE) == at
    assert bench.shard.expire(5 * EXPIRE, 10) == 1
    assert bench.shard.left_ms(at, 5 * EXPIRE) == EXPIRE
    assert bench.shard.trackers(at) == 1


def test_without_expire_it_stays() -> None:
    bench = Bench(expire=0)
    at = bench.make(b'a', 0)
    assert bench.find(b'a', 1 << 40) == at
    assert (bench.shard.expire(1 << 40, 9), bench.shard.left_ms(at, 7), bench.shard.idle_ms(at, 7)) == (0, 0, 7)


def test_only_so_many_expire_at_once() -> None:
    bench = Bench(size=10)
    for number in range(10):
        bench.make(b'%d' % number, 0)
    assert bench.shard.expire(EXPIRE, 4) == 4
    assert bench.shard.used == 6


def test_figures() -> None:
    bench = Bench()
    at, shard, slots = bench.make(b'a', 0), bench.shard, bench.layout.slots
    gpc, rate, wide, current = (slots[name, 0] for name in ('gpc0', 'conn_rate', 'bytes_in_cnt', 'conn_cur'))
    assert shard.count(at, gpc, 5, 3) == 3
    assert shard.count(at, gpc, 5, 0xFFFFFFFF) == 2
    assert shard.count(at, wide, 5, 1 << 40) == 1 << 40
    shard.count(at, rate, 5, 4)
    shard.track(at, 0, 1)
    shard.track(at, 1, 1)
    assert [shard.read(at, slot, 5) for slot in (gpc, rate, wide, current)] == [2, 4, 1 << 40, 2]
    for slot in (gpc, rate, current):
        shard.put(at, slot, 6, 9)
    assert [shard.read(at, slot, 6) for slot in (gpc, rate, current)] == [9, 9, 2]


def test_an_entry_that_is_made_again_begins_at_nothing() -> None:
    bench = Bench()
    at = bench.make(b'a', 0)
    bench.shard.count(at, bench.layout.slots['gpc0', 0], 0, 7)
    bench.shard.drop(at)
    again = bench.make(b'b', 1)
    assert again == at
    assert bench.shard.read(again, bench.layout.slots['gpc0', 0], 1) == 0


def test_a_worker_that_is_gone_tracks_nothing_and_others_all_they_did() -> None:
    bench = Bench(size=8)
    for number in range(8):
        at = bench.make(b'%d' % number, 0)
        bench.shard.track(at, number % 2, 1 + number)
    first = 0
    while first >= 0:
        first = bench.shard.forget(1, first, 3, 50)
    assert [bench.shard.trackers(at) for at in sorted(bench.shard)] == [1, 0, 3, 0, 5, 0, 7, 0]
    # what it tracked counts as used now
    assert bench.keys()[-4:] == [b'1', b'3', b'5', b'7']
    assert bench.shard.broken() == ''


def test_what_is_broken_is_named() -> None:
    bench = Bench()
    at = bench.make(b'a', 0)
    head = bench.layout.entries - bench.layout.buckets - 8
    damages = (
        (head + USED, 9, 'S2'),
        (at + HASH, 3 - hash_of(b'a'), 'S1'),
        (at + LIFE, 2, 'S1'),
        (head + FREE, at, 'S2'),
    )
    for cell, value, name in damages:
        before = bench.cells[cell]
        bench.cells[cell] = value
        assert bench.shard.broken().startswith(name), name
        bench.cells[cell] = before
    assert bench.shard.broken() == ''


class Stopping(array):  # type: ignore[type-arg]
    """Cells that end their process at a certain write: what was written before is there, the rest is not."""

    left = -1

    def __setitem__(self, at: Any, value: Any) -> None:
        if self.left == 0:
            raise InterruptedError
        self.left -= 1
        super().__setitem__(at, value)


@pytest.mark.parametrize('what', ['make', 'drop', 'touch', 'purge', 'reuse', 'track'])
def test_a_death_at_any_write_is_repaired(what: str) -> None:
    """After each write of each operation: everybody else is still there, and no invariant is broken."""
    for writes in range(60):
        bench = Bench(size=3 if what == 'purge' else 9)
        bench.cells = cells = Stopping('q', bench.cells)
        definition_like = bench.shard
        bench.shard = Shard(cells, memoryview(cells).cast('B'), 0, _definition(bench), bench.layout)
        assert definition_like.used == 0
        for key in (b'a', b'b', b'c'):
            bench.make(key, 1)
        if what == 'reuse':
            bench.shard.drop(bench.find(b'b', 1))
        cells.left = writes
        done = _carried_out(bench, what)
        cells.left = -1
        bench.shard.repair(lambda: None)
        assert bench.shard.broken() == '', (what, writes)
        kept = {b'a', b'b', b'c'} - {'drop': {b'b'}, 'reuse': {b'b'}, 'purge': {b'a'}}.get(what, set())
        assert kept <= set(bench.keys()) <= {b'a', b'b', b'c', b'd'}
        if done:
            return
    raise AssertionError('the operation never came to its end')


def _definition(bench: Bench) -> Definition:
    return Definition(
        name='t', key=KeyType.BINARY, length=8, size=bench.size, expire=EXPIRE,
        stores=(Data('gpc0'), Data('conn_cur'), Data('conn_rate', period=100), Data('bytes_in_cnt'), Data('gpt0')),
    )  # fmt: skip


def _carried_out(bench: Bench, what: str) -> bool:
    try:
        if what in ('make', 'purge', 'reuse'):
            bench.make(b'd', 2)
        elif what == 'track':
            bench.shard.track(bench.find(b'b', 2), 1, 1)
        elif what == 'drop':
            bench.shard.drop(bench.find(b'b', 2))
        else:
            bench.shard.touch(bench.find(b'a', 2), 2)
    except InterruptedError:
        return False
    return True


_STEPS = st.lists(
    st.tuples(st.sampled_from(['make', 'touch', 'drop', 'track', 'untrack', 'expire', 'repair']), st.integers(0, 9)),
    max_size=60,
)


@settings(max_examples=150)
@given(_STEPS)
def test_it_is_a_dictionary_in_the_order_of_use(steps: list[tuple[str, int]]) -> None:
    """Against a plain dictionary: key -> [tracked, touched], its order the order of use."""
    bench, model, now = Bench(size=4), dict[bytes, list[int]](), 0
    for step, number in steps:
        now += 90
        key = b'k%d' % number
        for old in [old for old, (tracked, touched) in model.items() if touched + EXPIRE <= now and not tracked]:
            if old == key:
                del model[old]
        at = bench.find(key, now)
        assert bool(at) == (key in model)
        if step == 'make' and not at:
            _model_make(bench, model, key, now)
        elif step == 'expire':
            bench.shard.expire(now, 100)
            _model_expire(model, now)
        elif step == 'repair':
            bench.shard.repair(lambda: None)
        elif at:
            _model_step(bench, model, (step, key, at), now)
        assert bench.shard.broken() == ''
        assert bench.keys() == list(model)
        assert [bench.shard.trackers(at) for at in bench.shard] == [tracked for tracked, _ in model.values()]


def _model_expire(model: dict[bytes, list[int]], now: int) -> None:
    for old, (tracked, touched) in list(model.items()):
        if touched + EXPIRE > now:
            continue
        del model[old]
        if tracked:
            model[old] = [tracked, now]


def _model_make(bench: Bench, model: dict[bytes, list[int]], key: bytes, now: int) -> None:
    made = bench.make(key, now)
    _model_expire(model, now)
    if len(model) >= 4:
        for old in list(model):
            tracked, _ = model.pop(old)
            if not tracked:
                break
            model[old] = [tracked, now]  # who is tracked counts as used now
        else:
            assert not made
            return
    assert made
    model[key] = [0, now]


def _model_step(bench: Bench, model: dict[bytes, list[int]], step: tuple[str, bytes, int], now: int) -> None:
    what, key, at = step
    entry = model[key]
    if what == 'touch':
        bench.shard.touch(at, now)
        model[key] = [model.pop(key)[0], now]
    elif what == 'drop' and not entry[0]:
        bench.shard.drop(at)
        del model[key]
    elif what in ('track', 'untrack'):
        bench.shard.track(at, 0, 1 if what == 'track' else -1)
        entry[0] = max(0, entry[0] + (1 if what == 'track' else -1))
