"""The informer when a stream ends otherwise than it should."""

from __future__ import annotations

import pytest

from controlplane.kube.reflector import Timing
from controlplane.kube.resources import SERVICES
from controlplane.kube.retry import Ill
from tests.kube.fakeserver import FakeApiServer
from tests.kube.informers import running, thing


@pytest.mark.parametrize('in_stream', [False, True])
async def test_410_lists_again_and_tells_what_was_missed(fake: FakeApiServer, in_stream: bool) -> None:
    for name in 'abcd':
        fake.put(SERVICES, 'shop', thing(name))
    fake.too_old_in_stream = in_stream
    async with running(fake) as run:
        watch = await run.watch()
        run.told.clear()
        await run.clock.advance(60.0)
        held = fake.fault('hold', 'watch', SERVICES)
        watch.end()
        await fake.until(lambda: held.used)
        fake.remove(SERVICES, 'shop', 'b')
        fake.put(SERVICES, 'shop', thing('c', 'y'))
        fake.remove(SERVICES, 'shop', 'd')
        fake.put(SERVICES, 'shop', thing('d'))
        fake.put(SERVICES, 'shop', thing('e'))
        fake.compact()
        held.gate.set()
        await run.held(a='x', c='y', d='x', e='x')
        assert sorted(run.told, key=repr) == sorted(
            [('b', 'x', None), ('c', 'x', 'y'), ('d', 'x', None), ('d', None, 'x'), ('e', None, 'x')], key=repr
        )
        assert run.informer.figures().relists == {'start': 1, 'expired': 1}
        assert run.clock.pauses == ([600.0, 0.0])
        assert not run.informer.troubles


async def test_410_again_and_again_is_not_answered_without_a_pause(fake: FakeApiServer) -> None:
    async with running(fake) as run:
        watch = await run.watch()
        fake.fail('watch', SERVICES, status=410, times=5)
        await run.clock.advance(2.0)
        watch.end()
        for _ in range(5):
            await run.rested()
        await run.next_watch(watch)
        assert run.informer.figures().failures == {Ill.EXPIRED: 5}
        assert all(pause > 0 for pause in run.clock.pauses)


async def test_an_error_event_of_another_kind_lists_again(fake: FakeApiServer) -> None:
    async with running(fake) as run:
        watch = await run.watch()
        fake.put(SERVICES, 'shop', thing('a'))
        watch.error(500, 'InternalError')
        await run.rested()
        await run.held(a='x')
        assert run.informer.figures().relists == {'start': 1, 'error event': 1}
        assert run.informer.figures().failures == {Ill.FAILING: 1}


@pytest.mark.parametrize('how', ['abort', 'cut', 'cut clean'])
async def test_a_lost_stream_goes_on_from_the_last_version(fake: FakeApiServer, how: str) -> None:
    async with running(fake) as run:
        watch = await run.watch()
        fake.put(SERVICES, 'shop', thing('a'))
        await run.held(a='x')
        match how:
            case 'abort':
                watch.abort()
            case 'cut':
                watch.cut()
            case _:
                watch.cut(clean=True)
        fake.put(SERVICES, 'shop', thing('b'))
        await run.rested()
        await run.held(a='x', b='x')
        assert run.lists() == 1
        assert run.informer.figures().failures == {Ill.UNREACHABLE: 1}


async def test_silence_is_noticed_sooner_where_bookmarks_come(fake: FakeApiServer) -> None:
    async with running(fake) as run:
        first = await run.watch()
        fake.put(SERVICES, 'shop', thing('z'))
        fake.bookmark()
        fake.remove(SERVICES, 'shop', 'z')
        await run.until(lambda: run.told[-1:] == [('z', 'x', None)])
        first.freeze()
        await fake.until(lambda: first.frozen)
        fake.put(SERVICES, 'shop', thing('a'))
        await run.clock.advance(74.0)
        assert run.informer.figures().failures == {}
        await run.clock.advance(2.0)
        await run.rested()
        await run.held(a='x')
        assert run.informer.figures().failures == {Ill.SILENT: 1}


async def test_silence_without_bookmarks_is_noticed_after_the_watchs_own_time(fake: FakeApiServer) -> None:
    async with running(fake, timing=Timing(resync_s=0)) as run:
        first = await run.watch()
        first.freeze()
        await fake.until(lambda: first.frozen)
        await run.clock.advance(int(first.seen.query['timeoutSeconds']) + 28.0)
        assert run.informer.figures().failures == {}
        await run.clock.advance(4.0)
        await run.clock.waiting(1)
        assert run.informer.figures().failures == {Ill.SILENT: 1}
        assert run.informer.troubles[''].ill is Ill.SILENT


async def test_watches_that_end_at_once_are_failures_and_then_a_list(fake: FakeApiServer) -> None:
    async with running(fake) as run:
        watch = await run.watch()
        for number in range(1, 4):
            watch.end()
            await run.resting()
            assert run.informer.figures().failures == {Ill.EMPTY: number}
            assert run.informer.troubles[''].ill is Ill.EMPTY
            await run.rested()
            watch = await run.next_watch(watch)
        assert run.informer.figures().relists == {'start': 1, 'empty watches': 1}
        await run.clock.advance(1.5)
        assert not run.informer.troubles


async def test_a_watch_that_lived_and_told_of_nothing_is_no_failure(fake: FakeApiServer) -> None:
    async with running(fake) as run:
        watch = await run.watch()
        await run.clock.advance(1.5)
        watch.end()
        await run.next_watch(watch)
        assert run.informer.figures().failures == {}
