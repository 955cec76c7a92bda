"""The rings of a data plane: that of its own events, and those of `ring` sections, with what comes for them and where it goes on.

    worker: `log ring@x` -> packets (wire/ringing.py) -> `RingDoors` -> ring x -> forwarders, `show events x`

Rings live on in a reload as long as their section is there; so do forwarders, as long as it says the same of their server. Each
server has a forwarder of its own, which begins with the oldest line there is and goes on where it was when its connection was
lost. What was overwritten meanwhile it has missed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from dataplane.core.rings import EVENTS, RingSection, RingServer
from dataplane.supervisor.ring import Ring
from dataplane.wire.ringing import LARGEST, pair, unpacked
from dataplane.wire.unixhost import is_unix, unix_path

if TYPE_CHECKING:
    from dataplane.core.tables import Tables

_AT_ONCE: Final = 64
"""Packets that are taken in one turn of the loop."""
_PAUSE: Final = 1.0
"""Seconds until a connection is tried again."""
_DESCRIPTION: Final = 'in-memory ring buffer'
Key = tuple[RingServer, int | None, int | None]


class Rings:
    """All of them, by name. `events` is the ring of events, which is always there; `wall` gives wall-clock seconds."""

    def __init__(self, wall: Callable[[], float]) -> None:
        self.events = Ring(wall)
        self._wall = wall
        self._rings: dict[str, Ring] = {EVENTS: self.events}
        self._sections: dict[str, RingSection] = {}

    def __getitem__(self, name: str) -> Ring | None:
        """The ring of that name, None where there is none."""
        return self._rings.get(name)

    def listed(self) -> list[tuple[str, str]]:
        """Names and descriptions."""
        others = ((name, section.description) for name, section in self._sections.items())
        return [(EVENTS, _DESCRIPTION), *others]

    def put(self, name: str, line: str) -> None:
        """Keep a line that is framed already. Where there is no such ring any more, nobody wants it."""
        ring = self._rings.get(name)
        if ring is not None:
            ring.keep(line)

    def adopt(self, sections: Sequence[RingSection]) -> bool:
        """Have the rings of these sections, and no others. Returns whether anything is said otherwise than before."""
        wanted = {section.name: section for section in sections}
        if wanted == self._sections:
            return False
        for name in self._sections.keys() - wanted.keys():
            del self._rings[name]
        for name, section in wanted.items():
            if name in self._rings:
                self._rings[name].resize(section.size)
            else:
                self._rings[name] = Ring(self._wall, limit=section.size)
        self._sections = wanted
        return True

    def targets(self) -> Iterator[tuple[str, Key, Ring]]:
        """Each server that a section names, with the times that count for it, and the ring whose lines it is sent."""
        for name, section in self._sections.items():
            for server in section.servers:
                yield name, (server, section.connect, section.server), self._rings[name]


class RingDoors:
    """What comes in for rings, and what goes on from them. One per supervisor; `fd` is what workers are given."""

    def __init__(self, loop: asyncio.AbstractEventLoop, rings: Rings) -> None:
        self._loop, self._rings = loop, rings
        self._forwarders: dict[tuple[str, Key], asyncio.Task[None]] = {}
        self._ours, self._theirs = pair()
        self.fd = self._theirs.fileno()
        loop.add_reader(self._ours.fileno(), self._arrived)

    def _arrived(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                packet = self._ours.recv(LARGEST)
            except (BlockingIOError, InterruptedError):
                return
            name, lines = unpacked(packet)
            for line in lines:
                self._rings.put(name.decode('utf-8', 'replace'), line.decode('utf-8', 'surrogateescape'))

    def adopt(self, before: Tables, after: Tables) -> None:
        """Other tables are about to come into force: one forwarder per server of their sections, and no others."""
        del before
        if not self._rings.adopt(after.snapshot.rings):
            return
        wanted = {(name, key): ring for name, key, ring in self._rings.targets()}
        for gone in self._forwarders.keys() - wanted.keys():
            self._forwarders.pop(gone).cancel()
        for place, ring in wanted.items():
            if place not in self._forwarders:
                name, (server, connect, patience) = place
                work = forward(ring, server, connect, patience)
                self._forwarders[place] = self._loop.create_task(work, name=f'ring {name} to {server.name}')

    async def close(self) -> None:
        """Forward nothing more, and hear nothing more."""
        self._loop.remove_reader(self._ours.fileno())
        self._ours.close()
        self._theirs.close()
        for task in self._forwarders.values():
            task.cancel()
        await asyncio.gather(*self._forwarders.values(), return_exceptions=True)
        self._forwarders.clear()


async def _connected(server: RingServer) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if is_unix(server.host):
        return await asyncio.open_unix_connection(unix_path(server.host))
    return await asyncio.open_connection(server.host, server.port)


async def forward(ring: Ring, server: RingServer, connect: int | None, patience: int | None) -> None:
    """Send the lines of a ring to a server, as they come, until cancelled. Times in ms: to connect, and to take what is sent."""
    seen = 0
    while True:
        try:
            async with asyncio.timeout(None if connect is None else connect / 1000):
                reader, writer = await _connected(server)
        except OSError:
            # it is away, or took too long: what is still there then is sent when it is back
            await asyncio.sleep(_PAUSE)
            continue
        draining = asyncio.create_task(_drained(reader))
        try:
            while not draining.done():
                for number, line in ring.since(seen):
                    writer.write(framed(line, octets=server.octets))
                    seen = number
                async with asyncio.timeout(None if patience is None else patience / 1000):
                    await writer.drain()
                await _either(ring.news(seen), draining)
        except OSError:
            # gone, or it takes nothing: it is asked again
            writer.transport.abort()
        finally:
            draining.cancel()
            writer.close()
        await asyncio.sleep(_PAUSE)


async def _either(news: Coroutine[Any, Any, None], end: asyncio.Task[None]) -> None:
    """Return when there is news, or it has ended."""
    waiting = asyncio.create_task(news)
    try:
        await asyncio.wait((waiting, end), return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()


async def _drained(reader: asyncio.StreamReader) -> None:
    """Read what the server says, which nobody wants to know, until it ends."""
    try:
        while await reader.read(4_096):
            pass
    except OSError:
        # as good as an end
        return


def framed(line: str, *, octets: bool) -> bytes:
    """A line as it is sent: with its length in front, or a line feed behind it."""
    data = line.encode('utf-8', 'surrogateescape')
    return b'%d %b' % (len(data), data) if octets else data + b'\n'
