"""Replicas of the control plane over a fake API server, in this process, and the objects that are in it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import httpx

from controlplane.app import Settings, authority_of, open_socket
from controlplane.incluster import replicated
from controlplane.kube.lease import Times
from controlplane.kube.resources import BACKEND_POLICIES, ENDPOINT_SLICES, PODS, SERVICES
from controlplane.kube.status import Pacing
from controlplane.push import PushSettings
from controlplane.replica import ClusterSettings, Replica
from tests.kube.fakeserver import FakeApiServer
from tests.unit.controlplane.world import QUICK, DataPlane

OWN = 'sluice-system'
LONG = Times(lease_ms=30_000, renew_ms=20_000, retry_ms=200)
SHORT = Times(lease_ms=9_000, renew_ms=7_000, retry_ms=200)
OFTEN = Pacing(pace_s=0.05, figures_s=0.1)
BACKEND = 'shop.web.http'
Json = dict[str, Any]


def put_service(fake: FakeApiServer, name: str = 'web', **policy: Any) -> None:
    """A Service with one port, and its policy."""
    ports = [{'name': 'http', 'port': 80, 'protocol': 'TCP'}]
    fake.put(SERVICES, 'shop', {'metadata': {'name': name}, 'spec': {'ipFamilies': ['IPv4'], 'ports': ports}})
    spec = {'targetRefs': [{'group': '', 'kind': 'Service', 'name': name}], 'maxConn': 2, **policy}
    fake.put(BACKEND_POLICIES, 'shop', {'metadata': {'name': name, 'generation': 1}, 'spec': spec})


def endpoint(number: int, pod: str | None = None, **conditions: bool) -> Json:
    """An endpoint of a pod, web-NUMBER unless named."""
    name = pod or f'web-{number}'
    return {
        'addresses': [f'10.0.{number // 250}.{number % 250 + 1}'],
        'conditions': {'ready': True, **conditions},
        'targetRef': {'kind': 'Pod', 'namespace': 'shop', 'name': name, 'uid': f'uid-{name}'},
    }


def put_slice(fake: FakeApiServer, *endpoints: Json, name: str = 'web-1', of: str = 'web') -> None:
    """A slice of a Service."""
    fake.put(
        ENDPOINT_SLICES, 'shop',
        {
            'metadata': {'name': name, 'labels': {'kubernetes.io/service-name': of}}, 'addressType': 'IPv4',
            'ports': [{'name': 'http', 'port': 8080, 'protocol': 'TCP'}], 'endpoints': list(endpoints),
        },
    )  # fmt: skip


def put_pod(fake: FakeApiServer, name: str, namespace: str = 'shop') -> str:
    """A pod; returns its uid."""
    made = fake.put(PODS, namespace, {'metadata': {'name': name}, 'status': {'phase': 'Running'}})
    return str(made['metadata']['uid'])


@dataclass(frozen=True)
class Standing:
    """A replica of this process, its address and a client."""

    replica: Replica
    address: str
    client: httpx.AsyncClient

    async def until_leading(self) -> None:
        """Wait until it leads."""
        await self.until(lambda: self.replica.leads)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something about how it stands is so."""
        moved = asyncio.Event()
        self.replica.listen(moved.set)
        async with asyncio.timeout(90):
            while not holds():
                moved.clear()
                await moved.wait()


@contextlib.asynccontextmanager
async def standing(
    fake: FakeApiServer, name: str, *, times: Times = LONG, push: PushSettings = QUICK, **more: Any
) -> AsyncIterator[Standing]:
    """A replica that lives until this is left, in order."""
    settings = Settings(store='kubernetes', port=0, push=push)
    with open_socket('127.0.0.1', 0, alone=True) as listener:
        address = f'127.0.0.1:{listener.getsockname()[1]}'
        cluster = ClusterSettings(namespace=OWN, pod=name, address=address, times=times, snapshot_s=0.1, **more)
        async with replicated(settings, cluster, fake.api(), authority_of(settings)) as (replica, server):
            task = asyncio.ensure_future(server.serve([listener]))
            try:
                async with httpx.AsyncClient(base_url=f'http://{address}', timeout=30) as client:
                    yield Standing(replica, address, client)
            finally:
                server.should_exit = True
                await task


async def dialled(one: Standing, name: str = 'dp1', **hello: Any) -> DataPlane:
    """A data plane at this replica, once it leads; what was pushed first is applied."""
    await one.until_leading()
    plane = DataPlane(name)
    await plane.dial(one.address, **hello)
    await plane.apply()
    return plane
