from __future__ import annotations

import asyncio

import pytest

from controlplane.domain.desired import Desired, Write
from controlplane.domain.operations import Progressed, Target
from controlplane.domain.planes import Plane
from controlplane.domain.refusals import Held, NotFound, StoreUnavailable
from controlplane.domain.sequencer import Clock, Decision, Sequencer, Verb, restored
from controlplane.domain.store import Loaded, StoredObject
from controlplane.domain.version import Version
from controlplane.stores.memory import MemoryStore
from tests.unit.controlplane.domain.specs import APP, BACKEND, S1, S2, S3, SERVER


async def over(store: MemoryStore) -> Sequencer:
    clock = Clock(wall=lambda: 1, monotonic=lambda: 2)
    promise = asyncio.get_running_loop().create_future
    return Sequencer(store, await store.open(), asyncio.Lock(), promise, clock, removal_percent=50)


def verb(name: str, *, urgent: bool = False) -> Verb:
    return Verb(name, name, 'me', urgent=urgent)


def set_all(*writes: Write, sweeping: bool = False) -> Decision:
    return Decision(writes, tuple(Target(write.key, write.spec) for write in writes), sweeping)


MAKE = set_all(Write(APP, BACKEND), Write(S1, SERVER, {'node': 'n1'}), Write(S2, SERVER), Write(S3, SERVER))


async def test_a_change_is_numbered_told_and_kept() -> None:
    store = MemoryStore()
    sequencer = await over(store)
    told: list[bool] = []

    def heard(*, urgent: bool) -> None:
        told.append(urgent)

    unsubscribe = sequencer.subscribe(heard)
    operation = await sequencer.submit(verb('make', urgent=True), lambda _: MAKE)
    assert operation.version == sequencer.log.head == (1, 2)
    assert operation.state is Progressed.DONE
    assert told == [True]
    again = await sequencer.submit(verb('again'), lambda _: MAKE)
    assert (again.version, told) == ((1, 2), [True])  # it changed nothing
    unsubscribe()
    later = await over(store.reopened())
    assert later.desired == sequencer.desired
    assert later.log.head == (2, 1)
    assert list(later.convergence.operations) == ['make', 'again']


async def test_verbs_are_decided_one_after_the_other() -> None:
    sequencer = await over(MemoryStore())
    await sequencer.submit(verb('make'), lambda _: MAKE)

    def heavier(desired: Desired) -> Decision:
        spec = desired.require(S1)
        return set_all(Write(S1, {**spec, 'weight': spec['weight'] + 1}))

    await asyncio.gather(*(sequencer.submit(verb(f'v{n}'), heavier) for n in range(20)))
    assert sequencer.desired.require(S1)['weight'] == 21
    assert sequencer.log.head == (1, 22)


async def test_what_is_not_durable_did_not_happen() -> None:
    store = MemoryStore()
    sequencer = await over(store)
    await store.reopened().open()  # another control plane took over
    with pytest.raises(StoreUnavailable, match='taken over'):
        await sequencer.submit(verb('make'), lambda _: MAKE)
    assert sequencer.desired == Desired()
    assert sequencer.log.head == (1, 1)
    assert not sequencer.convergence.operations
    with pytest.raises(StoreUnavailable):
        await sequencer.remember(Plane('dp1'))


async def test_a_refusal_changes_nothing_and_frees_the_turn() -> None:
    sequencer = await over(MemoryStore())
    with pytest.raises(NotFound):
        await sequencer.submit(verb('v'), lambda desired: set_all(Write(S1, desired.require(S1))))
    await sequencer.submit(verb('make'), lambda _: MAKE)
    gone = set_all(Write(S1, None), Write(S2, None), sweeping=True)
    with pytest.raises(Held, match='2 of 3'):
        await sequencer.submit(verb('sweep'), lambda _: gone)
    assert sequencer.log.head == (1, 2)


async def test_removing_a_backend_removes_all_of_it_durably() -> None:
    store = MemoryStore()
    sequencer = await over(store)
    await sequencer.submit(verb('make'), lambda _: MAKE)
    await sequencer.submit(verb('drop'), lambda _: set_all(Write(APP, None)))
    assert (await over(store.reopened())).desired == Desired()


async def test_a_higher_term_is_begun_only_when_somebody_has_seen_one() -> None:
    sequencer = await over(MemoryStore())
    await sequencer.outrank(Version(1, 1))
    assert sequencer.log.head == (1, 1)
    await sequencer.outrank(Version(1, 2))
    assert sequencer.log.head == (2, 1)
    await sequencer.outrank(Version(9, 0))
    assert sequencer.log.head == (10, 1)


async def test_who_is_known_and_forgotten_is_durable() -> None:
    store = MemoryStore()
    sequencer = await over(store)
    for name in ('dp1', 'dp2'):
        await sequencer.remember(Plane(name))
    sequencer = await over(store.reopened())
    assert list(sequencer.convergence.planes) == ['dp1', 'dp2']
    await sequencer.forget('dp1')
    await sequencer.forget('dp1')
    await sequencer.dismiss('dp2')
    with pytest.raises(NotFound):
        await sequencer.dismiss('dp2')
    assert not (await over(store.reopened())).convergence.planes


def test_what_was_kept_must_be_a_state() -> None:
    with pytest.raises(ValueError, match='no such backend'):
        restored(Loaded(1, (StoredObject(S1, SERVER, {}, Version(1, 2)),)))
