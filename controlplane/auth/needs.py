"""What a request needs: one table, for a tokens file as a role and for a cluster as access to resources.

What the table does not list needs everything. `deferred`: which namespaces it is about only its body or an operation says,
so the router asks by itself (`permit` of controlplane.api.services) once it knows.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from controlplane.auth.principal import Role
from controlplane.domain.access import Access, namespace_of

READING = frozenset({'GET', 'HEAD', 'OPTIONS'})
EVERYTHING = Access('*', '*')
_BACKEND = '/v1/backends/([^/]+)'
_SERVER = f'{_BACKEND}/servers/([^/]+)'
_ALIAS = '/v3/services/haproxy/runtime/backends/([^/]+)/servers'


@dataclass(frozen=True, slots=True)
class Need:
    """`role` of a tokens file; `access` in a cluster, None: deferred to the router."""

    role: Role
    access: Access | None


def _within(verb: str, resource: str, subresource: str = '') -> Callable[[str], Access | None]:
    return lambda backend: Access(verb, resource, namespace_of(backend), subresource)


def _everywhere(verb: str, resource: str) -> Callable[[str], Access | None]:
    return lambda _: Access(verb, resource)


def _metrics(_: str) -> Access | None:
    return Access('get', path='/metrics')


def _deferred(_: str) -> Access | None:
    return None


# methods, path, role, and the access that a backend's name (the first group; '' without one) makes of it
_TABLE: tuple[tuple[str, re.Pattern[str], Role, Callable[[str], Access | None]], ...] = tuple(
    (methods, re.compile(path), role, access)
    for methods, path, role, access in (
        ('GET', '/v1/backends', Role.READ, _everywhere('list', 'backendpolicies')),
        ('GET', _BACKEND, Role.READ, _within('get', 'backendpolicies')),
        ('GET', f'/v1/servers|{_BACKEND}/servers', Role.READ, _within('list', 'serveroverrides')),
        ('GET', _SERVER, Role.READ, _within('get', 'serveroverrides')),
        ('GET', _ALIAS, Role.READ, _within('list', 'serveroverrides')),
        ('GET', f'{_ALIAS}/[^/]+', Role.READ, _within('get', 'serveroverrides')),
        ('GET', '/v1/routes(?:/[^/]+)?', Role.READ, _everywhere('list', 'backendpolicies')),
        ('GET', '/v1/dataplanes(?:/[^/]+)?', Role.READ, _everywhere('list', 'backendpolicies')),
        ('GET', '/v1/events|/v1/operations', Role.READ, _everywhere('list', 'serveroverrides')),
        ('GET', '/v1/operations/[^/]+', Role.READ, _deferred),
        ('GET', '/metrics', Role.READ, _metrics),
        ('PATCH', _SERVER, Role.OPERATE, _within('patch', 'serveroverrides')),
        ('PUT', f'{_ALIAS}/[^/]+', Role.OPERATE, _within('patch', 'serveroverrides')),
        ('POST', f'{_SERVER}:shutdownSessions', Role.OPERATE, _within('create', 'serveroverrides', 'shutdown')),
        ('POST', f'/v1/servers:bulk|{_BACKEND}/servers:bulk', Role.OPERATE, _deferred),
        ('PUT PATCH DELETE', f'{_BACKEND}(?:/servers/[^/]+)?', Role.ADMIN, _within('patch', 'backendpolicies')),
        ('PUT PATCH DELETE', '/v1/routes/[^/]+', Role.ADMIN, _everywhere('patch', 'backendpolicies')),
        # it may remove everything; and it may make a wait true that is not
        ('POST', '/v1/dataplanes:release', Role.ADMIN, _everywhere('patch', 'backendpolicies')),
        ('DELETE', '/v1/dataplanes/[^/]+', Role.ADMIN, _everywhere('patch', 'backendpolicies')),
    )
)


def needed(method: str, path: str) -> Need:
    """What a request needs. The first row that fits counts."""
    for methods, pattern, role, access in _TABLE:
        if method in methods.split() and (found := pattern.fullmatch(path)) is not None:
            return Need(role, access(found[1] or '' if pattern.groups else ''))
    return Need(Role.READ if method in READING else Role.ADMIN, EVERYTHING)
