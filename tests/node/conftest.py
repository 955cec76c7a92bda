"""The node that `python -m tests.node` made, one release of the chart on it, and an application in a namespace of the test's own."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path

import pytest

from tests.cluster.harness.api import Kube, administrator
from tests.cluster.harness.chart import Release
from tests.cluster.harness.running import Running
from tests.cluster.kit.build import built
from tests.integration.harness.waiting import until
from tests.node.site import Site

RELEASE = 'edge'
_NUMBERS = itertools.count(1)
_FAILED = pytest.StashKey[bool]()
_COMPONENT = 'app.kubernetes.io/component'


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here is marked, so that `make test` leaves it out."""
    for item in items:
        if item.nodeid.startswith('tests/node/'):
            item.add_marker(pytest.mark.node)
            item.add_marker(pytest.mark.timeout(600))


@pytest.fixture(scope='session')
def cluster() -> Running:
    """The node."""
    work = Path(os.environ['SLUICE_CLUSTER'])
    return Running(work, work / 'kubeconfig', built())


@pytest.fixture
async def kube(cluster: Running) -> AsyncIterator[Kube]:
    """The administrator at the API server."""
    async with administrator(cluster.kubeconfig) as made:
        yield made


@pytest.fixture(scope='session')
def image() -> str:
    """The image that the application's pods run in: it has Python."""
    return f'localhost/sluice-controlplane:{os.environ["SLUICE_TAG"]}'


@pytest.fixture(scope='session')
def values() -> dict[str, object]:
    """What the tests' release is told: this image, small pods, short graces."""
    tag = os.environ['SLUICE_TAG']
    small = {'requests': {'cpu': '10m', 'memory': '64Mi'}, 'limits': {'memory': '512Mi'}}
    return {
        'controlplane.image.tag': tag,
        'dataplane.image.tag': tag,
        'controlplane.preStopSeconds': 2,
        'controlplane.resources': small,
        'dataplane.resources': small,
        'dataplane.workers': 1,
        'dataplane.shutdown.graceSeconds': 4,
        'dataplane.shutdown.drainSeconds': 20,
    }


@pytest.fixture(scope='session')
def release(cluster: Running, values: dict[str, object]) -> Iterator[Release]:
    """Installed by `helm install --wait` into a namespace that enforces `restricted`; gone at the end."""
    made = Release(cluster, RELEASE, 'sluice-system')

    async def install() -> None:
        (await cluster.kubectl('create', 'namespace', made.namespace)).must()
        label = 'pod-security.kubernetes.io/enforce=restricted'
        (await cluster.kubectl('label', 'namespace', made.namespace, label)).must()
        done = await made.install(values, '--wait', '--timeout', '150s')
        if done.status:
            for what in ('pods', 'events'):
                print((await cluster.kubectl('get', what, '--namespace', made.namespace, '-o', 'wide')).out)
        done.must()

    async def remove() -> None:
        (await made.uninstall('--wait')).must()

    asyncio.run(install())
    yield made
    asyncio.run(remove())


@pytest.fixture
async def namespace(kube: Kube) -> AsyncIterator[str]:
    """A namespace of the test's own, which enforces `restricted`."""
    name = f'apps-{next(_NUMBERS)}'
    labels = {'pod-security.kubernetes.io/enforce': 'restricted'}
    await kube.create('namespaces', {'apiVersion': 'v1', 'kind': 'Namespace', 'metadata': {'name': name, 'labels': labels}})  # fmt: skip
    await until(lambda: kube.find('serviceaccounts', 'default', name), within=30, what='its service account')
    yield name
    await kube.delete('namespaces', name)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """So that a fixture knows whether its test failed."""
    report = yield
    if report.when == 'call':
        item.stash[_FAILED] = report.failed
    return report


@pytest.fixture
async def site(
    request: pytest.FixtureRequest, kube: Kube, cluster: Running, release: Release, namespace: str, image: str
) -> AsyncIterator[Site]:
    """All of it, for a test that does what a person would do. What a failed one leaves behind is printed."""
    yield Site(kube, cluster, release, namespace, image)
    if request.node.stash.get(_FAILED, False):
        for words in (
            ('get', 'pods,bp,so', '--all-namespaces', '-o', 'wide'),
            ('get', 'bp', '--all-namespaces', '-o', 'yaml'),
            *(
                (
                    'logs',
                    '--namespace',
                    release.namespace,
                    '--prefix',
                    '--tail=60',
                    '--selector',
                    f'{_COMPONENT}={plane}',
                )
                for plane in ('controlplane', 'dataplane')
            ),
        ):
            done = await cluster.kubectl(*words)
            print(f'{" ".join(words)}:\n{done.out}{done.err}')
