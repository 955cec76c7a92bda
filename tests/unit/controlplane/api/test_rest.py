from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest

from controlplane.api.limits import MAX_BODY
from tests.unit.controlplane.world import ControlPlane, Dial


def problem(answer: httpx.Response, status: int, slug: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers['content-type'] == 'application/problem+json'
    document: dict[str, Any] = answer.json()
    assert document['type'] == f'urn:sluice:problem:{slug}'
    assert document['status'] == status
    assert document['title']
    return document


async def test_the_life_of_a_backend_a_server_and_a_route(control: ControlPlane) -> None:
    client = control.client
    assert (await client.get('/v1/backends')).json() == {'items': []}
    made = await client.put('/v1/backends/app', json={'balance': 'leastconn', 'timeouts': {'queue': 250}})
    assert made.status_code == 201
    assert made.json()['timeouts'] == {'connect': 5000, 'server': 60000, 'queue': 250, 'tunnel': None}
    again = await client.put('/v1/backends/app', json={'balance': 'leastconn', 'timeouts': {'queue': 250}})
    assert (again.status_code, again.json()['version']) == (200, made.json()['version'])
    patched = await client.patch('/v1/backends/app', json={'timeouts': {'tunnel': 7}, 'retries': 1})
    assert patched.json()['timeouts'] == {'connect': 5000, 'server': 60000, 'queue': 250, 'tunnel': 7}

    server = '/v1/backends/app/servers/s1'
    made = await client.put(server, json={'address': '10.0.0.1', 'port': 80, 'labels': {'node': 'n1'}})
    assert made.status_code == 201
    assert made.json()['labels'] == {'node': 'n1'}
    assert (await client.get(server)).headers['etag'] == f'"{made.json()["version"]}"'
    assert [s['name'] for s in (await client.get('/v1/backends/app/servers')).json()['items']] == ['s1']

    made = await client.put('/v1/routes/r1', json={'backend': 'app', 'host': 'a.example'})
    assert (made.status_code, made.json()['pathPrefix']) == (201, '/')
    assert (await client.patch('/v1/routes/r1', json={'pathPrefix': '/x'})).json()['pathPrefix'] == '/x'
    assert [r['id'] for r in (await client.get('/v1/routes')).json()['items']] == ['r1']
    assert (await client.get('/v1/routes/r1')).json()['host'] == 'a.example'

    for path in ('/v1/routes/r1', server, '/v1/backends/app'):
        assert (await client.delete(path)).status_code == 204
        problem(await client.get(path), 404, 'not-found')
        problem(await client.delete(path), 404, 'not-found')


@pytest.mark.parametrize(
    'path,body',
    [
        ('/v1/backends/new', {}),
        ('/v1/backends/app/servers/new', {'address': '10.0.0.1', 'port': 80}),
        ('/v1/routes/new', {'backend': 'app'}),
    ],
)
async def test_of_puts_at_the_same_time_only_one_has_made_it(
    control: ControlPlane, path: str, body: dict[str, Any]
) -> None:
    await control.put_app()
    answers = await asyncio.gather(*(control.client.put(path, json=body) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 201]


async def test_a_put_never_ends_a_drain_by_not_speaking_of_it(control: ControlPlane) -> None:
    await control.put_app()
    server = '/v1/backends/app/servers/s1'
    await control.client.patch(server, json={'adminState': 'drain'})
    await control.client.post(f'{server}:shutdownSessions')
    generation = (await control.client.get(server)).json()['sessionGeneration']
    assert generation > 1_700_000_000_000
    await control.client.put(server, json={'address': '10.0.0.1', 'port': 80})
    shown = (await control.client.get(server)).json()
    assert (shown['adminState'], shown['sessionGeneration'], shown['address']) == ('drain', generation, '10.0.0.1')
    await control.client.put(
        '/v1/backends/app',
        json={'servers': {'s1': {'address': '10.0.0.2', 'port': 80}, 's2': {'address': 'b', 'port': 1}}},
    )
    assert (await control.client.get(server)).json()['adminState'] == 'drain'
    await control.client.put(server, json={'address': '10.0.0.1', 'port': 80, 'adminState': 'ready'})
    assert (await control.client.get(server)).json()['adminState'] == 'ready'


async def test_etags_guard_against_lost_updates(control: ControlPlane) -> None:
    await control.put_app()
    client, server = control.client, '/v1/backends/app/servers/s1'
    tag = (await client.get(server)).headers['etag']
    first = await client.patch(server, json={'weight': 5}, headers={'If-Match': tag})
    assert first.status_code == 200
    document = problem(
        await client.patch(server, json={'weight': 6}, headers={'If-Match': tag}), 412, 'precondition-failed'
    )
    assert document['current'] == first.json()['version']
    for method in ('PUT', 'DELETE'):
        body = {'address': 'a', 'port': 1} if method == 'PUT' else None
        problem(await client.request(method, server, json=body, headers={'If-Match': tag}), 412, 'precondition-failed')
    problem(
        await client.put(server, json={'address': 'a', 'port': 1}, headers={'If-None-Match': '*'}),
        412,
        'precondition-failed',
    )
    new = '/v1/backends/app/servers/new'
    problem(
        await client.put(new, json={'address': 'a', 'port': 1}, headers={'If-Match': '*'}), 412, 'precondition-failed'
    )
    assert (await client.put(new, json={'address': 'a', 'port': 1}, headers={'If-None-Match': '*'})).status_code == 201


async def test_an_idempotency_key_makes_a_verb_happen_once(control: ControlPlane) -> None:
    await control.put_app()
    client, verb = control.client, '/v1/backends/app/servers/s1:shutdownSessions'
    first = await client.post(verb, headers={'Idempotency-Key': 'k1'})
    again = await client.post(verb, headers={'Idempotency-Key': 'k1'})
    assert again.json() == first.json()
    assert again.headers['idempotency-replayed'] == 'true'
    assert (await client.get('/v1/backends/app/servers/s1')).json()['version'] == first.json()['version']
    other = await client.post('/v1/backends/app/servers/s2:shutdownSessions', headers={'Idempotency-Key': 'k1'})
    problem(other, 422, 'invalid')
    problem(await client.post(verb, headers={'Idempotency-Key': 'x' * 256}), 422, 'invalid')
    missing = '/v1/backends/app/servers/nope:shutdownSessions'
    for _ in range(2):  # what failed may be tried again
        problem(await client.post(missing, headers={'Idempotency-Key': 'k2'}), 404, 'not-found')


async def test_a_key_whose_request_is_under_way_is_refused(control: ControlPlane, dial: Dial) -> None:
    await control.put_app()
    plane = await dial()
    verb = '/v1/backends/app/servers/s1:shutdownSessions?wait=acked'
    first = asyncio.ensure_future(control.client.post(verb, headers={'Idempotency-Key': 'k'}))
    await plane.take()
    problem(await control.client.post(verb, headers={'Idempotency-Key': 'k'}), 409, 'conflict')
    await plane.ack()
    assert (await first).status_code == 200


async def test_bulk_by_selector_is_one_version(control: ControlPlane, dial: Dial) -> None:
    client = control.client
    for backend, node in (('a', 'n1'), ('b', 'n1'), ('c', 'n2')):
        spec = {'address': f'10.0.0.{backend == "c":d}', 'port': 80, 'labels': {'node': node}}
        await client.put(f'/v1/backends/{backend}', json={'servers': {'web-1': spec, 'web-2': spec}})
    plane = await dial()
    body = {'selector': {'labels': {'node': 'n1'}, 'name': '*-1'}, 'set': {'adminState': 'drain'}}
    dry = (await client.post('/v1/servers:bulk', json={**body, 'dryRun': True})).json()
    assert dry['selected'] == 2
    assert dry['items'][0] == {
        'backend': 'a',
        'name': 'web-1',
        'changes': {'adminState': {'from': 'ready', 'to': 'drain'}},
    }
    head = control.plane.sequencer.log.head
    asked = asyncio.ensure_future(client.post('/v1/servers:bulk?wait=acked', json=body))
    await plane.apply()
    done = (await asked).json()
    assert done['targets'] == ['server a/web-1', 'server b/web-1']
    assert done['version'] == str(head.following())
    one = await client.post(
        '/v1/backends/c/servers:bulk', json={'selector': {'address': '10.0.0.1:80'}, 'shutdownSessions': True}
    )
    assert [s['name'] for s in one.json()['items']] == ['web-1', 'web-2']
    problem(await client.post('/v1/servers:bulk', json={'selector': {}, 'set': {'weight': 1}}), 422, 'invalid')
    problem(await client.post('/v1/servers:bulk', json={'selector': {'name': '*'}}), 422, 'invalid')
    problem(await client.post('/v1/backends/x/servers:bulk', json=body), 404, 'not-found')


async def test_the_data_plane_apis_paths_work(control: ControlPlane) -> None:
    await control.put_app()
    base = '/v3/services/haproxy/runtime/backends/app/servers'
    assert [s['name'] for s in (await control.client.get(base)).json()] == ['s1', 's2']
    answer = await control.client.put(f'{base}/s1', json={'admin_state': 'drain', 'weight': 7, 'address': '10.1.1.1'})
    assert answer.status_code == 200
    assert answer.json()['admin_state'] == 'drain'
    shown = (await control.client.get('/v1/backends/app/servers/s1')).json()
    assert (shown['adminState'], shown['weight'], shown['address'], shown['port']) == ('drain', 7, '10.1.1.1', 9001)
    shown = (await control.client.get(f'{base}/s1')).json()
    assert shown['id'] == '1'
    assert 'operational_state' not in shown  # nobody has reported one
    document = problem(await control.client.get(f'{base}/s9'), 404, 'not-found')
    assert (document['code'], document['message']) == (404, document['detail'])
    problem(await control.client.put(f'{base}/s1', json={'operational_state': 'down'}), 422, 'invalid')
    problem(await control.client.put(f'{base}/s1', json={}), 422, 'invalid')


async def test_removing_too_much_at_once_is_held(control: ControlPlane) -> None:
    await control.put_app(servers=4)
    head = control.plane.sequencer.log.head
    fewer = {'servers': {'s1': {'address': 'a', 'port': 1}}}
    document = problem(await control.client.put('/v1/backends/app', json=fewer), 409, 'mass-removal')
    assert '3 of 4' in document['detail']
    assert control.plane.sequencer.log.head == head
    assert (await control.client.put('/v1/backends/app?confirm=true', json=fewer)).status_code == 200
    assert (await control.client.delete('/v1/backends/app')).status_code == 204


@pytest.mark.parametrize(
    'body,pointer',
    [
        ({'weight': 257}, '/body/weight'),
        ({'weight': '5'}, '/body/weight'),
        ({'weight': None}, '/body/weight'),
        ({'adminState': 'down'}, '/body/adminState'),
        ({'maxConn': -1}, '/body/maxConn'),
        ({'port': 80}, '/body/port'),
        ([], '/body'),
    ],
)
async def test_a_wrong_field_is_pointed_at(control: ControlPlane, body: Any, pointer: str) -> None:
    await control.put_app()
    document = problem(await control.client.patch('/v1/backends/app/servers/s1', json=body), 422, 'invalid')
    assert [error['pointer'] for error in document['errors']] == [pointer]


async def test_what_one_field_cannot_tell_is_refused_too(control: ControlPlane) -> None:
    client = control.client
    await control.put_app()
    bad = {'address': 'a', 'port': 1, 'minConn': 5, 'maxConn': 2}
    problem(await client.put('/v1/backends/app/servers/s1', json=bad), 422, 'invalid')
    problem(await client.put('/v1/backends/app', json={'balance': 'uri'}), 422, 'invalid')
    problem(await client.put('/v1/backends/a b', json={}), 422, 'invalid')
    problem(await client.put('/v1/backends/nope/servers/s1', json={'address': 'a', 'port': 1}), 404, 'not-found')
    await client.put('/v1/routes/r1', json={'backend': 'app'})
    problem(await client.put('/v1/routes/r2', json={'backend': 'app'}), 409, 'conflict')
    problem(await client.patch('/v1/backends/app/servers/s1', json={}), 422, 'invalid')
    labels = {'address': 'a', 'port': 1, 'labels': {'a b': ''}}
    problem(await client.put('/v1/backends/app/servers/s1', json=labels), 422, 'invalid')


async def test_every_error_is_a_problem_document(control: ControlPlane) -> None:
    client = control.client
    as_json = {'Content-Type': 'application/json'}
    problem(await client.get('/nope'), 404, 'not-found')
    answer = await client.post('/v1/backends')
    problem(answer, 405, 'method-not-allowed')
    assert 'GET' in answer.headers['allow']
    for text in ('{', '', '\x00', '[' * 100_000):
        answer = await client.put('/v1/backends/app', content=text, headers=as_json)
        assert answer.status_code in {400, 422}
        assert answer.headers['content-type'] == 'application/problem+json'
    problem(await client.put('/v1/backends/app', content='{}'), 415, 'unsupported-media-type')
    big = json.dumps({'balance': 'x' * MAX_BODY})
    problem(await client.put('/v1/backends/app', content=big, headers=as_json), 413, 'too-large')

    async def chunks() -> Any:
        for _ in range(17):
            yield b' ' * 65_536

    problem(await client.put('/v1/backends/app', content=chunks(), headers=as_json), 413, 'too-large')
    problem(await client.get('/v1/operations/nope'), 404, 'not-found')
    problem(await client.get('/v1/dataplanes/nope'), 404, 'not-found')
    problem(await client.get('/v1/events?after=x'), 422, 'invalid')


async def test_the_documentation_loads_nothing_from_elsewhere(control: ControlPlane) -> None:
    page = await control.client.get('/docs')
    assert page.status_code == 200
    assert '//' not in page.text.replace('<!doctype html>', '')
    assert "default-src 'none'" in page.headers['content-security-policy']
    document = (await control.client.get('/openapi.json')).json()
    assert '/v1/backends/{backend}/servers/{server}:shutdownSessions' in document['paths']


async def test_health(control: ControlPlane) -> None:
    assert (await control.client.get('/healthz')).json() == {'status': 'ok'}
    assert (await control.client.get('/readyz')).json()['version'] == '1.1'


async def test_events_are_the_log_in_order_from_where_one_asks(control: ControlPlane) -> None:
    await control.put_app()
    seen: list[str] = []
    async with asyncio.timeout(30), control.client.stream('GET', '/v1/events?after=1.1') as answer:
        assert answer.headers['content-type'].startswith('text/event-stream')
        async for line in answer.aiter_lines():
            if line.startswith('data: '):
                document = json.loads(line.removeprefix('data: '))
                seen.append(f'{document["version"]} {document["verb"]}')
                if len(seen) == 1:
                    await control.client.patch('/v1/backends/app/servers/s1', json={'weight': 4})
                else:
                    break
    assert seen == ['1.2 put backend', '1.3 set weight=4']


async def test_events_from_before_what_is_kept_begin_with_a_reset(control: ControlPlane) -> None:
    async with (
        asyncio.timeout(30),
        control.client.stream('GET', '/v1/events', headers={'Last-Event-ID': '0.7'}) as answer,
    ):
        async for line in answer.aiter_lines():
            if line.startswith('event: '):
                assert line == 'event: reset'
                break


async def test_a_web_page_cannot_reach_it_by_rebinding_a_name(control: ControlPlane) -> None:
    problem(await control.client.get('/v1/backends', headers={'Host': 'evil.example'}), 421, 'misdirected')
