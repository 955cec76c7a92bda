"""The informer over a real socket: lists, events, requests, figures."""

from __future__ import annotations

import asyncio

from controlplane.kube.reflector import Timing
from controlplane.kube.resources import BACKEND_POLICIES, SERVICES
from tests.kube.fakeserver import FakeApiServer
from tests.kube.informers import running, synced, thing


async def test_it_lists_then_watches_from_the_lists_version(fake: FakeApiServer) -> None:
    fake.put(SERVICES, 'shop', thing('a'))
    async with running(fake) as run:
        assert not run.informer.synced
        await synced(run)
        assert run.told == [('a', None, 'x')]
        watch = await run.watch()
        assert watch.seen.query['resourceVersion'] == str(fake.store.version)
        assert watch.seen.query['allowWatchBookmarks'] == 'true'
        assert 300 <= int(watch.seen.query['timeoutSeconds']) <= 600
        fake.put(SERVICES, 'shop', thing('b'))
        fake.put(SERVICES, 'shop', thing('a', 'y'))
        fake.put(SERVICES, 'shop', thing('a', 'y', labels={'noise': '1'}))
        fake.remove(SERVICES, 'shop', 'b')
        await run.held(a='y')
        assert run.told[1:] == [('b', None, 'x'), ('a', 'x', 'y'), ('b', 'x', None)]


async def test_a_list_comes_in_pages_and_is_taken_over_as_a_whole(fake: FakeApiServer) -> None:
    for number in range(10):
        fake.put(SERVICES, 'shop', thing(f'n{number}'))
    async with running(fake, page=4) as run:
        await synced(run)
        assert len(run.informer.store) == 10
        assert [seen.query.get('limit') for seen in fake.seen('list')] == ['4'] * 3


async def test_a_list_slower_than_the_servers_memory_is_asked_for_at_once(fake: FakeApiServer) -> None:
    for number in range(5):
        fake.put(SERVICES, 'shop', thing(f'n{number}'))
    async with running(fake, page=2) as run:
        await fake.until(lambda: run.lists() == 1)
        fake.compact()
        await synced(run)
        assert len(run.informer.store) == 5
        assert [seen.query.get('limit') for seen in fake.seen('list')] == ['2', '2', None]


async def test_a_good_end_goes_on_from_the_last_version_at_once(fake: FakeApiServer) -> None:
    async with running(fake) as run:
        first = await run.watch()
        fake.put(SERVICES, 'shop', thing('a'))
        await run.held(a='x')
        version = str(fake.store.version)
        first.end()
        second = await run.next_watch(first)
        assert second.seen.query['resourceVersion'] == version
        assert run.clock.pauses == [600.0]  # the resync's
        assert run.lists() == 1


async def test_bookmarks_move_the_version(fake: FakeApiServer) -> None:
    async with running(fake) as run:
        first = await run.watch()
        for number in range(5):
            fake.put(BACKEND_POLICIES, 'shop', thing(f'other{number}'))
        fake.bookmark()
        await fake.until(lambda: first.sent)
        fake.put(SERVICES, 'shop', thing('a'))
        await run.held(a='x')
        fake.remove(SERVICES, 'shop', 'a')
        fake.put(BACKEND_POLICIES, 'shop', thing('one-more'))
        fake.bookmark()
        first.end()
        second = await run.next_watch(first)
        assert second.seen.query['resourceVersion'] == str(fake.store.version)
        assert run.informer.figures().events == {'BOOKMARK': 2, 'ADDED': 1, 'DELETED': 1}


async def test_events_that_come_twice_or_in_another_order_end_right(fake: FakeApiServer) -> None:
    async with running(fake) as run:
        watch = await run.watch()
        fake.put(SERVICES, 'shop', thing('a', '1'))
        fake.put(SERVICES, 'shop', thing('a', '2'))
        await run.held(a='2')
        watch.replay(2)
        watch.swap()
        fake.put(SERVICES, 'shop', thing('b', '1'))
        fake.put(SERVICES, 'shop', thing('c', '1'))
        await run.held(a='2', b='1', c='1')
        fake.remove(SERVICES, 'shop', 'a')
        fake.put(SERVICES, 'shop', thing('a', '3'))
        await run.held(a='3', b='1', c='1')
        watch.replay(2)  # the old one's end, and the new one's beginning
        fake.put(SERVICES, 'shop', thing('d', '1'))
        await run.held(a='3', b='1', c='1', d='1')
        assert [told for told in run.told if told[0] == 'a'][-2:] == [('a', '2', None), ('a', None, '3')]


async def test_each_namespace_has_its_own_stream(fake: FakeApiServer) -> None:
    for namespace in ('one', 'two', 'three'):
        fake.put(SERVICES, namespace, thing(f'in-{namespace}'))
    fault = fake.fault('hold', 'list', SERVICES, namespace='two')
    async with running(fake, SERVICES, ('one', 'two')) as run:
        await run.until(lambda: ('one', 'in-one') in run.informer.store)
        assert not run.informer.synced
        await fake.until(lambda: fault.used)
        fault.gate.set()
        await synced(run)
        assert set(run.informer.store) == {('one', 'in-one'), ('two', 'in-two')}
        await fake.watching(SERVICES, 2)


async def test_a_selection(fake: FakeApiServer) -> None:
    fake.put(SERVICES, 'shop', thing('a', labels={'yes': '1'}))
    fake.put(SERVICES, 'shop', thing('b'))
    async with running(fake, label_selector='yes') as run:
        await run.held(a='x')
        await run.watch()
        fake.put(SERVICES, 'shop', thing('b', labels={'yes': '1'}))
        fake.put(SERVICES, 'shop', thing('a'))
        await run.held(b='x')


async def test_a_list_on_request(fake: FakeApiServer) -> None:
    async with running(fake) as run:
        watch = await run.watch()
        watch.freeze()
        await fake.until(lambda: watch.frozen)
        fake.put(SERVICES, 'shop', thing('ghost'))
        await asyncio.wait_for(run.informer.relist('confirm'), 30)
        assert ('shop', 'ghost') in run.informer.store
        assert run.informer.figures().relists == {'start': 1, 'confirm': 1}
        await run.next_watch(watch)


async def test_a_list_on_request_is_one_that_was_begun_after_it(fake: FakeApiServer) -> None:
    async with running(fake) as run:
        watch = await run.watch()
        first = fake.fault('hold', 'list', SERVICES)
        request = asyncio.ensure_future(run.informer.relist('one'))
        await fake.until(lambda: first.used)
        second = fake.fault('hold', 'list', SERVICES)
        later = asyncio.ensure_future(run.informer.relist('two'))
        await asyncio.sleep(0)
        first.gate.set()
        await asyncio.wait_for(request, 30)
        await fake.until(lambda: second.used)
        assert not later.done()
        second.gate.set()
        await asyncio.wait_for(later, 30)
        await run.next_watch(watch)


async def test_a_list_on_request_outlives_failures_and_may_be_given_up(fake: FakeApiServer) -> None:
    async with running(fake) as run:
        await run.watch()
        fake.fail('list', SERVICES, status=500, times=2)
        request = asyncio.ensure_future(run.informer.relist('confirm'))
        given_up = asyncio.ensure_future(run.informer.relist('never mind'))
        await run.resting()
        given_up.cancel()
        await asyncio.gather(given_up, return_exceptions=True)
        for _ in range(2):
            await run.rested()
        await asyncio.wait_for(request, 30)


async def test_a_list_each_hour_and_a_replay_each_ten_minutes(fake: FakeApiServer) -> None:
    fake.put(SERVICES, 'shop', thing('a'))
    async with running(fake, timing=Timing(silence_s=1e9, grace_s=1e9)) as run:
        watch = await run.watch()
        await run.clock.advance(601.0)
        assert run.told == [('a', None, 'x'), ('a', 'x', 'x')]
        await run.clock.advance(2_990.0)
        watch.end()
        watch = await run.next_watch(watch)
        assert run.lists() == 1
        await run.clock.advance(10.0)
        watch.end()
        await run.next_watch(watch)
        assert run.informer.figures().relists == {'start': 1, 'periodic': 1}


async def test_figures(fake: FakeApiServer) -> None:
    async with running(fake) as run:
        await run.watch()
        before = run.informer.figures()
        assert (before.resource, before.synced, before.objects, before.last_event) == ('services', True, 0, None)
        fake.put(SERVICES, 'shop', thing('a'))
        await run.held(a='x')
        after = run.informer.figures()
        assert (after.objects, after.watches, after.events) == (1, 1, {'ADDED': 1})
        assert after.last_event == run.clock.wall()
