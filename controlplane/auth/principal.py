"""Who speaks, and the roles that a tokens file gives."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from controlplane.domain.access import Bound, Reviewed


class Role(StrEnum):
    """What a token or a certificate is for."""

    READ = 'read'
    OPERATE = 'operate'
    ADMIN = 'admin'
    DATAPLANE = 'dataplane'


ALLOWED: dict[Role, frozenset[Role]] = {
    Role.READ: frozenset({Role.READ, Role.OPERATE, Role.ADMIN}),
    Role.OPERATE: frozenset({Role.OPERATE, Role.ADMIN}),
    Role.ADMIN: frozenset({Role.ADMIN}),
    Role.DATAPLANE: frozenset({Role.DATAPLANE, Role.ADMIN}),
}


@dataclass(frozen=True, slots=True)
class Principal:
    """Who speaks: `name` is what the log calls them. Either a file gives them a role, or the API server reviewed them."""

    name: str
    role: Role | None = None
    reviewed: Reviewed | None = None
    bound: Bound | None = None


LOCAL = Principal('local', Role.ADMIN)
