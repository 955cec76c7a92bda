"""The origin in Python: `python -m bench.origin PORT`. It reads what is posted, which nginx as an origin does not.

`/body/N` answers N known bytes; `/post/N` 200 when N bytes arrived and 422 otherwise; `/hash` the SHA-256 of what arrived;
`/forwarded` the X-Forwarded-For it was sent. Anything else is 404.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
from functools import cache
from typing import cast

import httptools
import uvloop

from bench.cases import payload


@cache
def answer(status: int, body: bytes) -> bytes:
    reason = {200: 'OK', 404: 'Not Found', 422: 'Unprocessable Content'}[status]
    head = f'HTTP/1.1 {status} {reason}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n\r\n'
    return head.encode() + body


@cache
def known(size: int) -> bytes:
    return answer(200, payload(size))


class Origin(asyncio.Protocol):
    """One connection, one request after the other; httptools calls the on_ methods."""

    def __init__(self) -> None:
        self.parser = httptools.HttpRequestParser(self)
        self.path = ''
        self.forwarded = ''
        self.received = 0
        self.hash: hashlib._Hash | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have the methods of asyncio.Transport without being one
        self.transport = cast('asyncio.Transport', transport)

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_message_begin(self) -> None:
        self.path, self.forwarded, self.received = '', '', 0

    def on_url(self, url: bytes) -> None:
        self.path += url.decode()

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b'x-forwarded-for':
            self.forwarded = value.decode()

    def on_headers_complete(self) -> None:
        self.hash = hashlib.sha256() if self.path == '/hash' else None

    def on_body(self, data: bytes) -> None:
        self.received += len(data)
        if self.hash is not None:
            self.hash.update(data)

    def on_message_complete(self) -> None:
        answered = self._answer()
        if self.parser.should_keep_alive():
            self.transport.write(answered)
        else:
            self.transport.write(answered.replace(b'\r\n\r\n', b'\r\nConnection: close\r\n\r\n', 1))
            self.transport.close()

    def _answer(self) -> bytes:
        kind, _, size = self.path[1:].partition('/')
        if self.hash is not None:
            return answer(200, self.hash.hexdigest().encode())
        if kind == 'forwarded':
            return answer(200, self.forwarded.encode())
        if kind == 'body' and size.isdigit():
            return known(int(size))
        if kind == 'post' and size.isdigit():
            return answer(200, size.encode()) if self.received == int(size) else answer(422, b'')
        return answer(404, b'')


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Origin, '127.0.0.1', port, backlog=8192)
    await server.serve_forever()


if __name__ == '__main__':
    uvloop.install()
    asyncio.run(serve(int(sys.argv[1])))
