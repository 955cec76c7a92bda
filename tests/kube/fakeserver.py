"""A fake Kubernetes API server on a real socket, with faults on request.

    async with FakeApiServer() as fake:
        api = fake.api()                                   # a controlplane.kube.client.Api; closed with the fake
        fake.put(SERVICES, 'shop', {'metadata': {'name': 'web'}, 'spec': {...}})   # create or change without a request
        fake.get(SERVICES, 'shop', 'web'); fake.remove(SERVICES, 'shop', 'web')    # look and delete likewise
        fake.kubeconfig(tmp_path / 'kubeconfig')           # for processes: --kubeconfig, KUBECONFIG

    # faults (fakefaults.py): of one request ...
        fake.fail('list', SERVICES, status=429, retry_after=3, times=2); fake.fail('*', None, status=500, times=None)
        fake.fault('reset' | 'hang' | 'hold' | 'garbage' | 'half' | 'lose', 'update', LEASES)
        fault = fake.fault('hold', 'list', SERVICES); await fake.until(lambda: fault.used); fault.gate.set()    # slow
        fake.missing.add(BACKEND_POLICIES)                  # its CRD is not installed: 404
    # ... of watches that are open
        (watch,) = await fake.watching(SERVICES); watch.end(); watch.cut(); watch.freeze(); watch.expire(); watch.send(event)
        fake.bookmark(); fake.compact()                    # bookmarks now; forget history: 410 for versions before now
    # ... of everything
        await fake.stop(); await fake.start()              # same port, same objects; all connections are cut
        fake.auth.required = True; fake.auth.rotate('fake-token', 'new')     # 401 for the old token
        fake.auth.tokens['t'] = User('alice'); fake.auth.allow('alice', 'get list', SERVICES, 'shop')        # RBAC: 403

    # waiting without sleeping: `until` looks again whenever a request, an event or a watch came or went
        await fake.until(lambda: len(fake.seen('create', EVENTS)) == 2)

What it keeps of the real one: one version counter, lists at a version, `limit`/`continue`, watches from a version with
history, bookmarks, timeoutSeconds, 409 by version, merge patch, server-side apply with owners of fields, the status
subresource, generation, finalizers, garbage collection by owner references (at once), TokenRequest, TokenReview and SubjectAccessReview.
What it does not: schemas of any kind, controllers (no slices from Services), namespaces that must exist.
`TOO_OLD_IN_STREAM` on the fake: a watch from before the history is told so by an ERROR event instead of HTTP 410.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from aiohttp import web

from controlplane.kube.access import fixed
from controlplane.kube.client import Api
from controlplane.kube.resources import Resource
from tests.kube.fakeauth import FakeAuth
from tests.kube.fakefaults import FakeWatch, Fault, Kind, Seen
from tests.kube.fakehandler import Handler
from tests.kube.fakestore import Change, FakeStore, Json

LIMIT_S = 10.0


class FakeApiServer:
    """`bookmark_s`: bookmarks to every watch that asked, each so many seconds; None: only by `bookmark()`."""

    def __init__(self, *, bookmark_s: float | None = None, tls: ssl.SSLContext | None = None) -> None:
        self.store = FakeStore()
        self.auth = FakeAuth()
        self.missing: set[Resource] = set()
        self.requests: list[Seen] = []
        self.faults: list[Fault] = []
        self.watches: list[FakeWatch] = []
        self.too_old_in_stream = False
        self.port = 0
        self._bookmark_s = bookmark_s
        self._tls = tls
        self._woken = asyncio.Event()
        self._apis: list[Api] = []
        self._runner: web.AppRunner | None = None
        self._bookmarks: asyncio.Task[None] | None = None
        self.store.listeners.append(self._tell)

    # --- life

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        for api in self._apis:
            await api.close()
        await self.stop()

    async def start(self) -> None:
        application = web.Application(client_max_size=64 * 1024 * 1024)
        application.router.add_route('*', '/{path:.*}', Handler(self).handle)
        self._runner = web.AppRunner(application, access_log=None, handler_cancellation=True, shutdown_timeout=0.01)
        await self._runner.setup()
        site = web.TCPSite(self._runner, '127.0.0.1', self.port, ssl_context=self._tls, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]
        if self._bookmark_s is not None:
            self._bookmarks = asyncio.create_task(self._bookmark_each(self._bookmark_s))

    async def stop(self) -> None:
        """Cut everything and refuse connections, until `start`."""
        if self._bookmarks is not None:
            self._bookmarks.cancel()
        for fault in self.faults:
            if fault.kind == 'hold':
                fault.gate.set()
        for watch in list(self.watches):
            watch.abort()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @property
    def url(self) -> str:
        return f'{"https" if self._tls else "http"}://127.0.0.1:{self.port}'

    def api(self, token: str = 'fake-token', **limits: float) -> Api:
        """A client with that token. `limits`: call_s, list_s."""
        api = Api(fixed(self.url, token), **limits)
        self._apis.append(api)
        return api

    def kubeconfig(self, path: Path, token: str = 'fake-token', ca_file: str | None = None) -> Path:
        cluster = {'server': self.url, **({'certificate-authority': ca_file} if ca_file else {})}
        path.write_text(json.dumps({
            'apiVersion': 'v1', 'kind': 'Config', 'current-context': 'fake',
            'clusters': [{'name': 'fake', 'cluster': cluster}],
            'users': [{'name': 'fake', 'user': {'token': token}}],
            'contexts': [{'name': 'fake', 'context': {'cluster': 'fake', 'user': 'fake', 'namespace': 'default'}}],
        }))  # fmt: skip
        return path

    # --- objects, without a request

    def put(self, resource: Resource, namespace: str, document: Json) -> Json:
        """Create it, or make it so; the status too. Returns it with its new version."""
        document = {'apiVersion': resource.api_version, 'kind': resource.kind, **document}
        key = (resource, namespace, document['metadata']['name'])
        if key not in self.store.objects:
            self.store.create(resource, namespace, document)
        else:
            metadata = {
                **document['metadata'],
                'resourceVersion': self.store.objects[key]['metadata']['resourceVersion'],
            }
            self.store.replace(key, {**document, 'metadata': metadata})
        if 'status' in document:
            self.store.merge(key, {'status': document['status']}, status=True)
        return self.store.get(key)

    def get(self, resource: Resource, namespace: str, name: str) -> Json:
        return self.store.get((resource, namespace, name))

    def all(self, resource: Resource, namespace: str = '') -> list[Json]:
        return self.store.listed(resource, namespace)

    def remove(self, resource: Resource, namespace: str, name: str) -> None:
        self.store.delete((resource, namespace, name))

    def compact(self) -> None:
        self.store.compact()

    # --- faults

    def fail(
        self, verb: str, resource: Resource | None = None, *, status: int, reason: str = '', retry_after: int | None = None,
        times: int | None = 1, namespace: str | None = None, name: str | None = None,
    ) -> Fault:  # fmt: skip
        fault = Fault('status', verb, resource, namespace, name, times, status, reason, retry_after)
        self.faults.append(fault)
        return fault

    def fault(
        self, kind: Kind, verb: str, resource: Resource | None = None, *, times: int | None = 1,
        namespace: str | None = None, name: str | None = None,
    ) -> Fault:  # fmt: skip
        fault = Fault(kind, verb, resource, namespace, name, times)
        self.faults.append(fault)
        return fault

    def bookmark(self, resource: Resource | None = None) -> None:
        for watch in self.watches:
            if resource in {None, watch.seen.resource}:
                watch.bookmark(self.store.version)

    # --- looking and waiting

    def seen(self, verb: str, resource: Resource | None = None) -> list[Seen]:
        return [one for one in self.requests if one.verb == verb and resource in {None, one.resource}]

    def open_watches(self, resource: Resource | None = None) -> list[FakeWatch]:
        return [watch for watch in self.watches if watch.is_open and resource in {None, watch.seen.resource}]

    async def watching(self, resource: Resource, count: int = 1) -> list[FakeWatch]:
        """Wait until exactly so many watches of it are open."""
        await self.until(lambda: len(self.open_watches(resource)) == count)
        return self.open_watches(resource)

    async def until(self, true: Callable[[], Any], limit_s: float = LIMIT_S) -> None:
        """Wait until `true()`; it is asked again after everything that happens here. TimeoutError."""
        async with asyncio.timeout(limit_s):
            while not true():
                self._woken.clear()
                await self._woken.wait()

    def wake(self) -> None:
        self._woken.set()

    def _tell(self, change: Change) -> None:
        for watch in self.watches:
            watch.tell(change)
        self.wake()

    async def _bookmark_each(self, seconds: float) -> None:
        while True:
            await asyncio.sleep(seconds)
            self.bookmark()
