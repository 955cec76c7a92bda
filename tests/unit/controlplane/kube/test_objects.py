from __future__ import annotations

from typing import Any

import pytest

from controlplane.kube.objects import (
    MAX_COUNT,
    Meta,
    Override,
    Policy,
    Service,
    ServicePort,
    Slice,
    Target,
    milliseconds,
)
from tests.unit.controlplane.kube.things import Json, endpoint, meta, override, policy, slice_


@pytest.mark.parametrize(
    'text,ms',
    [('1ms', 1), ('500ms', 500), ('5s', 5_000), ('2m', 120_000), ('1h', 3_600_000), ('1h30m', 5_400_000), ('1m1s1ms', 61_001),
     ('1s1s', 2_000), ('596h', 2_145_600_000), ('0h5s', 5_000)],
)  # fmt: skip
def test_durations(text: str, ms: int) -> None:
    assert milliseconds(text) == ms


@pytest.mark.parametrize(
    'text', ['', '0s', '0ms', '5', '-5s', '1.5s', '5 s', '1d', '1us', '597h', '99999h', '123456s', '1s1s1s1s1s', '5s\n']
)
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match=r'duration|596h'):
        milliseconds(text)


def test_an_object_without_a_name_is_none() -> None:
    with pytest.raises(ValueError, match=r'metadata\.name'):
        Meta.from_dict({'metadata': {}})


def test_equality_is_of_what_matters() -> None:
    assert policy(rv=1) == policy(rv=2)
    assert policy(uid='1') != policy(uid='2')
    assert policy(spec={'maxConn': 1}) != policy(spec={'maxConn': 2})
    spoken = Policy.from_dict(
        {'metadata': meta('web'), 'spec': {'targetRefs': [{'name': 'web'}]}, 'status': {'queued': 3}}
    )
    assert (spoken, spoken.status) == (policy(), {'queued': 3})
    assert {override('o', pod='p', rv=1), override('o', pod='p', rv=2)} == {override('o', pod='p')}


def test_a_service_and_what_is_missing_in_it() -> None:
    assert Service.from_dict({'metadata': meta('web')}) == Service(Meta.from_dict({'metadata': meta('web')}))
    ports = [{'name': 'http', 'port': 80}, {'port': 53, 'protocol': 'UDP'}, {'name': 'odd'}]
    found = Service.from_dict(
        {'metadata': meta('web'), 'spec': {'ports': ports, 'ipFamilies': ['IPv6'], 'clusterIP': 'None'}}
    )
    assert found.ports == (ServicePort('http', 80), ServicePort('', 53, 'UDP'))
    assert (found.families, [port.label for port in found.ports]) == (('IPv6',), ['http', '53'])


def test_a_slice_and_what_is_missing_in_it() -> None:
    bare = Slice.from_dict(
        {'metadata': {'name': 'a', 'namespace': 'shop'}, 'addressType': 'IPv4', 'endpoints': [{'addresses': []}]}
    )
    assert (bare.service, bare.ports, bare.endpoints) == ('', (), ())
    assert Slice.from_dict({'metadata': {'name': 'a'}, 'endpoints': None, 'ports': None}).endpoints == ()
    one = slice_('a', endpoint('10.0.0.1', 'p', ready=None, nodeName='n', zone='z')).endpoints[0]
    assert (one.ready, one.serving, one.terminating) == (None, None, None)
    assert (one.pod, one.pod_uid, one.node, one.zone) == ('p', 'uid-p', 'n', 'z')


def test_a_policy_that_says_nothing_has_the_defaults() -> None:
    found = policy()
    assert (found.problems, found.targets) == ((), (Target('web'),))
    assert found == Policy.from_dict(
        {'metadata': meta('web'), 'spec': {'targetRefs': [{'name': 'web'}], 'queue': {}, 'balance': {}}}
    )


@pytest.mark.parametrize(
    'spec,problem',
    [
        ({'targetRefs': []}, 'targetRefs: at least one'),
        ({'targetRefs': None}, 'targetRefs: at least one'),
        ({'targetRefs': 'web'}, 'targetRefs: at least one'),
        ({'targetRefs': [{'kind': 'Deployment', 'name': 'web'}]}, 'must name a Service'),
        ({'targetRefs': [{'group': 'x', 'name': 'web'}]}, 'must name a Service'),
        ({'targetRefs': [{'name': 'a'}, {'name': 'b'}], 'hosts': ['a.example']}, 'exactly one targetRef'),
        ({'hosts': ['A.example']}, 'hosts: each'),
        ({'hosts': [7]}, 'hosts: each'),
        ({'ipFamily': 'IPv5'}, 'ipFamily'),
        ({'balance': {'algorithm': 'source'}}, None),
        ({'balance': {'algorithm': 'uri'}}, 'balance.algorithm'),
        ({'balance': {'draws': 1_000}}, 'balance.draws'),
        ({'balance': 'leastconn'}, None),
        ({'maxConn': -1}, 'maxConn'),
        ({'maxConn': True}, 'maxConn'),
        ({'maxConn': '5'}, 'maxConn'),
        ({'maxConn': MAX_COUNT + 1}, 'maxConn'),
        ({'minConn': 1}, 'minConn'),
        ({'maxConn': 1, 'minConn': 2}, 'minConn'),
        ({'limitScope': 'leased'}, 'limitScope'),
        ({'limitScope': 'divided'}, 'limitScope'),
        ({'limitScope': 'divided', 'maxConn': 9, 'minConn': 2}, 'limitScope'),
        ({'queue': {'timeout': 'soon'}}, 'queue.timeout'),
        ({'queue': {'timeout': 5}}, 'queue.timeout'),
        ({'retries': {'redispatch': 'yes'}}, 'retries.redispatch'),
        ({'retries': {'attempts': 101}}, 'retries.attempts'),
        ({'drain': {'onDeadline': 'Kill'}}, 'drain.onDeadline'),
    ],
)
def test_what_is_wrong_with_a_policy_is_said_and_nothing_is_raised(spec: Json, problem: str | None) -> None:
    found = policy(spec=spec)
    assert (problem is None) == (found.problems == ())
    assert problem is None or any(problem in one for one in found.problems)


def test_targets_and_hosts_that_are_there_twice_are_there_once() -> None:
    found = policy(
        spec={'targetRefs': [{'name': 'web'}, {'name': 'web', 'kind': 'Service'}], 'hosts': ['a.example', 'a.example']}
    )
    assert (found.targets, found.hosts, found.problems) == ((Target('web'),), ('a.example',), ())


def test_an_override_says_whom_it_is_about_and_what_is_wanted() -> None:
    said = {
        'adminState': 'Maint',
        'weight': 0,
        'maxConn': 0,
        'sessionGeneration': 1_790_000_000_000,
        'deadline': '2026-01-01T00:00:00Z',
        'reason': 'r',
        'setBy': 'alice',
    }
    found = override('o', pod='p', spec=said)
    assert (found.pod, found.pod_uid, found.admin, found.weight, found.max_conn) == ('p', 'uid-p', 'maint', 0, 0)
    assert (found.generation, found.deadline_ms, found.reason, found.set_by) == (
        1_790_000_000_000,
        1_767_225_600_000,
        'r',
        'alice',
    )
    bare = override('o', address='FD00::1')
    assert (bare.address, bare.number, bare.admin, bare.weight, bare.max_conn, bare.problems) == (
        'fd00::1',
        8080,
        'ready',
        None,
        None,
        (),
    )


@pytest.mark.parametrize(
    'text,ms',
    [
        ('1970-01-01T00:00:01Z', 1_000),
        ('2026-01-01T01:00:00.5+01:00', 1_767_225_600_500),
        ('tomorrow', None),
        ('2026-01-01T00:00:00', None),
    ],
)
def test_instants(text: str, ms: int | None) -> None:
    found = override('o', pod='p', spec={'deadline': text})
    assert (found.deadline_ms, bool(found.problems)) == (ms or 0, ms is None)


@pytest.mark.parametrize(
    'document',
    [{}, {'spec': None}, {'spec': {'serviceRef': 'web', 'targetRef': [], 'address': 5}}, {'spec': {'targetRef': {'name': 'p'}, 'serviceRef': {'name': 'w'}}},
     {'spec': {'address': {'ip': '10.0.0.1'}, 'serviceRef': {'name': 'w'}}}],
)  # fmt: skip
def test_an_override_that_is_no_use_says_so(document: dict[str, Any]) -> None:
    assert Override.from_dict({'metadata': meta('o'), **document}).problems
    assert Policy.from_dict({'metadata': meta('o'), **document}).problems
