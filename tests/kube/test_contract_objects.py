"""What the API server does with objects: the same for the fake and for a real one, so that the fake cannot drift."""

from __future__ import annotations

from typing import Any

import pytest

from controlplane.kube.client import ApiError
from controlplane.kube.resources import CONFIG_MAPS, ENDPOINT_SLICES, LEASES, PODS, SERVICES, Resource
from tests.kube.conftest import Server

Json = dict[str, Any]


def config_map(name: str, **data: str) -> Json:
    return {'metadata': {'name': name}, 'data': data}


def service(name: str) -> Json:
    return {'metadata': {'name': name}, 'spec': {'ports': [{'name': 'http', 'port': 80}]}}


def version(document: Json) -> str:
    return str(document['metadata']['resourceVersion'])


async def refused(call: Any) -> ApiError:
    with pytest.raises(ApiError) as caught:
        await call
    return caught.value


async def test_a_created_object_has_identity_and_version(server: Server, namespace: str) -> None:
    made = await server.api.create(CONFIG_MAPS, namespace, config_map('one', a='1'))
    assert made['metadata']['uid']
    assert made['metadata']['namespace'] == namespace
    assert made['metadata']['creationTimestamp']
    assert await server.api.get(CONFIG_MAPS, namespace, 'one') == made


async def test_what_exists_cannot_be_created(server: Server, namespace: str) -> None:
    await server.api.create(CONFIG_MAPS, namespace, config_map('one'))
    error = await refused(server.api.create(CONFIG_MAPS, namespace, config_map('one')))
    assert (error.status, error.reason, error.is_conflict) == (409, 'AlreadyExists', False)


async def test_what_is_not_there_is_not_found(server: Server, namespace: str) -> None:
    api = server.api
    for call in (
        api.get(CONFIG_MAPS, namespace, 'none'),
        api.delete(CONFIG_MAPS, namespace, 'none'),
        api.patch(CONFIG_MAPS, namespace, 'none', {'data': {'a': '1'}}),
        api.replace(CONFIG_MAPS, namespace, 'none', config_map('none')),
    ):
        error = await refused(call)
        assert (error.status, error.reason) == (404, 'NotFound')


async def test_a_kind_that_is_not_installed_is_not_found(server: Server, namespace: str) -> None:
    unknown = Resource('sluice.dev', 'v1', 'nothings', 'Nothing')
    error = await refused(server.api.list_page(unknown, namespace))
    assert error.status == 404


async def test_a_name_is_made_on_request(server: Server, namespace: str) -> None:
    body = {'metadata': {'generateName': 'some-'}, 'data': {}}
    first, second = [await server.api.create(CONFIG_MAPS, namespace, body) for _ in range(2)]
    names = {first['metadata']['name'], second['metadata']['name']}
    assert len(names) == 2
    assert all(name.startswith('some-') for name in names)


async def test_a_name_that_is_none_is_invalid(server: Server, namespace: str) -> None:
    error = await refused(server.api.create(CONFIG_MAPS, namespace, config_map('Not_A_Name')))
    assert (error.status, error.reason) == (422, 'Invalid')


async def test_a_replacement_of_an_old_version_is_a_conflict(server: Server, namespace: str) -> None:
    first = await server.api.create(CONFIG_MAPS, namespace, config_map('one', a='1'))
    second = await server.api.replace(CONFIG_MAPS, namespace, 'one', {**first, 'data': {'a': '2'}})
    assert version(second) != version(first)
    error = await refused(server.api.replace(CONFIG_MAPS, namespace, 'one', {**first, 'data': {'a': '3'}}))
    assert (error.status, error.reason, error.is_conflict) == (409, 'Conflict', True)
    assert (await server.api.get(CONFIG_MAPS, namespace, 'one'))['data'] == {'a': '2'}


async def test_a_replacement_without_a_version_is_blind_where_the_kind_allows_it(
    server: Server, namespace: str
) -> None:
    await server.api.create(CONFIG_MAPS, namespace, config_map('one', a='1'))
    assert (await server.api.replace(CONFIG_MAPS, namespace, 'one', config_map('one', a='2')))['data'] == {'a': '2'}
    lease = {'metadata': {'name': 'one'}, 'spec': {'holderIdentity': 'me'}}
    await server.api.create(LEASES, namespace, lease)
    error = await refused(server.api.replace(LEASES, namespace, 'one', lease))
    assert (error.status, error.reason) == (422, 'Invalid')


async def test_a_patch_merges(server: Server, namespace: str) -> None:
    await server.api.create(CONFIG_MAPS, namespace, config_map('one', a='1', b='2'))
    patch = {'data': {'a': None, 'c': '3'}}
    assert (await server.api.patch(CONFIG_MAPS, namespace, 'one', patch))['data'] == {'b': '2', 'c': '3'}


async def test_a_patch_of_an_old_version_is_a_conflict(server: Server, namespace: str) -> None:
    first = await server.api.create(CONFIG_MAPS, namespace, config_map('one'))
    await server.api.patch(CONFIG_MAPS, namespace, 'one', {'data': {'a': '1'}})
    patch = {'metadata': {'resourceVersion': version(first)}, 'data': {'a': '2'}}
    assert (await refused(server.api.patch(CONFIG_MAPS, namespace, 'one', patch))).is_conflict


async def test_a_write_that_changes_nothing_gives_no_version(server: Server, namespace: str) -> None:
    made = await server.api.create(CONFIG_MAPS, namespace, config_map('one', a='1'))
    same = await server.api.patch(CONFIG_MAPS, namespace, 'one', {'data': {'a': '1'}})
    assert version(same) == version(made)


async def test_status_and_the_rest_are_written_apart(server: Server, namespace: str) -> None:
    made = await server.api.create(SERVICES, namespace, service('web'))
    ingress = [{'ip': '192.0.2.1'}]
    patched = await server.api.patch(
        SERVICES,
        namespace,
        'web',
        {'status': {'loadBalancer': {'ingress': ingress}}, 'metadata': {'labels': {'a': 'b'}}},
    )
    assert not patched['status'].get('loadBalancer') if 'status' in patched else True
    assert patched['metadata']['labels'] == {'a': 'b'}
    condition = {'type': 'Programmed', 'status': 'True', 'reason': 'Acked', 'message': '',
                 'lastTransitionTime': '2020-01-01T00:00:00Z'}  # fmt: skip
    status = await server.api.patch_status(SERVICES, namespace, 'web', {'conditions': [condition]})
    assert status['status']['conditions'] == [condition]
    assert status['spec'] == made['spec']


async def test_a_delete_for_another_incarnation_is_a_conflict(server: Server, namespace: str) -> None:
    made = await server.api.create(CONFIG_MAPS, namespace, config_map('one'))
    error = await refused(server.api.delete(CONFIG_MAPS, namespace, 'one', uid='0000'))
    assert error.is_conflict
    await server.api.delete(CONFIG_MAPS, namespace, 'one', uid=made['metadata']['uid'])
    assert (await refused(server.api.get(CONFIG_MAPS, namespace, 'one'))).status == 404


async def test_an_object_with_a_finalizer_goes_when_that_goes(server: Server, namespace: str) -> None:
    body = config_map('one')
    body['metadata']['finalizers'] = ['sluice.dev/test']
    await server.api.create(CONFIG_MAPS, namespace, body)
    await server.api.delete(CONFIG_MAPS, namespace, 'one')
    assert (await server.api.get(CONFIG_MAPS, namespace, 'one'))['metadata']['deletionTimestamp']
    await server.api.patch(CONFIG_MAPS, namespace, 'one', {'metadata': {'finalizers': None}})
    assert (await refused(server.api.get(CONFIG_MAPS, namespace, 'one'))).status == 404


async def test_generation_counts_wishes_only(server: Server, namespace: str) -> None:
    slice_ = {
        'metadata': {'name': 'web-1'},
        'addressType': 'IPv4',
        'endpoints': [{'addresses': ['10.0.0.1']}],
        'ports': [],
    }
    made = await server.api.create(ENDPOINT_SLICES, namespace, slice_)
    assert made['metadata']['generation'] == 1
    labelled = await server.api.patch(ENDPOINT_SLICES, namespace, 'web-1', {'metadata': {'annotations': {'a': 'b'}}})
    assert labelled['metadata']['generation'] == 1
    endpoints = [{'addresses': ['10.0.0.2']}]
    changed = await server.api.patch(ENDPOINT_SLICES, namespace, 'web-1', {'endpoints': endpoints})
    assert changed['metadata']['generation'] == 2


async def test_apply_makes_and_changes_and_removes_what_it_owns(server: Server, namespace: str) -> None:
    api = server.api
    made = await api.apply(CONFIG_MAPS, namespace, 'one', {'data': {'a': '1', 'b': '2'}}, field_manager='sluice')
    assert made['data'] == {'a': '1', 'b': '2'}
    await api.patch(CONFIG_MAPS, namespace, 'one', {'data': {'theirs': 'x'}}, field_manager='other')
    changed = await api.apply(CONFIG_MAPS, namespace, 'one', {'data': {'a': '3'}}, field_manager='sluice')
    assert changed['data'] == {'a': '3', 'theirs': 'x'}
    same = await api.apply(CONFIG_MAPS, namespace, 'one', {'data': {'a': '3'}}, field_manager='sluice')
    assert version(same) == version(changed)


async def test_apply_does_not_take_what_is_anothers_unless_forced(server: Server, namespace: str) -> None:
    api = server.api
    await api.apply(CONFIG_MAPS, namespace, 'one', {'data': {'a': '1'}}, field_manager='sluice')
    error = await refused(api.apply(CONFIG_MAPS, namespace, 'one', {'data': {'a': '2'}}, field_manager='gitops'))
    assert (error.status, error.reason, error.causes) == (409, 'Conflict', ('FieldManagerConflict',))
    taken = await api.apply(CONFIG_MAPS, namespace, 'one', {'data': {'a': '2'}}, field_manager='gitops', force=True)
    assert taken['data'] == {'a': '2'}
    left = await api.apply(CONFIG_MAPS, namespace, 'one', {'data': {}}, field_manager='sluice')
    assert left['data'] == {'a': '2'}


async def test_apply_says_who_owns_what(server: Server, namespace: str) -> None:
    made = await server.api.apply(CONFIG_MAPS, namespace, 'one', {'data': {'a': '1'}}, field_manager='sluice')
    (entry,) = made['metadata']['managedFields']
    assert (entry['manager'], entry['operation']) == ('sluice', 'Apply')
    assert entry['fieldsV1'] == {'f:data': {'f:a': {}}}


async def test_what_belonged_to_an_object_goes_with_it(server: Server, namespace: str) -> None:
    pod = await server.api.create(
        PODS, namespace, {'metadata': {'name': 'owner'}, 'spec': {'containers': [{'name': 'a', 'image': 'none'}]}}
    )
    body = config_map('owned')
    body['metadata']['ownerReferences'] = [
        {'apiVersion': 'v1', 'kind': 'Pod', 'name': 'owner', 'uid': pod['metadata']['uid'], 'blockOwnerDeletion': False}
    ]
    listed = await server.api.list_page(CONFIG_MAPS, namespace)
    await server.api.create(CONFIG_MAPS, namespace, body)
    await server.api.delete(PODS, namespace, 'owner', grace_period_s=0)
    start = version(listed)
    stream = server.api.watch(CONFIG_MAPS, namespace, resource_version=start, timeout_s=60)
    try:
        async for event in stream:
            if event['type'] == 'DELETED':
                assert event['object']['metadata']['name'] == 'owned'
                break
    finally:
        await stream.aclose()
