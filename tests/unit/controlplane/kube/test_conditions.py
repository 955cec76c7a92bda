from __future__ import annotations

import json
from typing import Any

import pytest

from controlplane.kube.conditions import Load, Progress, conditions, effective_max_conn, override_status, policy_status
from controlplane.kube.outcome import no, yes
from controlplane.kube.world import Thing
from tests.crds import admit
from tests.unit.controlplane.kube.things import endpoint, override, policy, service, slice_
from tests.unit.controlplane.kube.translated import WEB, translated

T0, T1 = '2026-01-01T00:00:00Z', '2026-01-01T00:01:00Z'
SERVED: list[Thing] = [
    service(),
    policy(spec={'maxConn': 10}),
    slice_('a', endpoint('10.0.0.1', 'p1'), endpoint('10.0.0.2', 'p2', ready=False)),
]
ALL, IDLE = Progress(6, 6, '7.1042'), Load()


def of_policy(
    *things: Thing, progress: Progress = ALL, previous: dict[str, Any] | None = None, now: str = T0
) -> dict[str, Any]:
    return policy_status(translated(*things).policies[WEB], progress, Load(4, 2), previous or {}, now)


def of_override(
    progress: Progress = ALL,
    load: Load = IDLE,
    *,
    drained: bool = False,
    admin: str = 'Drain',
    things: list[Thing] = SERVED,
) -> dict[str, Any]:
    view = translated(*things, override('o', pod='p1', spec={'adminState': admin})).overrides['shop', 'o']
    return override_status(view, progress, load, {}, T0, effective=admin.lower(), drained=drained)


def by_type(status: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {one['type']: (one['status'], one['reason']) for one in status['conditions']}


def test_the_whole_status_of_a_policy_in_force() -> None:
    status = of_policy(*SERVED)
    assert by_type(status) == {
        'Accepted': ('True', 'Accepted'),
        'ResolvedRefs': ('True', 'ResolvedRefs'),
        'Programmed': ('True', 'Programmed'),
        'Ready': ('True', 'ServersReady'),
    }
    assert status['appliedVersion'] == '7.1042'
    assert status['dataPlanes'] == {'desired': 6, 'acked': 6, 'summary': '6/6'}
    assert status['servers'] == {'total': 2, 'ready': 1, 'drain': 0, 'maint': 1, 'summary': '1/2'}
    assert (status['inFlight'], status['queued'], status['effectiveMaxConn']) == (4, 2, '60 total = 6 x 10')
    (ancestor,) = status['ancestors']
    assert ancestor['ancestorRef'] == {'group': '', 'kind': 'Service', 'name': 'web'}
    assert [one['type'] for one in ancestor['conditions']] == ['Accepted', 'ResolvedRefs']
    assert all(one['observedGeneration'] == 1 for one in status['conditions'])


@pytest.mark.parametrize(
    'progress,condition',
    [
        (Progress(6, 6), ('True', 'Programmed')),
        (Progress(6, 5, waiting=('dp-3',)), ('False', 'Pending')),
        (Progress(0, 0), ('False', 'NoDataPlanes')),
        (Progress(6, 5, refused=('dp-3',)), ('False', 'NackedBy')),
    ],
)
def test_programmed_is_what_every_known_data_plane_has_in_force(progress: Progress, condition: tuple[str, str]) -> None:
    status = of_policy(*SERVED, progress=progress)
    assert by_type(status)['Programmed'] == condition
    assert ('dp-3' in json.dumps(status)) == bool(progress.waiting or progress.refused)


def test_many_data_planes_are_not_all_named() -> None:
    status = of_policy(*SERVED, progress=Progress(90, 0, waiting=tuple(f'dp-{n}' for n in range(90))))
    assert 'dp-4 and 85 more' in json.dumps(status)


@pytest.mark.parametrize(
    'things,expected',
    [
        (
            [policy()],
            {
                'Accepted': 'Accepted',
                'ResolvedRefs': 'ServiceNotFound',
                'Programmed': 'ServiceNotFound',
                'Ready': 'NoBackends',
            },
        ),
        (
            [service(), policy(spec={'maxConn': 'x'})],
            {'Accepted': 'Invalid', 'Programmed': 'Invalid', 'Ready': 'NoBackends'},
        ),
        (
            [service(), policy(created='2027-01-01T00:00:00Z'), policy('b')],
            {'Accepted': 'Conflicted', 'Programmed': 'Conflicted'},
        ),
        ([service(), policy()], {'Accepted': 'Accepted', 'Programmed': 'Programmed', 'Ready': 'NoEndpoints'}),
        ([service(), policy(spec={'hosts': ['a.example']})], {'HostsAttached': 'Attached'}),
    ],
)
def test_what_went_wrong_is_the_reason_of_each_condition_it_concerns(
    things: list[Thing], expected: dict[str, str]
) -> None:
    found = by_type(of_policy(*things))
    assert {kind: reason for kind, (_, reason) in found.items() if kind in expected} == expected


def test_the_first_fault_gives_the_reason_and_all_are_in_the_message() -> None:
    refs = [{'name': 'gone'}, {'name': 'web'}, {'name': 'other'}]
    status = of_policy(*SERVED[::2], policy(spec={'targetRefs': refs}))
    resolved = next(one for one in status['conditions'] if one['type'] == 'ResolvedRefs')
    assert (resolved['reason'], 'gone' in resolved['message'], 'other' in resolved['message']) == (
        'ServiceNotFound',
        True,
        True,
    )
    assert [one['conditions'][1]['status'] for one in status['ancestors']] == ['False', 'True', 'False']


def test_a_condition_keeps_its_time_while_its_status_stays_and_a_status_without_news_is_equal() -> None:
    first = of_policy(*SERVED, progress=Progress(6, 5))
    assert of_policy(*SERVED, progress=Progress(6, 5), previous=first, now=T1) == first
    then = of_policy(*SERVED, previous=first, now=T1)
    times = {one['type']: one['lastTransitionTime'] for one in then['conditions']}
    assert times == {'Accepted': T0, 'ResolvedRefs': T0, 'Programmed': T1, 'Ready': T0}
    assert {one['lastTransitionTime'] for one in then['ancestors'][0]['conditions']} == {T0}


def test_conditions_of_others_are_not_repeated_and_messages_are_bounded() -> None:
    made = conditions({'A': yes('B', 'x' * 5_000)}, 3, [{'type': 'Foreign', 'status': 'True'}, {}], T0)
    assert [one['type'] for one in made] == ['A']
    assert len(made[0]['message']) == 1_024
    assert (
        conditions({'A': no('B')}, 3, [{'type': 'A', 'status': 'True', 'lastTransitionTime': T0}], T1)[0][
            'lastTransitionTime'
        ]
        == T1
    )


@pytest.mark.parametrize(
    'kwargs,programmed,drained',
    [
        ({}, ('True', 'Programmed'), ('False', 'Pending')),
        ({'drained': True}, ('True', 'Programmed'), ('True', 'Drained')),
        ({'load': Load(4, 0)}, ('True', 'Programmed'), ('False', 'InFlight')),
        ({'load': Load(0, 1)}, ('True', 'Programmed'), ('False', 'InFlight')),
        ({'progress': Progress(6, 5)}, ('False', 'Pending'), ('False', 'Pending')),
        ({'progress': Progress(6, 5), 'load': Load(9, 9)}, ('False', 'Pending'), ('False', 'Pending')),
        ({'progress': Progress()}, ('False', 'NoDataPlanes'), ('False', 'Pending')),
        ({'admin': 'Ready', 'drained': True}, ('True', 'Programmed'), ('False', 'NotDraining')),
        ({'admin': 'Maint', 'drained': True}, ('True', 'Programmed'), ('True', 'Drained')),
        ({'things': []}, ('False', 'ServiceNotFound'), ('False', 'ServiceNotFound')),
        ({'things': SERVED[:2]}, ('False', 'TargetNotFound'), ('False', 'TargetNotFound')),
    ],
)
def test_the_conditions_of_an_override(kwargs: Any, programmed: tuple[str, str], drained: tuple[str, str]) -> None:
    assert by_type(of_override(**kwargs)) == {'Programmed': programmed, 'Drained': drained}


def test_the_rest_of_an_overrides_status() -> None:
    status = of_override(load=Load(4, 1))
    assert (status['server'], status['state'], status['inFlight'], status['queued']) == (
        'shop.web.http/p1',
        'Drain',
        4,
        1,
    )
    assert (of_override(things=[])['server'], of_override(things=[])['state']) == ('', 'Unknown')


@pytest.mark.parametrize(
    'limit,scope,planes,shares,text',
    [
        (0, 'perReplica', 6, (), 'unlimited'),
        (10, 'perReplica', 6, (), '60 total = 6 x 10'),
        (10, 'divided', 6, (2, 2, 2, 2, 1, 1), '10 total = 2,2,2,2,1,1'),
        (10, 'divided', 6, (), '10 total'),
        (10, 'divided', 20, (1,) * 20, '10 total over 20 data planes'),
    ],
)
def test_a_limit_in_words(limit: int, scope: str, planes: int, shares: tuple[int, ...], text: str) -> None:
    assert effective_max_conn(limit, scope, planes, shares) == text


def test_every_status_is_one_the_schema_takes() -> None:
    statuses = [
        ('backendpolicies', of_policy(*SERVED)),
        ('backendpolicies', of_policy(policy(port='x'))),
        ('backendpolicies', of_policy(service(), policy(spec={'targetRefs': []}))),
        ('serveroverrides', of_override()),
        ('serveroverrides', of_override(things=[])),
    ]
    for plural, status in statuses:
        stored, faults = admit(plural, {'status': status})
        assert (stored['status'], faults) == (status, [])
