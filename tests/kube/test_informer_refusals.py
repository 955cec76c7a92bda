"""The informer when the server refuses, fails, lags or is away."""

from __future__ import annotations

import asyncio

import pytest

from controlplane.kube.resources import BACKEND_POLICIES, SERVICES
from controlplane.kube.retry import Ill
from tests.kube.fakeauth import User
from tests.kube.fakefaults import Kind
from tests.kube.fakeserver import FakeApiServer
from tests.kube.informers import running, synced, thing


@pytest.mark.parametrize('verb', ['list', 'watch'])
async def test_429_waits_as_long_as_it_is_told(fake: FakeApiServer, verb: str) -> None:
    fake.fail(verb, SERVICES, status=429, retry_after=7)
    async with running(fake) as run:
        pause = await run.rested()
        assert 7.0 <= pause <= 7.5
        await run.watch()
        assert run.informer.synced
        assert run.informer.figures().failures == {Ill.THROTTLED: 1}
        assert run.lists() == (2 if verb == 'list' else 1)


async def test_a_burst_of_500_is_answered_with_longer_and_longer_pauses(fake: FakeApiServer) -> None:
    fake.fail('list', SERVICES, status=500, times=12)
    async with running(fake) as run:
        pauses = [await run.rested() for _ in range(12)]
        await synced(run)
        bounds = [min(0.8 * 2**number, 30.0) for number in range(12)]
        assert all(0 <= pause <= bound for pause, bound in zip(pauses, bounds, strict=True))
        assert max(pauses) > 15.0
        assert run.informer.figures().failures == {Ill.FAILING: 12}


async def test_403_is_reported_and_asked_slowly(fake: FakeApiServer) -> None:
    fake.auth.required = True
    fake.auth.tokens['weak'] = User('alice')
    async with running(fake, limits={'token': 'weak'}) as run:
        await run.resting()
        trouble = run.informer.troubles['']
        assert trouble.ill is Ill.FORBIDDEN
        assert 'cannot list resource "services"' in trouble.text
        assert trouble.since == run.clock.wall()
        for _ in range(4):
            assert await run.rested() <= 6.4
        assert await run.rested() >= 30.0
        await run.resting()
        fake.auth.allow('alice', 'list watch', SERVICES)
        await run.rested()
        await run.watch()
        assert not run.informer.troubles


async def test_403_of_the_watch_alone_keeps_what_is_held(fake: FakeApiServer) -> None:
    fake.put(SERVICES, 'shop', thing('a'))
    async with running(fake) as run:
        watch = await run.watch()
        fake.fail('watch', SERVICES, status=403, times=5)
        await run.clock.advance(2.0)
        watch.end()
        for _ in range(4):
            assert await run.rested() <= 6.4
        assert await run.rested() >= 30.0
        assert run.informer.troubles[''].ill is Ill.FORBIDDEN
        await run.next_watch(watch)
        assert run.told == [('a', None, 'x')]
        assert run.lists() == 1


async def test_401_is_backed_off_after_the_one_new_token_did_not_help(fake: FakeApiServer) -> None:
    fake.fail('*', SERVICES, status=401, reason='Unauthorized', times=3)
    async with running(fake) as run:
        for _ in range(3):
            assert await run.rested() <= 3.2
        await synced(run)
        assert run.informer.figures().failures == {Ill.UNAUTHORIZED: 3}


async def test_a_kind_that_is_not_installed_is_tried_again(fake: FakeApiServer) -> None:
    fake.missing.add(BACKEND_POLICIES)
    fake.put(BACKEND_POLICIES, 'shop', thing('a'))
    async with running(fake, BACKEND_POLICIES) as run:
        await run.resting()
        assert run.informer.troubles[''].ill is Ill.MISSING
        assert not run.informer.synced
        for _ in range(4):
            assert await run.rested() <= 6.4
        assert 15.0 <= await run.rested() <= 30.0
        await run.resting()
        fake.missing.clear()
        await run.rested()
        await run.held(a='x')
        watch = await run.watch()
        fake.missing.add(BACKEND_POLICIES)
        await run.clock.advance(2.0)
        watch.end()
        await run.rested()
        await run.resting()
        assert ('shop', 'a') in run.informer.store  # what is not heard of is not gone


async def test_a_version_from_the_future_lists_again(fake: FakeApiServer) -> None:
    """The server's data was restored from a backup."""
    fake.put(SERVICES, 'shop', thing('a'))
    async with running(fake) as run:
        watch = await run.watch()
        fake.store.version -= 1
        fake.put(BACKEND_POLICIES, 'shop', thing('other'))
        fake.store.version -= 1
        await run.clock.advance(2.0)
        watch.end()
        assert 1.0 <= await run.rested() <= 1.5
        await run.next_watch(watch)
        assert run.informer.figures().relists == {'start': 1, 'version too new': 1}


@pytest.mark.parametrize('kind', ['reset', 'garbage', 'half'])
async def test_what_is_no_answer_is_asked_for_again(fake: FakeApiServer, kind: Kind) -> None:
    fake.put(SERVICES, 'shop', thing('a'))
    fault = fake.fault(kind, 'list', SERVICES, times=None)
    async with running(fake) as run:
        for _ in range(3):
            await run.rested()
        await run.resting()
        assert not run.informer.synced
        fault.remove()
        await run.rested()
        await run.held(a='x')


async def test_a_server_that_goes_away_and_comes_back(fake: FakeApiServer) -> None:
    fake.put(SERVICES, 'shop', thing('a'))
    async with running(fake) as run:
        await run.watch()
        await fake.stop()
        for _ in range(5):
            await run.rested()
        await run.resting()
        assert run.informer.troubles[''].ill is Ill.UNREACHABLE
        assert run.informer.synced
        fake.put(SERVICES, 'shop', thing('b'))
        await fake.start()
        await run.rested()
        await run.held(a='x', b='x')
        await run.clock.advance(2.0)
        assert not run.informer.troubles


async def test_what_cannot_be_understood_stops_nothing(fake: FakeApiServer, caplog: pytest.LogCaptureFixture) -> None:
    fake.put(SERVICES, 'shop', {'metadata': {'name': 'bad'}, 'spec': {}})
    fake.put(SERVICES, 'shop', thing('good'))
    async with running(fake) as run:
        await run.held(good='x')
        watch = await run.watch()
        watch.send({'type': 'ADDED', 'object': {}})
        watch.send({'type': 'NONSENSE', 'object': {'metadata': 7}})
        fake.put(SERVICES, 'shop', thing('bad'))
        await run.held(good='x', bad='x')
        assert run.informer.figures().malformed == 2
        assert run.informer.figures().events == {'ADDED': 1, 'unknown': 1, 'MODIFIED': 1}


async def test_a_list_that_is_none_is_no_empty_world(fake: FakeApiServer) -> None:
    """A document without items and version must not be read as: everything is gone."""
    fake.put(SERVICES, 'shop', thing('a'))
    async with running(fake) as run:
        await run.watch()
        fake.fault('status', 'list', SERVICES).status = 200
        request = asyncio.ensure_future(run.informer.relist('confirm'))
        await run.rested()
        await asyncio.wait_for(request, 30)
        assert run.told == [('a', None, 'x')]
