"""Constant load: N connections, each of which sends a request as soon as the last one was answered, and a record of it all."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus

_PATIENCE = 30.0


@dataclass(slots=True)
class Record:
    """One request as its client saw it. Times are monotonic seconds.

    `status` 0: the connection ended before a whole answer was there (`lost`), or none could be made (`refused`).
    """

    target: str
    client_port: int
    sent: float
    done: float
    status: int
    server: str
    error: str = ''

    @property
    def took(self) -> float:
        """Seconds from sending the request to having the whole answer."""
        return self.done - self.sent


@dataclass(slots=True)
class Load:
    """A load on `address`:`port`. `target` gives the path of the n-th request. Start with `async with`.

    `pause`: seconds before the next request on a connection; `after_refusal`: the same when the answer was not 200. `fields`:
    further lines of each request's head.
    """

    port: int
    connections: int
    host: str = 'load.test'
    target: Callable[[int], str] = lambda number: f'/{number}'
    pause: float = 0.0
    after_refusal: float = 0.02
    address: str = '127.0.0.1'
    fields: str = ''
    records: list[Record] = field(default_factory=list)
    pending: dict[int, float] = field(default_factory=dict)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _ending: bool = False

    async def __aenter__(self) -> Load:
        self._tasks = [asyncio.create_task(self._client(place)) for place in range(self.connections)]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def stop(self, within: float = _PATIENCE) -> None:
        """Let every client finish the request it is in, then end it; what is not over `within` seconds is cut, which its record says."""
        self._ending = True
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=within)
            for task in late:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    def statuses(self) -> Counter[int]:
        """How often each status was answered (0: no whole answer)."""
        return Counter(record.status for record in self.records)

    def failed(self, *accepted: int) -> list[Record]:
        """Every request not answered with one of `accepted` (default: 200)."""
        return [record for record in self.records if record.status not in (accepted or (200,))]

    def longest(self) -> float:
        """Seconds the slowest request took, those still waiting for an answer included."""
        now = time.monotonic()
        over = max((record.took for record in self.records), default=0.0)
        return max([over, *(now - sent for sent in self.pending.values())])

    async def _client(self, place: int) -> None:
        while not self._ending:
            target = f'/{place}'
            try:
                reader, writer = await asyncio.open_connection(self.address, self.port)
            except OSError as error:
                now = time.monotonic()
                self.records.append(Record(target, 0, now, now, 0, '', f'refused: {error}'))
                await asyncio.sleep(0.02)
                continue
            try:
                await self._requests(place, reader, writer)
            finally:
                writer.close()

    async def _requests(self, place: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Send requests on one connection until it or the load ends."""
        client_port: int = writer.get_extra_info('sockname')[1]
        going_on = True
        while going_on and not self._ending:
            target = self.target(next(self._numbers))
            sent = self.pending[place] = time.monotonic()
            status, server, error = 0, '', ''
            try:
                writer.write(f'GET {target} HTTP/1.1\r\nHost: {self.host}\r\n{self.fields}\r\n'.encode())
                status, server, going_on = await read_answer(reader)
            except (OSError, EOFError, ValueError) as problem:
                going_on, error = False, f'lost: {problem!r}'
            except asyncio.CancelledError:
                error = 'cut: the load ended and it was still not answered'
                raise
            finally:
                del self.pending[place]
                self.records.append(Record(target, client_port, sent, time.monotonic(), status, server, error))
            rest = self.pause if status == HTTPStatus.OK else self.after_refusal
            if rest:
                await asyncio.sleep(rest)


async def read_answer(reader: asyncio.StreamReader) -> tuple[int, str, bool]:
    """Read one answer with a Content-Length: (status, X-Server, whether the connection stays). EOFError, OSError, ValueError."""
    head = (await reader.readuntil(b'\r\n\r\n')).decode('latin-1')
    first, *lines = head.split('\r\n')
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(':') for line in lines) if value}
    await reader.readexactly(int(fields.get('content-length', '0')))
    stays = fields.get('connection', '').lower() != 'close' and first.startswith('HTTP/1.1')
    return int(first.split(' ')[1]), fields.get('x-server', ''), stays


async def ask(
    port: int, target: str = '/', host: str = 'load.test', within: float = _PATIENCE, address: str = '127.0.0.1'
) -> Record:
    """One request on a connection of its own. TimeoutError after `within` seconds."""
    sent = time.monotonic()
    async with asyncio.timeout(within):
        reader, writer = await asyncio.open_connection(address, port)
        try:
            client_port: int = writer.get_extra_info('sockname')[1]
            writer.write(f'GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n'.encode())
            status, server, error = 0, '', ''
            try:
                status, server, _ = await read_answer(reader)
            except (OSError, EOFError, ValueError) as problem:
                error = f'lost: {problem!r}'
            return Record(target, client_port, sent, time.monotonic(), status, server, error)
        finally:
            writer.close()
