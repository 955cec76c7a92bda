"""What the bench has at the API server, and what it writes there, with what must become of it.

One Service with its servers in slices of a hundred, as the endpoints' controller writes them. A third of the servers get weights
by ServerOverrides, a third are drained and enabled by them, and of a third the endpoints become ready and not ready.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from controlplane.kube.client import Api
from controlplane.kube.resources import (
    BACKEND_POLICIES,
    ENDPOINT_SLICES,
    NAMESPACES,
    SERVER_OVERRIDES,
    SERVICES,
    Resource,
)

NAMESPACE = 'bench'
SERVICE = 'web'
PER_SLICE = 100
WEIGHTS, DRAINS, ENDPOINTS = 'override: weight', 'override: drain, enable', 'slice: ready, not ready'
KINDS = (WEIGHTS, DRAINS, ENDPOINTS)


@dataclass(frozen=True, slots=True)
class Change:
    """One write, and what the server's `field` is once it is in force."""

    kind: str
    resource: Resource
    name: str
    body: dict[str, Any]
    server: str
    field: str
    value: object


class Objects:
    """`size`: servers of each kind of change, a multiple of a slice."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._ready = dict.fromkeys(range(3 * size), True)

    async def create(self, api: Api) -> None:
        """All of it."""
        await api.create(NAMESPACES, None, {'metadata': {'name': NAMESPACE}})
        ports = [{'name': 'http', 'port': 80, 'targetPort': 8080}]
        await api.create(SERVICES, NAMESPACE, {'metadata': {'name': SERVICE}, 'spec': {'ports': ports}})
        for first in range(0, 3 * self._size, PER_SLICE):
            meta = {'name': _slice(first), 'labels': {'kubernetes.io/service-name': SERVICE}}
            body = {'metadata': meta, 'addressType': 'IPv4', 'ports': [{'name': 'http', 'port': 8080}]}
            await api.create(ENDPOINT_SLICES, NAMESPACE, {**body, **self._endpoints(first)})
        for number in range(2 * self._size):
            spec = {
                'serviceRef': {'name': SERVICE},
                'targetRef': {'kind': 'Pod', 'name': _pod(number), 'uid': _pod(number)},
                **({'weight': 1} if number < self._size else {'adminState': 'Ready'}),
            }
            await api.create(SERVER_OVERRIDES, NAMESPACE, {'metadata': {'name': _pod(number)}, 'spec': spec})
        policy = {'targetRefs': [{'kind': 'Service', 'name': SERVICE}], 'maxConn': 4}
        await api.create(BACKEND_POLICIES, NAMESPACE, {'metadata': {'name': SERVICE}, 'spec': policy})

    def changes(self) -> Iterator[Change]:
        """One of each kind in turn, going round the servers, without end."""
        for turn in itertools.count():
            number, times = turn % self._size, turn // self._size
            weight, is_out = 2 + times % 200, times % 2 == 0
            yield self._override(WEIGHTS, number, 'weight', weight, weight)
            state = 'Drain' if is_out else 'Ready'
            yield self._override(DRAINS, self._size + number, 'adminState', state, state.lower())
            yield self._endpoint(2 * self._size + number, is_out=is_out)

    @staticmethod
    def _override(kind: str, number: int, field: str, asked: object, value: object) -> Change:
        name = _pod(number)
        return Change(kind, SERVER_OVERRIDES, name, {'spec': {field: asked}}, name, field, value)

    def _endpoint(self, number: int, *, is_out: bool) -> Change:
        self._ready[number] = not is_out
        first = number - number % PER_SLICE
        value = 'maint' if is_out else 'ready'
        body = self._endpoints(first)
        return Change(ENDPOINTS, ENDPOINT_SLICES, _slice(first), body, _pod(number), 'adminState', value)

    def _endpoints(self, first: int) -> dict[str, Any]:
        return {'endpoints': [self._one(number) for number in range(first, first + PER_SLICE)]}

    def _one(self, number: int) -> dict[str, Any]:
        is_ready = self._ready[number]
        return {
            'addresses': [f'10.244.{number // 200}.{number % 200 + 2}'],
            'conditions': {'ready': is_ready, 'serving': is_ready, 'terminating': False},
            'targetRef': {'kind': 'Pod', 'name': _pod(number), 'namespace': NAMESPACE, 'uid': _pod(number)},
        }


def _pod(number: int) -> str:
    return f'web-{number}'


def _slice(first: int) -> str:
    return f'web-slice-{first}'
