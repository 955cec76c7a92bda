"""Which index of the board everything of a configuration gets: names keep theirs, newcomers take the lowest free ones.

Lowest first keeps the servers of a backend beside each other, and with that a commit's images short. No index changes its
owner in one step: what is removed now is free at the earliest for the change after, a backend's for the one after that, and
a server's or its backend's not before the server was reclaimed. So whoever still counts, waits or answers under an old
owner's index is done before anybody else has it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TypeVar

from dataplane.core.compose import Refused
from dataplane.core.layout import Layout
from dataplane.core.model import Backend, Server, Snapshot
from dataplane.core.tables import Tables

Key = TypeVar('Key')
Place = tuple[str, str, str, int]


@dataclass(frozen=True, slots=True)
class Indexes:
    """What there is to give: the board's maxima, and what is not free although no table has it.

    `departed`: index -> (index of its backend, (backend, server, host, port)). `resting`: indexes of backends. `renamed`: servers that
    have another name and keep their index.
    """

    layout: Layout
    departed: Mapping[int, tuple[int, Place]]
    resting: Collection[int]
    renamed: Mapping[tuple[str, str], int] = field(default_factory=dict)


def allocate(snapshot: Snapshot, current: Tables, indexes: Indexes) -> tuple[Tables, bool]:
    """Tables for the snapshot, and whether they differ from the current ones in anything a worker can see.

    If not they have the current number. Raises Refused when the board has no room for all of it.
    """
    is_structural = not current.number or not _same_shape(snapshot, current.snapshot)
    at = indexes.layout
    frontends = _assign(
        [frontend.name for frontend in snapshot.frontends],
        current.frontend_of,
        at.frontends,
        'frontends',
        current.frontends,
    )
    held = {place[0]: backend for backend, place in indexes.departed.values()}
    backends = _assign(
        [backend.name for backend in snapshot.backends],
        lambda name: found if (found := current.backend_of(name)) is not None else held.get(name),
        at.backends,
        'backends',
        {*current.backends, *held.values(), *indexes.resting},
    )
    listeners = _assign(
        [(one.name, bind.address) for one in snapshot.frontends if one.socket_stats for bind in one.binds],
        lambda place: current.listener_of(*place),
        at.listeners,
        'listeners with statistics of their own',
        current.listeners,
    )
    servers = _servers(snapshot, current, indexes)
    members: dict[int, tuple[int, ...]] = {
        backends[backend.name]: tuple(servers[backend.name, server.name] for server in backend.servers)
        for backend in snapshot.backends
    }
    tables = Tables(
        current.number + is_structural,
        snapshot,
        {frontends[frontend.name]: frontend for frontend in snapshot.frontends},
        {backends[backend.name]: backend for backend in snapshot.backends},
        {servers[backend.name, server.name]: server for backend in snapshot.backends for server in backend.servers},
        members,
        {index: place for place, index in listeners.items()},
    )
    return tables, is_structural


def _servers(snapshot: Snapshot, current: Tables, indexes: Indexes) -> dict[tuple[str, str], int]:
    """Who departed and comes back to the same address gets its old index: its slots still count against its limit."""
    at = {(b.name, s.name): (b.name, s.name, s.host, s.port) for b in snapshot.backends for s in b.servers}

    back = {place: index for index, (_, place) in indexes.departed.items()}

    def known(key: tuple[str, str]) -> int | None:
        index = current.server_of(*key)
        if index is None:
            index = indexes.renamed.get(key)
        return back.get(at[key]) if index is None else index

    return _assign(list(at), known, indexes.layout.servers, 'servers', {*current.servers, *indexes.departed})


def _assign(
    keys: list[Key], known: Callable[[Key], int | None], most: int, what: str, held: Collection[int]
) -> dict[Key, int]:
    """An index for every key: the one it has, else the lowest that nobody has or holds."""
    found = {key: index for key in keys if (index := known(key)) is not None}
    newcomers = [key for key in keys if key not in found]
    free = list(islice((index for index in range(most) if index not in held), len(newcomers)))
    if len(free) < len(newcomers):
        raise Refused((f'too many {what}: room for {most}, {len(held)} in use and {len(newcomers)} more',))
    return found | dict(zip(newcomers, free, strict=True))


def _same_shape(one: Snapshot, other: Snapshot) -> bool:
    """Do they differ in nothing but what cells say?"""
    if replace(one, backends=()) != replace(other, backends=()) or len(one.backends) != len(other.backends):
        return False
    return all(a is b or _shape_of(a) == _shape_of(b) for a, b in zip(one.backends, other.backends, strict=True))


def _shape_of(backend: Backend) -> Backend:
    return replace(backend, servers=tuple(map(_bare, backend.servers)))


def _bare(server: Server) -> Server:
    return replace(
        server,
        weight=0,
        maxconn=0,
        minconn=0,
        maxqueue=0,
        disabled=False,
        slowstart=0,
        share=None,
        share_due=False,
        where='',
    )
