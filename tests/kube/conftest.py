"""What the contract tests run against: the fake always, and the API server of $SLUICE_REALKUBE, a kubeconfig, when that is set.

`server` is one of both; `namespace` is a new one of the test's own, `other_namespace` a second one.
"""

from __future__ import annotations

import asyncio
import functools
import os
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from controlplane.kube.access import from_kubeconfig
from controlplane.kube.client import Api, ApiError
from controlplane.kube.resources import (
    BACKEND_POLICIES,
    CUSTOM_RESOURCE_DEFINITIONS,
    NAMESPACES,
    SERVER_OVERRIDES,
    Resource,
)
from tests.crds import render
from tests.integration.harness.waiting import until
from tests.kube.fakeserver import FakeApiServer

REALKUBE = os.environ.get('SLUICE_REALKUBE', '')


@dataclass(frozen=True, slots=True)
class Server:
    """`fake` is None for a real one."""

    api: Api
    fake: FakeApiServer | None


@pytest.fixture
async def fake() -> AsyncIterator[FakeApiServer]:
    async with FakeApiServer() as running:
        yield running


@pytest.fixture(
    params=[
        'fake',
        pytest.param(
            'real',
            marks=[
                pytest.mark.realkube,
                pytest.mark.skipif(not REALKUBE, reason='SLUICE_REALKUBE names no kubeconfig'),
            ],
        ),
    ]
)
async def server(request: pytest.FixtureRequest) -> AsyncIterator[Server]:
    if request.param == 'fake':
        async with FakeApiServer() as running:
            yield Server(running.api(), running)
    else:
        async with Api(from_kubeconfig(REALKUBE), call_s=60.0) as api:  # it may share two cores with everything else
            yield Server(api, None)


async def _made(server: Server) -> str:
    name = f'sluice-test-{secrets.token_hex(4)}'
    await server.api.create(NAMESPACES, None, {'metadata': {'name': name}})
    return name


async def _gone(server: Server, name: str) -> None:
    try:
        await server.api.delete(NAMESPACES, None, name)
    except ApiError as error:
        if error.status not in {404, 409}:  # it is going already
            raise


@pytest.fixture
async def namespace(server: Server) -> AsyncIterator[str]:
    name = await _made(server)
    yield name
    await asyncio.shield(_gone(server, name))


@pytest.fixture
async def custom_kinds(server: Server) -> None:
    """The project's own kinds are served."""
    if server.fake is not None:
        return
    for resource in (BACKEND_POLICIES, SERVER_OVERRIDES):
        if not await _is_served(server, resource):
            definition = render(resource.plural)
            await server.api.create(CUSTOM_RESOURCE_DEFINITIONS, None, definition, timeout_s=60)
            await until(functools.partial(_is_served, server, resource), within=60, what=resource.label)


async def _is_served(server: Server, resource: Resource) -> bool:
    try:
        await server.api.list_page(resource, limit=1)
    except ApiError as error:
        if error.status != 404:
            raise
        return False
    return True


@pytest.fixture
async def other_namespace(server: Server) -> AsyncIterator[str]:
    name = await _made(server)
    yield name
    await asyncio.shield(_gone(server, name))
