"""Pods made by hand where there is no kubelet: a test says what one would have reported, and the real controllers do the rest.

The addresses are of 10.244.0.0/16, which are local in the network that `tests.cluster.kit.alone` makes: a process that plays
the pod can listen there.
"""

from __future__ import annotations

import itertools
from typing import Any

from tests.cluster.harness.api import Document, Kube, Refused

NODE = 'node1'


class Pods:
    """The hand-made pods of one namespace. `subnet`: the third number of their addresses."""

    def __init__(self, kube: Kube, namespace: str, subnet: int) -> None:
        self._kube, self._namespace = kube, namespace
        self._addresses = itertools.count(2)
        self._subnet = subnet

    def address(self) -> str:
        """An address no other pod of this session has."""
        return f'10.244.{self._subnet}.{next(self._addresses)}'

    async def make(
        self, name: str, labels: dict[str, str], *, ready: bool = True, account: str | None = None,
        address: str | None = None, **spec: Any,
    ) -> Document:  # fmt: skip
        """A running pod; `spec` is laid over its own. Returns it with its status."""
        container = {'name': 'main', 'image': 'none'}
        body = {'nodeName': NODE, 'containers': [container], **({'serviceAccountName': account} if account else {})}
        await self._kube.create(
            'pods',
            {'apiVersion': 'v1', 'kind': 'Pod', 'metadata': {'name': name, 'labels': labels}, 'spec': {**body, **spec}},
            self._namespace,
        )
        return await self.report(name, ready=ready, address=address or self.address())

    async def report(self, name: str, *, ready: bool, address: str | None = None) -> Document:
        """The status that a kubelet would write."""
        conditions = [{'type': kind, 'status': str(ready)} for kind in ('Ready', 'ContainersReady')]
        status: Document = {'phase': 'Running', 'conditions': conditions}
        if address is not None:
            status |= {'podIP': address, 'podIPs': [{'ip': address}]}
        return await self._kube.patch('pods', name, {'status': status}, self._namespace, sub='status')

    async def terminate(self, name: str) -> None:
        """What `kubectl delete pod` does: it terminates, and stays until a kubelet (`remove`) says that it has ended."""
        await self._kube.delete('pods', name, self._namespace, gracePeriodSeconds=30)

    async def remove(self, name: str) -> None:
        """It has ended."""
        try:
            await self._kube.delete('pods', name, self._namespace, gracePeriodSeconds=0)
        except Refused as refused:
            if refused.reason != 'NotFound':
                raise

    async def remove_all(self) -> None:
        """All have ended."""
        for pod in await self._kube.list('pods', self._namespace):
            await self.remove(pod['metadata']['name'])


def service(name: str, selector: dict[str, str] | None, ports: list[Document], **spec: Any) -> Document:
    """A Service."""
    body: Document = {'ports': ports, **spec}
    if selector is not None:
        body['selector'] = selector
    return {'apiVersion': 'v1', 'kind': 'Service', 'metadata': {'name': name}, 'spec': body}


async def conditions(kube: Kube, namespace: str, name: str) -> list[str]:
    """Of each endpoint of a Service, sorted: 'ready/serving/terminating' as the slices say, missing as '-'."""
    slices = await kube.list('endpointslices', namespace, labelSelector=f'kubernetes.io/service-name={name}')
    endpoints = [endpoint for one in slices for endpoint in one.get('endpoints') or []]
    words = {True: 'true', False: 'false', None: '-'}
    return sorted(
        '/'.join(words[endpoint['conditions'].get(key)] for key in ('ready', 'serving', 'terminating'))
        for endpoint in endpoints
    )
