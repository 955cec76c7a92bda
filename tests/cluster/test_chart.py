"""The chart by helm at a real API server: every object is taken, upgrades and rollbacks go through, and what goes goes wholly.

There is no node, so no pod runs; `make test-node` waits for them.
"""

from __future__ import annotations

import base64
import ssl
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.harness.api import Document, Kube
from tests.cluster.harness.chart import CHART, Release, released, render, sets
from tests.cluster.harness.kinds import install
from tests.cluster.harness.running import Running
from tests.integration.harness.waiting import until

# kinds of other projects, which this API server does not know; and the pod of `helm test`, whose account a dry run has not made
LEFT_OUT = {'ServiceMonitor', 'PrometheusRule', 'Certificate', 'PodMonitor', 'Pod'}
NO_KINDS = {'crds.enabled': False}
# values -> a word for the case
CASES: dict[str, dict[str, Any]] = {
    'defaults': {},
    'one of each': {'controlplane.replicaCount': 1, 'dataplane.replicaCount': 1},
    'daemon set': {'dataplane.kind': 'DaemonSet'},
    'autoscaling': {'dataplane.autoscaling.enabled': True},
    'network policies': {'networkPolicy.enabled': True},
    'one namespace': {'watchNamespaces': ['default']},
    'partition': {'dataplane.onPartition': 'stop'},
    'node port': {'dataplane.service.type': 'NodePort', 'dataplane.service.nodePort': 30_080},
}


@pytest.mark.parametrize('case', CASES)
async def test_lint_is_content(cluster: Running, case: str) -> None:
    done = await cluster.helm('lint', '--strict', str(CHART), *sets(CASES[case]))
    assert '0 chart(s) failed' in done.must()


@pytest.mark.parametrize('case', CASES)
async def test_the_api_server_takes_every_object(cluster: Running, namespace: str, case: str) -> None:
    """Rendered, and applied with strict fields by a dry run; in a namespace that enforces `restricted`, without a warning."""
    await cluster.kubectl('label', 'namespace', namespace, 'pod-security.kubernetes.io/warn=restricted')
    documents = [one for one in await render(cluster, 'r', namespace, {**NO_KINDS, **CASES[case]}) if one['kind'] not in LEFT_OUT]  # fmt: skip
    text = yaml.safe_dump_all(documents)
    done = await cluster.kubectl('apply', '--dry-run=server', '--validate=strict', '-f', '-', document=text)
    done.must()
    assert 'Warning' not in done.err, done.err
    kinds = {one['kind'] for one in documents}
    assert {'ConfigMap', 'Service', 'ServiceAccount', 'Deployment'} <= kinds


async def test_what_values_cannot_be_is_refused(cluster: Running) -> None:
    for key, value in {'dataplane.workers': 0, 'dataplane.wrokers': 2, 'tls.mode': 'none', 'dataplane.maxConn': 'many'}.items():  # fmt: skip
        done = await cluster.helm('template', 'r', str(CHART), *sets({key: value}))
        assert done.status != 0, f'{key}={value} was taken'
        assert key.split('.')[1] in done.err


@pytest.mark.usefixtures('kinds')
async def test_install_upgrade_rollback_uninstall(cluster: Running, kube: Kube, namespace: str) -> None:
    async with released(cluster, 'edge', namespace, {**NO_KINDS, 'dataplane.replicaCount': 2}) as release:
        assert (await release.status())['info']['status'] == 'deployed'
        deployments = [one for one in await release.manifest() if one['kind'] == 'Deployment']
        names = {one['metadata']['name'] for one in deployments}
        assert names == {'edge-sluice-controlplane', 'edge-sluice-dataplane'}
        secret = await kube.get('secrets', 'edge-sluice-controlplane-tls', namespace)

        (await release.upgrade({**NO_KINDS, 'dataplane.replicaCount': 3})).must()
        assert await replicas(kube, namespace) == 3
        again = await kube.get('secrets', 'edge-sluice-controlplane-tls', namespace)
        assert again['data'] == secret['data'], 'an upgrade made another authority'

        (await release.helm('rollback', 'edge', '1')).must()
        assert await replicas(kube, namespace) == 2
        after = await kube.get('secrets', 'edge-sluice-controlplane-tls', namespace)
        assert after['data']['ca.crt'] == secret['data']['ca.crt'], 'a rollback made another authority'
        everything = await release.manifest()
    await nothing_left(cluster, namespace, everything)


async def replicas(kube: Kube, namespace: str) -> int:
    deployment = await kube.get('deployments', 'edge-sluice-dataplane', namespace)
    return int(deployment['spec']['replicas'])


async def nothing_left(cluster: Running, namespace: str, documents: list[Document]) -> None:
    """None of these objects is there any more; the garbage collector may take a moment."""
    names = [f'{one["kind"].lower()}/{one["metadata"]["name"]}' for one in documents]

    async def gone() -> bool:
        done = await cluster.kubectl('get', '--namespace', namespace, '--ignore-not-found', '-o', 'name', *names)
        return done.must().strip() == ''

    await until(gone, within=30, what='all objects of the release are gone', every=0.3)


@pytest.mark.usefixtures('kinds')
async def test_pods_may_run_where_restricted_is_enforced(cluster: Running, kube: Kube, namespace: str) -> None:
    """The controllers make the pods: the real admission lets them."""
    await cluster.kubectl('label', 'namespace', namespace, 'pod-security.kubernetes.io/enforce=restricted')
    async with released(cluster, 'edge', namespace, NO_KINDS):

        async def made() -> bool:
            pods = await kube.list('pods', namespace)
            components = sorted(pod['metadata']['labels']['app.kubernetes.io/component'] for pod in pods)
            return components == ['controlplane', 'controlplane', 'dataplane', 'dataplane']

        try:
            await until(made, within=20, what='four pods are made', every=0.2)
        except AssertionError:
            print((await cluster.kubectl('get', 'events', '--namespace', namespace)).out)
            raise


async def test_the_certificate_is_good_for_every_name(
    cluster: Running, kube: Kube, namespace: str, tmp_path: Path
) -> None:
    """As the clients check it: openssl's rules, by Python, for each name that a client may use."""
    async with released(cluster, 'edge', namespace, NO_KINDS):
        data = (await kube.get('secrets', 'edge-sluice-controlplane-tls', namespace))['data']
    files = {name: tmp_path / name for name in ('tls.crt', 'tls.key', 'ca.crt')}
    for name, path in files.items():
        path.write_bytes(base64.b64decode(data[name]))
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(files['tls.crt'], files['tls.key'])
    service = f'edge-sluice-controlplane.{namespace}.svc'
    pod = f'10-244-0-7.edge-sluice-controlplane-link.{namespace}.svc'
    for host in (service, f'{service}.cluster.local', pod, f'{pod}.cluster.local', 'localhost'):
        handshake(server, ssl.create_default_context(cafile=str(files['ca.crt'])), host)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(server, ssl.create_default_context(cafile=str(files['ca.crt'])), 'elsewhere.example')


def handshake(server: ssl.SSLContext, client: ssl.SSLContext, host: str) -> None:
    """A whole handshake in memory. ssl.SSLCertVerificationError: the client is not content with the certificate."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(down, up, server_hostname=host)
    theirs = server.wrap_bio(up, down, server_side=True)
    waiting = [ours, theirs]
    while waiting:
        for end in list(waiting):
            try:
                end.do_handshake()
                waiting.remove(end)
            except ssl.SSLWantReadError:
                pass


async def test_the_kinds_come_with_the_chart_and_stay(cluster: Running, kube: Kube, namespace: str) -> None:
    """Last of this file: it takes the kinds away, with everything of them, and gives them back."""
    for name in ('backendpolicies.sluice.dev', 'serveroverrides.sluice.dev'):
        if await kube.find('customresourcedefinitions', name) is not None:
            await kube.delete('customresourcedefinitions', name)
        await until(lambda name=name: absent(kube, name), within=30, what=f'{name} is gone', every=0.1)  # type: ignore[misc]
    try:
        async with released(cluster, 'edge', namespace):
            definition = await kube.get('customresourcedefinitions', 'backendpolicies.sluice.dev')
            assert definition['metadata']['annotations']['helm.sh/resource-policy'] == 'keep'
        assert not await absent(kube, 'backendpolicies.sluice.dev'), 'uninstalling took everybody their policies'
        again = Release(cluster, 'edge', namespace)
        (await again.install()).must()
        (await again.uninstall()).must()
    finally:
        await install(kube)


async def absent(kube: Kube, name: str) -> bool:
    return await kube.find('customresourcedefinitions', name) is None
