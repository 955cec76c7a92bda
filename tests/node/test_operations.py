"""What people do to a release and to the node under it while clients are served: watch, evict, upgrade."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from tests.cluster.harness.api import Refused
from tests.cluster.harness.chart import CHART
from tests.integration.harness.waiting import until
from tests.node.application import disruption_budget
from tests.node.site import Site


@asynccontextmanager
async def watched(site: Site, *words: str) -> AsyncIterator[list[list[str]]]:
    """The rows that `kubectl get ... -w` prints while inside, each as its columns by their heads' order."""
    process = await asyncio.create_subprocess_exec(
        str(site.cluster.programs.kubectl), '-n', site.namespace, 'get', *words, '-w',
        stdout=subprocess.PIPE, env=site.cluster.environment(),
    )  # fmt: skip
    rows: list[list[str]] = []

    async def read() -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            rows.append(line.decode().split())

    reading = asyncio.create_task(read())
    try:
        yield rows
    finally:
        process.kill()
        await process.wait()
        await reading


async def test_a_drain_can_be_watched_in_the_policy(site: Site) -> None:
    first, _ = await site.application(replicas=2, maxConn=4)
    async with watched(site, 'bp') as rows:

        def shown(column: str, value: str) -> bool:
            return len(rows) > 1 and value == dict(zip(rows[0], rows[-1], strict=False)).get(column)

        await until(lambda: shown('READY', '2/2') and shown('ACKED', '2/2'), within=30, what='two servers are ready')
        assert (await site.wish(first, 'drain', 'drained')).status_code == httpx.codes.OK
        await until(lambda: shown('READY', '1/2') and shown('DRAIN', '1'), within=30, what='one drains')
        await until(lambda: shown('PROGRAMMED', 'True') and shown('ACKED', '2/2'), within=30, what='all have it')
        assert (await site.wish(first, 'ready')).status_code == httpx.codes.OK
        await until(lambda: shown('READY', '2/2') and shown('DRAIN', '0'), within=30, what='it is ready again')


async def test_a_node_is_emptied_by_a_bulk_drain_before_each_eviction(site: Site) -> None:
    """The budget keeps one pod; each is drained, waited for, and only then evicted, so that nobody is cut."""
    servers = await site.application(replicas=2)
    await site.kube.create('poddisruptionbudgets', disruption_budget('web', at_least=1), site.namespace)
    async with site.load():
        body = {'selector': {'labels': {'node': 'node1'}}, 'set': {'adminState': 'drain'}, 'dryRun': True}
        told = await site.rest('POST', f'/v1/backends/{site.backend}/servers:bulk', body)
        assert told.status_code == httpx.codes.OK, told.text
        assert all(name in told.text for name in servers), 'the node has both'
        for name in servers:
            body = {'selector': {'labels': {'node': 'node1'}, 'name': name}, 'set': {'adminState': 'drain'}}
            query = '?wait=drained&timeout=30s'
            done = await site.rest('POST', f'/v1/backends/{site.backend}/servers:bulk{query}', body)
            assert (done.status_code, done.json()['state']) == (httpx.codes.OK, 'done'), done.text
            assert name not in await site.answering()
            await evict(site, name)
            await until(lambda name=name: gone(site, name), within=60, what=f'{name} is replaced', every=0.3)  # type: ignore[misc]
        await site.all_used(2)
    assert await site.kube.list('serveroverrides', site.namespace) == [], 'a drain ends with its pod'


async def evict(site: Site, pod: str) -> None:
    """What `kubectl drain` asks for; refused at first if the budget says so."""
    where = f'/api/v1/namespaces/{site.namespace}/pods/{pod}/eviction'
    eviction = {'apiVersion': 'policy/v1', 'kind': 'Eviction', 'metadata': {'name': pod, 'namespace': site.namespace}}

    async def granted() -> bool:
        try:
            await site.kube.call('POST', where, eviction)
        except Refused as refused:
            if refused.status != httpx.codes.TOO_MANY_REQUESTS:
                raise
            return False
        return True

    await until(granted, within=60, what=f'{pod} may be evicted', every=0.5)


async def gone(site: Site, pod: str) -> bool:
    """Whether it is, and there are two others that are ready."""
    return await site.kube.find('pods', pod, site.namespace) is None and len(await site.pods()) == 2


async def test_the_chart_goes_from_one_version_to_the_next_and_back(
    site: Site, values: dict[str, object], tmp_path: Path
) -> None:
    first, second = await site.application(replicas=2)
    chart = tmp_path / 'sluice'
    shutil.copytree(CHART, chart)
    file = chart / 'Chart.yaml'
    text = file.read_text()
    version = next(line.split()[1] for line in text.splitlines() if line.startswith('version:'))
    file.write_text(text.replace(f'version: {version}\n', 'version: 99.0.0\n'))
    later = replace(site.release, chart=chart)
    changed = {**values, 'dataplane.maxConn': 1234}  # so that every data plane is replaced

    async def drains() -> bool:
        answer = await site.wish(first, 'drain', 'drained')
        if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            assert answer.json()['type'].endswith(':no-leader'), answer.text
            return False  # the last of the old control planes leads until it is gone
        if answer.status_code == httpx.codes.ACCEPTED:
            return False  # it led until now and ends: the wish is kept, and whether it came true another one says
        assert answer.status_code == httpx.codes.OK, answer.text
        return True

    async with site.load():
        (await later.upgrade(changed, '--wait', '--timeout', '150s')).must()
        listed = (await site.release.helm('list', '--output', 'json')).must()
        assert '"chart":"sluice-99.0.0"' in listed
        await until(drains, within=30, what='another control plane leads, and drains', every=1.0)
        (await site.release.helm('rollback', site.release.name, '--wait', '--timeout', '150s')).must()
        assert await site.answering() == {second}, 'the drain outlasts it all'
    assert (await site.release.status())['info']['status'] == 'deployed'


@pytest.fixture(autouse=True)
async def as_it_was(site: Site) -> AsyncIterator[None]:
    """Overrides end with the namespace, but the release is the next test's, too."""
    yield
    assert (await site.release.status())['info']['status'] == 'deployed'
