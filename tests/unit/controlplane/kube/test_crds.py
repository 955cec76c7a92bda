"""The two kinds: what the API server is told of them, and that it and `controlplane.kube.objects` read an object alike."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from typing import Any

import pytest

from controlplane.kube import objects
from controlplane.kube.objects import Override, Policy
from tests.crds import FOLDER, admit, render, schema
from tests.unit.controlplane.kube.things import Json, meta

BOTH = ('backendpolicies', 'serveroverrides')
READERS = {'backendpolicies': Policy.from_dict, 'serveroverrides': Override.from_dict}
WEB: Json = {'targetRefs': [{'name': 'web'}]}
POD: Json = {'serviceRef': {'name': 'web'}, 'targetRef': {'name': 'p', 'uid': 'u'}}
PLACE: Json = {'serviceRef': {'name': 'web', 'port': 'http'}, 'address': {'ip': '10.0.0.1', 'port': 80}}


def fields(of: Json, path: str = '') -> Iterator[tuple[str, Json]]:
    yield path, of
    for name, inner in of.get('properties', {}).items():
        yield from fields(inner, f'{path}.{name}')
    if 'items' in of:
        yield from fields(of['items'], f'{path}[]')


def test_there_are_two() -> None:
    assert {path.stem for path in FOLDER.glob('*.yaml')} == {*BOTH}


@pytest.mark.parametrize(
    'plural,kind,short', [('backendpolicies', 'BackendPolicy', 'bp'), ('serveroverrides', 'ServerOverride', 'so')]
)
def test_names_and_versions(plural: str, kind: str, short: str) -> None:
    document = render(plural)
    spec = document['spec']
    assert (document['metadata']['name'], spec['group']) == (f'{plural}.{objects.GROUP}', 'sluice.dev')
    assert document['metadata']['annotations'] == {'helm.sh/resource-policy': 'keep'}
    assert spec['names'] == {
        'plural': plural, 'singular': kind.lower(), 'kind': kind, 'listKind': f'{kind}List', 'shortNames': [short],
        'categories': ['sluice'],
    }  # fmt: skip
    (version,) = spec['versions']
    assert (version['name'], version['served'], version['storage']) == (objects.VERSION, True, True)
    assert (version['subresources'], spec['scope'], 'conversion' in spec) == ({'status': {}}, 'Namespaced', False)


@pytest.mark.parametrize('plural', BOTH)
def test_everything_is_typed_described_and_bounded(plural: str) -> None:
    """What kubectl explain shows, and what the API server's budget for rules needs."""
    for path, of in fields(schema(plural)):
        assert of['type'] in {'object', 'array', 'string', 'integer', 'boolean'}, path
        assert 'x-kubernetes-preserve-unknown-fields' not in of, path
        assert path == '.metadata' or path.endswith('[]') or of['description'].endswith('.'), path
        if not path.startswith(('.spec', '.status')):
            continue
        if of['type'] == 'array':
            assert of['maxItems'] <= 16, path
        elif of['type'] == 'string':
            assert of.get('enum') or of.get('maxLength') or of.get('format') == 'date-time', path
        elif of['type'] == 'integer' and path.startswith('.spec'):
            assert {'minimum', 'maximum'} <= of.keys(), path


@pytest.mark.parametrize('plural', BOTH)
def test_conditions_are_a_map_by_type_with_what_each_must_say(plural: str) -> None:
    of = schema(plural)['properties']['status']['properties']['conditions']
    assert (of['x-kubernetes-list-type'], of['x-kubernetes-list-map-keys']) == ('map', ['type'])
    assert of['items']['required'] == ['type', 'status', 'lastTransitionTime', 'reason', 'message']
    assert 'observedGeneration' in of['items']['properties']


@pytest.mark.parametrize('plural', BOTH)
def test_columns_show_what_is_there(plural: str) -> None:
    columns = render(plural)['spec']['versions'][0]['additionalPrinterColumns']
    assert len({column['name'] for column in columns}) == len(columns)
    for column in columns:
        of = schema(plural)
        for part in re.sub(r'\[.*?\]', '[]', column['jsonPath']).strip('.').split('.'):
            if part == 'creationTimestamp':
                break
            of = of['properties'][part.removesuffix('[]')]
            of = of['items'] if part.endswith('[]') else of
            if 'properties' not in of and part == 'metadata':
                break
        else:
            assert column['type'] == of['type'], column
    first = [column['name'] for column in columns if not column.get('priority')]
    told = {
        'backendpolicies': ['Target', 'MaxConn', 'Scope', 'Ready', 'Drain', 'Queued', 'Programmed', 'Acked', 'Age'],
        'serveroverrides': [
            'Service',
            'Target',
            'Wanted',
            'State',
            'InFlight',
            'Queued',
            'Programmed',
            'Drained',
            'Acked',
            'Age',
        ],
    }
    assert first == told[plural]


def rules(plural: str) -> dict[str, list[str]]:
    found = {
        path: [' '.join(one['rule'].split()) for one in of.get('x-kubernetes-validations', ())]
        for path, of in fields(schema(plural))
    }
    return {path: those for path, those in found.items() if those}


def test_every_duration_is_above_nothing_and_every_rule_has_a_message() -> None:
    durations = {path for path, of in fields(schema('backendpolicies')) if 'h|m|s|ms' in of.get('pattern', '')}
    assert durations == {
        '.spec.queue.timeout',
        '.spec.timeouts.connect',
        '.spec.timeouts.response',
        '.spec.timeouts.tunnel',
        '.spec.drain.timeout',
    }
    for path in durations:
        assert rules('backendpolicies')[path] == [
            "duration(self) > duration('0s') && duration(self) <= duration('596h')"
        ]
    for plural in BOTH:
        for _, of in fields(schema(plural)):
            assert all(one['message'] for one in of.get('x-kubernetes-validations', ()))


def test_whom_an_override_is_about_cannot_change() -> None:
    found = rules('serveroverrides')
    for path in ('.spec.targetRef', '.spec.address', '.spec.serviceRef'):
        assert found[path] == ['self == oldSelf']
    assert 'has(self.targetRef) == has(oldSelf.targetRef)' in found['.spec']
    assert any('self.sessionGeneration >= oldSelf.sessionGeneration' in rule for rule in found['.spec'])


def test_the_defaults_of_the_schema_are_those_of_the_code() -> None:
    bare, faults = admit('backendpolicies', {'metadata': meta('web'), 'spec': WEB})
    assert faults == []
    assert bare['spec']['timeouts'] == {'connect': '5s', 'response': '60s'}
    assert Policy.from_dict(bare) == Policy.from_dict({'metadata': meta('web'), 'spec': WEB})
    assert (bare['spec']['queue'], bare['spec']['drain']) == (
        {'timeout': '10s'},
        {'timeout': '60s', 'onDeadline': 'Keep'},
    )
    for spec in (POD, PLACE):
        stored, faults = admit('serveroverrides', {'metadata': meta('o'), 'spec': spec})
        assert (faults, stored['spec']['adminState']) == ([], 'Ready')
        assert Override.from_dict(stored) == Override.from_dict({'metadata': meta('o'), 'spec': spec})


def test_the_words_of_the_schema_are_those_of_the_code() -> None:
    spec = schema('backendpolicies')['properties']['spec']['properties']
    assert tuple(spec['balance']['properties']['algorithm']['enum']) == objects.ALGORITHMS
    assert tuple(spec['limitScope']['enum']) == objects.SCOPES
    assert tuple(spec['ipFamily']['enum']) == objects.FAMILIES
    assert tuple(spec['drain']['properties']['onDeadline']['enum']) == objects.ON_DEADLINE
    wanted = schema('serveroverrides')['properties']['spec']['properties']
    assert tuple(wanted['adminState']['enum']) == tuple(objects.ADMIN_STATES)
    assert spec['maxConn']['maximum'] == wanted['maxConn']['maximum'] == objects.MAX_COUNT


def test_what_is_in_the_schema_is_read_and_nothing_else_is() -> None:
    """A field that the code does not read would be accepted and not done: so every one of them makes a difference."""
    whole: Json = {
        'hosts': ['a.example'], 'ipFamily': 'IPv6', 'balance': {'algorithm': 'random', 'draws': 3}, 'maxConn': 9, 'minConn': 2,
        'queue': {'maxLength': 4, 'timeout': '1s'}, 'timeouts': {'connect': '1s', 'response': '2s', 'tunnel': '3s'},
        'retries': {'attempts': 1, 'redispatch': False}, 'drain': {'timeout': '1s', 'onDeadline': 'Shutdown'},
    }  # fmt: skip
    assert {*whole, 'targetRefs', 'limitScope'} == {*schema('backendpolicies')['properties']['spec']['properties']}
    for name, value in whole.items():
        inner = schema('backendpolicies')['properties']['spec']['properties'][name].get('properties')
        assert inner is None or {*inner} == {*value}
    plain = Policy.from_dict({'metadata': meta('web'), 'spec': WEB})
    full = Policy.from_dict({'metadata': meta('web'), 'spec': WEB | whole})
    same = [
        one.name
        for one in dataclasses.fields(Policy)
        if one.compare and getattr(plain, one.name) == getattr(full, one.name)
    ]
    assert same == ['meta', 'targets', 'scope', 'problems']
    divided = Policy.from_dict({'metadata': meta('web'), 'spec': WEB | {'limitScope': 'divided', 'maxConn': 2}})
    assert (divided.scope, divided.problems) == ('divided', ())


# what a schema alone refuses; the rest is for rules, which only a real API server runs
WRONG: list[tuple[str, Json]] = [
    ('backendpolicies', {}),
    ('backendpolicies', {'targetRefs': []}),
    ('backendpolicies', {'targetRefs': [{'kind': 'Deployment', 'name': 'web'}]}),
    ('backendpolicies', {'targetRefs': [{'name': f's{n}'} for n in range(17)]}),
    ('backendpolicies', WEB | {'hosts': ['Web.example']}),
    ('backendpolicies', WEB | {'hosts': ['a..example']}),
    ('backendpolicies', WEB | {'hosts': ['*.*.example']}),
    ('backendpolicies', WEB | {'hosts': ['']}),
    ('backendpolicies', WEB | {'ipFamily': 'dual'}),
    ('backendpolicies', WEB | {'balance': {'algorithm': 'uri'}}),
    ('backendpolicies', WEB | {'balance': {'algorithm': 'random', 'draws': 0}}),
    ('backendpolicies', WEB | {'maxConn': 0}),
    ('backendpolicies', WEB | {'maxConn': 2**31}),
    ('backendpolicies', WEB | {'limitScope': 'leased'}),
    ('backendpolicies', WEB | {'queue': {'timeout': '5'}}),
    ('backendpolicies', WEB | {'queue': {'timeout': '1.5s'}}),
    ('backendpolicies', WEB | {'queue': {'maxLength': 0}}),
    ('backendpolicies', WEB | {'retries': {'attempts': 101}}),
    ('backendpolicies', WEB | {'drain': {'onDeadline': 'Kill'}}),
    ('serveroverrides', {}),
    ('serveroverrides', {'serviceRef': {}}),
    ('serveroverrides', POD | {'targetRef': {'name': 'p'}}),
    ('serveroverrides', POD | {'adminState': 'Off'}),
    ('serveroverrides', POD | {'weight': 257}),
    ('serveroverrides', POD | {'maxConn': -1}),
    ('serveroverrides', PLACE | {'address': {'ip': 'web.example', 'port': 80}}),
    ('serveroverrides', PLACE | {'address': {'ip': '10.0.0.1', 'port': 0}}),
]


@pytest.mark.parametrize('plural,spec', WRONG)
def test_what_the_schema_refuses(plural: str, spec: Json) -> None:
    assert admit(plural, {'metadata': meta('x'), 'spec': spec})[1]


def test_what_the_schema_does_not_offer_is_dropped_and_not_kept_for_later() -> None:
    spec: dict[str, Any] = WEB | {'health': {'path': '/'}, 'stickiness': {'cookie': 'S'}, 'limitScope': 'perReplica'}
    stored, faults = admit('backendpolicies', {'metadata': meta('x'), 'spec': spec})
    assert (faults, stored['spec'].keys() & {'health', 'stickiness'}) == ([], set())
