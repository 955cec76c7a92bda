"""`ring` sections (configuration manual 3.9): lines that are kept in memory, and perhaps sent on. Plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

EVENTS: Final = 'buf0'
"""The ring that is always there: what the data plane says of itself."""
SIZE: Final = 16_384
PREFIX: Final = 'ring@'
"""What the address of a log target begins with that is a ring."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RingServer:
    """Where lines go by TCP, or to a unix socket (wire.unixhost). `octets`: each has its length in front (RFC 6587, 3.4.1), not a line feed behind it."""

    name: str
    host: str
    port: int
    octets: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RingSection:
    """One section. `size` and `maxlen` in bytes, of the whole and of a line; times in ms, None: no limit."""

    name: str
    description: str
    format: str = 'raw'
    maxlen: int = SIZE
    size: int = SIZE
    connect: int | None = None
    server: int | None = None
    servers: tuple[RingServer, ...] = ()
