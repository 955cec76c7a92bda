"""One client connection through one proxy to one server that records: generated exchanges go through it case by case."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import cast

from tests.integration.harness.queues import taken
from tests.oracle.answers import Answer
from tests.oracle.meaning import Asked, Heard, asked, heard, like
from tests.oracle.messages import SMUGGLED, Exchange
from tests.oracle.wire import Incomplete, Malformed, Request, Response, read_request, read_response, values

_UNSCRIPTED = Answer(b'HTTP/1.1 599 Unscripted\r\nContent-Length: 0\r\n\r\n')
_CONTINUE = b'HTTP/1.1 100 Continue\r\n\r\n'
_FINAL = 200
_SMUGGLED = SMUGGLED.split()[1]


@dataclass
class Outcome:
    """What became of one case. `kept`: the client's connection can be used again; `faults`: what no receiver may ever meet."""

    asked: list[Asked] = field(default_factory=list)
    heard: list[Heard] = field(default_factory=list)
    kept: bool = True
    faults: list[str] = field(default_factory=list)

    def differences(self, case: Sequence[Exchange], *, free: bool = False) -> list[str]:
        """Where this is not what `case` must lead to. `free`: by another proxy, which may choose what `FREE` names."""
        found = list(self.faults)
        if free and not self.kept:
            case = case[: len(self.heard)]  # whether to go on after an answer is each proxy's choice
        wanted = [exchange.asked for exchange in case if exchange.asked is not None]
        if self.asked != wanted:
            found.append(f'the server understood {self.asked}\n    instead of {wanted}')
        for exchange, answer in zip(case, self.heard, strict=False):
            got = like(answer, exchange.heard, free=free)
            if got != exchange.heard:
                found.append(f'the client understood {got}\n    instead of {exchange.heard}')
        if len(self.heard) != len(case):
            found.append(f'{len(self.heard)} answers to {len(case)} requests')
        if self.kept and case[-1].ends and not free:
            found.append('the connection was kept')
        return found


class Origin:
    """A server on loopback that answers as scripted and keeps what it understood; `faults` is what nobody understands."""

    def __init__(self) -> None:
        self.script: list[Answer] = []
        self.seen: list[Asked] = []
        self.faults: list[str] = []
        self.port = 0

    async def __aenter__(self) -> Origin:
        self._server = await asyncio.get_running_loop().create_server(lambda: _Serving(self), '127.0.0.1', 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, at: TracebackType | None
    ) -> None:
        self._server.close()

    def answer(self, request: Request) -> Answer:
        """The next answer of the script."""
        self.seen.append(asked(request))
        if request.target == _SMUGGLED:
            return _UNSCRIPTED
        return self.script.pop(0) if self.script else _UNSCRIPTED


class _Serving(asyncio.Protocol):
    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._buffer = b''
        self._continued = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while self._buffer and not self._transport.is_closing():
            try:
                request, self._buffer = read_request(self._buffer)
            except Incomplete as incomplete:
                head = incomplete.head
                if isinstance(head, Request) and not self._continued and values(head.fields, b'expect'):
                    self._continued = True
                    self._transport.write(_CONTINUE)
                return
            except Malformed as malformed:
                self._origin.faults.append(f'the server was sent {malformed}')
                self._transport.abort()
                return
            self._continued = False
            answer = self._origin.answer(request)
            self._transport.write(answer.raw)
            if answer.closes:
                self._transport.close()


class Lane:
    """The way through a proxy at `port` to `origin`; its connection is opened again whenever the last one has ended.

    `patient`: send a case's requests at once, and where the connection must end, wait for that even if the answer did not
    announce it (RFC 9112, 9.6: SHOULD). Else each request waits for the answer to the one before.
    """

    def __init__(self, port: int, origin: Origin, *, patient: bool = True, seconds: float = 10.0) -> None:
        self.port = port
        self.origin = origin
        self._patient = patient
        self._seconds = seconds
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def __aenter__(self) -> Lane:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    async def run(self, case: Sequence[Exchange], cuts: Sequence[int] = ()) -> Outcome:
        """Send a case's requests, in pieces that the proxy reads one by one if there are cuts, and hear the answers."""
        origin = self.origin
        origin.script = [exchange.answer for exchange in case if exchange.asked is not None]
        reader, writer = await self._open()
        raw = b''.join(exchange.raw for exchange in case) if self._patient else b''
        last = 0
        for cut in cuts:
            writer.write(raw[last:cut])
            last = cut
            await taken(writer)
        writer.write(raw[last:])
        outcome = Outcome()
        try:
            async with asyncio.timeout(self._seconds):
                rest = b''
                for exchange in case:
                    if not self._patient:
                        writer.write(exchange.raw)
                    rest = await self._hear(reader, exchange, rest, outcome)
                    if not outcome.kept:
                        break
                if rest and outcome.kept:
                    outcome.faults.append(f'more than the answers: {rest[:200]!r}')
        except TimeoutError:
            outcome.faults.append(f'no end of the answers within {self._seconds} s')
            outcome.kept = False
        if case[-1].ends or not outcome.kept or outcome.faults:
            await self.close()
        outcome.asked, origin.seen = origin.seen, []
        if not self._patient:
            # It may be busy with what an earlier case sent behind its last request.
            outcome.asked = [one for one in outcome.asked if one.target != _SMUGGLED]
        outcome.faults += origin.faults
        origin.faults = []
        return outcome

    async def _hear(self, reader: asyncio.StreamReader, exchange: Exchange, data: bytes, outcome: Outcome) -> bytes:
        """Read one answer into `outcome`; what has come behind it is returned."""
        responses: list[Response] = []
        ended = False
        while not responses or responses[-1].status < _FINAL:
            try:
                response, data = read_response(data, exchange.method, ended=ended)
            except Malformed as malformed:
                outcome.kept = False
                if data:
                    outcome.faults.append(f'the client was sent {malformed}')
                outcome.heard.append(Heard(0))
                return b''
            except Incomplete:
                try:
                    piece = await reader.read(1 << 20)
                except ConnectionError:
                    piece = b''
                ended = not piece
                data += piece
                continue
            responses.append(response)
        outcome.heard.append(heard(responses, exchange.method))
        if not responses[-1].keeps or (exchange.ends and self._patient):
            outcome.kept = False
            own = exchange.heard.own  # who refuses a request need not know that it is a HEAD
            behind = await _until_end(reader) if not ended else b''
            if not own and data + behind:
                outcome.faults.append(f'more behind the last answer: {(data + behind)[:200]!r}')
        return data

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._reader is None or self._writer is None:
            self._reader, self._writer = await asyncio.open_connection('127.0.0.1', self.port)
        return self._reader, self._writer

    async def close(self) -> None:
        """End the client's connection."""
        if self._writer is not None:
            self._writer.close()
            try:
                await self._writer.wait_closed()
            except ConnectionError:
                pass  # it has ended already
        self._reader = self._writer = None


async def _until_end(reader: asyncio.StreamReader) -> bytes:
    out = b''
    try:
        while piece := await reader.read(1 << 16):
            out += piece
    except ConnectionError:
        pass  # a reset is an end as well
    return out
