"""A slow server that can do few things at once, as model servers and old applications are: `server.py NAME PORT SLOTS MS`.

It answers every request after about MS milliseconds with its name, and counts how many requests it has at once. It never
queues or refuses: keeping within SLOTS is the proxy's work, and the answer says whether that was done.
"""

from __future__ import annotations

import asyncio
import random
import signal
import sys


class SlowServer:
    """One server; `handle` runs once per connection."""

    def __init__(self, name: str, slots: int, milliseconds: float) -> None:
        self.name = name
        self.slots = slots
        self.seconds = milliseconds / 1000
        self.served = 0
        self.at_once = 0
        self.most = 0
        self.draw = random.Random(name)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer requests until the peer closes. Bodies are read and dropped where their length is given."""
        try:
            while head := await reader.readuntil(b'\r\n\r\n'):
                await reader.readexactly(_content_length(head))
                writer.write(await self._answer())
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            # the peer closed, between requests or in the middle of one; either way there is nobody to answer
            return
        except (asyncio.LimitOverrunError, ValueError):
            writer.write(b'HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n')
        finally:
            writer.close()

    async def _answer(self) -> bytes:
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            await asyncio.sleep(self.seconds * self.draw.uniform(0.7, 1.3))
        finally:
            self.at_once -= 1
        self.served += 1
        kept = 'kept' if self.most <= self.slots else 'EXCEEDED'
        body = f'{self.name}: request {self.served}, at most {self.most} at once, limit {self.slots} {kept}\n'.encode()
        head = f'HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nx-served-by: {self.name}\r\ncontent-length: {len(body)}\r\n\r\n'
        return head.encode() + body


def _content_length(head: bytes) -> int:
    for line in head.split(b'\r\n')[1:]:
        name, _, value = line.partition(b':')
        if name.strip().lower() == b'content-length':
            return int(value)
    return 0


async def main(name: str, port: int, slots: int, milliseconds: float) -> None:
    """Serve on 127.0.0.1:`port` until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = await asyncio.start_server(SlowServer(name, slots, milliseconds).handle, '127.0.0.1', port)
    async with server:
        await stop.wait()


if __name__ == '__main__':
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])))
