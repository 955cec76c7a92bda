"""A resolver that begins with another address at each attempt.

getaddrinfo sorts what it finds by rules of its own, so that the addresses behind a name come in the same order each time; and only
an address that refuses is followed by the next one. One whose machine or process stands still accepts (the kernel does) and says
nothing: without turns it would be dialled first for as long as it stands still, while another control plane leads.
"""

from __future__ import annotations

import socket

import aiohttp
from aiohttp.abc import ResolveResult


class TurningResolver(aiohttp.ThreadedResolver):
    """`turn`: how many attempts there were before this one."""

    def __init__(self, turn: int) -> None:
        super().__init__()
        self._turn = turn

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """All addresses of `host`, in their order, from the one whose turn it is."""
        found = await super().resolve(host, port, family)
        first = self._turn % len(found) if found else 0
        return found[first:] + found[:first]
