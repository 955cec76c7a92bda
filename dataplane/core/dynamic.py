"""Servers that join or leave a backend of the file at run time: what may be, in HAProxy's words (management manual 9.3).

Nothing is changed here. What may be becomes other `Sources`, and goes the way of everything structural: composed, given
indexes, prepared by every worker, committed. So a server that was added is one like those that a control plane pushes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Final

from dataplane.core.changes import AddServer, RemoveServer, RenameServer
from dataplane.core.compose import Key, Refused, Sources
from dataplane.core.guids import taken
from dataplane.core.model import AdminState, Backend, Frontend, Server
from dataplane.core.record import ServerRecord
from dataplane.core.tables import Tables
from dataplane.rules.model import Named

NOT_IN_MAINTENANCE: Final = 'Only servers in maintenance mode can be deleted.'
POINTED_TO: Final = 'This server cannot be removed at runtime due to other configuration elements pointing to it.'
RENAMED_IN_MAINTENANCE: Final = 'Only servers in maintenance mode can be renamed.'
NAMED: Final = 'This server cannot be renamed at runtime due to other configuration elements pointing to it.'


def adding(sources: Sources, tables: Tables, change: AddServer) -> Sources:
    """The sources with the server, its id chosen. Raises Refused."""
    name, server = change.backend, change.server
    index = tables.backend_of(name)
    if index is None:
        raise _refused(name, 'No such backend.')
    backend = tables.backends[index]
    if backend.pushed:
        raise _refused(name, f"Backend '{name}' belongs to the control plane: its servers are added there.")
    if backend.disabled:
        raise _refused(name, f"Backend does not support dynamic servers : backend '{name}' is disabled.")
    if not backend.balance.dynamic:
        text = f"Backend does not support dynamic servers : backend '{name}' uses a non dynamic load balancing method."
        raise _refused(name, text)
    if tables.server_of(name, server.name) is not None:
        raise _refused(name, 'Already exists a server with the same name in backend.')
    ids = {other.id: other for other in backend.servers}
    if server.id in ids:
        other = ids[server.id]
        raise _refused(name, f"'id' : custom id {server.id} already used at {other.where} ('server {other.name}').")
    if problem := taken(tables, server.guid):
        raise _refused(name, problem)
    if server.track is not None:
        _check_leader(tables, name, server)
    number = server.id or next(number for number in range(1, len(ids) + 2) if number not in ids)
    return sources.adding(name, replace(server, id=number, dynamic=True))


def _check_leader(tables: Tables, backend: str, server: Server) -> None:
    """Whom a newcomer tracks must be there, and be checked, itself or through whom it tracks."""
    key = server.track
    name = '/'.join(server.track or ())
    seen: set[Key] = set()
    while key is not None and key not in seen:
        seen.add(key)
        index = tables.server_of(*key)
        if index is None:
            raise _refused(backend, f"unable to find required server '{'/'.join(key)}' for tracking.")
        leader = tables.servers[index]
        if leader.dynamic:
            raise _refused(backend, f'unable to use {name} for tracking as it is a dynamic server.')
        if leader.check is not None or leader.agent is not None:
            return
        key = leader.track
    raise _refused(backend, f'unable to use {name} for tracking as it does not have any check nor agent enabled.')


def removing(
    sources: Sources, tables: Tables, records: Mapping[int, ServerRecord], change: RemoveServer
) -> tuple[Sources, int]:
    """The sources without the server, and the index it has. Raises Refused."""
    backend, server = change.backend, change.server
    at = _of_the_file(tables, (backend, server), 'removes it')
    if is_pointed_to(tables, (backend, server)):
        raise _refused(backend, POINTED_TO)
    if records[at].effective is not AdminState.MAINT:
        raise _refused(backend, NOT_IN_MAINTENANCE)
    return sources.removing((backend, server)), at


def renaming(
    sources: Sources, tables: Tables, records: Mapping[int, ServerRecord], change: RenameServer
) -> tuple[Sources, int]:
    """The sources with the server under its other name, and the index it has and keeps. Raises Refused."""
    backend, server = change.backend, change.server
    at = _of_the_file(tables, (backend, server), 'names it')
    if tables.server_of(backend, change.name) is not None:
        raise _refused(backend, 'Already exists a server with the same name in backend.')
    if is_pointed_to(tables, (backend, server)):
        raise _refused(backend, NAMED)
    if records[at].effective is not AdminState.MAINT:
        raise _refused(backend, RENAMED_IN_MAINTENANCE)
    return sources.renaming((backend, server), change.name), at


def _of_the_file(tables: Tables, key: Key, its: str) -> int:
    """The index of a server that is not pushed; `its`: what the control plane does to those that are. Raises Refused."""
    backend, server = key
    index, at = tables.backend_of(backend), tables.server_of(backend, server)
    if index is None:
        raise _refused(backend, 'No such backend.')
    if at is None:
        raise _refused(backend, 'No such server.')
    if tables.backends[index].pushed:
        raise _refused(backend, f"Server '{backend}/{server}' belongs to the control plane, which {its}.")
    return at


def is_pointed_to(tables: Tables, key: Key) -> bool:
    """Does a server track it, a `use-server` line name it, or a sample of some rule ask for it?"""
    if any(server.track == key for server in tables.servers.values()):
        return True
    for backend in tables.backends.values():
        named = {switch.name for switch in backend.rules.servers if isinstance(switch.name, str)}
        if backend.name == key[0] and key[1] in named:
            return True
    return ('server', '/'.join(key)) in asked(tables)


def asked(tables: Tables) -> Iterator[tuple[str, str]]:
    """What the rules of all proxies ask for by name: its kind, and the name, a server's with its backend's."""
    proxies: list[Frontend | Backend] = [*tables.frontends.values(), *tables.backends.values()]
    for proxy in proxies:
        for named in _named(proxy.rules) if proxy.rules else ():
            alone = named.kind == 'server' and '/' not in named.name
            yield named.kind, f'{proxy.name}/{named.name}' if alone else named.name


def _named(part: object) -> Iterator[Named]:
    """Every name in a part of the rules, which are plain data."""
    if isinstance(part, Named):
        yield part
    elif isinstance(part, tuple | list | frozenset):
        for one in part:
            yield from _named(one)
    elif is_dataclass(part):
        for field in fields(part):
            yield from _named(getattr(part, field.name))


def _refused(backend: str, text: str) -> Refused:
    return Refused((text,), (backend,))
