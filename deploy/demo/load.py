"""A little load, to look at: `load.py URL [CLIENTS] [SECONDS]`.

CLIENTS keep-alive connections (20) ask for URL one request after the other for SECONDS (10). One line a second tells how
many answers came, how long the slowest took, from which servers, and what failed. Exit status 1 if anything failed.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from urllib.parse import urlsplit


class Load:
    """What was seen since the last line, and in all."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.host, self.port = parts.hostname or '127.0.0.1', parts.port or 80
        self.request = f'GET {parts.path or "/"} HTTP/1.1\r\nhost: {parts.netloc}\r\n\r\n'.encode()
        self.servers: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self.slowest = 0.0
        self.answers = self.failed = 0

    async def client(self, until: float) -> None:
        """One connection, opened again when it is lost."""
        while time.monotonic() < until:
            try:
                reader, writer = await asyncio.open_connection(self.host, self.port)
            except OSError as error:
                self._failure(error.strerror or str(error))
                await asyncio.sleep(0.2)
                continue
            try:
                while time.monotonic() < until and await self._one(reader, writer):
                    pass
            except (OSError, asyncio.IncompleteReadError):
                self._failure('connection lost')
            finally:
                writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its answer; may the connection take another?"""
        start = time.monotonic()
        writer.write(self.request)
        head = (await reader.readuntil(b'\r\n\r\n')).decode('latin-1').lower()
        fields = dict(line.split(': ', 1) for line in head.split('\r\n')[1:] if ': ' in line)
        await reader.readexactly(int(fields.get('content-length', 0)))
        self.slowest = max(self.slowest, time.monotonic() - start)
        status = head.split(' ')[1]
        if status != '200':
            self._failure(status)
        self.answers += 1
        self.servers[fields.get('x-served-by', 'proxy')] += 1
        return fields.get('connection') != 'close'

    def _failure(self, what: str) -> None:
        self.failures[what] += 1
        self.failed += 1

    def line(self) -> str:
        """What happened since the last line."""
        servers = ' '.join(f'{name}={count}' for name, count in sorted(self.servers.items()))
        failures = ' '.join(f'{name}={count}' for name, count in sorted(self.failures.items())) or 'none'
        text = f'{sum(self.servers.values()):5} answers  slowest {self.slowest * 1000:5.0f} ms  {servers}  failed: {failures}'
        self.servers.clear()
        self.failures.clear()
        self.slowest = 0.0
        return text


async def main(url: str, clients: int, seconds: float) -> int:
    """Run the load, print its lines, return the exit status."""
    load = Load(url)
    until = time.monotonic() + seconds
    running = asyncio.gather(*(load.client(until) for _ in range(clients)))
    while not running.done():
        await asyncio.wait([running], timeout=1)
        print(load.line(), flush=True)
    await running
    print(f'{load.answers} answers, {load.failed} failed')
    return 1 if load.failed else 0


if __name__ == '__main__':
    arguments = [*sys.argv[1:], *('http://127.0.0.1:8080/', '20', '10')[len(sys.argv) - 1 :]]
    sys.exit(asyncio.run(main(arguments[0], int(arguments[1]), float(arguments[2]))))
