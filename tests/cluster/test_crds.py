"""The schemas of the project's own kinds, by the word of a real API server."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cluster.harness.api import Document, Kube, Refused
from tests.cluster.harness.kinds import override, policy
from tests.cluster.harness.pods import Pods
from tests.cluster.harness.running import Running
from tests.integration.harness.waiting import until

pytestmark = pytest.mark.usefixtures('kinds')

GOOD_POLICIES: dict[str, dict[str, Any]] = {
    'least': {},
    'a port by name': {'targetRefs': [{'group': '', 'kind': 'Service', 'name': 'web', 'sectionName': 'http'}]},
    'two services': {'targetRefs': [{'name': 'a'}, {'name': 'b'}]},
    'hosts': {'hosts': ['web.example.com', '*.example.com']},
    'limits': {'maxConn': 10, 'minConn': 2},
    'divided': {'maxConn': 1, 'limitScope': 'divided'},
    'random': {'balance': {'algorithm': 'random', 'draws': 2}},
    'queue': {'maxConn': 1, 'queue': {'maxLength': 200, 'timeout': '1m30s'}},
    'timeouts': {'timeouts': {'connect': '2s', 'response': '30s', 'tunnel': '1h'}},
    'retries': {'retries': {'attempts': 0, 'redispatch': False}},
    'drain': {'drain': {'timeout': '60s', 'onDeadline': 'Shutdown'}},
}
# what is asked for -> a word of the refusal
BAD_POLICIES: dict[str, tuple[dict[str, Any], str]] = {
    'no target': ({'targetRefs': []}, 'targetRefs'),
    'another kind': ({'targetRefs': [{'kind': 'Deployment', 'name': 'web'}]}, 'kind'),
    'the same target twice': ({'targetRefs': [{'name': 'a'}, {'name': 'a'}]}, 'twice'),
    'hosts of two services': ({'targetRefs': [{'name': 'a'}, {'name': 'b'}], 'hosts': ['a.b']}, 'exactly one'),
    'a host with a path': ({'hosts': ['a.b/c']}, 'hosts'),
    'a host in capitals': ({'hosts': ['A.b']}, 'hosts'),
    'a limit of nothing': ({'maxConn': 0}, 'maxConn'),
    'minConn alone': ({'minConn': 1}, 'minConn'),
    'minConn above maxConn': ({'minConn': 3, 'maxConn': 2}, 'minConn'),
    'nothing to divide': ({'limitScope': 'divided'}, 'divided'),
    'a scope that is not offered': ({'maxConn': 1, 'limitScope': 'leased'}, 'limitScope'),
    'an algorithm that is not': ({'balance': {'algorithm': 'fastest'}}, 'algorithm'),
    'draws without random': ({'balance': {'algorithm': 'leastconn', 'draws': 2}}, 'draws'),
    'a timeout without a unit': ({'timeouts': {'connect': '5'}}, 'connect'),
    'no time at all': ({'queue': {'timeout': '0s'}}, 'timeout'),
    'too long a time': ({'queue': {'timeout': '999h'}}, 'timeout'),
    'too many tries': ({'retries': {'attempts': 101}}, 'attempts'),
}
GOOD_OVERRIDES: dict[str, dict[str, Any]] = {
    'drain': {'adminState': 'Drain', 'reason': 'bug 123', 'setBy': 'alice'},
    'a deadline': {'adminState': 'Maint', 'deadline': '2030-01-01T00:00:00Z'},
    'weight and limit': {'weight': 0, 'maxConn': 5},
    'one port': {'serviceRef': {'name': 'web', 'port': 'http'}, 'adminState': 'Drain'},
    'sessions': {'sessionGeneration': 1_760_000_000_000},
}
BAD_OVERRIDES: dict[str, tuple[dict[str, Any], str]] = {
    'a state that is not': ({'adminState': 'Off'}, 'adminState'),
    'a weight above 256': ({'weight': 257}, 'weight'),
    'pod and address': ({'address': {'ip': '10.1.2.3', 'port': 80}}, 'exactly one'),
    'neither of them': ({'targetRef': None}, 'exactly one'),
    'a deadline in words': ({'deadline': 'tomorrow'}, 'deadline'),
    'too long a reason': ({'reason': 'x' * 257}, 'reason'),
    'another kind': ({'targetRef': {'kind': 'Node', 'name': 'n', 'uid': 'u'}}, 'kind'),
    'no service': ({'serviceRef': None}, 'serviceRef'),
}


def pod_like(name: str = 'web-1', uid: str = '0c8ef2ba') -> Document:
    return {'metadata': {'name': name, 'uid': uid}}


def without_nulls(document: Document) -> Document:
    document['spec'] = {key: value for key, value in document['spec'].items() if value is not None}
    return document


@pytest.mark.parametrize('case', GOOD_POLICIES)
async def test_good_policies_are_taken(kube: Kube, namespace: str, case: str) -> None:
    made = await kube.create('backendpolicies', policy('p', **GOOD_POLICIES[case]), namespace)
    for key, wanted in GOOD_POLICIES[case].items():
        got = made['spec'][key]
        if isinstance(wanted, dict):
            assert wanted.items() <= got.items(), f'{key} was pruned or changed'
        elif key != 'targetRefs':
            assert got == wanted


@pytest.mark.parametrize('case', BAD_POLICIES)
async def test_bad_policies_are_refused_by_name(kube: Kube, namespace: str, case: str) -> None:
    spec, word = BAD_POLICIES[case]
    with pytest.raises(Refused, match=word) as refused:
        await kube.create('backendpolicies', policy('p', **spec), namespace)
    assert refused.value.status == 422


async def test_a_policy_gets_its_defaults(kube: Kube, namespace: str) -> None:
    spec = (await kube.create('backendpolicies', policy('p'), namespace))['spec']
    assert spec['targetRefs'] == [{'group': '', 'kind': 'Service', 'name': 'web'}]
    assert spec['limitScope'] == 'perReplica'
    assert spec['balance'] == {'algorithm': 'roundrobin'}
    assert spec['retries'] == {'attempts': 3, 'redispatch': True}
    assert 'maxConn' not in spec


async def test_what_a_policy_does_not_have_is_told_of(cluster: Running, namespace: str) -> None:
    """kubectl asks for strict fields; what is not done is not silently accepted."""
    document = policy('p', health={'path': '/healthz'})
    done = await cluster.kubectl('create', '-n', namespace, '-f', '-', document=document)
    assert done.status != 0
    assert 'unknown field "spec.health"' in done.err


@pytest.mark.parametrize('case', GOOD_OVERRIDES)
async def test_good_overrides_are_taken(kube: Kube, namespace: str, case: str) -> None:
    made = await kube.create('serveroverrides', override('o', pod_like(), **GOOD_OVERRIDES[case]), namespace)
    assert GOOD_OVERRIDES[case].items() <= made['spec'].items()


async def test_an_override_of_an_address_needs_no_pod(kube: Kube, namespace: str) -> None:
    for number, ip in enumerate(('10.1.2.3', 'fd00::1')):
        document = override(f'o{number}', address={'ip': ip, 'port': 8080}, adminState='Drain')
        assert (await kube.create('serveroverrides', document, namespace))['spec']['address']['ip'] == ip
    with pytest.raises(Refused, match='ip'):
        await kube.create('serveroverrides', override('o9', address={'ip': 'localhost', 'port': 80}), namespace)


@pytest.mark.parametrize('case', BAD_OVERRIDES)
async def test_bad_overrides_are_refused_by_name(kube: Kube, namespace: str, case: str) -> None:
    spec, word = BAD_OVERRIDES[case]
    document = without_nulls(override('o', pod_like(), **spec))
    with pytest.raises(Refused, match=word) as refused:
        await kube.create('serveroverrides', document, namespace)
    assert refused.value.status == 422


@pytest.mark.parametrize(
    'change',
    [
        {'targetRef': {'name': 'web-2'}},
        {'targetRef': {'uid': 'other'}},
        {'serviceRef': {'name': 'other'}},
        {'targetRef': None, 'address': {'ip': '10.1.2.3', 'port': 80}},
        {'sessionGeneration': 6},
        {'sessionGeneration': None},
    ],
    ids=str,
)
async def test_what_an_override_is_about_cannot_be_changed(kube: Kube, namespace: str, change: dict[str, Any]) -> None:
    await kube.create('serveroverrides', override('o', pod_like(), sessionGeneration=7), namespace)
    with pytest.raises(Refused) as refused:
        await kube.patch('serveroverrides', 'o', {'spec': change}, namespace)
    assert refused.value.status == 422


async def test_wishes_of_an_override_can_be_changed(kube: Kube, namespace: str) -> None:
    await kube.create('serveroverrides', override('o', pod_like(), adminState='Drain'), namespace)
    change = {'adminState': 'Ready', 'weight': 3, 'sessionGeneration': 7, 'reason': 'done'}
    changed = await kube.patch('serveroverrides', 'o', {'spec': change}, namespace)
    assert change.items() <= changed['spec'].items()


@pytest.mark.parametrize('plural', ['backendpolicies', 'serveroverrides'])
async def test_status_and_spec_have_doors_of_their_own(kube: Kube, namespace: str, plural: str) -> None:
    document = policy('x') if plural == 'backendpolicies' else override('x', pod_like(), adminState='Drain')
    made = await kube.create(plural, {**document, 'status': {'inFlight': 5}}, namespace)
    assert 'status' not in made
    patched = await kube.patch(
        plural, 'x', {'status': {'inFlight': 4}, 'spec': {'maxConn': 3}}, namespace, sub='status'
    )
    assert patched['status']['inFlight'] == 4
    assert 'maxConn' not in patched['spec']
    assert patched['metadata']['generation'] == made['metadata']['generation']


async def test_an_override_goes_with_its_pod(kube: Kube, namespace: str, pods: Pods) -> None:
    pod = await pods.make('web-1', {'app': 'web'})
    await kube.create('serveroverrides', override('o', pod, adminState='Drain'), namespace)
    await pods.remove('web-1')

    async def gone() -> bool:
        return await kube.find('serveroverrides', 'o', namespace) is None

    await until(gone, within=60, what='the override is collected', every=0.2)


async def test_kubectl_tells_the_story(cluster: Running, kube: Kube, namespace: str) -> None:
    """Columns and short names, in one look each."""
    await kube.create('backendpolicies', policy('front', maxConn=10), namespace)
    status = {
        'servers': {'total': 3, 'ready': 2, 'drain': 1, 'maint': 0, 'summary': '2/3'},
        'dataPlanes': {'desired': 6, 'acked': 5, 'summary': '5/6'},
        'queued': 7,
    }
    await kube.patch('backendpolicies', 'front', {'status': status}, namespace, sub='status')
    heading, row = (await cluster.kubectl('get', 'bp', '-n', namespace)).must().splitlines()
    names = heading.split()
    assert names == ['NAME', 'TARGET', 'MAXCONN', 'SCOPE', 'READY', 'DRAIN', 'QUEUED', 'PROGRAMMED', 'ACKED', 'AGE']
    seen = dict(zip([name for name in names if name != 'PROGRAMMED'], row.split(), strict=True))
    assert seen | {'AGE': ''} == {
        'NAME': 'front', 'TARGET': 'web', 'MAXCONN': '10', 'SCOPE': 'perReplica', 'READY': '2/3', 'DRAIN': '1',
        'QUEUED': '7', 'ACKED': '5/6', 'AGE': '',
    }  # fmt: skip
    await kube.create('serveroverrides', override('o', pod_like(), adminState='Drain'), namespace)
    heading = (await cluster.kubectl('get', 'so', '-n', namespace)).must().splitlines()[0]
    assert heading.split()[:4] == ['NAME', 'SERVICE', 'TARGET', 'WANTED']
    both = (await cluster.kubectl('get', 'sluice', '-n', namespace, '-o', 'name')).must().split()
    assert both == ['backendpolicy.sluice.dev/front', 'serveroverride.sluice.dev/o']


@pytest.mark.parametrize('field', ['bp.spec.limitScope', 'bp.status.effectiveMaxConn', 'so.spec.adminState'])
async def test_kubectl_explains(cluster: Running, field: str) -> None:
    text = (await cluster.kubectl('explain', field)).must()
    assert 'DESCRIPTION:' in text
    assert '<empty>' not in text
