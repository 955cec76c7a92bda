"""A release on the node, an application behind it in a namespace of the test's own, and what a person does with both."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from tests.cluster.harness.api import Kube
from tests.cluster.harness.chart import Release
from tests.cluster.harness.planes import named
from tests.cluster.harness.running import Running
from tests.integration.harness.load import Load, ask
from tests.integration.harness.waiting import until
from tests.node.application import deploy, policy, ready_pods

HOST = 'web.test'
NAME = 'edge-sluice'
CONTROL, DATA = f'{NAME}-controlplane', f'{NAME}-dataplane'
ON_CALL = 'oncall'
PAUSE_S = 1.0  # well within the grace of a data plane that leaves
SLOW_MS = 2_000


@dataclass
class Site:
    """`address` is where clients come in; the application is called web."""

    kube: Kube
    cluster: Running
    release: Release
    namespace: str
    image: str
    address: str = ''

    @property
    def backend(self) -> str:
        """The application's name in REST."""
        return f'{self.namespace}.web.http'

    async def application(self, *, replicas: int, service_ms: float = 5, **spec: Any) -> list[str]:
        """The application, used by every one of its pods; returns their names. `spec` is of its policy."""
        self.address = (await self.kube.get('services', DATA, self.release.namespace))['spec']['clusterIP']
        await deploy(self.kube, self.namespace, 'web', self.image, replicas=replicas, service_ms=service_ms)
        await self.kube.create('backendpolicies', policy('web', HOST, **spec), self.namespace)
        return await self.all_used(replicas, within=120)

    async def pods(self) -> list[str]:
        """The application's pods that are ready and not on their way out."""
        return await ready_pods(self.kube, self.namespace, 'web')

    async def answering(self, requests: int = 24) -> set[str]:
        """The servers that answered, and '503' and the like for what was not answered by one."""
        records = [await ask(80, f'/{number}', HOST, address=self.address) for number in range(requests)]
        return {record.server if record.status == httpx.codes.OK else str(record.status) for record in records}

    async def all_used(self, replicas: int, *, within: float = 60) -> list[str]:
        """Until there are so many pods, and each of them and nobody else answers."""

        async def holds() -> list[str] | None:
            pods = await self.pods()
            try:
                return pods if len(pods) == replicas and await self.answering() == set(pods) else None
            except ConnectionRefusedError:  # after an outage of the API no node counts as ready for a while
                return None

        pods = await until(holds, within=within, what=f'{replicas} pods answer', every=0.5)
        assert pods is not None
        return pods

    async def only(self, *servers: str, within: float = 30) -> None:
        """Until these and nobody else answer."""

        async def holds() -> bool:
            return await self.answering() == set(servers)

        await until(holds, within=within, what=f'only {servers} answer', every=0.2)

    @asynccontextmanager
    async def load(self) -> AsyncIterator[Load]:
        """Clients all the while, of whom none may be turned away, answered with an error, or cut.

        Some ask on and on; some pause, on a connection that they keep; some make a connection for each request; and some
        ask what takes long. Gives the first of these.
        """

        def like(connections: int, pause: float, **how: Any) -> Load:
            return Load(80, connections, HOST, address=self.address, pause=pause, **how)

        kinds = [
            like(6, 0.01),
            like(6, PAUSE_S),
            like(4, 0.01, fields='Connection: close\r\n'),
            like(6, 0.01, target=lambda number: f'/{number}?ms={SLOW_MS}'),
        ]
        async with AsyncExitStack() as stack:
            for kind in kinds:
                await stack.enter_async_context(kind)
            yield kinds[0]
            await asyncio.gather(*(kind.stop() for kind in kinds))
        failed = [record for kind in kinds for record in kind.failed()]
        assert not failed, '\n'.join(map(str, failed))

    async def kubectl(self, *words: str, document: object = None, within: float = 60.0) -> str:
        """kubectl in the application's namespace; it must succeed. Returns what it printed."""
        done = await self.cluster.kubectl('-n', self.namespace, *words, document=document, within=within)
        return done.must()

    async def restart(self, deployment: str, namespace: str = '') -> None:
        """kubectl rollout restart, to its end; of the application's namespace unless one is given."""
        where = ('-n', namespace or self.namespace, f'deployment/{deployment}')
        (await self.cluster.kubectl('rollout', 'restart', *where)).must()
        (await self.cluster.kubectl('rollout', 'status', *where, '--timeout=150s', within=180)).must()

    async def rest(self, method: str, path: str, body: Any = None, within: float = 60) -> httpx.Response:
        """REST through the Service, as somebody with the operator's role. httpx.TransportError: nobody answered."""
        async with self.client(within) as client:
            return await client.request(method, path, json=body)

    @asynccontextmanager
    async def client(self, within: float = 60) -> AsyncIterator[httpx.AsyncClient]:
        """For REST through the Service, with a token made for it and the release's authority alone."""
        namespace = self.release.namespace
        if await self.kube.find('serviceaccounts', ON_CALL, namespace) is None:
            account = {'apiVersion': 'v1', 'kind': 'ServiceAccount', 'metadata': {'name': ON_CALL}}
            await self.kube.create('serviceaccounts', account, namespace)
            role = (f'--serviceaccount={namespace}:{ON_CALL}', f'--clusterrole={NAME}-operator')
            (await self.cluster.kubectl('create', 'clusterrolebinding', ON_CALL, *role)).must()
        token = await self.kube.token(ON_CALL, namespace, audience='sluice')
        service = await self.kube.get('services', CONTROL, namespace)
        text = 'go-template={{index .data "ca.crt" | base64decode}}'
        done = await self.cluster.kubectl('get', 'secret', f'{CONTROL}-tls', '-n', namespace, '-o', text)
        context = httpx.create_ssl_context(trust_env=False)
        context.load_verify_locations(cadata=done.must())
        name = f'{CONTROL}.{namespace}.svc'
        async with httpx.AsyncClient(
            base_url=f'https://{service["spec"]["clusterIP"]}', verify=context, trust_env=False, timeout=within,
            headers={'Authorization': f'Bearer {token}', 'Host': name}, event_hooks={'request': [named(name)]},
        ) as client:  # fmt: skip
            yield client

    async def wish(self, server: str, state: str, wait: str = '') -> httpx.Response:
        """PATCH of one server's state; `wait` is drained or acked."""
        query = f'?wait={wait}&timeout=30s' if wait else ''
        return await self.rest('PATCH', f'/v1/backends/{self.backend}/servers/{server}{query}', {'adminState': state})

    async def leader(self) -> str:
        """The pod of the control plane that leads."""
        lease = await self.kube.get('leases', CONTROL, self.release.namespace)
        names = [pod['metadata']['name'] for pod in await self.control_planes()]
        return next((name for name in names if lease['spec']['holderIdentity'].startswith(name)), '')

    async def control_planes(self) -> list[dict[str, Any]]:
        """Their pods."""
        selector = 'app.kubernetes.io/component=controlplane'
        return await self.kube.list('pods', self.release.namespace, labelSelector=selector)
