"""Servers that do what a scenario says, request by request, and keep what they were sent."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from dataclasses import dataclass

from tests.conformance.feed import Feed
from tests.conformance.scenario import Upstream, unescape
from tests.conformance.shown import Shown, shown_request
from tests.oracle.wire import Incomplete, Malformed, Request, read_request

_NO_BODY = ('204', '304')
_REASONS = {'200': 'OK', '204': 'No Content', '304': 'Not Modified', '404': 'Not Found', '503': 'Service Unavailable'}


@dataclass
class _Heard:
    """A request: which of which connection, and what was understood of it so far."""

    where: str
    request: Request | None = None
    garbage: bytes = b''


class Scripted:
    """`async with Scripted(name, script, port)`. Requests are counted in `got`, connections in `accepted` and `closed`, those on
    which something was asked in `spoken`: these are the ones that have a number.
    """

    def __init__(self, name: str, script: Upstream, port: int) -> None:
        self.name = name
        self.port = port
        self.got = 0
        self.accepted = 0
        self.closed = 0
        self.spoken = 0
        self._script = script
        self._heard: list[_Heard] = []
        self._tickets = asyncio.Semaphore(0)
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._full: list[socket.socket] = []

    async def __aenter__(self) -> Scripted:
        if self._script.unreachable:
            self._fill()
        elif not self._script.refuses:
            await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stop()
        for one in self._full:
            one.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, '127.0.0.1', self.port, reuse_port=True)

    def stop(self) -> None:
        """Listen no longer; connections stay."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def _fill(self) -> None:
        """Listen with a backlog that is full: further handshakes stay without an answer."""
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listening.bind(('127.0.0.1', self.port))
        listening.listen(0)
        self._full.append(listening)
        for _ in range(4):
            one = socket.socket()
            one.setblocking(False)
            self._full.append(one)
            one.connect_ex(('127.0.0.1', self.port))

    def release(self) -> None:
        """Let one reaction that holds (or the next that will) go on."""
        self._tickets.release()

    def transcript(self) -> list[str]:
        """What it was sent, by arrival."""
        told = []
        for heard in self._heard:
            label = f'{self.name} >' if self._script.once else f'{self.name} {heard.where} >'
            lines = [f'malformed {Shown(heard.garbage)}'] if heard.request is None else shown_request(heard.request)
            told.append(tuple(f'{label} {line}' for line in lines))
        return [line for lines in (dict.fromkeys(told) if self._script.once else told) for line in lines]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.accepted += 1
        feed = Feed(reader, writer)
        try:
            await self._connection(feed)
        finally:
            self.closed += 1
            self._tasks.discard(task)
            with contextlib.suppress(asyncio.CancelledError):
                await feed.close()

    async def _connection(self, feed: Feed) -> None:
        if self._script.on_connect:
            await self._act(self._script.on_connect, '', feed, _Heard(''))
            return
        count = number = 0
        while await _head(feed):
            if not count:
                self.spoken = number = self.spoken + 1
            count += 1
            heard = _Heard(f'{number}.{count}')
            self._heard.append(heard)
            _understand(feed, heard)
            steps = self._reaction()
            self.got += 1
            if not steps or steps[0][0] != 'early':
                if not await self._body(feed, heard):
                    return
            for verb, text in steps:
                if not await self._act(verb, text, feed, heard):
                    return
            if not await self._body(feed, heard):
                return
            _, feed.data = read_request(feed.data)

    def _reaction(self) -> list[tuple[str, str]]:
        reactions = self._script.reactions or [[('answer', '200')]]
        return reactions[min(self.got, len(reactions) - 1)]

    async def _body(self, feed: Feed, heard: _Heard) -> bool:
        """Read the request to its end; False if there is none."""
        while not _understand(feed, heard):
            if feed.ended or heard.garbage:
                return False
            await feed.change()
        return True

    async def _act(self, verb: str, text: str, feed: Feed, heard: _Heard) -> bool:
        """One step of a reaction. False: the connection is over."""
        if verb == 'answer':
            feed.send(answer(text, self.name, head=heard.request is not None and heard.request.method == b'HEAD'))
        elif verb == 'send':
            feed.send(unescape(text))
        elif verb == 'delay':
            await asyncio.sleep(int(text) / 1000)
        elif verb == 'hold':
            return await self._ticket(feed)
        elif verb == 'stay':
            await self._tickets.acquire()
        elif verb == 'body':
            return await self._body(feed, heard)
        elif verb == 'shut':
            feed.shut()
        elif verb == 'tunnel':
            with contextlib.suppress(Incomplete):
                _, feed.data = read_request(feed.data)
            await _echo(feed)
            return False
        elif verb == 'hang':
            while not feed.ended:
                await feed.change()
            return False
        elif verb == 'reset':
            feed.reset()
            return False
        return verb != 'close'

    async def _ticket(self, feed: Feed) -> bool:
        """Wait for a release; False if the proxy leaves before."""
        asked = asyncio.create_task(self._tickets.acquire())
        left = asyncio.create_task(_left(feed))
        await asyncio.wait((asked, left), return_when=asyncio.FIRST_COMPLETED)
        left.cancel()
        if not asked.done():
            asked.cancel()
            return False
        return True


async def _left(feed: Feed) -> None:
    while not feed.ended:
        await feed.change()


async def _head(feed: Feed) -> bool:
    while b'\r\n\r\n' not in feed.data:
        if feed.ended:
            return False
        await feed.change()
    return True


async def _echo(feed: Feed) -> None:
    while True:
        data, feed.data = feed.data, b''
        feed.send(data)
        if feed.ended:
            return
        if not feed.data:
            await feed.change()


def _understand(feed: Feed, heard: _Heard) -> bool:
    """Read as much as there is; True when the request is whole."""
    try:
        heard.request, _ = read_request(feed.data)
    except Incomplete as incomplete:
        if isinstance(incomplete.head, Request):
            heard.request = incomplete.head
        return False
    except Malformed:
        heard.request, heard.garbage = None, feed.data
        return False
    return True


def answer(text: str, name: str, *, head: bool = False) -> bytes:
    """A response from `STATUS [| Field: value]... [<< BODY]`; its body is the server's name if none is given."""
    text, given, body = text.partition('<<')
    status, *fields = (part.strip() for part in text.split('|'))
    content = unescape(body.strip()) if given else name.encode()
    lines = [f'HTTP/1.1 {status} {_REASONS.get(status, "Something")}', *fields]
    if status in _NO_BODY:
        content = b''
    elif not any(field.lower().startswith(('content-length:', 'transfer-encoding:')) for field in fields):
        lines.append(f'Content-Length: {len(content)}')
    return '\r\n'.join(lines).encode('latin-1') + b'\r\n\r\n' + (b'' if head else content)
