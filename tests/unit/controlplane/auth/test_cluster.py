from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from controlplane.auth import ClusterAuthority
from controlplane.domain.access import Bound, Reviewed
from controlplane.push import NOT_YOURS
from tests.unit.controlplane.auth.reviewer import ACCOUNT, FakeReviewer
from tests.unit.controlplane.auth.test_remembered import Clock
from tests.unit.controlplane.world import ControlPlane, DataPlane, control_plane

NAME = 'shop.web.http'


@dataclass
class Cluster:
    """A control plane whose API server is a fake; backend shop.web.http and one of another namespace are there."""

    control: ControlPlane
    reviewer: FakeReviewer
    clock: Clock

    async def call(self, token: str | None, method: str, path: str, **body: object) -> httpx.Response:
        headers = {} if token is None else {'Authorization': f'Bearer {token}'}
        return await self.control.client.request(method, path, headers=headers, json=body or None)

    async def status(self, token: str | None, method: str, path: str, **body: object) -> int:
        return (await self.call(token, method, path, **body)).status_code


@pytest.fixture
async def cluster(store_path: str) -> AsyncIterator[Cluster]:
    reviewer, clock = FakeReviewer(), Clock()
    authority = ClusterAuthority(reviewer, ['sluice:dataplane'], clock)
    async with control_plane(store_path, authority=authority, recheck_s=0.05) as control:
        found = Cluster(control, reviewer, clock)
        root = reviewer.user('root', ('*', '*', '*'))
        for name in (NAME, 'bank.web.http'):
            servers = {'servers': {'web-1': {'address': '10.0.0.1', 'port': 80}}}
            assert await found.status(root, 'PUT', f'/v1/backends/{name}', **servers) == 201
        yield found


VIEWER = (('get', 'backendpolicies', 'shop'), ('list', 'backendpolicies', 'shop'),
          ('get', 'serveroverrides', 'shop'), ('list', 'serveroverrides', 'shop'))  # fmt: skip
OPERATOR = (*VIEWER, ('patch', 'serveroverrides', 'shop'))
STOPPER = (*OPERATOR, ('create', 'serveroverrides/shutdown', 'shop'))
EDITOR = (*STOPPER, ('patch', 'backendpolicies', 'shop'))


async def test_roles(cluster: Cluster) -> None:
    reviewer = cluster.reviewer
    users = {
        name: reviewer.user(name, *rules)
        for name, rules in (
            ('nobody', ()), ('viewer', VIEWER), ('operator', OPERATOR), ('stopper', STOPPER), ('editor', EDITOR),
        )
    }  # fmt: skip
    server = f'/v1/backends/{NAME}/servers/web-1'
    drain: dict[str, object] = {'adminState': 'drain'}
    bulk, everything = f'/v1/backends/{NAME}/servers:bulk', {'selector': {'name': '*'}}
    table: list[tuple[str, str, dict[str, object], tuple[int, ...]]] = [
        # nobody, viewer, operator, stopper, editor
        ('GET', f'/v1/backends/{NAME}', {}, (403, 200, 200, 200, 200)),
        ('GET', f'/v1/backends/{NAME}/servers', {}, (403, 200, 200, 200, 200)),
        ('GET', server, {}, (403, 200, 200, 200, 200)),
        ('PATCH', server, drain, (403, 403, 200, 200, 200)),
        ('PUT', f'/v3/services/haproxy/runtime/backends/{NAME}/servers/web-1', {'admin_state': 'ready'}, (403, 403, 200, 200, 200)),
        ('POST', f'{server}:shutdownSessions', {}, (403, 403, 403, 200, 200)),
        ('POST', bulk, {**everything, 'set': drain}, (403, 403, 200, 200, 200)),
        ('POST', bulk, {**everything, 'shutdownSessions': True}, (403, 403, 403, 200, 200)),
        ('POST', bulk, {**everything, 'set': drain, 'shutdownSessions': True}, (403, 403, 403, 200, 200)),
        ('PATCH', f'/v1/backends/{NAME}', {'retries': 2}, (403, 403, 403, 403, 200)),
        # of another namespace, or of all of them, they may nothing
        ('GET', '/v1/backends/bank.web.http', {}, (403,) * 5),
        ('PATCH', '/v1/backends/bank.web.http/servers/web-1', drain, (403,) * 5),
        ('GET', '/v1/backends', {}, (403,) * 5),
        ('POST', '/v1/servers:bulk', {**everything, 'set': drain}, (403,) * 5),
        ('POST', '/v1/servers:bulk', {**everything, 'set': drain, 'dryRun': True}, (403,) * 5),
        ('POST', '/v1/dataplanes:release', {}, (403,) * 5),
        ('DELETE', '/v1/dataplanes/dp', {}, (403,) * 5),
        ('GET', '/metrics', {}, (403,) * 5),
        ('GET', '/nowhere', {}, (403,) * 5),
    ]  # fmt: skip
    for method, path, body, expected in table:
        found = tuple([await cluster.status(token, method, path, **body) for token in users.values()])
        assert found == expected, f'{method} {path}'
    metrics = reviewer.user('prometheus', ('get', '/metrics', '*'))
    assert await cluster.status(metrics, 'GET', '/metrics') == 200
    assert await cluster.status(metrics, 'GET', '/v1/backends') == 403


async def test_an_operation_is_for_those_who_may_see_its_targets(cluster: Cluster) -> None:
    operator = cluster.reviewer.user('alice', *OPERATOR)
    viewer, other = cluster.reviewer.user('bob', *VIEWER), cluster.reviewer.user('carol', ('get', '*', 'bank'))
    answer = await cluster.call(operator, 'PATCH', f'/v1/backends/{NAME}/servers/web-1', adminState='drain')
    path = answer.headers['sluice-operation']
    shown = await cluster.call(viewer, 'GET', path)
    assert (shown.status_code, shown.json()['actor']) == (200, 'alice')
    refused = await cluster.call(other, 'GET', path)
    assert refused.status_code == 403
    assert refused.json()['detail'] == 'carol may not get serveroverrides.sluice.dev in namespace shop.'
    assert await cluster.status(operator, 'GET', '/v1/operations') == 403


async def test_whoever_is_not_known_gets_nothing(cluster: Cluster) -> None:
    for token in (None, 'guess'):
        answer = await cluster.call(token, 'GET', f'/v1/backends/{NAME}')
        assert (answer.status_code, answer.headers['www-authenticate']) == (401, 'Bearer')
    for path in ('/healthz', '/livez', '/readyz'):
        assert await cluster.status(None, 'GET', path) == 200
    for name in ('evil\nline', '', 'x' * 600):
        cluster.reviewer.tokens['odd'] = Reviewed(name)
        assert await cluster.status('odd', 'GET', f'/v1/backends/{NAME}') == 401
        cluster.clock.now += 60


async def test_without_reviews_the_answer_is_no(cluster: Cluster) -> None:
    token = cluster.reviewer.user('alice', *VIEWER)
    path = f'/v1/backends/{NAME}'
    cluster.reviewer.away = True
    answer = await cluster.call(token, 'GET', path)
    assert (answer.status_code, answer.headers['retry-after']) == (503, '1')
    assert answer.json()['type'] == 'urn:sluice:problem:reviews-unavailable'
    cluster.reviewer.away = False
    assert await cluster.status(token, 'GET', path) == 200
    cluster.reviewer.away = True
    cluster.clock.now += 29
    assert await cluster.status(token, 'GET', path) == 200  # it was reviewed a while ago
    assert await cluster.status(token, 'PATCH', f'{path}/servers/web-1', adminState='drain') == 503
    assert (
        await cluster.status(token, 'POST', f'{path}/servers:bulk', selector={'name': '*'}, shutdownSessions=True)
        == 503
    )
    cluster.clock.now += 1
    assert await cluster.status(token, 'GET', path) == 503


async def test_a_revoked_token_or_right_works_for_half_a_minute_at_most(cluster: Cluster) -> None:
    reviewer = cluster.reviewer
    token, path = reviewer.user('alice', *OPERATOR), f'/v1/backends/{NAME}/servers/web-1'
    for _ in range(5):
        assert await cluster.status(token, 'PATCH', path, adminState='drain') == 200
    assert len([asked for asked in reviewer.asked if 'alice' in asked]) == 2
    reviewer.rules['alice'] = set(VIEWER)
    cluster.clock.now += 29.9
    assert await cluster.status(token, 'PATCH', path, adminState='drain') == 200
    cluster.clock.now += 0.1
    assert await cluster.status(token, 'PATCH', path, adminState='drain') == 403
    reviewer.rules['alice'] = set(OPERATOR)
    cluster.clock.now += 5
    assert await cluster.status(token, 'PATCH', path, adminState='drain') == 200  # a no is kept for five seconds
    del reviewer.tokens[token]
    cluster.clock.now += 30
    assert await cluster.status(token, 'PATCH', path, adminState='drain') == 401


async def test_a_data_plane_may_dial_its_own_link_and_nothing_else(cluster: Cluster) -> None:
    reviewer, address = cluster.reviewer, cluster.control.address
    token = reviewer.pod('dp-1')
    reviewer.rules[ACCOUNT] = {('*', '*', '*')}  # whatever it was bound to by mistake
    for method, path in (
        ('GET', f'/v1/backends/{NAME}'),
        ('GET', '/metrics'),
        ('POST', '/v1/servers:bulk'),
        ('GET', '/v1/events'),
    ):
        assert await cluster.status(token, method, path) == 403
    plane = DataPlane('dp-1')
    await plane.dial(address, token, pod='dp-1', pod_uid='uid-dp-1')
    await plane.apply()
    for name, pod, uid in (
        ('dp-2', 'dp-2', 'uid-dp-2'),
        ('dp-2', 'dp-1', 'uid-dp-1'),
        ('dp-1', 'dp-1', 'uid-dp-2'),
        ('dp-1', '', ''),
    ):
        other = DataPlane(name)
        await other.dial(address, token, pod=pod, pod_uid=uid)
        code, reason = await other.closed()
        assert code == NOT_YOURS, (name, pod, uid)
        assert 'is not what the token was made for' in reason
    # none of them took the link of dp-1 over, or made another one known
    planes = cluster.control.plane.sequencer.convergence.planes
    assert set(planes) == {'dp-1'}
    assert planes['dp-1'].connected
    await plane.cut()


async def test_nobody_else_may_dial(cluster: Cluster) -> None:
    reviewer = cluster.reviewer
    reviewer.tokens['unbound'] = Reviewed(ACCOUNT)
    root = reviewer.user('root', ('*', '*', '*'))
    other = reviewer.pod('x', 'system:serviceaccount:shop:dataplane')
    for token, status in ((None, 401), ('guess', 401), (root, 403), (other, 403), ('unbound', 403)):
        with pytest.raises(InvalidStatus) as refused:
            await DataPlane('x').dial(cluster.control.address, token, pod='x', pod_uid='uid-x')
        assert refused.value.response.status_code == status, token
    reviewer.away = True
    token = reviewer.pod('new')
    with pytest.raises(InvalidStatus) as refused:
        await DataPlane('new').dial(cluster.control.address, token, pod='new', pod_uid='uid-new')
    assert refused.value.response.status_code == 503


async def test_a_link_lives_through_an_absent_api_server_and_ends_with_its_token(cluster: Cluster) -> None:
    reviewer, plane = cluster.reviewer, DataPlane('dp-1')
    token = reviewer.pod('dp-1')
    await plane.dial(cluster.control.address, token, pod='dp-1', pod_uid='uid-dp-1')
    await plane.apply()
    reviewer.away = True
    cluster.clock.now += 30
    await reviewer.until_asked(3)
    assert cluster.control.plane.sequencer.convergence.planes['dp-1'].connected
    del reviewer.tokens[token]
    reviewer.away = False
    assert (await plane.closed())[0] == 4401


def test_a_token_is_bound_to_a_pod_only_if_it_says_which() -> None:
    name, uid = 'authentication.kubernetes.io/pod-name', 'authentication.kubernetes.io/pod-uid'
    assert Bound.of(Reviewed('x', extra={name: ('p',), uid: ('u',)})) == Bound('p', 'u')
    for extra in ({}, {name: ('p',)}, {uid: ('u',)}, {name: ('p', 'q'), uid: ('u', 'v')}, {name: ('',), uid: ('',)}):
        assert Bound.of(Reviewed('x', extra=extra)) is None
