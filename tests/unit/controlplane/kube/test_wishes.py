"""What a person wishes by REST: what it comes to, what forbids it, and the object that keeps it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from controlplane.domain.desired import Desired, Key, Write
from controlplane.domain.operations import Target
from controlplane.domain.refusals import Conflict, Managed, StoreUnavailable
from controlplane.domain.sequencer import Decision
from controlplane.domain.version import Version
from controlplane.kube.access import fixed
from controlplane.kube.client import Api
from controlplane.kube.objects import Name, Override
from controlplane.kube.resources import SERVER_OVERRIDES
from controlplane.kube.translate import Translator
from controlplane.kube.wishes import MANAGER, Wished, Wishes, object_name
from controlplane.kube.world import Thing
from controlplane.kube.world import World as Things
from controlplane.kube.writes import plan
from tests.kube.fakeserver import FakeApiServer
from tests.unit.controlplane.kube.reigns import Reign, reign
from tests.unit.controlplane.kube.things import Json, endpoint, override, policy, service, slice_
from tests.unit.controlplane.kube.translated import HTTP

P1, P2, BARE = Key('server', 'p1', HTTP), Key('server', 'p2', HTTP), Key('server', '10.0.0.9-8080', HTTP)


class World:
    """A reign, wishes about its servers, and what was told of objects."""

    def __init__(self, it: Reign, fake: FakeApiServer) -> None:
        self.it, self.fake = it, fake
        self.told: list[tuple[str, bool]] = []
        self.wishes = Wishes(fake.api(), it.source.world, lambda: it.source.translation().views, self.seen)

    def seen(self, found: Override, is_there: bool) -> None:
        self.told.append((found.meta.name, is_there))
        self.it.source.seen(found, is_there)

    def govern(self, values: Mapping[Key, Json]) -> Decision:
        """What a verb about these fields comes to."""
        desired = self.it.sequencer.desired
        writes = tuple(Write(key, {**desired.require(key), **of}) for key, of in values.items())
        return self.wishes.govern(
            desired, Decision(writes, tuple(Target(key, of) for key, of in values.items())), 'ann'
        )

    async def keep(self, values: Mapping[Key, Json]) -> Decision:
        """The same, and written."""
        decision = self.govern(values)
        await self.wishes.put(decision.wishes)
        return decision

    def objects(self) -> dict[str, Json]:
        """Specs of the objects there are, by the server's name."""
        return {
            (spec.get('targetRef') or {'name': str(spec.get('address'))})['name']: spec
            for spec in (one['spec'] for one in self.fake.all(SERVER_OVERRIDES))
        }


@asynccontextmanager
async def world(*more: Any) -> AsyncIterator[World]:
    """Two pods and an endpoint without one."""
    endpoints = [endpoint('10.0.0.1', 'p1'), endpoint('10.0.0.2', 'p2'), endpoint('10.0.0.9')]
    async with FakeApiServer() as fake, reign(fake.api(), service(), policy(), slice_('a', *endpoints), *more) as it:
        yield World(it, fake)


def test_a_wish_of_nothing_needs_no_object() -> None:
    assert Wished().is_nothing
    assert Wished(by='ann').is_nothing
    for one in (Wished('drain'), Wished(weight=0), Wished(max_conn=0), Wished(generation=1)):
        assert not one.is_nothing


def test_a_wish_is_laid_over_another_and_a_generation_never_falls() -> None:
    before = Wished('drain', 3, None, 7, 'ann')
    assert before.with_({'weight': 5, 'setBy': 'bob'}) == Wished('drain', 5, None, 7, 'bob')
    assert before.with_({'sessionGeneration': 4}).generation == 7
    assert before.with_({'sessionGeneration': 9}).generation == 9


async def test_names_differ_by_pod_address_port_and_service() -> None:
    async with world() as it:
        views = it.it.source.translation().views
        names = {object_name(view) for view in views.values()}
        assert len(names) == len(views) == 3
        assert all(name == name.lower() and len(name) <= 253 for name in names)
        assert any(name.startswith('p1-http-') for name in names)
        pod, bare = views[HTTP, 'p1'], views[HTTP, '10.0.0.9-8080']
        for other in (
            replace(pod, pod_uid='uid-of-a-later-one'), replace(pod, port='admin'), replace(pod, service=('shop', 'api')),
        ):  # fmt: skip
            assert object_name(other) != object_name(pod)
        assert object_name(replace(bare, number=8081)) != object_name(bare)


async def test_a_drain_is_an_object_that_the_pod_owns() -> None:
    async with world() as it:
        before = it.it.sequencer.desired  # the object is seen at once, and with it this is in force
        decision = await it.keep({P1: {'adminState': 'drain'}})
        assert {write.key for write in decision.writes} == {P1, P2, BARE}, (
            'the whole backend, as the object will make it'
        )
        changed = before.effective(decision.writes)
        assert [(write.key, (write.spec or {})['adminState']) for write in changed] == [(P1, 'drain')]
        (found,) = it.fake.all(SERVER_OVERRIDES)
        assert found['spec'] == {
            'serviceRef': {'name': 'web', 'port': 'http'}, 'adminState': 'Drain', 'setBy': 'ann',
            'targetRef': {'kind': 'Pod', 'name': 'p1', 'uid': 'uid-p1'},
        }  # fmt: skip
        (owner,) = found['metadata']['ownerReferences']
        assert (owner['uid'], owner['blockOwnerDeletion']) == ('uid-p1', False)
        assert it.fake.seen('apply', SERVER_OVERRIDES)[0].query['fieldManager'] == MANAGER
        assert it.told == [(found['metadata']['name'], True)]


async def test_an_endpoint_without_a_pod_is_named_by_its_address_and_owned_by_nobody() -> None:
    async with world() as it:
        await it.keep({BARE: {'maxConn': 3}})
        (found,) = it.fake.all(SERVER_OVERRIDES)
        assert found['spec']['address'] == {'ip': '10.0.0.9', 'port': 8080}
        assert 'targetRef' not in found['spec']
        assert 'ownerReferences' not in found['metadata']
        assert 'weight' not in found['spec']


async def test_wishes_add_up_and_the_last_one_removes_the_object() -> None:
    async with world() as it:
        await it.keep({P1: {'adminState': 'maint'}})
        await it.keep({P1: {'weight': 0}})
        assert (it.objects()['p1']['adminState'], it.objects()['p1']['weight']) == ('Maint', 0)
        await it.keep({P1: {'adminState': 'ready'}})
        assert it.objects()['p1']['adminState'] == 'Ready', 'it still weighs'
        async with world() as other:
            await other.keep({P1: {'adminState': 'drain'}})
            await other.keep({P1: {'adminState': 'ready'}})
            assert other.objects() == {}
            assert [is_there for _, is_there in other.told] == [True, False]


async def test_who_wants_otherwise_is_named() -> None:
    theirs = override('by-hand', pod='p1', spec={'adminState': 'Maint', 'weight': 1, 'maxConn': 2})
    async with world(theirs) as it:
        for wish in ({'adminState': 'ready'}, {'weight': 9}, {'maxConn': 3}):
            with pytest.raises(Conflict, match='shop/by-hand'):
                it.govern({P1: wish})
        it.govern({P1: {'adminState': 'drain'}})  # theirs is stricter, so nothing is promised that is not so
        it.govern({P1: {'weight': 0, 'maxConn': 1}})
        it.govern({P2: {'weight': 9}})


class Walked(Things):
    """The world, and how often the overrides of a Service were gone through."""

    times = 0

    def overrides(self, service: Name) -> list[Override]:
        self.times += 1
        return super().overrides(service)


@pytest.mark.parametrize('servers', [1, 40])
def test_overrides_are_gone_through_once_however_many_servers_are_wished_for(servers: int) -> None:
    """A node, or a whole Service, is drained and given back at once: thousands of both."""
    names = [f'p{number}' for number in range(servers)]
    endpoints = (endpoint(f'10.0.1.{number}', name) for number, name in enumerate(names))
    objects: list[Thing] = [service(), policy(), slice_('a', *endpoints)]
    objects += (override(f'o-{name}', pod=name, spec={'adminState': 'Drain'}) for name in names)
    things = Walked()
    for thing in objects:
        things.put(thing, 0)
    found = Translator(things).translate()
    desired = Desired()
    desired = desired.after(desired.effective(plan(desired, found)), Version(1, 1))
    wishes = Wishes(Api(fixed('http://nowhere')), things, lambda: found.views, lambda *_: None)
    keys = [Key('server', name, HTTP) for name in names]
    writes = tuple(Write(key, {**desired.require(key), 'adminState': 'maint'}) for key in keys)
    things.times = 0
    decision = wishes.govern(desired, Decision(writes, ()), 'ann')
    assert [write.spec['adminState'] for write in decision.writes if write.spec is not None] == ['maint'] * servers
    assert things.times == 1


async def test_what_follows_from_kubernetes_is_managed() -> None:
    async with world() as it:
        desired = it.it.sequencer.desired
        spec = desired.require(P1)
        for write in (
            Write(P1, None), Write(P1, {**spec, 'address': '10.0.0.7'}), Write(P1, spec, {'node': 'n'}),
            Write(Key('server', 'new', HTTP), spec), Write(Key('backend', HTTP), None), Write(Key('route', 'r'), None),
        ):  # fmt: skip
            with pytest.raises(Managed):
                it.wishes.govern(desired, Decision((write,), ()), 'ann')
        derived = Decision((Write(P1, None),), (), derived=True)
        assert it.wishes.govern(desired, derived, 'kubernetes') is derived


async def test_a_server_whose_endpoint_has_gone_cannot_be_wished_for() -> None:
    async with world() as it:
        it.it.put(slice_('a', endpoint('10.0.0.2', 'p2'), rv=2))
        it.it.time.pass_(5_000)
        it.it.source.world.expire(it.it.time.now)
        it.it.source._is_stale = True  # as the turn that expires it notes
        with pytest.raises(Conflict, match='no such endpoint'):
            it.govern({P1: {'weight': 2}})


async def test_of_several_wishes_it_is_said_how_many_were_kept() -> None:
    async with world() as it:
        decision = it.govern({P1: {'weight': 2}, P2: {'weight': 3}})
        names = {key: object_name(it.it.source.translation().views[key.backend, key.name]) for key in (P1, P2)}
        it.fake.fail('apply', SERVER_OVERRIDES, status=403, name=names[P2], times=None)
        with pytest.raises(StoreUnavailable, match='1 of 2 were kept'):
            await it.wishes.put(decision.wishes)
        assert set(it.objects()) == {'p1'}
        assert [name for name, _ in it.told] == [names[P1]]


async def test_an_answer_that_is_lost_is_looked_up() -> None:
    async with world() as it:
        it.fake.fault('lose', 'apply', SERVER_OVERRIDES, times=None)
        await it.keep({P1: {'adminState': 'drain'}})
        assert it.objects()['p1']['adminState'] == 'Drain'
        assert len(it.told) == 1
    async with world() as it:
        it.fake.fault('reset', 'apply', SERVER_OVERRIDES, times=None)
        with pytest.raises(StoreUnavailable):
            await it.keep({P1: {'adminState': 'drain'}})
        assert it.told == []
        it.fake.faults.clear()
        await it.keep({P1: {'adminState': 'drain'}})
        it.fake.fault('reset', 'apply', SERVER_OVERRIDES, times=None)
        with pytest.raises(StoreUnavailable, match='was not written'):
            await it.keep({P1: {'weight': 4}})
        assert len(it.told) == 1, 'what is found there is not what was to be written'


async def test_a_discarded_override_is_deleted_by_its_uid_and_failing_is_harmless(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with world() as it:
        await it.keep({P1: {'adminState': 'drain'}})
        (document,) = it.fake.all(SERVER_OVERRIDES)
        found = Override.from_dict(document)
        it.fake.fail('delete', SERVER_OVERRIDES, status=500, times=None)
        await it.wishes.discard(found)
        assert 'cannot be deleted' in caplog.text
        it.fake.faults.clear()
        later = Override.from_dict({**document, 'metadata': {**document['metadata'], 'uid': 'of-an-older-one'}})
        await it.wishes.discard(later)
        assert len(it.objects()) == 1, 'another object of that name is not touched'
        await it.wishes.discard(found)
        assert it.objects() == {}


async def test_an_endpoint_that_names_a_pod_without_its_uid_is_drained_by_its_address() -> None:
    """Nothing tells that pod from a later one of its name, so it is as if there were none."""
    named = endpoint('10.0.0.7', 'p7')
    del named['targetRef']['uid']
    async with world(slice_('b', named)) as it:
        key = Key('server', 'p7', HTTP)
        decision = await it.keep({key: {'adminState': 'drain'}})
        assert [dict(target.values or {}) for target in decision.targets] == [{'adminState': 'drain'}]
        await it.it.flushed()
        spec: Any = it.it.sequencer.desired.spec(key)
        assert spec['adminState'] == 'drain'
