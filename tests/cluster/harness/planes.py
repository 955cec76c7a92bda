"""Both planes as processes against the real API server, told what the chart tells its pods.

The chart is installed by helm; its pods never run, since there is no node. In their place stand hand-made pods, and a process
for each with the environment, the configuration, the certificate and the bound token that the pod would have had. Names of
Services are in the hosts file that `tests.cluster.kit.alone` laid over this network's.
"""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.cluster.harness.api import Document, Kube
from tests.cluster.harness.chart import Release
from tests.cluster.harness.pods import Pods
from tests.integration.harness.cli import Cli
from tests.integration.harness.load import Record, ask
from tests.integration.harness.procs import Child, python, spawn
from tests.integration.harness.waiting import until

NAME = 'edge-sluice'
CONTROL, DATA = f'{NAME}-controlplane', f'{NAME}-dataplane'
HTTPS, PROBES, HTTP = 8000, 8001, 8080
_START_S = 120.0
_FIELDS = {
    'metadata.name': lambda pod: pod['metadata']['name'],
    'metadata.namespace': lambda pod: pod['metadata']['namespace'],
    'metadata.uid': lambda pod: pod['metadata']['uid'],
    'status.podIP': lambda pod: pod['status']['podIP'],
    'spec.nodeName': lambda pod: pod['spec']['nodeName'],
}


@dataclass
class Process:
    """A process that plays a pod's container."""

    pod: Document
    directory: Path
    argv: list[str]
    environment: dict[str, str]
    child: Child | None = None

    @property
    def name(self) -> str:
        """The pod's name."""
        return str(self.pod['metadata']['name'])

    @property
    def address(self) -> str:
        """The pod's address."""
        return str(self.pod['status']['podIP'])

    async def start(self) -> None:
        """Start it; does not wait until it is ready."""
        self.child = await spawn(self.argv, name=self.name, directory=self.directory, environment=self.environment)

    def alive(self) -> Child:
        """The running process. AssertionError: it has ended; with what it printed."""
        assert self.child is not None
        assert self.child.returncode is None, self.child.report()
        return self.child

    async def kill(self) -> None:
        """SIGKILL, and wait."""
        self.alive().signal(signal.SIGKILL)
        await self.alive_or_dead().wait(20)

    def alive_or_dead(self) -> Child:
        """The process that was started last."""
        assert self.child is not None
        return self.child

    async def stop(self) -> None:
        """SIGTERM, and wait."""
        if self.child is not None:
            await self.child.stop(20)

    def printed(self) -> str:
        """What it printed."""
        return self.alive_or_dead().printed.read_text(errors='replace')


@dataclass
class World:
    """A release of the chart with processes for its pods. `rest` asks as a member of nothing but what a token gives."""

    kube: Kube
    release: Release
    pods: Pods
    directory: Path
    hosts: Path
    stack: AsyncExitStack
    planes: list[Process] = field(default_factory=list)
    replicas: list[Process] = field(default_factory=list)

    @property
    def namespace(self) -> str:
        """Where everything is."""
        return self.release.namespace

    async def replica(self, name: str) -> Process:
        """One control plane, started."""
        pod = await self._pod(name, 'controlplane', CONTROL)
        token = await self.kube.token(CONTROL, self.namespace, audience='https://kubernetes.default.svc.cluster.local', pod=pod)  # fmt: skip
        kubeconfig = self.directory / f'{name}.kubeconfig'
        write_kubeconfig(self.release.cluster.kubeconfig, kubeconfig, token)
        deployment = await self.kube.get('deployments', CONTROL, self.namespace)
        settings = environment(deployment, pod, {'/etc/sluice/tls': str(self.directory / 'tls')})
        for variable, port in (('SLUICE_LISTEN', HTTPS), ('SLUICE_HEALTH_LISTEN', PROBES)):
            settings[variable] = f'{pod["status"]["podIP"]}:{port}'
        made = Process(pod, self.directory, python('controlplane', '--kubeconfig', str(kubeconfig)), settings)
        self.replicas.append(made)
        self._hosts()
        await self._begin(made)
        return made

    async def data_plane(self, name: str) -> Process:
        """One data plane, started."""
        pod = await self._pod(name, 'dataplane', DATA)
        place = self.directory / name
        for inner in ('run', 'state', 'credentials'):
            (place / inner).mkdir(parents=True)
        (place / 'credentials/ca.crt').write_bytes((self.directory / 'tls/ca.crt').read_bytes())
        (place / 'credentials/token').write_text(
            await self.kube.token(DATA, self.namespace, audience='sluice', pod=pod)
        )
        text = (await self.kube.get('configmaps', DATA, self.namespace))['data']['sluice.cfg']
        for there, here in (
            ('/run/sluice', 'run'), ('/var/lib/sluice', 'state'), ('/var/run/secrets/sluice.dev', 'credentials'),
        ):  # fmt: skip
            text = text.replace(there, str(place / here))
        (place / 'sluice.cfg').write_text(re.sub(r'(bind )\*:', rf'\g<1>{pod["status"]["podIP"]}:', text))
        deployment = await self.kube.get('deployments', DATA, self.namespace)
        argv = python('dataplane.supervisor.main', '-f', str(place / 'sluice.cfg'))
        made = Process(pod, self.directory, argv, environment(deployment, pod, {}))
        self.planes.append(made)
        await self._begin(made)
        return made

    def cli(self, plane: Process) -> Cli:
        """The stats socket of a data plane."""
        return Cli(self.directory / plane.name / 'run/sluice.sock')

    async def _pod(self, name: str, component: str, account: str) -> Document:
        labels = {
            'app.kubernetes.io/name': 'sluice', 'app.kubernetes.io/instance': self.release.name,
            'app.kubernetes.io/component': component,
        }  # fmt: skip
        return await self.pods.make(name, labels, account=account)

    async def _begin(self, process: Process) -> None:
        self.stack.push_async_callback(process.stop)
        await process.start()

    def _hosts(self) -> None:
        """What the cluster's DNS would say of the control plane's Services."""
        lines = ['127.0.0.1 localhost']
        for replica in self.replicas:
            for service in (CONTROL, f'{CONTROL}-link'):
                short = f'{service}.{self.namespace}.svc'
                lines.append(f'{replica.address} {short}.cluster.local {short}')
        self.hosts.write_text('\n'.join(lines) + '\n')

    # what a person does

    @asynccontextmanager
    async def rest(self, replica: Process, token: str) -> AsyncIterator[httpx.AsyncClient]:
        """REST at one replica, with a token."""
        name = f'{CONTROL}.{self.namespace}.svc'
        context = trusting(self.directory / 'tls/ca.crt')
        async with httpx.AsyncClient(
            base_url=f'https://{replica.address}:{HTTPS}', verify=context, trust_env=False, timeout=40,
            headers={'Authorization': f'Bearer {token}', 'Host': f'{name}:{HTTPS}'},
        ) as client:  # fmt: skip
            client.event_hooks['request'].append(named(name))
            yield client

    async def leader(self) -> Process:
        """The replica that the Lease names, once there is one that runs."""

        async def found() -> Process | None:
            lease = await self.kube.find('leases', CONTROL, self.namespace)
            holder = ((lease or {}).get('spec') or {}).get('holderIdentity') or ''
            return next(
                (one for one in self.replicas if holder.rpartition('_')[0] == one.name and one.alive_or_dead().returncode is None),
                None,
            )  # fmt: skip

        for replica in self.replicas:
            if replica.alive_or_dead().returncode not in {None, -signal.SIGKILL}:
                raise AssertionError(replica.alive_or_dead().report())
        leader = await until(found, within=_START_S, what='a replica leads', every=0.1)
        assert leader is not None
        return leader

    async def ready(self, plane: Process) -> None:
        """Until a data plane has everything."""

        async def answered() -> bool:
            plane.alive()
            try:
                async with httpx.AsyncClient(trust_env=False) as client:
                    answer = await client.get(f'http://{plane.address}:8404/readyz', timeout=5)
            except httpx.TransportError:
                return False
            return answer.status_code == httpx.codes.OK

        await until(answered, within=_START_S, what=f'{plane.name} is ready', every=0.1)

    async def ask(self, plane: Process, host: str = 'web.test', target: str = '/') -> Record:
        """One request of a client."""
        return await ask(HTTP, target, host, address=plane.address)

    def report(self) -> str:
        """What all processes printed."""
        every = [*self.replicas, *self.planes]
        return '\n'.join(one.child.report() for one in every if one.child is not None)


def named(name: str) -> Any:
    """For a request to an address: the name that the server's certificate must have."""

    async def hook(request: httpx.Request) -> None:
        request.extensions['sni_hostname'] = name

    return hook


def trusting(authority: Path) -> ssl.SSLContext:
    """A context for clients that trust one authority."""
    return ssl.create_default_context(cafile=str(authority))


def environment(workload: Document, pod: Document, paths: Mapping[str, str]) -> dict[str, str]:
    """What the kubelet would make of the first container's `env`; `paths` says where what is mounted really is."""
    found = {}
    for variable in workload['spec']['template']['spec']['containers'][0]['env']:
        if 'value' in variable:
            value = str(variable['value'])
            for there, here in paths.items():
                value = value.replace(there, here)
        else:
            value = _FIELDS[variable['valueFrom']['fieldRef']['fieldPath']](pod)
        found[variable['name']] = value
    return found


def write_kubeconfig(administrators: Path, path: Path, token: str) -> None:
    """A kubeconfig like the administrator's, for whom a token belongs to."""
    document = json.loads(administrators.read_text())
    document['users'][0]['user'] = {'token': token}
    path.write_text(json.dumps(document))


async def certificate(kube: Kube, namespace: str, directory: Path) -> None:
    """Write the release's certificate as its volume would have it."""
    write_secret((await kube.get('secrets', f'{CONTROL}-tls', namespace))['data'], directory)


def write_secret(data: Mapping[str, str], directory: Path) -> None:
    """The files of a secret in a new directory."""
    directory.mkdir()
    for name, value in data.items():
        (directory / name).write_bytes(base64.b64decode(value))


def hosts_file() -> Path | None:
    """The file that stands in for DNS; None: the tests do not run in a network of their own."""
    path = os.environ.get('SLUICE_HOSTS')
    return Path(path) if path else None
