"""At the start: servers are put into the states that server-state files say they had.

It is done once, with the first revision and before the first worker. A reload reads no such file: servers live on in it, with
everything that was set, and what a file said would be older than what is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from ipaddress import ip_address
from typing import Final

from dataplane.core.changes import Change, RestoreAddresses, RestoreState
from dataplane.core.model import Server, Snapshot
from dataplane.core.savedstate import SavedState, Unreadable, read
from dataplane.supervisor.sources import read_file

MOST: Final = 64 << 20
"""Bytes of a state file: 200 for each of 300,000 servers."""


async def restoring(snapshot: Snapshot, log: Callable[[str, str], None]) -> list[Change]:
    """What is to be made true behind the snapshot itself. What of a file cannot be used is told as a warning."""
    wanted: dict[str, set[str]] = {}
    servers: dict[tuple[str, str], Server] = {}
    for backend in snapshot.backends:
        if backend.state_file and not backend.disabled and backend.servers:
            wanted.setdefault(backend.state_file, set()).add(backend.name)
            servers |= {(backend.name, server.name): server for server in backend.servers}
    found: dict[tuple[str, str], SavedState] = {}
    for path, backends in wanted.items():
        states, warnings = await asyncio.to_thread(_read, path)
        for warning in warnings:
            log('warning', f'config : {warning}')
        found |= {(state.backend, state.server): state for state in states if state.backend in backends}
    known = {key: state for key, state in found.items() if key in servers}
    changes: list[Change] = [RestoreState(*key, state) for key, state in known.items()]
    moved = [
        (*key, *address)
        for key, state in known.items()
        if (address := _address(servers[key], state)) != (servers[key].host, servers[key].port)
    ]
    return [*changes, RestoreAddresses(tuple(moved))] if moved else changes


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
    host = state.host if _is_address(state.host) and not _is_address(server.host) else server.host
    return host, state.port if server.port and state.port else server.port


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
