"""A worker's traffic that asks a supervisor for pages, which the test is."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from dataplane.wire.framing import Message
from tests.integration.harness.proxy import Proxy
from tests.integration.harness.raw import RawClient, until
from tests.unit.config.loading import snapshot

DEFAULTS = 'defaults\n mode http\n timeout client 10s\n timeout server 10s\n timeout connect 5s\n option httplog\n'
PAGE = b'HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 4\r\n\r\npage'


class Asking:
    """`proxy`, a connection to it, and what it asked for so far."""

    def __init__(self, proxy: Proxy, client: RawClient) -> None:
        self.proxy, self.client = proxy, client
        self.asked: list[Message] = []
        self.inquiries = proxy.traffic.inquiries
        self.inquiries.send = self.asked.append

    async def question(self, number: int = 1) -> Message:
        """What was asked as the so-many-th."""
        await until(lambda: len(self.asked) >= number)
        return self.asked[number - 1]

    def answer(self, number: int = 1, *, status: int = 200, page: bytes | None = PAGE) -> None:
        """Answer that question; None: with no page of one's own."""
        fds = []
        if page is not None:
            fds.append(os.memfd_create('t'))
            os.write(fds[0], page)
        self.inquiries.told(self.asked[number - 1]['question'], status, fds)


@asynccontextmanager
async def asking(lines: str, back: str = '') -> AsyncIterator[Asking]:
    """A frontend with these lines before a backend with those, which has no servers."""
    text = f'{DEFAULTS}frontend fe\n bind 127.0.0.1:1\n default_backend be\n {lines}\nbackend be\n {back}\n'
    async with Proxy(snapshot(text)) as proxy:
        client = await RawClient.to(proxy.port)
        yield Asking(proxy, client)
        client.close()
