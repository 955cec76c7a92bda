"""Which process holds which TCP connection: the kernel's own word, for tests that kill one holder among several."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

_ESTABLISHED = '01'


def connections_of(pid: int, port: int) -> set[int]:
    """Client ports of the established connections to local `port` whose accepted end is open in process `pid`.

    Connections that wait to be accepted have no holder and are in nobody's set. An empty set if the process is gone.
    """
    inodes: set[str] = set()
    try:
        with os.scandir(f'/proc/{pid}/fd') as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):  # closed since it was listed
                    inodes.add(os.readlink(entry.path).removeprefix('socket:[').removesuffix(']'))
    except (FileNotFoundError, ProcessLookupError):
        return set()
    return {client for client, inode in _established(port) if inode in inodes}


def _established(port: int) -> list[tuple[int, str]]:
    """(client port, inode) of the established connections whose local port is `port`."""
    rows: list[tuple[int, str]] = []
    for line in Path('/proc/net/tcp').read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == _ESTABLISHED and int(fields[1].rpartition(':')[2], 16) == port:
            rows.append((int(fields[2].rpartition(':')[2], 16), fields[9]))
    return rows
