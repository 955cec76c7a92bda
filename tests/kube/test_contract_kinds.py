"""The project's own kinds and the reviews: the same for the fake and for a real API server."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

import pytest

from controlplane.kube.client import ApiError
from controlplane.kube.errors import from_status
from controlplane.kube.resources import (
    ACCESS_REVIEWS,
    PODS,
    SERVER_OVERRIDES,
    SERVICE_ACCOUNTS,
    TOKEN_REVIEWS,
)
from tests.kube.conftest import Server

Json = dict[str, Any]
POD: Json = {'kind': 'Pod', 'name': 'web-1', 'uid': 'u-1'}
SPEC: Json = {'serviceRef': {'name': 'web'}, 'targetRef': POD, 'adminState': 'Drain'}


def override(name: str) -> Json:
    return {'metadata': {'name': name}, 'spec': SPEC}


def condition(kind: str, status: str) -> Json:
    return {
        'type': kind,
        'status': status,
        'reason': 'Test',
        'message': '',
        'lastTransitionTime': '2026-01-01T00:00:00Z',
    }


@pytest.mark.usefixtures('custom_kinds')
class TestOverrides:
    async def test_status_has_a_path_of_its_own(self, server: Server, namespace: str) -> None:
        api = server.api
        made = await api.create(SERVER_OVERRIDES, namespace, {**override('one'), 'status': {'inFlight': 7}})
        assert 'status' not in made
        status = await api.patch_status(SERVER_OVERRIDES, namespace, 'one', {'inFlight': 3, 'queued': 0})
        assert status['status'] == {'inFlight': 3, 'queued': 0}
        assert status['metadata']['generation'] == 1
        body = {'spec': {'adminState': 'Maint'}, 'status': {'inFlight': 9}}
        changed = await api.patch(SERVER_OVERRIDES, namespace, 'one', body)
        assert (changed['spec']['adminState'], changed['status']['inFlight']) == ('Maint', 3)
        assert changed['metadata']['generation'] == 2

    async def test_a_wish_is_no_part_of_the_status(self, server: Server, namespace: str) -> None:
        api = server.api
        await api.create(SERVER_OVERRIDES, namespace, override('one'))
        body = {'spec': {'adminState': 'Maint'}, 'status': {'inFlight': 9}}
        after = await api.patch(SERVER_OVERRIDES, namespace, 'one', body, subresource='status')
        assert (after['spec']['adminState'], after['status']['inFlight']) == ('Drain', 9)

    async def test_conditions_of_two_managers_stand_beside_each_other(self, server: Server, namespace: str) -> None:
        api = server.api
        await api.create(SERVER_OVERRIDES, namespace, override('one'))
        for manager, kind in (('one', 'Programmed'), ('two', 'Drained')):
            body = {'status': {'conditions': [condition(kind, 'True')]}}
            after = await api.apply(
                SERVER_OVERRIDES, namespace, 'one', body, field_manager=manager, force=True, subresource='status'
            )
        assert {one['type'] for one in after['status']['conditions']} == {'Programmed', 'Drained'}

    async def test_apply_makes_it_and_gives_a_field_up(self, server: Server, namespace: str) -> None:
        api = server.api
        wanted = {**SPEC, 'weight': 5}
        made = await api.apply(SERVER_OVERRIDES, namespace, 'one', {'spec': wanted}, field_manager='sluice')
        assert made['spec']['weight'] == 5
        less = await api.apply(SERVER_OVERRIDES, namespace, 'one', {'spec': SPEC}, field_manager='sluice')
        assert 'weight' not in less['spec']
        assert less['metadata']['generation'] == 2

    async def test_a_replacement_must_say_what_it_replaces(self, server: Server, namespace: str) -> None:
        await server.api.create(SERVER_OVERRIDES, namespace, override('one'))
        with pytest.raises(ApiError) as caught:
            await server.api.replace(SERVER_OVERRIDES, namespace, 'one', override('one'))
        assert (caught.value.status, caught.value.reason) == (422, 'Invalid')


async def test_a_version_from_before_all_memory_is_gone(server: Server, namespace: str) -> None:
    """As HTTP's status or as an event: the informer takes both. What a server remembers of a kind begins when that was installed."""
    stream = server.api.watch(SERVER_OVERRIDES, namespace, resource_version='1', timeout_s=30)
    async with aclosing(stream):
        try:
            event = await anext(stream)
            error = from_status(event['object'])
        except ApiError as refusal:
            error = refusal
    assert error.is_gone


async def token(server: Server, namespace: str, account: str, spec: Json) -> str:
    made = await server.api.create(SERVICE_ACCOUNTS, namespace, {'spec': spec}, name=account, subresource='token')
    return str(made['status']['token'])


async def review(server: Server, text: str, *audiences: str) -> Json:
    body = {'spec': {'token': text, 'audiences': list(audiences)}}
    return dict((await server.api.create(TOKEN_REVIEWS, None, body))['status'])


async def test_a_token_is_its_accounts_and_for_its_audience(server: Server, namespace: str) -> None:
    account = await server.api.create(SERVICE_ACCOUNTS, namespace, {'metadata': {'name': 'oncall'}})
    text = await token(server, namespace, 'oncall', {'audiences': ['sluice']})
    good = await review(server, text, 'sluice', 'other')
    assert good['authenticated'] is True
    assert good['audiences'] == ['sluice']
    assert good['user']['username'] == f'system:serviceaccount:{namespace}:oncall'
    assert good['user']['uid'] == account['metadata']['uid']
    assert f'system:serviceaccounts:{namespace}' in good['user']['groups']
    for bad in (
        await review(server, text, 'other'),
        await review(server, 'nonsense', 'sluice'),
        await review(server, text),
    ):
        assert not bad.get('authenticated')
        assert bad['error']


async def test_a_token_may_be_bound_to_a_pod(server: Server, namespace: str) -> None:
    await server.api.create(SERVICE_ACCOUNTS, namespace, {'metadata': {'name': 'plane'}})
    spec = {'serviceAccountName': 'plane', 'containers': [{'name': 'a', 'image': 'none'}]}
    pod = await server.api.create(PODS, namespace, {'metadata': {'name': 'plane-1'}, 'spec': spec})
    bound = {'apiVersion': 'v1', 'kind': 'Pod', 'name': 'plane-1', 'uid': pod['metadata']['uid']}
    text = await token(server, namespace, 'plane', {'audiences': ['sluice'], 'boundObjectRef': bound})
    extra = (await review(server, text, 'sluice'))['user']['extra']
    assert extra['authentication.kubernetes.io/pod-name'] == ['plane-1']
    assert extra['authentication.kubernetes.io/pod-uid'] == [pod['metadata']['uid']]


async def test_who_may_what(server: Server, namespace: str) -> None:
    async def may(**who: Any) -> bool:
        attributes = {'namespace': namespace, 'verb': 'patch', 'group': 'sluice.dev', 'resource': 'serveroverrides'}
        body = {'spec': {**who, 'resourceAttributes': attributes}}
        return bool((await server.api.create(ACCESS_REVIEWS, None, body))['status']['allowed'])

    assert not await may(user='alice')
    assert not await may(user='alice', groups=['system:authenticated'])
    assert await may(user='root', groups=['system:masters'])
