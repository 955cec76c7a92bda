"""Kubernetes as far as the examples need it: the fake API server, a control plane on it, data planes, and who else there is.

The planes speak TLS, and the API server judges their tokens and everybody's rights, as the chart has it. What controllers and a
kubelet would do is played here: a Deployment becomes pods, each with a counting server that is it, and slices of the Services
that select them.
"""

from __future__ import annotations

import itertools
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import httpx
import trustme

from controlplane.kube.resources import BACKEND_POLICIES, ENDPOINT_SLICES, PODS, SERVER_OVERRIDES, SERVICES
from tests.integration.harness.planes import DataPlane, Stage, routed
from tests.integration.harness.procs import Child, python, spawn
from tests.integration.harness.upstream import Upstream
from tests.integration.harness.waiting import until
from tests.kube.fakeauth import pod_user
from tests.kube.fakeserver import FakeApiServer

Json = dict[str, Any]
OWN: Final = 'sluice'
ACCOUNT: Final = 'sluice-dataplane'
AUDIENCE: Final = 'sluice'
NODES: Final = ('node-a', 'node-b')
WITHIN: Final = 60.0


def own_address() -> str | None:
    """An address of this machine that is not its loopback, which no endpoint may have. None: it has none."""
    lines = Path('/proc/net/fib_trie').read_text().splitlines()
    local = [line.split()[-1] for line, after in itertools.pairwise(lines) if after.split() == ['/32', 'host', 'LOCAL']]
    for address in dict.fromkeys(local):
        if not address.startswith(('127.', '169.254.')):
            with socket.socket() as trial:
                try:
                    trial.bind((address, 0))
                except OSError:
                    continue
                return address
    return None


@dataclass
class Pod:
    """A pod of a Deployment, and the server that is it."""

    name: str
    namespace: str
    labels: Mapping[str, str]
    node: str
    uid: str
    server: Upstream


def _is_empty(pod: Pod) -> bool:
    return not pod.server.inside()


@dataclass
class Kubernetes:
    """What one test has in its hands. `address` is the one of all pods, each of which has a port of its own."""

    stage: Stage
    fake: FakeApiServer
    address: str
    rest: int
    health: int
    planes: list[DataPlane] = field(default_factory=list)
    pods: dict[str, Pod] = field(default_factory=dict)
    deployments: dict[tuple[str, str], Json] = field(default_factory=dict)
    cordoned: set[str] = field(default_factory=set)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    @property
    def url(self) -> str:
        """REST of the control plane."""
        return f'https://localhost:{self.rest}'

    @property
    def ca_file(self) -> Path:
        """Who signed its certificate."""
        return self.stage.directory / 'ca.crt'

    # the product

    async def begin(self, planes: int) -> None:
        """Start a control plane, and data planes that follow it."""
        directory = self.stage.directory
        authority = trustme.CA()
        self.ca_file.write_bytes(authority.cert_pem.bytes())
        (directory / 'tls.pem').write_bytes(
            authority.issue_cert('localhost', '127.0.0.1').private_key_and_cert_chain_pem.bytes()
        )
        kubeconfig = self.fake.kubeconfig(directory / 'kubeconfig')
        address = f'127.0.0.1:{self.rest}'
        argv = python(
            'controlplane', '--store', 'kubernetes', '--listen', address, '--address', address, '--kubeconfig', str(kubeconfig),
            '--namespace', OWN, '--pod', 'controlplane-0', '--tls-cert', str(directory / 'tls.pem'), '--leader-ca', str(self.ca_file),
            '--health-listen', f'127.0.0.1:{self.health}', '--dataplane-accounts', f'{OWN}:{ACCOUNT}', '--audience', AUDIENCE,
        )  # fmt: skip
        child = await spawn(argv, name='controlplane', directory=directory)
        self.stage.stack.push_async_callback(child.stop)
        try:
            await until(lambda: self._leads(child), within=WITHIN, what='the control plane leads', every=0.05)
        except AssertionError:
            print(child.report())
            raise
        for number in range(planes):
            await self._plane(f'dp{number}')

    async def _leads(self, child: Child) -> bool:
        if child.returncode is not None:
            raise AssertionError(child.report())
        try:
            async with httpx.AsyncClient(trust_env=False) as client:
                return bool((await client.get(f'http://127.0.0.1:{self.health}/readyz')).json()['status'] == 'ok')
        except httpx.TransportError:
            return False

    async def _plane(self, name: str) -> None:
        """A data plane with the token that its pod would have."""
        pod = self.fake.put(PODS, OWN, {'metadata': {'name': name}, 'status': {'phase': 'Running'}})
        uid = pod['metadata']['uid']
        token = self.stage.directory / f'{name}.token'
        token.write_text(f'token-of-{name}')
        self.fake.auth.tokens[token.read_text()] = pod_user(OWN, ACCOUNT, name, uid, AUDIENCE)
        port = self.stage.ports.take()
        self.planes.append(
            await self.stage.data_plane(
                routed(port), name=name, port=port, workers=1, queue='20s',
                control_plane=f'https://127.0.0.1:{self.rest} token-file {token} ca-file {self.ca_file}',
                environment={'POD_NAME': name, 'POD_UID': uid},
            )
        )  # fmt: skip

    def operators(self, user: str) -> None:
        """Somebody gets what the chart's role for operators gives, in all namespaces."""
        for kind in (BACKEND_POLICIES, SERVER_OVERRIDES):
            self.fake.auth.allow(user, 'get list watch', kind)
        self.fake.auth.allow(user, 'create update patch delete', SERVER_OVERRIDES)
        self.fake.auth.allow(user, 'create', 'serveroverrides/shutdown', group='sluice.dev')

    def token(self, namespace: str, account: str) -> str:
        """A token of a service account, for the control plane."""
        found = {'metadata': {'name': account, 'namespace': namespace, 'uid': f'uid-of-{account}'}}
        made = self.fake.auth.token_request(found, None, {'spec': {'audiences': [AUDIENCE]}})
        return str(made['status']['token'])

    async def call(self, method: str, path: str, token: str, body: object = None) -> httpx.Response:
        """One REST call."""
        context = ssl.create_default_context(cafile=str(self.ca_file))
        async with httpx.AsyncClient(verify=context, trust_env=False, timeout=40) as client:
            return await client.request(
                method, f'{self.url}{path}', json=body, headers={'Authorization': f'Bearer {token}'}
            )

    # what it comes to

    def status(self, policy: str, namespace: str = 'examples') -> Json:
        """The status of a policy, its conditions by type."""
        status = self.fake.get(BACKEND_POLICIES, namespace, policy).get('status') or {}
        return {**status, 'conditions': {one['type']: one['status'] for one in status.get('conditions', [])}}

    async def programmed(self, policy: str, servers: str, namespace: str = 'examples') -> None:
        """Until so many servers ('2/3': ready, of all) are in force on every data plane."""

        def so() -> bool:
            status = self.status(policy, namespace)
            return bool(status['conditions'].get('Programmed') == 'True' and status['servers']['summary'] == servers)

        await until(so, within=WITHIN, what=f'{policy} has {servers}', every=0.05)

    # controllers and kubelet

    async def deploy(self, namespace: str, deployment: Json) -> None:
        """A Deployment, with so many pods as it wants, over the nodes that take some."""
        name = deployment['metadata']['name']
        self.deployments[namespace, name] = deployment
        template, nodes = deployment['spec']['template'], [node for node in NODES if node not in self.cordoned]
        there = [pod for pod in self.pods.values() if (pod.namespace, pod.name.rpartition('-')[0]) == (namespace, name)]
        for number in range(len(there), deployment['spec']['replicas']):
            await self._pod(namespace, f'{name}-{next(self._numbers)}x', template, nodes[number % len(nodes)])
        self.slices()

    async def undeploy(self, namespace: str, name: str) -> None:
        """It and its pods go."""
        del self.deployments[namespace, name]
        await self._remove(*(pod for pod in self.pods.values() if pod.name.rpartition('-')[0] == name))

    async def evict(self, node: str) -> None:
        """All pods of a node go, and are made anew elsewhere."""
        await self._remove(*(pod for pod in self.pods.values() if pod.node == node))
        for (namespace, _), deployment in list(self.deployments.items()):
            await self.deploy(namespace, deployment)

    async def _pod(self, namespace: str, name: str, template: Json, node: str) -> None:
        server = Upstream(name, 0.02, host=self.address)
        await server.start()
        self.stage.stack.push_async_callback(server.close)
        labels = template['metadata']['labels']
        document = {'metadata': {'name': name, 'labels': labels}, 'spec': {'nodeName': node}}
        made = self.fake.put(PODS, namespace, {**document, 'status': {'phase': 'Running'}})
        self.pods[name] = Pod(name, namespace, labels, node, made['metadata']['uid'], server)

    async def _remove(self, *pods: Pod) -> None:
        """They terminate, serving what they have, and then are gone with all they own."""
        for pod in pods:
            self._slice(pod, ready=False, serving=True, terminating=True)
        for pod in pods:
            await until(partial(_is_empty, pod), within=WITHIN, what=f'{pod.name} has ended')
            del self.pods[pod.name]
            for one in self.fake.all(ENDPOINT_SLICES, pod.namespace):
                if one['metadata']['name'].endswith(f'-{pod.name}'):
                    self.fake.remove(ENDPOINT_SLICES, pod.namespace, one['metadata']['name'])
            self.fake.remove(PODS, pod.namespace, pod.name)

    def slices(self) -> None:
        """What the controller of EndpointSlices makes of Services and pods."""
        for pod in self.pods.values():
            self._slice(pod, ready=True)

    def _slice(self, pod: Pod, **conditions: bool) -> None:
        """A slice for each pod and Service that selects it, since each has a port of its own on one address."""
        for service in self.fake.all(SERVICES, pod.namespace):
            selector = service['spec'].get('selector')
            if not selector or not selector.items() <= pod.labels.items():
                continue
            name = service['metadata']['name']
            target = {'kind': 'Pod', 'namespace': pod.namespace, 'name': pod.name, 'uid': pod.uid}
            endpoint = {
                'addresses': [self.address],
                'conditions': conditions,
                'nodeName': pod.node,
                'targetRef': target,
            }
            ports = [
                {'name': one['name'], 'port': pod.server.port, 'protocol': 'TCP'} for one in service['spec']['ports']
            ]
            self.fake.put(
                ENDPOINT_SLICES, pod.namespace,
                {
                    'metadata': {'name': f'{name}-{pod.name}', 'labels': {'kubernetes.io/service-name': name}},
                    'addressType': 'IPv4', 'ports': ports, 'endpoints': [endpoint],
                },
            )  # fmt: skip


@asynccontextmanager
async def kubernetes(stage: Stage, address: str, planes: int = 2) -> AsyncIterator[Kubernetes]:
    """A running one."""
    async with FakeApiServer() as fake:
        made = Kubernetes(stage, fake, address, stage.ports.take(), stage.ports.take())
        await made.begin(planes)
        async with stage.stack:  # its processes end before their API server
            yield made
