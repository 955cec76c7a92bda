"""Backends that come, go, and are shown or hidden at run time: what may be, in HAProxy's words (management manual 9.3).

A backend that is not published is passed over by `use_backend` and `default_backend`, as a disabled one is; its servers, their
checks and what is under way go on. One that is added begins like that, without servers, as its named `defaults` section says.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from dataplane.core.changes import AddBackend, PublishBackend, RemoveBackend
from dataplane.core.compose import FIRST_PROXY_ID, Refused, Sources
from dataplane.core.dynamic import asked
from dataplane.core.guids import taken
from dataplane.core.limit import default_fullconn
from dataplane.core.model import Backend
from dataplane.core.tables import Tables

POINTED_TO: Final = 'This proxy cannot be removed at runtime due to other configuration elements pointing to it.'
PUBLISHED: Final = 'Backend must be unpublished prior to its deletion.'


def changed(sources: Sources, tables: Tables, change: AddBackend | RemoveBackend | PublishBackend) -> Sources:
    """The sources after the change. Raises Refused."""
    match change:
        case AddBackend():
            return _adding(sources, tables, change)
        case RemoveBackend():
            return _removing(sources, tables, change.name)
        case PublishBackend():
            return _publishing(sources, tables, change)


def _adding(sources: Sources, tables: Tables, change: AddBackend) -> Sources:
    name = change.name
    if tables.backend_of(name) is not None or tables.frontend_of(name) is not None:
        raise _refused(name, f"Already exists a proxy with the same name '{name}'.")
    found = next((known for known in sources.file.defaults if known[1].name == change.defaults), None)
    if found is None:
        raise _refused(name, f"Cannot find default proxy '{change.defaults}'.")
    mode = change.mode or found[0]
    if not mode:
        raise _refused(name, 'Mode is required.')
    if mode != 'http':
        raise _refused(name, f"'mode {mode}' is not supported, only 'mode http' is.")
    if problem := taken(tables, change.guid):
        raise _refused(name, problem)
    numbers = {backend.id for backend in tables.backends.values()} | {front.id for front in tables.frontends.values()}
    number = next(
        number for number in range(FIRST_PROXY_ID, FIRST_PROXY_ID + len(numbers) + 1) if number not in numbers
    )
    backend = replace(found[1], name=name, id=number, mode=mode, published=False, guid=change.guid, where='CLI')
    fullconn = backend.fullconn or default_fullconn(backend, sources.file.frontends)
    return sources.backing(replace(backend, fullconn=fullconn))


def _removing(sources: Sources, tables: Tables, name: str) -> Sources:
    backend = _of_the_file(tables, name)
    if is_listen(tables, backend):
        raise _refused(name, 'Cannot delete a listen section.')
    if is_pointed_to(tables, name):
        raise _refused(name, POINTED_TO)
    if backend.published:
        raise _refused(name, PUBLISHED)
    if backend.servers:
        raise _refused(name, 'Only a backend without server can be deleted.')
    return sources.without(name)


def _publishing(sources: Sources, tables: Tables, change: PublishBackend) -> Sources:
    backend = _of_the_file(tables, change.name)
    if backend.disabled:
        raise _refused(change.name, 'No effect on a disabled backend.')
    return sources.showing(change.name, published=change.published)


def _of_the_file(tables: Tables, name: str) -> Backend:
    index = tables.backend_of(name)
    if index is None:
        raise _refused(name, 'No such backend.')
    backend = tables.backends[index]
    if backend.pushed:
        raise _refused(name, f"Backend '{name}' belongs to the control plane.")
    return backend


def is_listen(tables: Tables, backend: Backend) -> bool:
    """Is it the back half of a `listen`?"""
    front = tables.frontend_of(backend.name)
    return front is not None and tables.frontends[front].id == backend.id


def is_pointed_to(tables: Tables, name: str) -> bool:
    """Does a frontend send requests to it by its name, a pushed route, or does a sample of some rule ask for it?"""
    if any(name in (front.default_backend, *front.rules.backends) for front in tables.frontends.values()):
        return True
    if any(route.backend == name for route in tables.snapshot.routes):
        return True
    return any(found == name for kind, found in asked(tables) if kind == 'backend')


def _refused(backend: str, text: str) -> Refused:
    return Refused((text,), (backend,))
