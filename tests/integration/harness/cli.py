"""A client of the stats socket, as socat would be one: one line, everything up to the end of the connection."""

from __future__ import annotations

import asyncio
import csv
import io
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Conn:
    """A row of `show servers conn`: the figures of one server."""

    served: int
    used: int
    idle: int


class Cli:
    """Commands to the stats socket at `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    async def __call__(self, line: str, *, within: float = 10.0) -> str:
        """Send one line (several commands may be on it) and return the whole answer. OSError, TimeoutError."""
        async with asyncio.timeout(within):
            reader, writer = await asyncio.open_unix_connection(str(self.path))
            try:
                writer.write(line.encode() + b'\n')
                return (await reader.read()).decode()
            finally:
                writer.close()

    async def ready(self) -> bool:
        """Whether the socket answers `show info`."""
        try:
            return (await self('show info')).startswith('Name: ')
        except (OSError, TimeoutError):
            return False

    async def info(self) -> dict[str, str]:
        """`show info` by name."""
        rows = (line.partition(': ') for line in (await self('show info')).splitlines() if line)
        return {name: value for name, _, value in rows}

    async def stat(self) -> dict[tuple[str, str], dict[str, str]]:
        """`show stat` by (pxname, svname)."""
        text = (await self('show stat')).removeprefix('# ')
        return {(row['pxname'], row['svname']): row for row in csv.DictReader(io.StringIO(text)) if row['pxname']}

    async def conns(self, backend: str = '') -> dict[str, Conn]:
        """`show servers conn` by 'backend/server'."""
        found: dict[str, Conn] = {}
        names: list[str] = []
        for line in (await self(f'show servers conn {backend}'.strip())).splitlines():
            fields = line.split()
            if line.startswith('#'):
                names = fields[1:]
            elif fields:
                row = dict(zip(names, fields, strict=False))
                used = int(row['used_cur'])
                found[fields[0]] = Conn(served=int(row.get('served', used)), used=used, idle=int(row['idle_cur']))
        return found

    async def states(self) -> dict[str, tuple[int, int, int]]:
        """`show servers state` by 'backend/server': operational state, admin flags, user weight."""
        found: dict[str, tuple[int, int, int]] = {}
        for line in (await self('show servers state')).splitlines()[2:]:
            fields = line.split()
            if len(fields) > 7:
                found[f'{fields[1]}/{fields[3]}'] = (int(fields[5]), int(fields[6]), int(fields[7]))
        return found
