"""The chart's roles, by tokens that the API server itself made: who may do what, and that there is nothing more."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator

import pytest

from tests.cluster.harness.api import Document, Kube, Refused, bearer
from tests.cluster.harness.chart import Release
from tests.cluster.harness.kinds import override, policy
from tests.cluster.harness.pods import Pods
from tests.cluster.harness.running import Running
from tests.integration.harness.waiting import until

pytestmark = pytest.mark.usefixtures('kinds', 'release')

OWN_AUDIENCE = 'https://kubernetes.default.svc.cluster.local'
NAME = 'edge-sluice'
# group, resource (with its subresource), verbs
WATCHED = [
    ('', 'services', 'get list watch'),
    ('discovery.k8s.io', 'endpointslices', 'get list watch'),
    ('sluice.dev', 'backendpolicies', 'get list watch'),
    ('sluice.dev', 'serveroverrides', 'get list watch create patch delete'),
    ('sluice.dev', 'backendpolicies/status', 'patch'),
    ('sluice.dev', 'serveroverrides/status', 'patch'),
    ('', 'events', 'create'),
]
NEVER = [
    ('', 'secrets', 'get list watch create'),
    ('', 'pods', 'create delete patch'),
    ('', 'services', 'create patch delete'),
    ('discovery.k8s.io', 'endpointslices', 'create patch delete'),
    ('sluice.dev', 'backendpolicies', 'create patch delete'),
    ('apps', 'deployments', 'get patch'),
    ('rbac.authorization.k8s.io', 'rolebindings', 'create'),
    ('', 'nodes', 'get list'),
]


@pytest.fixture(scope='module')
def release(cluster: Running) -> Iterator[Release]:
    """One release, in a namespace of its own, for all tests here: they change nothing of it."""
    made = Release(cluster, 'edge', f'rbac-{os.getpid()}')

    async def install() -> None:
        (await made.install({'crds.enabled': False}, '--create-namespace')).must()

    async def remove() -> None:
        (await made.uninstall()).must()
        (await cluster.kubectl('delete', 'namespace', made.namespace, '--wait=false')).must()

    asyncio.run(install())
    yield made
    asyncio.run(remove())


async def account(kube: Kube, namespace: str, name: str, role: str) -> str:
    """A service account that has a ClusterRole in its own namespace, and its token for the API server."""
    await kube.create('serviceaccounts', {'apiVersion': 'v1', 'kind': 'ServiceAccount', 'metadata': {'name': name}}, namespace)  # fmt: skip
    binding = {
        'apiVersion': 'rbac.authorization.k8s.io/v1',
        'kind': 'RoleBinding',
        'metadata': {'name': name},
        'roleRef': {'apiGroup': 'rbac.authorization.k8s.io', 'kind': 'ClusterRole', 'name': role},
        'subjects': [{'kind': 'ServiceAccount', 'name': name, 'namespace': namespace}],
    }
    await kube.create('rolebindings', binding, namespace)
    return await kube.token(name, namespace, audience=OWN_AUDIENCE)


async def allowed(who: Kube, verb: str, group: str, resource: str, namespace: str | None, name: str = '') -> bool:
    """What the API server says to whoever asks for themselves."""
    resource, _, sub = resource.partition('/')
    attributes = {'verb': verb, 'group': group, 'resource': resource, 'subresource': sub, 'name': name}
    if namespace:
        attributes['namespace'] = namespace
    review = {
        'apiVersion': 'authorization.k8s.io/v1',
        'kind': 'SelfSubjectAccessReview',
        'spec': {'resourceAttributes': attributes},
    }
    answer = await who.call('POST', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', review)
    return bool(answer['status']['allowed'])


async def wrong(who: Kube, table: list[tuple[str, str, str]], namespace: str | None, *, want: bool) -> list[str]:
    """The rows that are not as wanted."""
    return [
        f'{verb} {resource}'
        for group, resource, verbs in table
        for verb in verbs.split()
        if await allowed(who, verb, group, resource, namespace) is not want
    ]


async def in_force(who: Kube, resource: str, namespace: str) -> None:
    """A binding counts a moment after it was made."""
    await until(
        lambda: allowed(who, 'get', 'sluice.dev', resource, namespace), within=10, what='the role is in force', every=0.05
    )  # fmt: skip


async def test_the_control_plane_may_do_its_work_and_nothing_more(
    cluster: Running, kube: Kube, release: Release
) -> None:
    namespace = release.namespace
    token = await kube.token(f'{NAME}-controlplane', namespace, audience=OWN_AUDIENCE)
    async with bearer(cluster.kubeconfig, token) as plane:
        await in_force(plane, 'backendpolicies', 'default')
        assert await wrong(plane, WATCHED, None, want=True) == []
        assert await wrong(plane, NEVER, None, want=False) == []
        assert await wrong(plane, NEVER, namespace, want=False) == []
        for resource, name in (('leases', f'{NAME}-controlplane'), ('configmaps', f'{NAME}-controlplane')):
            group = 'coordination.k8s.io' if resource == 'leases' else ''
            assert await allowed(plane, 'create', group, resource, namespace)
            assert await allowed(plane, 'update', group, resource, namespace, name)
            assert not await allowed(plane, 'update', group, resource, namespace, 'another')
            assert not await allowed(plane, 'update', group, resource, 'default', name)
        review = {'apiVersion': 'authentication.k8s.io/v1', 'kind': 'TokenReview', 'spec': {'token': token}}
        await plane.call('POST', '/apis/authentication.k8s.io/v1/tokenreviews', review)


async def test_a_data_plane_may_nothing(cluster: Running, kube: Kube, release: Release) -> None:
    """Also with a token for the API server, which its pods are not given."""
    namespace = release.namespace
    token = await kube.token(f'{NAME}-dataplane', namespace, audience=OWN_AUDIENCE)
    async with bearer(cluster.kubeconfig, token) as plane:
        assert await wrong(plane, WATCHED + NEVER, namespace, want=False) == []
        with pytest.raises(Refused) as refused:
            await plane.list('serveroverrides', namespace)
        assert refused.value.status == 403


async def test_a_data_planes_own_token_is_nothing_to_the_api_server(
    cluster: Running, kube: Kube, release: Release
) -> None:
    pod = await Pods(kube, release.namespace, 251).make('dp-0', {}, account=f'{NAME}-dataplane')
    token = await kube.token(f'{NAME}-dataplane', release.namespace, audience='sluice', pod=pod)
    async with bearer(cluster.kubeconfig, token) as plane:
        with pytest.raises(Refused) as refused:
            await plane.list('serveroverrides', release.namespace)
        assert refused.value.status == 401
    await kube.delete('pods', 'dp-0', release.namespace, gracePeriodSeconds=0)


async def test_a_viewer_looks_and_drains_nothing(cluster: Running, kube: Kube, namespace: str) -> None:
    async with bearer(cluster.kubeconfig, await account(kube, namespace, 'look', f'{NAME}-viewer')) as viewer:
        await in_force(viewer, 'backendpolicies', namespace)
        assert await viewer.list('backendpolicies', namespace) == []
        assert await viewer.list('serveroverrides', namespace) == []
        for plural, document in objects():
            with pytest.raises(Refused, match='forbidden'):
                await viewer.create(plural, document, namespace)
        with pytest.raises(Refused, match='forbidden'):
            await viewer.list('serveroverrides', 'default')


async def test_an_operator_drains_and_changes_no_policy(cluster: Running, kube: Kube, namespace: str) -> None:
    async with bearer(cluster.kubeconfig, await account(kube, namespace, 'oncall', f'{NAME}-operator')) as operator:
        await in_force(operator, 'serveroverrides', namespace)
        await operator.create('serveroverrides', objects()[1][1], namespace)
        await operator.patch('serveroverrides', 'o', {'spec': {'adminState': 'Ready'}}, namespace)
        assert await allowed(operator, 'create', 'sluice.dev', 'serveroverrides/shutdown', namespace)
        await operator.delete('serveroverrides', 'o', namespace)
        with pytest.raises(Refused, match='forbidden'):
            await operator.create('backendpolicies', policy('p'), namespace)
        with pytest.raises(Refused, match='forbidden'):
            await operator.patch('serveroverrides', 'o', {'status': {}}, namespace, sub='status')


async def test_an_editor_changes_policies_and_no_roles(cluster: Running, kube: Kube, namespace: str) -> None:
    async with bearer(cluster.kubeconfig, await account(kube, namespace, 'team', f'{NAME}-editor')) as editor:
        await in_force(editor, 'backendpolicies', namespace)
        await editor.create('backendpolicies', policy('p'), namespace)
        await editor.patch('backendpolicies', 'p', {'spec': {'maxConn': 2}}, namespace)
        with pytest.raises(Refused, match='forbidden'):
            await editor.patch('backendpolicies', 'p', {'status': {}}, namespace, sub='status')
        with pytest.raises(Refused, match='forbidden'):
            await editor.list('rolebindings', namespace)


async def test_the_clusters_own_roles_get_ours(cluster: Running, kube: Kube, namespace: str) -> None:
    async with bearer(cluster.kubeconfig, await account(kube, namespace, 'reader', 'view')) as viewer:
        await in_force(viewer, 'backendpolicies', namespace)
        assert not await allowed(viewer, 'patch', 'sluice.dev', 'serveroverrides', namespace)


def objects() -> list[tuple[str, Document]]:
    target = {'metadata': {'name': 'web-1', 'uid': '0c8ef2ba'}}
    return [('backendpolicies', policy('p')), ('serveroverrides', override('o', target, adminState='Drain'))]
