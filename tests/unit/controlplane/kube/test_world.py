"""The world is what the objects say, whatever way they came."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controlplane.kube.objects import Slice
from controlplane.kube.settle import SETTLE_MS
from controlplane.kube.translate import Translator
from controlplane.kube.world import REMEMBERED, Changed, Thing, World, is_urgent
from tests.unit.controlplane.kube.things import Json, endpoint, override, policy, service, slice_
from tests.unit.controlplane.kube.translated import WEB, states, translated

# --- deliveries --------------------------------------------------------------------------------------------------------

ADDRESSES = [f'10.0.0.{n}' for n in range(1, 5)]
CONDITIONS: list[Json] = [
    {'ready': True}, {'ready': False}, {'ready': False, 'terminating': True}, {'ready': False, 'serving': False, 'terminating': True},
]  # fmt: skip


@st.composite
def endpoints(draw: st.DrawFn) -> list[Json]:
    chosen = draw(st.lists(st.sampled_from(ADDRESSES), unique=True, max_size=3))
    return [
        endpoint(address, draw(st.sampled_from(['', f'pod-{address[-1]}'])), **draw(st.sampled_from(CONDITIONS)))
        for address in chosen
    ]


@st.composite
def thing(draw: st.DrawFn, rv: int, uid: str, kind: str) -> Thing:
    """One state of one object; the uid is of the object's life, not of its name."""
    at: dict[str, Any] = {'rv': rv, 'uid': uid}
    if kind in {'slice-a', 'slice-b'}:
        return slice_(kind, *draw(endpoints()), of=draw(st.sampled_from(['web', 'web', 'api'])), **at)
    if kind == 'service':
        return service(
            ports=draw(
                st.sampled_from(
                    [[{'name': 'http', 'port': 80}], [{'name': 'http', 'port': 80}, {'name': 'x', 'port': 81}]]
                )
            ),
            **at,
        )
    if kind == 'override':
        return override(
            kind,
            pod=draw(st.sampled_from(['pod-1', 'pod-2'])),
            spec={'adminState': draw(st.sampled_from(['Drain', 'Maint']))},
            **at,
        )
    created = draw(st.sampled_from(['2020-01-01T00:00:00Z', '2021-01-01T00:00:00Z']))
    spec = {'maxConn': draw(st.integers(1, 3)), 'hosts': ['a.example.com']}
    return policy(kind, service=draw(st.sampled_from(['web', 'api'])), created=created, spec=spec, **at)


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[Thing, bool]]:
    """What happened in the cluster, in order: (object, whether it was removed). A removed one may come again with a new uid."""
    happened, alive, rv = [], {}, 10  # type: ignore[var-annotated]
    for step in range(draw(st.integers(1, 14))):
        kind = draw(st.sampled_from(['slice-a', 'slice-b', 'service', 'service', 'policy-1', 'policy-2', 'override']))
        rv += draw(st.integers(1, 3))
        if kind in alive and draw(st.integers(0, 3)) == 0:
            happened.append((alive.pop(kind), True))
        else:
            uid = alive[kind].meta.uid if kind in alive else f'{kind}-{step}'
            alive[kind] = draw(thing(rv, uid, kind))
            happened.append((alive[kind], False))
    return happened


def outcome(world: World, translator: Translator) -> Any:
    world.expire(1_000_000)
    return translator.translate()


# a busy machine is no reason to fail
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=60)
@given(histories(), st.randoms(use_true_random=False))
def test_any_order_of_deliveries_also_doubled_and_stale_comes_to_the_same(
    happened: list[tuple[Thing, bool]], chance: random.Random
) -> None:
    """And the translation that was kept up to date all along is the one made from what is there in the end."""
    alive: dict[tuple[type, Any], Thing] = {}
    for one, removed in happened:
        if removed:
            del alive[type(one), one.meta.key]
        else:
            alive[type(one), one.meta.key] = one
    fresh = outcome(*begin(alive.values()))

    world = World()
    translator = Translator(world)
    deliveries = happened + chance.choices(happened, k=len(happened) // 2)
    chance.shuffle(deliveries)
    for one, removed in deliveries:
        (world.remove if removed else world.put)(one, chance.randrange(2_000))
        if chance.random() < 0.3:
            translator.translate()
    assert outcome(world, translator) == fresh


def begin(things: Any) -> tuple[World, Translator]:
    world = World()
    for one in things:
        world.put(one, 0)
    return world, Translator(world)


def test_an_older_state_is_ignored_and_an_equal_one_changes_nothing() -> None:
    world = World()
    assert world.put(slice_('a', endpoint('10.0.0.1'), rv=5), 0) is Changed.SOMETHING
    assert world.put(slice_('a', rv=4), 0) is Changed.NOTHING
    assert world.put(slice_('a', endpoint('10.0.0.1'), rv=6), 0) is Changed.NOTHING
    assert world.put(slice_('a', rv=5), 0) is Changed.NOTHING, (
        'its version is older than the equal state that came after'
    )
    assert world.put(slice_('a', rv=7), 0) is Changed.SOMETHING


def test_versions_are_numbers_and_a_version_that_is_none_is_believed() -> None:
    world = World()
    world.put(slice_('a', endpoint('10.0.0.1'), rv=9), 0)
    assert world.put(slice_('a', rv=10), 0) is Changed.SOMETHING
    odd = Slice.from_dict(
        {'metadata': {'name': 'a', 'namespace': 'shop', 'uid': 'uid-a', 'resourceVersion': 'x'}, 'addressType': 'IPv6'}
    )
    assert world.put(odd, 0) is Changed.SOMETHING


def test_what_was_removed_does_not_come_back_and_its_successor_stays() -> None:
    world, old, new = World(), policy(uid='1', rv=5), policy(uid='2', rv=9)
    world.put(old, 0)
    world.put(new, 0)
    assert world.remove(old, 0) is Changed.NOTHING
    assert {one.meta.uid for one in world.all_policies().values()} == {'2'}
    assert world.put(policy(uid='1', rv=99), 0) is Changed.NOTHING
    assert world.remove(new, 0) is Changed.SOMETHING
    assert world.all_policies() == {}


def test_only_so_many_of_the_removed_are_remembered() -> None:
    world = World()
    for number in range(REMEMBERED + 10):
        world.remove(policy(uid=str(number)), 0)
    assert world.put(policy(uid='0'), 0) is Changed.SOMETHING
    assert world.put(policy('other', uid=str(REMEMBERED + 9)), 0) is Changed.NOTHING


# --- what is looked at again -------------------------------------------------------------------------------------------


def test_a_change_is_of_the_services_it_is_about() -> None:
    world = World()
    for one in (service(), service('api'), policy(), slice_('a'), override('o', pod='p')):
        world.put(one, 0)
    assert world.take_dirty() == {WEB, ('shop', 'api')}
    world.put(slice_('a', endpoint('10.0.0.1'), of='api', rv=2), 0)
    assert world.take_dirty() == {WEB, ('shop', 'api')}, 'it has changed Services'
    world.put(policy(service='gone', rv=2), 0)
    assert world.take_dirty() == {WEB, ('shop', 'gone')}
    world.remove(override('o', pod='p'), 0)
    assert world.take_dirty() == {WEB}
    assert world.take_dirty() == frozenset()


def test_a_slice_that_belongs_to_no_service_is_about_nothing() -> None:
    world = World()
    world.put(slice_('a', endpoint('10.0.0.1'), of=''), 0)
    assert world.take_dirty() == frozenset()


def test_an_endpoint_that_moves_between_slices_keeps_its_server() -> None:
    world = World()
    translator = Translator(world)
    for one in (service(), policy(), slice_('a', endpoint('10.0.0.1', 'p'), endpoint('10.0.0.2', 'q'))):
        world.put(one, 0)
    before = translator.translate()
    world.put(slice_('a', endpoint('10.0.0.2', 'q'), rv=2), 1_000)
    assert translator.translate() == before
    assert world.next_at() == 1_000 + SETTLE_MS
    world.put(slice_('b', endpoint('10.0.0.1', 'p')), 1_500)
    assert (translator.translate(), world.next_at()) == (before, None)
    assert world.expire(9_000) is Changed.NOTHING


def test_one_that_does_not_come_back_is_removed_when_its_time_is_over() -> None:
    world = World()
    translator = Translator(world)
    for one in (service(), policy(), slice_('a', endpoint('10.0.0.1', 'p'), endpoint('10.0.0.2', 'q'))):
        world.put(one, 0)
    world.put(slice_('a', endpoint('10.0.0.2', 'q'), rv=2), 1_000)
    assert world.expire(1_000 + SETTLE_MS - 1) is Changed.NOTHING
    assert states(translator.translate()) == {'p': 'ready', 'q': 'ready'}
    assert world.expire(1_000 + SETTLE_MS) is Changed.URGENT
    assert states(translator.translate()) == {'q': 'ready'}


def test_an_override_of_a_pod_that_moves_is_not_gone() -> None:
    world = World()
    for one in (service(), policy(), slice_('a', endpoint('10.0.0.1', 'p')), override('o', pod='p')):
        world.put(one, 0)
    world.remove(slice_('a', endpoint('10.0.0.1', 'p')), 0)
    translator = Translator(world)
    assert translator.translate().gone == frozenset()
    world.expire(SETTLE_MS)
    assert translator.translate().gone == {('shop', 'o')}


# --- what does not wait ------------------------------------------------------------------------------------------------

READY, UNREADY = slice_('a', endpoint('10.0.0.1')), slice_('a', endpoint('10.0.0.1', ready=False))
GOING = slice_('a', endpoint('10.0.0.1', ready=False, terminating=True))
STOPPING = slice_('a', endpoint('10.0.0.1', ready=False, serving=False, terminating=True))
EMPTY = slice_('a')


@pytest.mark.parametrize(
    'old,new,urgent',
    [
        (None, READY, False),
        (READY, UNREADY, True),
        (READY, GOING, True),
        (GOING, STOPPING, True),
        (UNREADY, READY, False),
        (STOPPING, GOING, False),
        (READY, EMPTY, False),  # it lingers first
        (GOING, EMPTY, True),
        (GOING, None, True),
        (READY, None, False),
        (None, override('o', pod='p'), True),
        (override('o', pod='p'), None, True),
        (None, service(), False),
        (service(), None, True),
        (None, policy(), False),
        (policy(), policy(spec={'maxConn': 2}), False),
        (policy(), None, False),
    ],
)
def test_what_takes_traffic_away_or_is_somebodys_wish_does_not_wait(
    old: Thing | None, new: Thing | None, urgent: bool
) -> None:
    assert is_urgent(old, new) == urgent
    world = World()
    if old is not None:
        world.put(old, 0)
    changed = (
        world.remove(old, 0) if new is None and old is not None else world.put(new, 0) if new is not None else None
    )
    assert changed is (Changed.URGENT if urgent else Changed.SOMETHING)


def test_what_does_not_matter_changes_nothing() -> None:
    """managedFields, resourceVersion, hints, annotations, status: no change, so nothing is pushed."""
    document: Json = {
        'metadata': {
            'name': 'a',
            'namespace': 'shop',
            'uid': 'u',
            'resourceVersion': '7',
            'labels': {'kubernetes.io/service-name': 'web'},
        },
        'addressType': 'IPv4',
        'ports': [{'name': 'http', 'port': 8080}],
        'endpoints': [endpoint('10.0.0.1', 'p', zone='z')],
    }
    world = World()
    for one in (service(), policy(), Slice.from_dict(document)):
        world.put(one, 0)
    world.take_dirty()
    metadata = document['metadata'] | {
        'resourceVersion': '8',
        'managedFields': [{'manager': 'x'}],
        'annotations': {'a': 'b'},
    }
    hinted = endpoint('10.0.0.1', 'p', zone='z', hints={'forZones': [{'name': 'y'}]}, hostname='h')
    assert world.put(Slice.from_dict(document | {'metadata': metadata, 'endpoints': [hinted]}), 0) is Changed.NOTHING
    assert world.take_dirty() == frozenset()


def test_a_world_of_nothing_is_nothing() -> None:
    assert translated() == translated(service(), slice_('a', endpoint('10.0.0.1')))
