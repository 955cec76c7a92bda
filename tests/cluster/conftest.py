"""One control plane per session (or the one that $SLUICE_CLUSTER names), and for each test a namespace of its own."""

from __future__ import annotations

import asyncio
import itertools
import os
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import pytest

from tests.cluster.harness.api import Kube, Refused, administrator
from tests.cluster.harness.kinds import install
from tests.cluster.harness.pods import Pods
from tests.cluster.harness.running import Running
from tests.cluster.kit.build import built
from tests.cluster.kit.cluster import up
from tests.cluster.kit.parts import end
from tests.cluster.world import Sluice, sluice
from tests.integration.harness.waiting import until

_NUMBERS = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here is marked, so that `make test` leaves it out."""
    for item in items:
        if item.nodeid.startswith('tests/cluster/'):
            item.add_marker(pytest.mark.cluster)


@pytest.fixture(scope='session')
def cluster() -> Iterator[Running]:
    """The cluster of the session."""
    given = os.environ.get('SLUICE_CLUSTER')
    if given:
        yield Running(Path(given), Path(given) / 'kubeconfig', built())
        return
    with tempfile.TemporaryDirectory(prefix='sluice-cluster-', ignore_cleanup_errors=True) as directory:
        work = Path(directory).resolve() / 'w'
        yield Running(work, up(work, with_node=False), built())
        end(work)


@pytest.fixture
async def kube(cluster: Running) -> AsyncIterator[Kube]:
    """The administrator at the API server."""
    async with administrator(cluster.kubeconfig) as made:
        yield made


@pytest.fixture(scope='session')
def kinds(cluster: Running) -> None:
    """The project's own kinds are served."""

    async def made() -> None:
        async with administrator(cluster.kubeconfig) as somebody:
            await install(somebody)

    asyncio.run(made())


@pytest.fixture
def number(request: pytest.FixtureRequest) -> int:
    """A number that no other test of the session has, also in other test processes (from 1)."""
    worker = int(os.environ.get('PYTEST_XDIST_WORKER', 'gw0').removeprefix('gw'))
    return worker * 100 + next(_NUMBERS)


@pytest.fixture
async def namespace(kube: Kube, number: int) -> AsyncIterator[str]:
    """A namespace of the test's own, with its default service account. Its pods go with it."""
    name = f'test-{number}-{os.getpid()}'
    await kube.create('namespaces', {'apiVersion': 'v1', 'kind': 'Namespace', 'metadata': {'name': name}})
    await until(lambda: kube.find('serviceaccounts', 'default', name), within=30, what='its service account')
    yield name
    await Pods(kube, name, 0).remove_all()
    try:
        await kube.delete('namespaces', name)
    except Refused as refused:
        if refused.status != 409:  # it is being deleted already
            raise


@pytest.fixture
def pods(kube: Kube, namespace: str, number: int) -> Pods:
    """Pods made by hand in the test's namespace."""
    return Pods(kube, namespace, number % 250 + 1)


@pytest.fixture
def labels() -> Mapping[str, str]:
    """Labels of the pods that a test's Service selects."""
    return {'app': 'web'}


@pytest.fixture
async def here(cluster: Running, kube: Kube, kinds: None, namespace: str, number: int) -> AsyncIterator[Sluice]:
    """A whole Sluice of the test's own."""
    async with sluice(cluster, kube, namespace, number) as made:
        yield made
