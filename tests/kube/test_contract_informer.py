"""The informer against the fake and against a real API server: what is held is what is there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from controlplane.kube.client import Api
from controlplane.kube.holdings import Key
from controlplane.kube.informer import Informer
from controlplane.kube.resources import CONFIG_MAPS, LEASES
from tests.kube.conftest import Server

Json = dict[str, Any]


def holder(document: Json) -> str | None:
    return (document.get('spec') or {}).get('holderIdentity')


def lease(name: str, who: str) -> Json:
    return {'metadata': {'name': name}, 'spec': {'holderIdentity': who}}


class Mirror:
    """An informer of Leases, and what adding up its news gives."""

    def __init__(self, api: Api, *namespaces: str) -> None:
        self.informer: Informer[str] = Informer(api, LEASES, namespaces, holder, page=3)
        self.informer.listen(self._tell)
        self.heard: dict[str, str] = {}
        self._news = asyncio.Event()

    def _tell(self, key: Key, old: str | None, new: str | None) -> None:
        assert self.heard.get(key[1]) == old
        self.heard.pop(key[1], None) if new is None else self.heard.update({key[1]: new})
        self._news.set()

    async def until(self, true: Callable[[], Any]) -> None:
        async with asyncio.timeout(20):
            while not true():
                self._news.clear()
                await self._news.wait()

    async def held(self, **wanted: str) -> None:
        await self.until(lambda: self.heard == wanted)
        assert {key[1]: value for key, value in self.informer.store.items()} == wanted


async def test_what_is_held_is_what_is_there(server: Server, namespace: str) -> None:
    api = server.api
    for number in range(7):
        await api.create(LEASES, namespace, lease(f'n{number}', 'a'))
    mirror = Mirror(api, namespace)
    running = asyncio.ensure_future(mirror.informer.run())
    try:
        everything = {f'n{number}': 'a' for number in range(7)}
        await mirror.held(**everything)
        assert mirror.informer.synced
        await api.patch(LEASES, namespace, 'n3', {'spec': {'holderIdentity': 'b'}})
        await api.delete(LEASES, namespace, 'n4')
        await api.create(LEASES, namespace, lease('new', 'c'))
        del everything['n4']
        await mirror.held(**{**everything, 'n3': 'b', 'new': 'c'})
        await asyncio.wait_for(mirror.informer.relist('confirm'), 20)
        assert mirror.informer.figures().relists == {'start': 1, 'confirm': 1}
        await api.delete(LEASES, namespace, 'new')
        await mirror.held(**{**everything, 'n3': 'b'})
        assert mirror.informer.figures().failures == {}
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_an_object_made_anew_is_told_as_gone_and_new(server: Server, namespace: str) -> None:
    api = server.api
    await api.create(LEASES, namespace, lease('one', 'a'))
    told: list[tuple[str | None, str | None]] = []
    mirror = Mirror(api, namespace)
    mirror.informer.listen(lambda _, old, new: told.append((old, new)))
    running = asyncio.ensure_future(mirror.informer.run())
    try:
        await mirror.held(one='a')
        await api.delete(LEASES, namespace, 'one')
        await api.create(LEASES, namespace, lease('one', 'a'))
        await mirror.until(lambda: len(told) == 3)
        assert told == [(None, 'a'), ('a', None), (None, 'a')]
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_namespaces_are_watched_apart(server: Server, namespace: str, other_namespace: str) -> None:
    api = server.api
    await api.create(CONFIG_MAPS, other_namespace, {'metadata': {'name': 'noise'}, 'data': {}})
    await api.create(LEASES, namespace, lease('mine', 'a'))
    mirror = Mirror(api, namespace, other_namespace)
    running = asyncio.ensure_future(mirror.informer.run())
    try:
        await mirror.held(mine='a')
        await api.create(LEASES, other_namespace, lease('theirs', 'b'))
        await mirror.held(mine='a', theirs='b')
        assert set(mirror.informer.store) == {(namespace, 'mine'), (other_namespace, 'theirs')}
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
