"""That the cluster is a Kubernetes: what every other test here takes for granted."""

from __future__ import annotations

import asyncio

import pytest

from tests.cluster.harness.api import Kube, Refused, administrator, bearer
from tests.cluster.harness.pods import Pods, conditions, service
from tests.cluster.harness.running import Running
from tests.integration.harness.waiting import until

POOL = {
    'apiVersion': 'apiextensions.k8s.io/v1',
    'kind': 'CustomResourceDefinition',
    'metadata': {'name': 'pools.check.test'},
    'spec': {
        'group': 'check.test',
        'scope': 'Namespaced',
        'names': {'kind': 'Pool', 'plural': 'pools', 'singular': 'pool'},
        'versions': [
            {
                'name': 'v1',
                'served': True,
                'storage': True,
                'schema': {
                    'openAPIV3Schema': {
                        'type': 'object',
                        'properties': {
                            'spec': {
                                'type': 'object',
                                'x-kubernetes-validations': [
                                    {'rule': 'self.min <= self.max', 'message': 'min is above max'}
                                ],
                                'properties': {'min': {'type': 'integer'}, 'max': {'type': 'integer'}},
                            }
                        },
                    }
                },
            }
        ],
    },
}


async def test_custom_resources_are_checked_by_their_rules(kube: Kube, namespace: str) -> None:
    await kube.create('customresourcedefinitions', POOL)
    pools = f'/apis/check.test/v1/namespaces/{namespace}/pools'
    pool = {'apiVersion': 'check.test/v1', 'kind': 'Pool', 'metadata': {'name': 'p'}, 'spec': {'min': 1, 'max': 5}}
    try:
        await until(lambda: served(kube, pools), within=20, what='the kind is served')
        await kube.call('POST', pools, pool)
        with pytest.raises(Refused, match='min is above max'):
            await kube.call('PATCH', f'{pools}/p', {'spec': {'min': 9}}, kind='application/merge-patch+json')
    finally:
        await kube.delete('customresourcedefinitions', 'pools.check.test')


async def served(kube: Kube, path: str) -> bool:
    try:
        await kube.call('GET', path)
    except Refused as refused:
        if refused.status in {404, 429}:  # the storage of a new kind is made a moment later
            return False
        raise
    return True


async def test_a_token_bound_to_a_pod_says_which(kube: Kube, namespace: str, pods: Pods) -> None:
    pod = await pods.make('one', {})
    token = await kube.token('default', namespace, audience='sluice', pod=pod)
    review = {
        'apiVersion': 'authentication.k8s.io/v1',
        'kind': 'TokenReview',
        'spec': {'token': token, 'audiences': ['sluice']},
    }
    status = (await kube.call('POST', '/apis/authentication.k8s.io/v1/tokenreviews', review))['status']
    assert status['user']['username'] == f'system:serviceaccount:{namespace}:default'
    assert status['user']['extra']['authentication.kubernetes.io/pod-name'] == ['one']
    assert status['user']['extra']['authentication.kubernetes.io/pod-uid'] == [pod['metadata']['uid']]
    assert status['audiences'] == ['sluice']


async def test_a_bound_token_dies_with_its_pod(kube: Kube, namespace: str, pods: Pods) -> None:
    pod = await pods.make('one', {})
    token = await kube.token('default', namespace, audience='sluice', pod=pod)
    await pods.remove('one')
    review = {
        'apiVersion': 'authentication.k8s.io/v1',
        'kind': 'TokenReview',
        'spec': {'token': token, 'audiences': ['sluice']},
    }

    async def refused() -> bool:
        status = (await kube.call('POST', '/apis/authentication.k8s.io/v1/tokenreviews', review))['status']
        return 'authenticated' not in status

    await until(refused, within=20, what='the token is refused', every=0.1)


async def test_slices_follow_hand_made_pods(kube: Kube, namespace: str, pods: Pods) -> None:
    await kube.create('services', service('web', {'app': 'web'}, [{'name': 'http', 'port': 80}]), namespace)
    for name in ('web-1', 'web-2'):
        await pods.make(name, {'app': 'web'})

    async def seen(*wanted: str) -> None:
        async def equal() -> bool:
            return await conditions(kube, namespace, 'web') == sorted(wanted)

        await until(equal, within=20, what=f'endpoints {wanted}', every=0.05)

    await seen('true/true/false', 'true/true/false')
    await pods.report('web-2', ready=False)
    await seen('true/true/false', 'false/false/false')
    await pods.terminate('web-1')
    await seen('false/true/true', 'false/false/false')
    await pods.remove('web-1')
    await seen('false/false/false')


async def test_a_watch_from_before_a_restart_is_expired(cluster: Running, kube: Kube, namespace: str) -> None:
    """Etcd forgets nothing here, but the API server's own window begins with it."""
    before = (await kube.call('GET', f'/api/v1/namespaces/{namespace}/configmaps'))['metadata']['resourceVersion']
    document = {'apiVersion': 'v1', 'kind': 'ConfigMap', 'metadata': {'name': 'one'}}
    await kube.create('configmaps', document, namespace)
    async with cluster.without('kube-apiserver'):
        pass
    async with administrator(cluster.kubeconfig) as again:
        await again.delete('configmaps', 'one', namespace)

        async def expired() -> bool:
            try:
                async with again.watch('configmaps', namespace, resourceVersion=before) as events, asyncio.timeout(10):
                    async for event in events:
                        return bool(event['type'] == 'ERROR' and event['object']['code'] == 410)
            except Refused as refused:
                return refused.status == 410
            return False

        await until(expired, within=30, what='410 Expired', every=0.2)


async def test_a_token_opens_what_its_account_may_do(cluster: Running, kube: Kube, namespace: str) -> None:
    token = await kube.token('default', namespace, audience='https://kubernetes.default.svc.cluster.local')
    async with bearer(cluster.kubeconfig, token) as somebody:
        with pytest.raises(Refused, match='forbidden'):
            await somebody.list('pods', namespace)
        await kube.create(
            'rolebindings',
            {
                'apiVersion': 'rbac.authorization.k8s.io/v1',
                'kind': 'RoleBinding',
                'metadata': {'name': 'view'},
                'roleRef': {'apiGroup': 'rbac.authorization.k8s.io', 'kind': 'ClusterRole', 'name': 'view'},
                'subjects': [{'kind': 'ServiceAccount', 'name': 'default', 'namespace': namespace}],
            },
            namespace,
        )

        async def may() -> bool:
            try:
                return await somebody.list('pods', namespace) == []
            except Refused:
                return False

        await until(may, within=10, what='the role is in force', every=0.05)
