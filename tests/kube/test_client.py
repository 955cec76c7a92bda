"""The client over a real socket, when things go wrong."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from typing import Any

import pytest

from controlplane.kube.client import Api, ApiError, Unreachable
from controlplane.kube.resources import CONFIG_MAPS, LEASES, SERVICES, TOKEN_REVIEWS
from tests.kube.fakeauth import User
from tests.kube.fakefaults import Kind
from tests.kube.fakeserver import FakeApiServer

Json = dict[str, Any]
SERVICE: Json = {'metadata': {'name': 'web'}, 'spec': {}}


async def watched(api: Api, count: int, since: str = '1000') -> list[Json]:
    events = []
    async with aclosing(api.watch(SERVICES, None, resource_version=since, timeout_s=60)) as stream:
        async with asyncio.timeout(30):
            async for event in stream:
                events.append(event)
                if len(events) == count:
                    break
    return events


async def test_what_the_server_says_is_said(fake: FakeApiServer) -> None:
    fake.fail('get', SERVICES, status=429, retry_after=3)
    with pytest.raises(ApiError) as caught:
        await fake.api().get(SERVICES, 'shop', 'web')
    assert (caught.value.status, caught.value.reason, caught.value.retry_after) == (429, 'TooManyRequests', 3.0)


@pytest.mark.parametrize('kind', ['reset', 'garbage', 'half', 'lose'])
async def test_what_is_no_answer_is_unreachable(fake: FakeApiServer, kind: Kind) -> None:
    fake.put(SERVICES, 'shop', SERVICE)
    fake.fault(kind, 'get', SERVICES, times=None)
    with pytest.raises(Unreachable):
        await fake.api().get(SERVICES, 'shop', 'web')


async def test_an_answer_that_was_lost_may_have_been_one(fake: FakeApiServer) -> None:
    fake.fault('lose', 'create', LEASES)
    api = fake.api()
    with pytest.raises(Unreachable):
        await api.create(LEASES, 'shop', {'metadata': {'name': 'one'}})
    assert (await api.get(LEASES, 'shop', 'one'))['metadata']['uid']


async def test_no_call_waits_for_ever(fake: FakeApiServer) -> None:
    fake.fault('hang', '*', None, times=None)
    api = fake.api(call_s=0.05, list_s=0.05)
    calls = (
        api.get(SERVICES, 'shop', 'web'),
        api.list_page(SERVICES),
        api.create(SERVICES, 'shop', SERVICE),
        api.replace(SERVICES, 'shop', 'web', SERVICE),
        api.patch(SERVICES, 'shop', 'web', {}),
        api.patch_status(SERVICES, 'shop', 'web', {}),
        api.apply(SERVICES, 'shop', 'web', {}, field_manager='me'),
        api.delete(SERVICES, 'shop', 'web'),
        watched(api, 1),
    )
    for call in calls:
        with pytest.raises(Unreachable):
            await call
    with pytest.raises(Unreachable, match='no answer within'):
        await api.get(SERVICES, 'shop', 'web', timeout_s=0.02)


async def test_a_server_that_is_not_there_is_unreachable(fake: FakeApiServer) -> None:
    api = fake.api()
    await api.list_page(SERVICES)
    await fake.stop()
    with pytest.raises(Unreachable):
        await api.list_page(SERVICES)
    with pytest.raises(Unreachable):
        await watched(api, 1)
    await fake.start()
    assert (await api.list_page(SERVICES))['items'] == []


async def test_a_closed_client_asks_nothing(fake: FakeApiServer) -> None:
    api = fake.api()
    await api.close()
    await api.close()
    with pytest.raises(Unreachable, match='closed'):
        await api.list_page(SERVICES)


async def test_a_call_that_is_given_up_leaves_the_client_whole(fake: FakeApiServer) -> None:
    api = fake.api()
    fault = fake.fault('hold', 'list', SERVICES)
    call = asyncio.ensure_future(api.list_page(SERVICES))
    await fake.until(lambda: fault.used)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert (await api.list_page(SERVICES))['items'] == []


async def test_an_object_larger_than_a_read_buffer_comes_through(fake: FakeApiServer) -> None:
    fake.put(CONFIG_MAPS, 'shop', {'metadata': {'name': 'big'}, 'data': {'text': 'x' * 5_000_000}})
    api = fake.api()
    assert len((await api.get(CONFIG_MAPS, 'shop', 'big'))['data']['text']) == 5_000_000
    async with aclosing(api.watch(CONFIG_MAPS, 'shop', resource_version='1000', timeout_s=60)) as stream:
        event = await anext(stream)
    assert len(event['object']['data']['text']) == 5_000_000


async def test_a_watch_that_is_cut_within_an_event_says_so_and_hands_nothing_over(fake: FakeApiServer) -> None:
    api = fake.api()
    for clean in (False, True):
        stream = api.watch(SERVICES, None, resource_version='1000', timeout_s=60)
        reading = asyncio.ensure_future(anext(stream))
        (watch,) = await fake.watching(SERVICES)
        watch.cut(clean=clean)
        with pytest.raises(Unreachable, match='within an event' if clean else 'lost'):
            await reading
        await fake.watching(SERVICES, 0)


async def test_a_watch_that_is_reset_is_unreachable(fake: FakeApiServer) -> None:
    stream = fake.api().watch(SERVICES, None, resource_version='1000', timeout_s=60)
    reading = asyncio.ensure_future(anext(stream))
    (watch,) = await fake.watching(SERVICES)
    watch.abort()
    with pytest.raises(Unreachable):
        await reading


@pytest.mark.parametrize('line', ['[]', '{}', '{"type":1,"object":{}}', '{"type":"ADDED","object":[]}'])
async def test_a_line_that_is_no_event_is_not_handed_over(fake: FakeApiServer, line: str) -> None:
    stream = fake.api().watch(SERVICES, None, resource_version='1000', timeout_s=60)
    reading = asyncio.ensure_future(anext(stream))
    (watch,) = await fake.watching(SERVICES)
    watch.send(json.loads(line))
    with pytest.raises(Unreachable, match='no event'):
        await reading


async def test_a_watch_that_nobody_reads_any_more_is_closed(fake: FakeApiServer) -> None:
    fake.put(SERVICES, 'shop', SERVICE)
    api = fake.api()
    assert [event['type'] for event in await watched(api, 1)] == ['ADDED']
    await fake.watching(SERVICES, 0)


async def test_a_watch_that_is_refused_is_an_error(fake: FakeApiServer) -> None:
    fake.put(SERVICES, 'shop', SERVICE)
    fake.compact()
    with pytest.raises(ApiError) as caught:
        await watched(fake.api(), 1)
    assert caught.value.is_gone
    fake.too_old_in_stream = True
    (event,) = await watched(fake.api(), 1)
    assert (event['type'], event['object']['code']) == ('ERROR', 410)


async def test_bookmarks_come_to_who_asked(fake: FakeApiServer) -> None:
    reading = asyncio.ensure_future(watched(fake.api(), 1))
    await fake.watching(SERVICES)
    fake.bookmark(SERVICES)
    (event,) = await reading
    assert event['type'] == 'BOOKMARK'
    assert event['object']['metadata']['resourceVersion'] == str(fake.store.version)


async def test_reviews(fake: FakeApiServer) -> None:
    fake.auth.tokens['secret'] = User('alice', groups=('oncall',), audiences=('sluice',))
    api = fake.api()
    good = await api.create(TOKEN_REVIEWS, None, {'spec': {'token': 'secret', 'audiences': ['sluice']}})
    assert good['status']['user']['username'] == 'alice'
    assert good['status']['audiences'] == ['sluice']
    for spec in ({'token': 'secret'}, {'token': 'other', 'audiences': ['sluice']}):
        bad = await api.create(TOKEN_REVIEWS, None, {'spec': spec})
        assert not bad['status'].get('authenticated')


async def test_the_query_is_sent_as_it_is_meant(fake: FakeApiServer) -> None:
    api = fake.api()
    await api.list_page(
        SERVICES, 'shop', limit=7, label_selector='a in (b,c),d!=e', field_selector='metadata.name=x y+z'
    )
    (seen,) = fake.seen('list', SERVICES)
    assert seen.namespace == 'shop'
    assert seen.query == {'limit': '7', 'labelSelector': 'a in (b,c),d!=e', 'fieldSelector': 'metadata.name=x y+z'}
