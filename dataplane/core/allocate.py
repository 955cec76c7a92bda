"""Which index of the board everything of a configuration gets: names keep theirs, newcomers take free ones, lowest first.

Lowest first keeps the servers of a backend beside each other, and with that a commit's images short. Backends go round
instead: the index of a removed one rests as long as possible, so that who still waits in its queue is out of it before
anybody else could use it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from dataplane.core.compose import Refused
from dataplane.core.layout import Layout
from dataplane.core.model import Backend, Server, Snapshot
from dataplane.core.tables import Tables

Item = TypeVar('Item')
Key = TypeVar('Key')
Place = tuple[str, str, str, int]


@dataclass(frozen=True, slots=True)
class Indexes:
    """What there is to give: the board's maxima, and what servers that departed still hold.

    `departed`: (backend, server, host, port) -> (index of its backend, its index).
    """

    layout: Layout
    departed: Mapping[Place, tuple[int, int]]


def allocate(snapshot: Snapshot, current: Tables, indexes: Indexes) -> tuple[Tables, bool]:
    """Tables for the snapshot, and whether they differ from the current ones in anything a worker can see.

    If not they have the current number. Raises Refused when the board has no room for all of it.
    """
    is_structural = not current.number or _shape(snapshot) != _shape(current.snapshot)
    at = indexes.layout
    frontends = _assign(
        [frontend.name for frontend in snapshot.frontends],
        current.frontend_of,
        range(at.frontends),
        'frontends',
    )
    held = {place[0]: backend for place, (backend, _) in indexes.departed.items()}
    newest = max(current.backends, default=-1)
    backends = _assign(
        [backend.name for backend in snapshot.backends],
        lambda name: found if (found := current.backend_of(name)) is not None else held.get(name),
        [*range(newest + 1, at.backends), *range(min(newest + 1, at.backends))],
        'backends',
        {backend for backend, _ in indexes.departed.values()},
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
    )
    return tables, is_structural


def _servers(snapshot: Snapshot, current: Tables, indexes: Indexes) -> dict[tuple[str, str], int]:
    """Who departed and comes back to the same address gets its old index: its slots still count against its limit."""
    at = {(b.name, s.name): (b.name, s.name, s.host, s.port) for b in snapshot.backends for s in b.servers}

    def known(key: tuple[str, str]) -> int | None:
        index = current.server_of(*key)
        if index is None and at[key] in indexes.departed:
            return indexes.departed[at[key]][1]
        return index

    held = {index for _, index in indexes.departed.values()}
    return _assign(list(at), known, range(indexes.layout.servers), 'servers', held)


def _assign(
    keys: list[Key], known: Callable[[Key], int | None], free: Iterable[int], what: str, held: Collection[int] = ()
) -> dict[Key, int]:
    """An index for every key: the one it has, else the next of `free` that nobody has or holds."""
    found = {key: index for key in keys if (index := known(key)) is not None}
    used = {*found.values(), *held}
    rest: Iterator[int] = (index for index in free if index not in used)
    for key in keys:
        if key in found:
            continue
        index = next(rest, None)
        if index is None:
            raise Refused((f'too many {what}: {len(keys)} and {len(used) - len(found)} still in use do not fit',))
        found[key] = index
    return found


def _shape(snapshot: Snapshot) -> Snapshot:
    """The snapshot without what only cells say."""
    return replace(snapshot, backends=tuple(_shape_of(backend) for backend in snapshot.backends))


def _shape_of(backend: Backend) -> Backend:
    return replace(backend, servers=tuple(map(_bare, backend.servers)))


def _bare(server: Server) -> Server:
    return replace(server, weight=0, maxconn=0, minconn=0, maxqueue=0, disabled=False, where='')
