"""Who has which guid in tables: what keeps its counters by it, and what a newcomer may not be called."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from dataplane.core.tables import Tables


class Kind(Enum):
    """What can have a guid; both halves of a `listen` have the same one."""

    FRONTEND = 'frontend'
    LISTENER = 'listener'
    BACKEND = 'backend'
    SERVER = 'server'


@dataclass(frozen=True, slots=True)
class Holder:
    """What has a guid: its kind, its index on the board, and how HAProxy names it."""

    kind: Kind
    index: int
    name: str


def holders(tables: Tables) -> Iterator[tuple[str, Holder]]:
    """Every guid and what has it. A listener without statistics of its own (`option socket-stats`) has none to keep: it is left out."""
    for index, frontend in tables.frontends.items():
        if frontend.guid:
            yield frontend.guid, Holder(Kind.FRONTEND, index, f'frontend {frontend.name}')
        for bind in frontend.binds if frontend.socket_stats else ():
            counted = tables.listener_of(frontend.name, bind.address)
            if bind.guid and counted is not None:
                yield bind.guid, Holder(Kind.LISTENER, counted, f'listener {frontend.name} ({bind.where})')
    for index, backend in tables.backends.items():
        if backend.guid:
            yield backend.guid, Holder(Kind.BACKEND, index, f'backend {backend.name}')
        for server in tables.members[index]:
            if guid := tables.servers[server].guid:
                yield guid, Holder(Kind.SERVER, server, f'server {backend.name}/{tables.servers[server].name}')


def taken(tables: Tables, guid: str) -> str:
    """What is said of a newcomer whose guid something else has; '' when it may have it."""
    for known, holder in holders(tables) if guid else ():
        if known == guid:
            return f"'guid' : duplicate entry with {holder.name}"
    return ''
