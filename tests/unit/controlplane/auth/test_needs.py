from __future__ import annotations

import re
from pathlib import Path

import pytest

from controlplane.app import Settings, build, open_store, running
from controlplane.auth import OPEN, LoopbackAuthority, Role, needed
from controlplane.auth.needs import EVERYTHING, Need
from controlplane.domain.access import Access

B, S = 'shop.web.http', 'web-1'
ALIAS = f'/v3/services/haproxy/runtime/backends/{B}/servers'


@pytest.mark.parametrize(
    'method,path,role,access',
    [
        ('GET', '/v1/backends', Role.READ, Access('list', 'backendpolicies')),
        ('GET', f'/v1/backends/{B}', Role.READ, Access('get', 'backendpolicies', 'shop')),
        ('GET', '/v1/servers', Role.READ, Access('list', 'serveroverrides')),
        ('GET', f'/v1/backends/{B}/servers', Role.READ, Access('list', 'serveroverrides', 'shop')),
        ('GET', f'/v1/backends/{B}/servers/{S}', Role.READ, Access('get', 'serveroverrides', 'shop')),
        ('GET', ALIAS, Role.READ, Access('list', 'serveroverrides', 'shop')),
        ('GET', f'{ALIAS}/{S}', Role.READ, Access('get', 'serveroverrides', 'shop')),
        ('GET', '/v1/events', Role.READ, Access('list', 'serveroverrides')),
        ('GET', '/v1/operations/1f', Role.READ, None),
        ('GET', '/metrics', Role.READ, Access('get', path='/metrics')),
        ('PATCH', f'/v1/backends/{B}/servers/{S}', Role.OPERATE, Access('patch', 'serveroverrides', 'shop')),
        ('PUT', f'{ALIAS}/{S}', Role.OPERATE, Access('patch', 'serveroverrides', 'shop')),
        (
            'POST', f'/v1/backends/{B}/servers/{S}:shutdownSessions', Role.OPERATE,
            Access('create', 'serveroverrides', 'shop', 'shutdown'),
        ),
        ('POST', '/v1/servers:bulk', Role.OPERATE, None),
        ('POST', f'/v1/backends/{B}/servers:bulk', Role.OPERATE, None),
        ('PATCH', f'/v1/backends/{B}', Role.ADMIN, Access('patch', 'backendpolicies', 'shop')),
        ('PUT', f'/v1/backends/{B}/servers/{S}', Role.ADMIN, Access('patch', 'backendpolicies', 'shop')),
        ('DELETE', f'/v1/backends/{B}/servers/{S}', Role.ADMIN, Access('patch', 'backendpolicies', 'shop')),
        ('PUT', '/v1/routes/r', Role.ADMIN, Access('patch', 'backendpolicies')),
        ('POST', '/v1/dataplanes:release', Role.ADMIN, Access('patch', 'backendpolicies')),
        ('DELETE', '/v1/dataplanes/d', Role.ADMIN, Access('patch', 'backendpolicies')),
        # a backend that is of no namespace needs all of them
        ('GET', '/v1/backends/app/servers/s1', Role.READ, Access('get', 'serveroverrides')),
        # whatever is not in the table
        ('HEAD', '/v1/backends', Role.READ, EVERYTHING),
        ('GET', '/v1/secrets', Role.READ, EVERYTHING),
        ('POST', '/v1/secrets', Role.ADMIN, EVERYTHING),
        ('PATCH', f'/v1/backends/{B}/servers/{S}/', Role.ADMIN, EVERYTHING),
        # a line's end is part of the name here as it is for the router
        ('PATCH', f'/v1/backends/{B}/servers/{S}\n', Role.OPERATE, Access('patch', 'serveroverrides', 'shop')),
        ('POST', f'//v1/backends/{B}/servers/{S}:shutdownSessions', Role.ADMIN, EVERYTHING),
        ('PATCH', f'/v1/backends/{B}/servers/../{S}', Role.ADMIN, EVERYTHING),
    ],
)  # fmt: skip
def test_what_a_request_needs(method: str, path: str, role: Role, access: Access | None) -> None:
    assert needed(method, path) == Need(role, access)


async def test_every_resource_is_in_the_table(tmp_path: Path) -> None:
    settings = Settings(store=f'sqlite:///{tmp_path}/db')
    async with running(settings, open_store(settings.store)) as plane:
        app = build(plane.services, plane.hub, LoopbackAuthority())
    found = [(verb.upper(), path) for path, verbs in app.openapi()['paths'].items() for verb in verbs]
    assert len(found) > 25
    for method, template in found:
        path = re.sub(r'\{[a-z]+\}', 'a.b.c', template)
        if path not in OPEN:
            assert needed(method, path).access != EVERYTHING, f'{method} {template}'
