"""Client connections of a scenario: they send what a line says, and write down what they hear."""

from __future__ import annotations

import contextlib

from tests.conformance.feed import Feed
from tests.conformance.scenario import Wrong, unescape
from tests.conformance.shown import Shown, escaped, shown_response
from tests.integration.harness.queues import taken
from tests.oracle.wire import Incomplete, Malformed, Response, read_response

_METHODS = frozenset(('get', 'head', 'post', 'put', 'patch', 'delete', 'options'))
_FINAL = 200
_SWITCHING = 101


def request(method: str, text: str) -> bytes:
    """A request from `TARGET [| Field: value]... [<< BODY]`. Host and, with a body, Content-Length are added."""
    text, given, body = text.partition('<<')
    target, *fields = (part.strip() for part in text.split('|'))
    content = unescape(body.strip())
    names = {field.partition(':')[0].lower() for field in fields}
    lines = [f'{method.upper()} {target} HTTP/1.1', *([] if 'host' in names else ['Host: conform']), *fields]
    if given and not names & {'content-length', 'transfer-encoding'}:
        lines.append(f'Content-Length: {len(content)}')
    return '\r\n'.join(lines).encode('latin-1') + b'\r\n\r\n' + content


class Client:
    """One name of a scenario (`c1`). A connection is opened by `open PLACE`, or to `port` when something is first sent."""

    def __init__(self, name: str, ports: dict[str, int], out: list[str]) -> None:
        self.name = name
        self._ports = ports
        self._out = out
        self._feed: Feed | None = None
        self._asked: list[bytes] = []

    async def step(self, text: str) -> None:
        """Do what a line says."""
        verb, _, rest = text.partition(' ')
        rest = rest.strip()
        if verb == 'ask':
            await self.step(rest)
            await self._answer('')
        elif verb in _METHODS:
            self._asked.append(verb.upper().encode())
            (await self._open()).send(request(verb, rest))
        elif verb == 'send':
            (await self._open()).send(unescape(rest))
        elif verb == 'open':
            await self._open(rest or 'fe')
        else:
            await self._further(verb, rest)

    async def _further(self, verb: str, rest: str) -> None:
        feed = await self._open()
        if verb == 'answer':
            await self._answer(rest)
        elif verb == 'until':
            await self._until(feed, unescape(rest))
        elif verb in ('end', 'raw'):
            await self._end(feed, line_by_line=verb == 'raw')
        elif verb == 'taken':
            await taken(feed.writer)
        elif verb == 'shut':
            feed.shut()
        elif verb in ('reset', 'close'):
            if verb == 'reset':
                feed.reset()
            await self.close()
        else:
            raise Wrong(f'a client cannot {verb!r}')

    def _say(self, line: str) -> None:
        self._out.append(f'{self.name} < {line}')

    async def _open(self, place: str = '') -> Feed:
        if place and self._feed is not None:
            await self.close()
        if self._feed is None:
            self._feed = await Feed.to(self._ports[place or 'fe'])
        return self._feed

    async def _answer(self, method: str) -> None:
        """One answer, with all interim ones before it."""
        feed = await self._open()
        asked = method.encode() or (self._asked.pop(0) if self._asked else b'GET')
        while True:
            try:
                response, feed.data = read_response(feed.data, asked, ended=feed.ended)
            except Malformed as malformed:
                self._say(f'malformed: {malformed}' if feed.data else 'end without an answer')
                return
            except Incomplete:
                if feed.ended:
                    self._say(f'end after {Shown(feed.data)}')
                    return
                await feed.change()
                continue
            self._heard(response)
            if response.status >= _FINAL or response.status == _SWITCHING:
                return

    def _heard(self, response: Response) -> None:
        for line in shown_response(response):
            self._say(line)

    async def _until(self, feed: Feed, text: bytes) -> None:
        while text not in feed.data and not feed.ended:
            await feed.change()
        _, found, feed.data = feed.data.partition(text)
        self._say(f'bytes up to {Shown(text)}' if found else f'end before {Shown(text)}')

    async def _end(self, feed: Feed, *, line_by_line: bool) -> None:
        while not feed.ended:
            await feed.change()
        data, feed.data = feed.data, b''
        if line_by_line:
            for line in data.splitlines(keepends=True):
                self._say(f'bytes {escaped(line)}')
        elif data:
            self._say(f'bytes {Shown(data)}')
        self._say('end')
        await self.close()

    async def close(self) -> None:
        """Close the connection, if there is one; the next step opens another."""
        if self._feed is not None:
            feed, self._feed = self._feed, None
            self._asked.clear()
            with contextlib.suppress(OSError):
                await feed.close()
