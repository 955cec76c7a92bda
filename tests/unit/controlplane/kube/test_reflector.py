"""One reflector by itself: what it asks for, when it lists, when it rests, and what it says of itself."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from controlplane.kube.holdings import Holdings
from controlplane.kube.reflector import Asked, Reflector, Tally, Timing
from controlplane.kube.resources import SERVICES
from controlplane.kube.retry import Ill
from tests.integration.harness.waiting import until
from tests.kube.fakeclock import ManualClock
from tests.kube.fakefaults import FakeWatch
from tests.kube.fakeserver import FakeApiServer
from tests.kube.informers import compact, thing

WATCH = Timing(watch_s=(400.0, 400.0))


@pytest.fixture
async def fake() -> AsyncIterator[FakeApiServer]:
    async with FakeApiServer() as running:
        yield running


class Running:
    """A reflector that runs, with what it fills."""

    def __init__(self, fake: FakeApiServer, namespace: str, timing: Timing, **asked: Any) -> None:
        self.fake, self.clock, self.tally = fake, ManualClock(), Tally()
        self.holdings: Holdings[str] = Holdings('Service', compact)
        self.reflector = Reflector(
            fake.api(call_s=5.0, list_s=5.0), Asked(resource=SERVICES, **asked), namespace, self.holdings, self.tally,
            self.clock, random.Random(3), timing,
        )  # fmt: skip

    @property
    def values(self) -> dict[str, str]:
        return {name: value for (_, name), value in self.holdings.values.items()}

    def queries(self, verb: str) -> list[Any]:
        return [seen.query for seen in self.fake.seen(verb, SERVICES)]

    async def synced(self) -> FakeWatch:
        """Until it has listed and watches."""
        async with asyncio.timeout(10):
            await self.reflector.synced.wait()
        return await self.watch()

    async def watch(self, after: FakeWatch | None = None) -> FakeWatch:
        """The watch that is open, another one than `after`."""
        await self.fake.until(lambda: any(one is not after for one in self.fake.open_watches(SERVICES)))
        return next(one for one in self.fake.open_watches(SERVICES) if one is not after)

    async def held(self, **values: str) -> None:
        await until(lambda: self.values == values, within=10, what='it holds them')

    async def ill(self, ill: Ill | None) -> None:
        """Until that is its trouble; with one, until it rests."""

        def is_so() -> bool:
            trouble = self.reflector.trouble
            return (None if trouble is None else trouble.ill) is ill

        await until(is_so, within=10, what=f'trouble: {ill}')
        if ill is not None:
            await self.clock.waiting()

    async def rested(self) -> None:
        """Let the pause it is in pass."""
        await self.clock.waiting()
        await self.clock.advance(self.clock.pauses[-1])


@asynccontextmanager
async def running(
    fake: FakeApiServer, namespace: str = '', timing: Timing = WATCH, **asked: Any
) -> AsyncIterator[Running]:
    of = Running(fake, namespace, timing, **asked)
    task = asyncio.ensure_future(of.reflector.run())
    try:
        yield of
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


# --- what it asks for --------------------------------------------------------------------------------------------------


async def test_it_lists_and_watches_what_it_was_told_to(fake: FakeApiServer) -> None:
    fake.put(SERVICES, 'shop', thing('a', labels={'app': 'x'}))
    fake.put(SERVICES, 'shop', thing('b'))
    fake.put(SERVICES, 'other', thing('c', labels={'app': 'x'}))
    async with running(fake, 'shop', page=7, label_selector='app=x', field_selector='metadata.name=a') as of:
        watch = await of.synced()
        assert of.values == {'a': 'x'}
        (listed,) = of.queries('list')
        assert (listed['limit'], listed['labelSelector'], listed['fieldSelector']) == ('7', 'app=x', 'metadata.name=a')
        assert 'continue' not in listed
        assert (watch.seen.query['labelSelector'], watch.seen.query['fieldSelector']) == ('app=x', 'metadata.name=a')
        assert (watch.seen.namespace, watch.seen.query['timeoutSeconds']) == ('shop', '400')
        assert of.reflector.name == f'{SERVICES.label} in shop'


async def test_of_all_namespaces_it_says_so(fake: FakeApiServer) -> None:
    async with running(fake) as of:
        watch = await of.synced()
        assert watch.seen.namespace == ''
        assert of.reflector.name == f'{SERVICES.label} in all namespaces'


async def test_pages_are_asked_for_by_their_token_and_the_last_ones_version_is_watched_from(
    fake: FakeApiServer,
) -> None:
    for number in range(45):
        fake.put(SERVICES, 'shop', thing(f'n{number}'))
    async with running(fake, page=41) as of:
        watch = await of.synced()
        assert len(of.values) == 45, 'also those of a page that is taken apart in several turns'
        first, second = of.queries('list')
        assert 'continue' not in first
        assert second['continue']
        assert watch.seen.query['resourceVersion'] == str(fake.store.version)
        assert of.tally.relists == {'start': 1}


# --- what it counts ------------------------------------------------------------------------------------------------------


async def test_events_are_counted_by_their_kind_with_the_time_of_the_last(fake: FakeApiServer) -> None:
    async with running(fake) as of:
        watch = await of.synced()
        assert (of.tally.watches, of.tally.last_event, of.tally.events) == (1, None, {})
        fake.put(SERVICES, 'shop', thing('a'))
        fake.put(SERVICES, 'shop', thing('a', 'y'))
        await of.held(a='y')
        await of.clock.advance(5.0)
        fake.remove(SERVICES, 'shop', 'a')
        await of.held()
        assert of.tally.last_event == of.clock.wall()
        watch.send({'type': 'STRANGE', 'object': {'metadata': {'name': 'a', 'resourceVersion': '9000'}}})
        fake.bookmark()
        await until(lambda: of.tally.events['BOOKMARK'] == 1, within=10, what='the bookmark')
        assert of.tally.events == {'ADDED': 1, 'MODIFIED': 1, 'DELETED': 1, 'unknown': 1, 'BOOKMARK': 1}
        assert of.values == {}


async def test_an_event_without_a_version_leaves_the_version_where_it_was(fake: FakeApiServer) -> None:
    async with running(fake) as of:
        watch = await of.synced()
        fake.put(SERVICES, 'shop', thing('a'))
        await of.held(a='x')
        watch.send({'type': 'MODIFIED', 'object': {'metadata': None}})
        watch.send(
            {'type': 'MODIFIED', 'object': {'metadata': {'name': 'a', 'namespace': 'shop'}, 'spec': {'value': 'z'}}}
        )
        watch.end()
        following = await of.watch(watch)
        assert following.seen.query['resourceVersion'] == str(fake.store.version)
        assert of.holdings.malformed == 1


# --- what goes wrong -----------------------------------------------------------------------------------------------------


async def test_trouble_is_told_once_and_its_end_too(fake: FakeApiServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    fake.fail('list', SERVICES, status=500, times=2)
    async with running(fake) as of:
        await of.ill(Ill.FAILING)
        assert not of.reflector.synced.is_set()
        trouble = of.reflector.trouble
        assert trouble is not None
        assert trouble.since == of.clock.wall()
        await of.rested()
        await until(lambda: of.tally.failures['failing'] == 2, within=10, what='the second failure')
        assert of.reflector.trouble is trouble, 'it is the same trouble, since then'
        await of.rested()
        await of.synced()
        await of.ill(None)
        assert caplog.text.count('trying again in') == 1
        assert caplog.text.count('heard again, after failing') == 1
        assert of.tally.failures == {'failing': 2}
        assert of.tally.relists == {'start': 3}


async def test_trouble_of_another_kind_is_told_as_such(fake: FakeApiServer, caplog: pytest.LogCaptureFixture) -> None:
    fake.fail('list', SERVICES, status=500)
    fake.fail('list', SERVICES, status=403)
    async with running(fake) as of:
        await of.ill(Ill.FAILING)
        await of.rested()
        await of.ill(Ill.FORBIDDEN)
        assert caplog.text.count('trying again in') == 2


async def test_a_watch_that_stands_and_says_nothing_ends_a_trouble_after_a_second(fake: FakeApiServer) -> None:
    async with running(fake) as of:
        watch = await of.synced()
        watch.abort()
        await of.ill(Ill.UNREACHABLE)
        await of.rested()
        await of.watch(watch)
        answered = of.clock.now() + 1.0  # by then it has stood for a second, once its answer is here
        await until(lambda: any(due == answered for due, *_ in of.clock._timers), within=10, what='its answer')
        await of.clock.advance(0.9)
        assert of.reflector.trouble is not None
        await of.clock.advance(0.1)
        await of.ill(None)


async def test_an_event_ends_a_trouble_at_once(fake: FakeApiServer) -> None:
    async with running(fake) as of:
        watch = await of.synced()
        watch.abort()
        await of.ill(Ill.UNREACHABLE)
        await of.rested()
        await of.watch(watch)
        fake.put(SERVICES, 'shop', thing('a'))
        await of.held(a='x')
        assert of.reflector.trouble is None


async def test_a_list_that_fails_keeps_what_is_held_and_its_reason(fake: FakeApiServer) -> None:
    fake.put(SERVICES, 'shop', thing('a'))
    async with running(fake) as of:
        watch = await of.synced()
        fake.fail('list', SERVICES, status=500)
        watch.expire()
        await of.ill(Ill.EXPIRED)
        await of.clock.advance(0.0 if of.clock.pauses[-1] == 0.0 else of.clock.pauses[-1])
        await of.ill(Ill.FAILING)
        assert of.values == {'a': 'x'}
        await of.rested()
        await of.watch(watch)
        assert of.tally.relists == {'start': 1, 'expired': 2}


# --- lists that are due, or asked for ---------------------------------------------------------------------------------------


async def test_a_list_is_due_when_its_time_is_over_and_the_watch_before_it_has_ended(fake: FakeApiServer) -> None:
    async with running(fake, timing=Timing(watch_s=(400.0, 400.0), relist_s=100.0)) as of:
        watch = await of.synced()
        await of.clock.advance(99.0)
        watch.end()
        watch = await of.watch(watch)
        assert of.tally.relists == {'start': 1}
        await of.clock.advance(2.0)
        assert watch.is_open, 'a watch that stands is not ended for it'
        watch.end()
        await of.watch(watch)
        assert of.tally.relists == {'start': 1, 'periodic': 1}


async def test_zero_seconds_are_never(fake: FakeApiServer) -> None:
    async with running(fake, timing=Timing(watch_s=(1e9, 1e9), relist_s=0.0)) as of:
        watch = await of.synced()
        await of.clock.advance(1e6)
        watch.end()
        await of.watch(watch)
        assert of.tally.relists == {'start': 1}


async def test_a_list_that_is_asked_for_ends_the_watch_and_is_waited_for(fake: FakeApiServer) -> None:
    async with running(fake) as of:
        watch = await of.synced()
        held = fake.fault('hold', 'list', SERVICES)
        asked = [asyncio.ensure_future(of.reflector.relist(reason)) for reason in ('brake', 'brake')]
        await fake.until(lambda: held.used == 1)
        assert not watch.is_open
        assert not any(one.done() for one in asked)
        held.remove()
        await asyncio.gather(*asked)
        assert of.tally.relists == {'start': 1, 'brake': 1}, 'one list is for both'
        await of.watch(watch)
        assert of.tally.failures == {}


async def test_what_is_asked_for_within_a_list_gets_one_of_its_own(fake: FakeApiServer) -> None:
    async with running(fake) as of:
        await of.synced()
        held = fake.fault('hold', 'list', SERVICES)
        first = asyncio.ensure_future(of.reflector.relist('brake'))
        await fake.until(lambda: held.used == 1)
        second = asyncio.ensure_future(of.reflector.relist('later'))
        await asyncio.sleep(0)
        held.remove()
        await first
        await second
        assert of.tally.relists == {'start': 1, 'brake': 1, 'later': 1}


async def test_who_gives_up_waiting_is_forgotten_and_others_are_not(fake: FakeApiServer) -> None:
    async with running(fake) as of:
        await of.synced()
        fake.fail('list', SERVICES, status=500)
        impatient, patient = (asyncio.ensure_future(of.reflector.relist('brake')) for _ in range(2))
        await of.ill(Ill.FAILING)
        impatient.cancel()
        await asyncio.gather(impatient, return_exceptions=True)
        assert not patient.done()
        await of.rested()
        await patient
        assert of.tally.relists == {'start': 1, 'brake': 2}


# --- silence ---------------------------------------------------------------------------------------------------------------


async def test_a_watch_that_has_sent_bookmarks_may_be_silent_for_less_long(fake: FakeApiServer) -> None:
    async with running(fake) as of:
        await of.synced()
        await of.clock.advance(429.0)
        assert of.tally.failures == {}
        fake.bookmark()
        await until(lambda: of.tally.events['BOOKMARK'] == 1, within=10, what='the bookmark')
        await of.clock.advance(74.0)
        assert of.tally.failures == {}
        await of.clock.advance(1.0)
        await of.ill(Ill.SILENT)
        assert '75 s' in str(of.reflector.trouble)


async def test_one_that_has_sent_none_is_silent_when_its_own_time_and_a_grace_are_over(fake: FakeApiServer) -> None:
    async with running(fake) as of:
        await of.synced()
        fake.put(SERVICES, 'shop', thing('a'))
        await of.held(a='x')
        await of.clock.advance(429.9)
        assert of.tally.failures == {}
        await of.clock.advance(0.1)
        await of.ill(Ill.SILENT)


async def test_a_watch_that_ends_within_a_second_and_said_something_is_well(fake: FakeApiServer) -> None:
    async with running(fake) as of:
        watch = await of.synced()
        fake.put(SERVICES, 'shop', thing('a'))
        await of.held(a='x')
        watch.end()
        await of.watch(watch)
        assert of.tally.failures == {}


async def test_one_that_ends_within_a_second_and_said_nothing_is_not(fake: FakeApiServer) -> None:
    async with running(fake) as of:
        watch = await of.synced()
        watch.end()
        await of.ill(Ill.EMPTY)
        await of.rested()
        watch = await of.watch(watch)
        fake.bookmark()
        await until(lambda: of.tally.events['BOOKMARK'] == 1, within=10, what='the bookmark')
        watch.end()
        await until(lambda: of.tally.failures['empty'] == 2, within=10, what='a bookmark is nothing')


async def test_one_that_lived_for_a_second_and_said_nothing_is_well(fake: FakeApiServer) -> None:
    async with running(fake) as of:
        watch = await of.synced()
        await of.clock.advance(1.0)
        watch.end()
        await of.watch(watch)
        assert of.tally.failures == {}


async def test_words_between_make_empty_watches_no_reason_for_a_list(fake: FakeApiServer) -> None:
    async with running(fake) as of:
        watch = await of.synced()
        for value in 'abcd':
            watch.end()
            await until(lambda: of.reflector.trouble is not None, within=10, what='it is empty')
            await of.rested()
            watch = await of.watch(watch)
            fake.put(SERVICES, 'shop', thing('a', value))
            await of.held(a=value)
            watch.end()
            watch = await of.watch(watch)
        assert of.tally.relists == {'start': 1}
        assert of.tally.failures == {'empty': 4}
