"""The two definitions at a real API server: it takes them, runs their rules, sets their defaults and keeps status apart."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from typing import Any

import pytest

from controlplane.kube.access import from_kubeconfig
from controlplane.kube.client import Api, ApiError
from controlplane.kube.conditions import Load, Progress, override_status, policy_status
from controlplane.kube.objects import Override, Policy
from controlplane.kube.resources import (
    BACKEND_POLICIES,
    CUSTOM_RESOURCE_DEFINITIONS,
    NAMESPACES,
    SERVER_OVERRIDES,
    Resource,
)
from tests.crds import admit, render
from tests.kube.conftest import REALKUBE
from tests.unit.controlplane.kube.things import endpoint, service, slice_
from tests.unit.controlplane.kube.translated import translated

pytestmark = [
    pytest.mark.realkube,
    pytest.mark.skipif(not REALKUBE, reason='SLUICE_REALKUBE names no kubeconfig'),
]

Json = dict[str, Any]
WEB: Json = {'targetRefs': [{'name': 'web'}]}
POD: Json = {'serviceRef': {'name': 'web'}, 'targetRef': {'name': 'p', 'uid': 'u'}}
PLACE: Json = {'serviceRef': {'name': 'web'}, 'address': {'ip': '10.0.0.1', 'port': 80}}


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    """With the definitions there and known."""
    async with Api(from_kubeconfig(REALKUBE)) as api:
        for resource in (BACKEND_POLICIES, SERVER_OVERRIDES):
            document = render(resource.plural)
            await api.apply(
                CUSTOM_RESOURCE_DEFINITIONS,
                None,
                document['metadata']['name'],
                document,
                field_manager='tests',
                force=True,
            )
        for resource in (BACKEND_POLICIES, SERVER_OVERRIDES):
            await served(api, resource)
        yield api


async def served(api: Api, resource: Resource) -> None:
    """The path of a new definition answers 404 until the API server has taken it in; there is nothing to watch for that."""
    async with asyncio.timeout(60):
        while True:
            try:
                await api.list_page(resource, 'default', limit=1)
            except ApiError as error:
                if error.status != 404:
                    raise
                await asyncio.sleep(0.1)
            else:
                return


@pytest.fixture
async def namespace(api: Api) -> AsyncIterator[str]:
    name = f'sluice-test-{secrets.token_hex(4)}'
    await api.create(NAMESPACES, None, {'metadata': {'name': name}})
    yield name
    await api.delete(NAMESPACES, None, name)


VALID: list[tuple[Resource, Json]] = [
    (BACKEND_POLICIES, WEB),
    (
        BACKEND_POLICIES,
        {
            'targetRefs': [
                {'name': 'web', 'sectionName': 'http'},
                {'name': 'web', 'sectionName': 'admin'},
                {'name': 'api'},
            ]
        },
    ),
    (BACKEND_POLICIES, WEB | {'hosts': ['*.example.com', 'a.example'], 'ipFamily': 'IPv6', 'maxConn': 4, 'minConn': 4}),
    (BACKEND_POLICIES, WEB | {'limitScope': 'divided', 'maxConn': 1}),
    (BACKEND_POLICIES, WEB | {'balance': {'algorithm': 'random', 'draws': 2}}),
    (BACKEND_POLICIES, WEB | {'queue': {'timeout': '596h'}, 'timeouts': {'connect': '1ms', 'tunnel': '1h30m'}}),
    (BACKEND_POLICIES, {'targetRefs': [{'name': f's{n}'} for n in range(16)]}),
    (SERVER_OVERRIDES, POD),
    (SERVER_OVERRIDES, PLACE),
    (SERVER_OVERRIDES, PLACE | {'address': {'ip': 'fd00::1', 'port': 65_535}}),
    (
        SERVER_OVERRIDES,
        POD | {'sessionGeneration': 2**62, 'weight': 0, 'maxConn': 0, 'deadline': '2026-01-01T00:00:00Z'},
    ),
]

INVALID: list[tuple[Resource, Json, str]] = [
    (BACKEND_POLICIES, {'targetRefs': [{'name': 'a'}, {'name': 'b'}], 'hosts': ['a.example']}, 'exactly one targetRef'),
    (BACKEND_POLICIES, {'targetRefs': [{'name': 'a'}, {'name': 'a'}]}, 'there twice'),
    (BACKEND_POLICIES, WEB | {'minConn': 1}, 'minConn needs'),
    (BACKEND_POLICIES, WEB | {'minConn': 5, 'maxConn': 4}, 'minConn needs'),
    (BACKEND_POLICIES, WEB | {'limitScope': 'divided'}, 'divided needs maxConn'),
    (BACKEND_POLICIES, WEB | {'limitScope': 'divided', 'maxConn': 4, 'minConn': 1}, 'cannot be divided'),
    (BACKEND_POLICIES, WEB | {'balance': {'draws': 2}}, 'algorithm random only'),
    (BACKEND_POLICIES, WEB | {'queue': {'timeout': '0s'}}, 'from 1ms to 596h'),
    (BACKEND_POLICIES, WEB | {'timeouts': {'connect': '597h'}}, 'from 1ms to 596h'),
    (BACKEND_POLICIES, WEB | {'drain': {'timeout': 'soon'}}, 'drain.timeout'),
    (BACKEND_POLICIES, WEB | {'hosts': ['A.example']}, 'hosts'),
    (BACKEND_POLICIES, WEB | {'hosts': ['a.example', 'a.example']}, 'Duplicate'),
    (BACKEND_POLICIES, WEB | {'maxConn': 0}, 'maxConn'),
    (BACKEND_POLICIES, WEB | {'limitScope': 'leased'}, 'limitScope'),
    (SERVER_OVERRIDES, {'serviceRef': {'name': 'web'}}, 'exactly one of targetRef and address'),
    (SERVER_OVERRIDES, POD | PLACE, 'exactly one of targetRef and address'),
    (SERVER_OVERRIDES, PLACE | {'address': {'ip': 'web.example', 'port': 80}}, 'address.ip'),
    (SERVER_OVERRIDES, POD | {'weight': 257}, 'weight'),
    (SERVER_OVERRIDES, POD | {'adminState': 'Off'}, 'adminState'),
    (SERVER_OVERRIDES, POD | {'deadline': 'tomorrow'}, 'deadline'),
    (SERVER_OVERRIDES, POD | {'sessionGeneration': -1}, 'sessionGeneration'),
]


async def test_what_is_valid_is_stored_with_the_defaults_that_the_code_has(api: Api, namespace: str) -> None:
    for number, (resource, spec) in enumerate(VALID):
        made = await api.create(resource, namespace, {'metadata': {'name': f'v{number}'}, 'spec': spec})
        assert made['spec'] == admit(resource.plural, {'spec': spec})[0]['spec']
        read = (Policy if resource is BACKEND_POLICIES else Override).from_dict
        assert read(made) == read(made | {'spec': spec})
        assert read(made).problems == ()


async def test_what_is_not_valid_is_refused_and_the_answer_says_why(api: Api, namespace: str) -> None:
    for resource, spec, why in INVALID:
        with pytest.raises(ApiError) as caught:
            await api.create(resource, namespace, {'metadata': {'name': 'x'}, 'spec': spec})
        assert caught.value.status == 422
        assert why in caught.value.message


@pytest.mark.parametrize(
    'before,after,why',
    [
        (POD, POD | {'targetRef': {'name': 'p', 'uid': 'another'}}, 'cannot be changed'),
        (POD, POD | {'serviceRef': {'name': 'api'}}, 'cannot be changed'),
        (PLACE, PLACE | {'address': {'ip': '10.0.0.2', 'port': 80}}, 'cannot be changed'),
        (POD, PLACE, 'cannot be changed'),
        (PLACE, POD, 'cannot be changed'),
        (POD | {'sessionGeneration': 5}, POD | {'sessionGeneration': 4}, 'never falls'),
        (POD | {'sessionGeneration': 5}, POD, 'never falls'),
        (POD | {'sessionGeneration': 5}, POD | {'sessionGeneration': 6, 'adminState': 'Maint', 'weight': 3}, ''),
        (POD, POD | {'sessionGeneration': 1}, ''),
    ],
)
async def test_what_an_override_may_become(api: Api, namespace: str, before: Json, after: Json, why: str) -> None:
    made = await api.create(SERVER_OVERRIDES, namespace, {'metadata': {'name': 'o'}, 'spec': before})
    change = api.replace(SERVER_OVERRIDES, namespace, 'o', made | {'spec': after})
    if not why:
        assert (await change)['metadata']['generation'] == 2
        return
    with pytest.raises(ApiError) as caught:
        await change
    assert (caught.value.status, why in caught.value.message) == (422, True)


async def test_a_status_that_is_made_here_is_taken_and_leaves_the_spec_alone(api: Api, namespace: str) -> None:
    policy = Policy.from_dict(
        await api.create(
            BACKEND_POLICIES, namespace, {'metadata': {'name': 'web'}, 'spec': WEB | {'hosts': ['a.example']}}
        )
    )
    override = Override.from_dict(
        await api.create(SERVER_OVERRIDES, namespace, {'metadata': {'name': 'o'}, 'spec': POD})
    )
    web = service(namespace=namespace)
    pods = slice_(
        'a', endpoint('10.0.0.1', 'p') | {'targetRef': {'kind': 'Pod', 'name': 'p', 'uid': 'u'}}, namespace=namespace
    )
    found = translated(web, policy, pods, override)
    progress, now = Progress(6, 5, '7.1042', ('dp-3',)), '2026-01-01T00:00:00Z'
    for resource, name, status in (
        (BACKEND_POLICIES, 'web', policy_status(found.policies[namespace, 'web'], progress, Load(4, 2), {}, now)),
        (SERVER_OVERRIDES, 'o', override_status(found.overrides[namespace, 'o'], progress, Load(4, 2), {}, now)),
    ):
        body = {'status': status, 'spec': {'maxConn': 9}}
        stored = await api.patch(resource, namespace, name, body, subresource='status')
        assert stored['status'] == status
        assert (stored['metadata']['generation'], 'maxConn' in stored['spec']) == (1, False)
