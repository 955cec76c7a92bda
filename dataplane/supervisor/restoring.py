"""At the start: servers are put into the states that server-state files say they had.

It is done once, with the first revision and before the first worker. A reload reads no such file: servers live on in it, with
everything that was set, and what a file said would be older than what is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

from dataplane.core.admin import Admin
from dataplane.core.changes import Change, RestoreAddresses, RestoreState, SetNamed
from dataplane.core.lookup import Lookup, is_address
from dataplane.core.model import Backend, Server, Snapshot
from dataplane.core.naming import Found, Renewed, found_of
from dataplane.core.savedstate import SavedState, Unreadable, read
from dataplane.supervisor.sources import read_file

MOST: Final = 64 << 20
"""Bytes of a state file: 200 for each of 300,000 servers."""


async def restoring(snapshot: Snapshot, log: Callable[[str, str], None]) -> list[Change]:
    """What is to be made true behind the snapshot itself. What of a file cannot be used is told as a warning."""
    loading = _loading(snapshot)
    servers = {(backend.name, server.name): server for backend in loading for server in backend.servers}
    found: dict[tuple[str, str], SavedState] = {}
    for path, backends in _files(loading).items():
        states, warnings = await asyncio.to_thread(_read, path)
        for warning in warnings:
            log('warning', f'config : {warning}')
        found |= {(state.backend, state.server): state for state in states if state.backend in backends}
    known = {key: state for key, state in found.items() if key in servers}
    changes: list[Change] = [RestoreState(*key, state) for key, state in known.items()]
    moved = [
        (*key, *address)
        for key, state in known.items()
        if servers[key].lookup is None
        and (address := _address(servers[key], state)) != (servers[key].host, servers[key].port)
    ]
    named = [Renewed(*key, *both) for key, state in known.items() if (both := _named(servers[key], state)) is not None]
    if named:
        changes.append(SetNamed(tuple(named)))
    return [*changes, RestoreAddresses(tuple(moved))] if moved else changes


def unreadable(snapshot: Snapshot) -> list[str]:
    """What would be told of these files at a start, for `-c`."""
    return [warning for path in _files(_loading(snapshot)) for warning in _read(path)[1]]


def _loading(snapshot: Snapshot) -> list[Backend]:
    """Whose servers there are files for."""
    return [backend for backend in snapshot.backends if backend.state_file and not backend.disabled and backend.servers]


def _files(loading: Iterable[Backend]) -> dict[str, set[str]]:
    """Every file, and the backends that take their states from it."""
    wanted: dict[str, set[str]] = {}
    for backend in loading:
        wanted.setdefault(backend.state_file, set()).add(backend.name)
    return wanted


def _read(path: str) -> tuple[list[SavedState], list[str]]:
    """The states in a file, and what is to be told of it."""
    try:
        return read(read_file(path, MOST).decode('utf-8', 'surrogateescape'), path)
    except OSError as error:
        return [], [f"Can't open server state file '{path}': {error.strerror}."]
    except Unreadable as problem:
        return [], [str(problem)]


def _address(server: Server, state: SavedState) -> tuple[str, int]:
    """Another port than declared was set at run time; another address, where a name is declared that may mean many."""
    host = state.host if is_address(state.host) and not is_address(server.host) else server.host
    return host, state.port if server.port and state.port else server.port


def _named(server: Server, state: SavedState) -> tuple[Found, Found] | None:
    """What is known of a server that nameservers are asked for, and what the file knows; None where that is of no use.

    An address counts with `init-addr last`, unless another method that comes first gave one; a host name while the same SRV
    record is declared, or where it had been changed at run time.
    """
    lookup, was = server.lookup, found_of(server)
    if lookup is None or was is None:
        return None
    host = state.host if _counts_last(lookup, was.host) and is_address(state.host) else was.host
    if lookup.is_service:
        if not state.fqdn or state.srvrecord != lookup.name:
            return None
        return was, Found(was.of, host, state.port, state.fqdn, renamed=True)
    renamed = bool(state.admin & Admin.HMAINT) and bool(state.fqdn)
    if not renamed and state.fqdn not in ('', lookup.name):
        return None  # the file asks for another name by now
    port = state.port if server.port and state.port else server.port
    return was, Found(was.of, host, port, state.fqdn if renamed else '', renamed=renamed)


def _counts_last(lookup: Lookup, host: str) -> bool:
    """Is the address that was last known taken, beside the one that another method gave?"""
    if 'last' not in lookup.init:
        return False
    before = lookup.init[: lookup.init.index('last')]
    return not host or not any(method != 'none' for method in before)
