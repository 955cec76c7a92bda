"""What must hold of every object, whatever the values."""

from __future__ import annotations

import re

import pytest
import yaml

from tests.chart.rendering import CASES, CHART, Document, objects, one, pods

VERSION = yaml.safe_load((CHART / 'Chart.yaml').read_text())['appVersion']
CLUSTERWIDE = {'ClusterRole', 'ClusterRoleBinding', 'CustomResourceDefinition'}
LABELS = {
    'app.kubernetes.io/name', 'app.kubernetes.io/instance', 'app.kubernetes.io/component', 'app.kubernetes.io/part-of',
    'app.kubernetes.io/version', 'app.kubernetes.io/managed-by', 'helm.sh/chart',
}  # fmt: skip
SELECTOR = {'app.kubernetes.io/name', 'app.kubernetes.io/instance', 'app.kubernetes.io/component'}


def ours(case: str) -> list[Document]:
    """All but the kinds, which outlive releases, and the objects that the values themselves bring."""
    return [
        each for each in objects(case)
        if each['kind'] != 'CustomResourceDefinition' and each['metadata']['name'] not in {'sluice-more', 'as-text'}
    ]  # fmt: skip


@pytest.mark.parametrize('case', CASES)
def test_every_object_has_the_labels_and_a_namespace(case: str) -> None:
    for each in ours(case):
        about = f'{each["kind"]} {each["metadata"]["name"]}'
        assert set(each['metadata']['labels']) >= LABELS, about
        assert ('namespace' in each['metadata']) is (each['kind'] not in CLUSTERWIDE), about
    names = [(each['kind'], each['metadata'].get('namespace'), each['metadata']['name']) for each in ours(case)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize('case', CASES)
def test_selectors_hold_over_versions_and_find_their_pods(case: str) -> None:
    labels = {name: set(pod['metadata']['labels'].items()) for name, pod in pods(case).items()}
    for each in ours(case):
        spec = each.get('spec', {})
        wanted = {
            'Service': lambda spec: spec['selector'], 'Deployment': lambda spec: spec['selector']['matchLabels'],
            'DaemonSet': lambda spec: spec['selector']['matchLabels'],
            'PodDisruptionBudget': lambda spec: spec['selector']['matchLabels'],
            'NetworkPolicy': lambda spec: spec['podSelector']['matchLabels'],
        }.get(each['kind'])  # fmt: skip
        if wanted is None:
            continue
        selector = wanted(spec)
        assert set(selector) == SELECTOR
        found = [name for name, has in labels.items() if has >= set(selector.items())]
        assert found == [f'sluice-{selector["app.kubernetes.io/component"]}']


@pytest.mark.parametrize('case', CASES)
def test_pods_fit_the_restricted_standard_and_are_read_only(case: str) -> None:
    for name, pod in pods(case).items():
        spec = pod['spec']
        security = spec['securityContext']
        assert security['runAsNonRoot'] is True, name
        assert security['runAsUser'] == security['runAsGroup'] == 65_532, name
        assert security['seccompProfile'] == {'type': 'RuntimeDefault'}, name
        assert not {'hostNetwork', 'hostPID', 'hostIPC', 'hostUsers'} & set(spec), name
        for container in spec['containers']:
            assert container['securityContext'] == {
                'allowPrivilegeEscalation': False, 'readOnlyRootFilesystem': True, 'capabilities': {'drop': ['ALL']},
            }, name  # fmt: skip
            assert container['resources']['requests'], name
            assert container['resources']['limits']['memory'], name
        for volume in spec['volumes']:
            assert set(volume) - {'name'} <= {'configMap', 'secret', 'projected', 'emptyDir'}, name
            assert 'emptyDir' not in volume or volume['name'] == 'extra' or volume['emptyDir']['sizeLimit'], name


@pytest.mark.parametrize('case', CASES)
def test_images_are_of_a_version(case: str) -> None:
    for pod in pods(case).values():
        for container in pod['spec']['containers']:
            image = container['image']
            assert re.search(rf':{re.escape(VERSION)}$|@sha256:[0-9a-f]{{64}}$', image), image
            assert 'latest' not in image
            assert container['imagePullPolicy'] == 'IfNotPresent'


@pytest.mark.parametrize('case', CASES)
def test_probes(case: str) -> None:
    for name, pod in pods(case).items():
        if name == 'sluice-test':
            continue
        (container,) = pod['spec']['containers']
        ports = {port['name'] for port in container['ports']}
        for probe, path in (('startupProbe', '/livez'), ('livenessProbe', '/livez'), ('readinessProbe', '/readyz')):
            assert container[probe]['httpGet'] == {'path': path, 'port': 'health'}, name
        assert 'health' in ports
        assert container['startupProbe']['periodSeconds'] * container['startupProbe']['failureThreshold'] >= 60


def test_a_probe_is_changed_in_part() -> None:
    (container,) = pods('production')['sluice-dataplane']['spec']['containers']
    assert container['readinessProbe']['failureThreshold'] == 5
    assert container['readinessProbe']['periodSeconds'] == 2


@pytest.mark.parametrize(
    'case, kind', [('default', 'Deployment'), ('production', 'Deployment'), ('namespaced', 'DaemonSet')]
)
def test_a_data_plane_has_time_to_leave(case: str, kind: str) -> None:
    spec = one(case, kind, 'sluice-dataplane')['spec']['template']['spec']
    text = one(case, 'ConfigMap', 'sluice-dataplane')['data']['sluice.cfg']
    grace, drain = (int(re.search(rf'{word} (\d+)s', text)[1]) for word in ('grace', 'hard-stop-after'))  # type: ignore[index]
    assert grace > 0
    assert spec['terminationGracePeriodSeconds'] >= grace + drain + 5
    assert 'lifecycle' not in spec['containers'][0], 'the signal is enough'


def test_a_control_plane_serves_on_until_everybody_knows() -> None:
    spec = pods('default')['sluice-controlplane']['spec']
    pause = spec['containers'][0]['lifecycle']['preStop']['sleep']['seconds']
    assert spec['terminationGracePeriodSeconds'] >= pause + 10


def test_replicas_are_left_to_who_counts_them() -> None:
    assert one('default', 'Deployment', 'sluice-dataplane')['spec']['replicas'] == 2
    assert 'replicas' not in one('production', 'Deployment', 'sluice-dataplane')['spec']
    assert 'replicas' not in one('namespaced', 'DaemonSet', 'sluice-dataplane')['spec']
    target = one('production', 'HorizontalPodAutoscaler', 'sluice-dataplane')['spec']['scaleTargetRef']
    assert target == {'apiVersion': 'apps/v1', 'kind': 'Deployment', 'name': 'sluice-dataplane'}


def test_pods_spread_and_are_never_all_evicted() -> None:
    for name in ('sluice-controlplane', 'sluice-dataplane'):
        spread = pods('default')[name]['spec']['topologySpreadConstraints']
        assert [each['topologyKey'] for each in spread] == ['topology.kubernetes.io/zone', 'kubernetes.io/hostname']
        assert all(each['whenUnsatisfiable'] == 'ScheduleAnyway' for each in spread)
        assert one('default', 'PodDisruptionBudget', name)
    assert not [each for each in objects('namespaced') if each['metadata']['name'] == 'sluice-controlplane'
                and each['kind'] == 'PodDisruptionBudget'], 'one replica could never be evicted'  # fmt: skip


def test_by_default_only_what_every_cluster_has() -> None:
    kinds = {each['apiVersion'].partition('/')[0] for each in objects('default')}
    assert kinds == {'v1', 'apps', 'policy', 'rbac.authorization.k8s.io', 'apiextensions.k8s.io'}
    assert {each['kind'] for each in objects('default')}.isdisjoint({'NetworkPolicy', 'HorizontalPodAutoscaler'})


def test_a_change_of_the_configuration_starts_data_planes_anew() -> None:
    sums = {case: pods(case)['sluice-dataplane']['metadata']['annotations']['checksum/config'] for case in CASES}
    assert len(set(sums.values())) == len(CASES)


def test_further_objects_are_rendered() -> None:
    assert one('production', 'ConfigMap', 'sluice-more')
    assert one('production', 'ConfigMap', 'as-text')['metadata']['namespace'] == 'edge'


def test_kinds_stay_and_can_be_left_out() -> None:
    kept = [each for each in objects('default') if each['kind'] == 'CustomResourceDefinition']
    assert {each['metadata']['name'] for each in kept} == {'backendpolicies.sluice.dev', 'serveroverrides.sluice.dev'}
    assert all(each['metadata']['annotations']['helm.sh/resource-policy'] == 'keep' for each in kept)
    assert not [each for each in objects('namespaced') if each['kind'] == 'CustomResourceDefinition']
