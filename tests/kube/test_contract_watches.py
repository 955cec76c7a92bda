"""Lists and watches: versions, pages, selections. The same for the fake and for a real API server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest

from controlplane.kube.client import ApiError
from controlplane.kube.resources import CONFIG_MAPS, LEASES, Resource
from tests.kube.conftest import Server

Json = dict[str, Any]
STEP_S = 10.0


def config_map(name: str, labels: dict[str, str] | None = None, **data: str) -> Json:
    return {'metadata': {'name': name, 'labels': labels or {}}, 'data': data}


def version(document: Json) -> str:
    return str(document['metadata']['resourceVersion'])


def names(page: Json) -> list[str]:
    """Of the test's own objects: a namespace gets a ConfigMap of the cluster's authority by itself."""
    return [name for item in page['items'] if (name := item['metadata']['name']) != 'kube-root-ca.crt']


class Events:
    def __init__(self, stream: AsyncIterator[Json]) -> None:
        self._stream = stream

    async def next(self) -> tuple[str, str]:
        """Type and name of the next event that is no bookmark."""
        while True:
            async with asyncio.timeout(STEP_S):
                event = await anext(self._stream)
            name = event['object']['metadata'].get('name')
            if event['type'] != 'BOOKMARK' and name != 'kube-root-ca.crt':
                return event['type'], name


@asynccontextmanager
async def watching(
    server: Server, resource: Resource, namespace: str | None, since: str, labels: str = '', fields: str = ''
) -> AsyncIterator[Events]:
    stream = server.api.watch(
        resource, namespace, resource_version=since, timeout_s=60, label_selector=labels, field_selector=fields
    )
    async with aclosing(stream):
        yield Events(stream)


async def test_a_list_is_of_one_version(server: Server, namespace: str) -> None:
    made = await server.api.create(LEASES, namespace, {'metadata': {'name': 'a'}, 'spec': {}})
    page = await server.api.list_page(LEASES, namespace)
    assert names(page) == ['a']
    assert int(version(page)) >= int(version(made))
    assert 'continue' not in page['metadata']


async def test_pages_show_what_was_when_the_first_was_asked_for(server: Server, namespace: str) -> None:
    api = server.api
    for name in 'abcde':
        await api.create(LEASES, namespace, {'metadata': {'name': name}, 'spec': {}})
    first = await api.list_page(LEASES, namespace, limit=2)
    await api.delete(LEASES, namespace, 'd')
    await api.create(LEASES, namespace, {'metadata': {'name': 'f'}, 'spec': {}})
    second = await api.list_page(LEASES, namespace, limit=2, continue_=first['metadata']['continue'])
    third = await api.list_page(LEASES, namespace, limit=2, continue_=second['metadata']['continue'])
    assert names(first) + names(second) + names(third) == list('abcde')
    assert version(first) == version(second) == version(third)
    assert not third['metadata'].get('continue')
    assert names(await api.list_page(LEASES, namespace)) == list('abcef')


async def test_a_version_that_has_not_been_is_said_to_be_too_large(server: Server, namespace: str) -> None:
    future = str(int(version(await server.api.list_page(LEASES, namespace))) + 1_000_000)
    with pytest.raises(ApiError) as caught:
        await server.api.list_page(LEASES, namespace, resource_version=future)
    assert caught.value.status == 504
    assert caught.value.is_too_new
    assert caught.value.retry_after == 1


async def test_a_watch_says_everything_after_its_version(server: Server, namespace: str) -> None:
    api = server.api
    await api.create(CONFIG_MAPS, namespace, config_map('before'))
    start = version(await api.list_page(CONFIG_MAPS, namespace))
    await api.create(CONFIG_MAPS, namespace, config_map('one'))
    async with watching(server, CONFIG_MAPS, namespace, start) as events:
        assert await events.next() == ('ADDED', 'one')
        await api.patch(CONFIG_MAPS, namespace, 'one', {'data': {'a': '1'}})
        await api.delete(CONFIG_MAPS, namespace, 'before')
        assert await events.next() == ('MODIFIED', 'one')
        assert await events.next() == ('DELETED', 'before')


async def test_a_deletion_has_a_version_of_its_own(server: Server, namespace: str) -> None:
    api = server.api
    made = await api.create(LEASES, namespace, {'metadata': {'name': 'a'}, 'spec': {}})
    await api.delete(LEASES, namespace, 'a')
    stream = api.watch(LEASES, namespace, resource_version=version(made), timeout_s=60)
    async with aclosing(stream), asyncio.timeout(STEP_S):
        event = await anext(stream)
    assert event['type'] == 'DELETED'
    assert int(version(event['object'])) > int(version(made))


async def test_a_watch_is_of_its_namespace(server: Server, namespace: str, other_namespace: str) -> None:
    api = server.api
    start = version(await api.list_page(LEASES))
    await api.create(LEASES, other_namespace, {'metadata': {'name': 'theirs'}, 'spec': {}})
    await api.create(LEASES, namespace, {'metadata': {'name': 'ours'}, 'spec': {}})
    async with watching(server, LEASES, namespace, start) as events:
        assert await events.next() == ('ADDED', 'ours')
    async with watching(server, LEASES, None, start, fields='metadata.name=theirs') as events:
        assert await events.next() == ('ADDED', 'theirs')


async def test_what_leaves_a_selection_is_deleted_for_who_selects(server: Server, namespace: str) -> None:
    api = server.api
    start = version(await api.list_page(CONFIG_MAPS, namespace))
    async with watching(server, CONFIG_MAPS, namespace, start, labels='a=b,c!=d') as events:
        await api.create(CONFIG_MAPS, namespace, config_map('one', {'a': 'b'}))
        await api.create(CONFIG_MAPS, namespace, config_map('two', {'a': 'b', 'c': 'd'}))
        await api.patch(CONFIG_MAPS, namespace, 'one', {'metadata': {'labels': {'a': 'x'}}})
        await api.patch(CONFIG_MAPS, namespace, 'two', {'metadata': {'labels': {'c': 'e'}}})
        assert await events.next() == ('ADDED', 'one')
        assert await events.next() == ('DELETED', 'one')
        assert await events.next() == ('ADDED', 'two')
    page = await api.list_page(CONFIG_MAPS, namespace, label_selector='a in (b,z),!x')
    assert names(page) == ['two']


async def test_a_watch_ends_when_its_time_is_up(server: Server, namespace: str) -> None:
    start = version(await server.api.list_page(LEASES, namespace))
    stream = server.api.watch(LEASES, namespace, resource_version=start, timeout_s=1)
    async with asyncio.timeout(STEP_S):
        seen = [event['type'] async for event in stream]
    assert set(seen) <= {'BOOKMARK'}


async def test_a_watch_from_nowhere_shows_what_is_there_first(server: Server, namespace: str) -> None:
    await server.api.create(LEASES, namespace, {'metadata': {'name': 'a'}, 'spec': {}})
    async with watching(server, LEASES, namespace, '0') as events:
        assert await events.next() == ('ADDED', 'a')


async def test_a_field_that_cannot_be_selected_is_refused(server: Server, namespace: str) -> None:
    with pytest.raises(ApiError) as caught:
        await server.api.list_page(LEASES, namespace, field_selector='spec.holderIdentity=me')
    assert caught.value.status == 400
