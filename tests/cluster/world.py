"""A whole Sluice for one test: the chart, two control planes, two data planes, an application of three servers, and people."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.cluster.harness.api import Document, Kube
from tests.cluster.harness.chart import released
from tests.cluster.harness.kinds import policy
from tests.cluster.harness.planes import NAME, Process, World, certificate, hosts_file
from tests.cluster.harness.pods import Pods, service
from tests.cluster.harness.running import Running
from tests.integration.harness.load import Record
from tests.integration.harness.upstream import Upstream
from tests.integration.harness.waiting import until

HOST = 'web.test'
VALUES = {
    'crds.enabled': False,
    'dataplane.workers': 1,
    'dataplane.shutdown.graceSeconds': 1,
    'dataplane.shutdown.drainSeconds': 5,
}


@dataclass
class Sluice:
    """What a test has in its hands. `servers`: by the name of their pods."""

    world: World
    kube: Kube
    namespace: str
    pods: Pods
    servers: dict[str, Upstream] = field(default_factory=dict)
    documents: dict[str, Document] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def backend(self) -> str:
        """The application's backend, as REST names it."""
        return f'{self.namespace}.web.http'

    async def server(self, name: str, service_s: float = 0.002) -> Upstream:
        """One more pod of the application, with a process that is it."""
        address = self.pods.address()
        upstream = Upstream(name, service_s, host=address)
        await upstream.start(8080)
        self.world.stack.push_async_callback(upstream.close)
        self.servers[name] = upstream
        self.documents[name] = await self.pods.make(name, {'app': 'web'}, address=address)
        return upstream

    async def application(self, **spec: Any) -> None:
        """A Service, three pods, and a policy for it."""
        ports = [{'name': 'http', 'port': 80, 'targetPort': 8080}]
        await self.kube.create('services', service('web', {'app': 'web'}, ports), self.namespace)
        for name in ('web-1', 'web-2', 'web-3'):
            await self.server(name)
        await self.kube.create('backendpolicies', policy('web', hosts=[HOST], **spec), self.namespace)
        await self.spread(*self.servers)

    async def token(self, role: str) -> str:
        """The token of a service account that has one of the chart's roles, in this namespace and over all."""
        if role not in self.tokens:
            account = {'apiVersion': 'v1', 'kind': 'ServiceAccount', 'metadata': {'name': role}}
            await self.kube.create('serviceaccounts', account, self.namespace)
            binding = {
                'apiVersion': 'rbac.authorization.k8s.io/v1',
                'kind': 'ClusterRoleBinding',
                'metadata': {'name': f'{self.namespace}-{role}'},
                'roleRef': {'apiGroup': 'rbac.authorization.k8s.io', 'kind': 'ClusterRole', 'name': f'{NAME}-{role}'},
                'subjects': [{'kind': 'ServiceAccount', 'name': role, 'namespace': self.namespace}],
            }
            await self.kube.create('clusterrolebindings', binding)
            name = binding['metadata']['name']  # type: ignore[index]
            self.world.stack.push_async_callback(self.kube.delete, 'clusterrolebindings', name)
            self.tokens[role] = await self.kube.token(role, self.namespace, audience='sluice')
        return self.tokens[role]

    async def call(
        self, replica: Process, method: str, path: str, body: object = None, *, role: str = 'operator'
    ) -> httpx.Response:
        """One REST call by somebody with a role."""
        async with self.world.rest(replica, await self.token(role)) as client:
            return await client.request(method, path, json=body)

    async def drain(self, replica: Process, name: str, query: str = '?wait=acked&timeout=20s') -> httpx.Response:
        """Drain one server by REST."""
        path = f'/v1/backends/{self.backend}/servers/{name}{query}'
        return await self.call(replica, 'PATCH', path, {'adminState': 'drain'})

    async def names(self, replica: Process) -> set[str]:
        """The servers of the application's backend, as REST at a replica names them."""
        answer = await self.call(replica, 'GET', f'/v1/backends/{self.backend}/servers', role='viewer')
        assert answer.status_code == httpx.codes.OK, answer.text
        return {one['name'] for one in answer.json()['items']}

    async def answering(self, plane: Process, requests: int = 12) -> set[str]:
        """Which servers answer through a data plane. AssertionError: a request was not answered with 200."""
        found = set()
        for number in range(requests):
            async with asyncio.timeout(5):  # one that a server holds is asked again by whoever waits for a spread
                record = await self.world.ask(plane, HOST, f'/{number}')
            assert record.status == 200, record
            found.add(record.server)
        return found

    async def spread(self, *names: str, within: float = 30) -> None:
        """Until, through each data plane, exactly these servers answer."""

        async def equal(plane: Process) -> bool:
            try:
                return await self.answering(plane) == set(names)
            except (AssertionError, OSError):
                return False

        for plane in self.world.planes:
            await until(
                lambda plane=plane: equal(plane), within=within, what=f'{plane.name} uses {names}', every=0.1  # type: ignore[misc]
            )  # fmt: skip

    async def arrivals(self, name: str) -> int:
        """How many requests have reached a server."""
        return len(self.servers[name].arrivals)

    async def held(self, plane: Process, name: str, requests: int = 9) -> list[asyncio.Task[Record]]:
        """Requests through a data plane, at least one of which is in a server that answers nothing until it is let go."""
        self.servers[name].hold()
        waiting = [asyncio.create_task(self.world.ask(plane, HOST, f'/held/{number}')) for number in range(requests)]
        await until(lambda: self.servers[name].inside() > 0, within=10, what=f'a request is in {name}')
        return waiting

    async def becomes(self, plural: str, name: str, kind: str, wanted: str = 'True') -> Document:
        """Until a condition of an object is as wanted."""

        document: Document = {}

        async def holds() -> bool:
            nonlocal document
            document = await self.kube.get(plural, name, self.namespace)
            return condition(document, kind) == wanted

        try:
            await until(holds, within=30, what=f'{plural}/{name} {kind}={wanted}', every=0.1)
        except AssertionError as error:
            raise AssertionError(f'{error}; it is {document}') from None
        return document


def condition(document: Document, kind: str) -> str:
    """The status of a condition; '': it is not there."""
    conditions = document.get('status', {}).get('conditions') or []
    return next((str(one['status']) for one in conditions if one['type'] == kind), '')


@asynccontextmanager
async def sluice(
    cluster: Running, kube: Kube, namespace: str, number: int, *, planes: int = 2
) -> AsyncIterator[Sluice]:
    """All of it, ready, without an application; gone at the end."""
    hosts = hosts_file()
    assert hosts is not None, 'these tests run in a network of their own: make test-cluster'
    pods = Pods(kube, namespace, number % 250 + 1)
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix='sl-', ignore_cleanup_errors=True)))
        release = await stack.enter_async_context(released(cluster, 'edge', namespace, VALUES))
        await certificate(kube, namespace, directory / 'tls')
        world = World(kube, release, pods, directory, hosts, stack)
        try:
            for name in ('cp-0', 'cp-1'):
                await world.replica(name)
            for number_ in range(planes):
                await world.data_plane(f'dp-{number_}')
            await world.leader()
            for plane in world.planes:
                await world.ready(plane)
            yield Sluice(world, kube, namespace, pods)
        finally:
            print(world.report())  # pytest shows it when the test failed
