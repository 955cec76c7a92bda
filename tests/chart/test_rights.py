"""Who may do what: exactly the stated minimum, so that a wider rule is a decision and not an accident."""

from __future__ import annotations

from typing import Any

import pytest

from tests.chart.rendering import CASES, Document, objects, one, pods

LOOK = ['get', 'list', 'watch']
SERVERS = {
    ('', 'services'): LOOK,
    ('discovery.k8s.io', 'endpointslices'): LOOK,
    ('sluice.dev', 'backendpolicies'): LOOK,
    ('sluice.dev', 'serveroverrides'): [*LOOK, 'create', 'patch', 'delete'],
    ('sluice.dev', 'backendpolicies/status'): ['patch'],
    ('sluice.dev', 'serveroverrides/status'): ['patch'],
    ('', 'events'): ['create'],
}
RECORDS = ('sluice-controlplane', 'sluice-controlplane-snapshot')
OWN = [
    ('coordination.k8s.io', 'leases', (), ['create']),
    ('coordination.k8s.io', 'leases', ('sluice-controlplane',), ['get', 'update']),
    ('', 'configmaps', (), ['create']),
    ('', 'configmaps', RECORDS, ['get', 'update']),
    ('', 'pods', (), ['list', 'watch']),
]


def rules(document: Document) -> list[tuple[str, str, tuple[str, ...], list[str]]]:
    """(group, resource, names, verbs), one for each resource."""
    return [
        (group, resource, tuple(rule.get('resourceNames', ())), rule['verbs'])
        for rule in document['rules']
        for group in rule['apiGroups']
        for resource in rule['resources']
    ]


def by_resource(document: Document) -> dict[tuple[str, str], list[str]]:
    found = {(group, resource): verbs for group, resource, _, verbs in rules(document)}
    assert len(found) == len(rules(document))
    return found


def subjects(case: str) -> list[tuple[str, str, str]]:
    """(role's kind, role, account) of every binding."""
    return [
        (each['roleRef']['kind'], each['roleRef']['name'], subject['name'])
        for each in objects(case)
        if each['kind'] in {'RoleBinding', 'ClusterRoleBinding'}
        for subject in each['subjects']
    ]


@pytest.mark.parametrize('case', ['default', 'production'])
def test_the_control_plane_in_all_namespaces(case: str) -> None:
    assert by_resource(one(case, 'ClusterRole', 'sluice-controlplane')) == SERVERS
    assert rules(one(case, 'Role', 'sluice-controlplane')) == OWN
    assert sorted(subjects(case)) == [
        ('ClusterRole', 'sluice-controlplane', 'sluice-controlplane'),
        ('ClusterRole', 'sluice-test', 'sluice-test'),
        ('ClusterRole', 'system:auth-delegator', 'sluice-controlplane'),
        ('Role', 'sluice-controlplane', 'sluice-controlplane'),
    ]


def test_the_control_plane_in_some_namespaces() -> None:
    assert not [each for each in objects('namespaced') if each['kind'] == 'ClusterRole']
    roles = {(each['metadata']['namespace'], each['metadata']['name']): each
             for each in objects('namespaced') if each['kind'] == 'Role'}  # fmt: skip
    assert set(roles) == {
        ('edge', 'sluice-controlplane'), ('shop', 'sluice-controlplane-servers'), ('billing', 'sluice-controlplane-servers'),
    }  # fmt: skip
    assert rules(roles['edge', 'sluice-controlplane']) == OWN
    for namespace in ('shop', 'billing'):
        assert by_resource(roles[namespace, 'sluice-controlplane-servers']) == SERVERS
    assert all(account == 'sluice-controlplane' for _, _, account in subjects('namespaced'))


@pytest.mark.parametrize('case', CASES)
def test_nobody_may_everything(case: str) -> None:
    for each in objects(case):
        for group, resource, _, verbs in rules(each) if each['kind'] in {'Role', 'ClusterRole'} else ():
            assert '*' not in (group, resource, *verbs)
            assert resource != 'secrets'


@pytest.mark.parametrize('case', CASES)
def test_data_planes_have_one_token_for_the_control_plane_and_never_its_key(case: str) -> None:
    spec = pods(case)['sluice-dataplane']['spec']
    assert spec['automountServiceAccountToken'] is False
    assert spec['serviceAccountName'] not in {account for _, _, account in subjects(case)}
    (credentials,) = (volume for volume in spec['volumes'] if volume['name'] == 'credentials')
    token, secret = credentials['projected']['sources']
    assert token['serviceAccountToken'] == {'audience': 'sluice', 'expirationSeconds': 3600, 'path': 'token'}
    assert secret['secret']['items'] == [{'key': 'ca.crt', 'path': 'ca.crt'}]
    assert not [volume for volume in spec['volumes'] if 'secret' in volume]
    accounts = [each for each in objects(case) if each['kind'] == 'ServiceAccount']
    assert all(each['automountServiceAccountToken'] is False for each in accounts)


def test_only_control_planes_have_the_key_and_a_token_of_the_api_server() -> None:
    assert pods('default')['sluice-controlplane']['spec']['automountServiceAccountToken'] is True
    with_key = [
        name
        for name, pod in pods('default').items()
        for volume in pod['spec']['volumes']
        if 'tls.key' in {item['key'] for item in volume.get('secret', {}).get('items', ())}
    ]
    assert with_key == ['sluice-controlplane']


def test_roles_of_people_are_part_of_the_clusters_own() -> None:
    write = {'create', 'update', 'patch', 'delete'}
    may: dict[str, dict[tuple[str, str], set[str]]] = {}
    into: dict[str, Any] = {}
    for role in ('viewer', 'operator', 'editor'):
        document = one('default', 'ClusterRole', f'sluice-{role}')
        may[role] = {}
        for group, resource, _, verbs in rules(document):
            may[role].setdefault((group, resource), set()).update(verbs)
        into[role] = [key.rpartition('-')[2] for key in document['metadata']['labels'] if 'aggregate-to-' in key]
    override, policy = ('sluice.dev', 'serveroverrides'), ('sluice.dev', 'backendpolicies')
    assert may['viewer'][override] == may['viewer'][policy] == set(LOOK)
    assert may['operator'][override] == may['editor'][override] == write | set(LOOK)
    assert may['operator'][policy] == set(LOOK)
    assert may['editor'][policy] == write | set(LOOK)
    for role in ('operator', 'editor'):
        assert may[role]['sluice.dev', 'serveroverrides/shutdown'] == {'create'}
    assert ('sluice.dev', 'serveroverrides/shutdown') not in may['viewer']
    assert into == {'viewer': ['view'], 'operator': ['edit'], 'editor': ['edit']}
