"""A server in a pod, as a well-behaved application is: it runs in the proxy's image, from a ConfigMap, with Python alone.

It answers every request with its pod's name in X-Server after $SERVICE_MS milliseconds (?ms=N: of that request), and
/inside with how many requests are in it. After SIGTERM it serves on, with `Connection: close`, until nothing is in it and
nothing has come for half a second; what makes that enough is the pod's preStop sleep, during which the news travels.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from urllib.parse import parse_qs, urlsplit

NAME = os.environ.get('HOSTNAME', 'upstream')
SERVICE_MS = float(os.environ.get('SERVICE_MS', '5'))
QUIET = 0.5


class Server:
    """Counts what is inside, and knows whether it is asked to leave."""

    def __init__(self) -> None:
        self.inside = 0
        self.last = time.monotonic()
        self.leaving = asyncio.Event()

    async def client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            while await self._exchange(reader, writer):
                pass
        except (OSError, EOFError):
            pass  # the other side is gone, which is its right
        finally:
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b'\r\n\r\n')).decode('latin-1').lower()
        target = head.split(' ', 2)[1]
        length = next((line.split(':')[1] for line in head.split('\r\n') if line.startswith('content-length:')), '0')
        await reader.readexactly(int(length))
        self.last = time.monotonic()
        if urlsplit(target).path == '/inside':
            body = f'{self.inside}\n'
        else:
            self.inside += 1
            try:
                asked = parse_qs(urlsplit(target).query).get('ms')
                await asyncio.sleep(float(asked[0] if asked else SERVICE_MS) / 1000)
            finally:
                self.inside -= 1
            body = f'{NAME}\n'
        stays = not self.leaving.is_set() and 'connection: close' not in head
        writer.write(
            f'HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nX-Server: {NAME}\r\n'
            f'Connection: {"keep-alive" if stays else "close"}\r\n\r\n{body}'.encode()
        )
        await writer.drain()
        return stays


async def main() -> None:
    """Serve until told to leave, and then until nobody is left."""
    server = Server()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.leaving.set)
    await asyncio.start_server(server.client, '0.0.0.0', int(os.environ.get('PORT', '8080')), backlog=1024)
    await server.leaving.wait()
    while server.inside or time.monotonic() - server.last < QUIET:  # noqa: ASYNC110 -- it waits for nothing to happen
        await asyncio.sleep(QUIET / 5)


if __name__ == '__main__':
    asyncio.run(main())
