"""A real worker's traffic with its connections in memory: bytes go in as pieces, one loop turn each, and nothing is by chance.

The protocols are the product's own, between a client's transport and servers' transports that only note what is written.
What a connection's other end would do is done here, in order: piece, turn, answer of the server, turn.
"""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from dataplane.core.model import Snapshot
from dataplane.worker.client import Client
from dataplane.worker.clock import now_ms
from dataplane.worker.upstream import Upstream
from tests.integration.harness.lane import Outcome
from tests.integration.harness.proxy import Proxy, server, snapshot
from tests.oracle.meaning import Heard, asked, heard
from tests.oracle.messages import Exchange
from tests.oracle.wire import Incomplete, Malformed, Response, read_request, read_response

_FINAL = 200
_NO_PORT = 1
_GENERATION = 1 << 62
_CALLS = 3  # what is called soon may call soon what sends it


class Wire(asyncio.Transport):
    """A transport that keeps what is written, and whose other end takes everything at once."""

    def __init__(self) -> None:
        super().__init__({'peername': ('127.0.0.1', 40_000), 'sockname': ('127.0.0.1', 80)})
        self.sent = b''
        self.ended = False
        self.paused = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self.ended:
            self.sent += data

    def writelines(self, list_of_data: Any) -> None:
        self.write(b''.join(list_of_data))

    def write_eof(self) -> None:
        pass  # seen by the end that follows

    def can_write_eof(self) -> bool:
        return True

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def is_closing(self) -> bool:
        return self.ended

    def close(self) -> None:
        self.ended = True

    def abort(self) -> None:
        self.ended = True


@dataclass
class Served:
    """One connection to the server, and how far its requests were understood and answered."""

    upstream: Upstream
    wire: Wire
    read: int = 0


@dataclass
class Talk:
    """One client connection and all that came of it."""

    client: Client
    wire: Wire
    script: list[Exchange]
    asked: list[Any] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    heads: list[bytes] = field(default_factory=list)


class Memory:
    """`async with Memory() as memory`: runs cases through one worker, each on a client connection of its own."""

    def __init__(self, configuration: Snapshot | None = None) -> None:
        """`configuration`: of one frontend, one backend and one server; without it, one that lets everything pass."""
        if configuration is None:
            line = server('s1', _NO_PORT)
            configuration = snapshot(
                [line], backend={'http_reuse': 'always', 'retries': 0}, frontend={'httplog': False}
            )
        self._proxy = Proxy(configuration)
        self._served: list[Served] = []

    async def __aenter__(self) -> Memory:
        await self._proxy.__aenter__()
        self._context = self._proxy.traffic._context
        self._sock, self._peer = socket.socketpair()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, at: TracebackType | None
    ) -> None:
        await self._proxy.__aexit__()
        self._sock.close()
        self._peer.close()

    async def run(
        self,
        case: Sequence[Exchange],
        cuts: Sequence[int] = (),
        answer_cuts: Sequence[int] = (),
        *,
        eager: bool = False,
    ) -> tuple[Outcome, list[bytes]]:
        """What became of a case, and the heads as they were sent on. `eager`: the client's next piece comes in the very
        turn of the loop in which an answer does.
        """
        talk = self._connect([exchange for exchange in case if exchange.asked is not None])
        pieces = _pieces(b''.join(exchange.raw for exchange in case), cuts)
        while pieces or self._unanswered(talk):
            if not self._feed(talk, pieces) and not self._unanswered(talk):
                break  # nobody will read them any more
            await self._turn(talk)
            await self._answer(talk, answer_cuts)
            if eager:
                self._feed(talk, pieces)
            await self._turn(talk)
        outcome = self._outcome(talk, case)
        await self._close(talk)
        return outcome, talk.heads

    def _feed(self, talk: Talk, pieces: list[bytes]) -> bool:
        """Let the client's next piece arrive, if there is one and it is read."""
        if not pieces or talk.wire.paused or talk.wire.ended:
            return False
        talk.client.data_received(pieces.pop(0))
        return True

    def _connect(self, script: list[Exchange]) -> Talk:
        context = self._context
        frontend = context.desk.tables.frontends[0]
        client, wire = Client(context, self._proxy.traffic, 0, frontend, self._sock), Wire()
        context.figures.opened(0, now_ms())
        self._proxy.traffic._clients.add(client)
        client.connection_made(wire)
        self._offer()
        return Talk(client, wire, script)

    def _offer(self) -> None:
        """See to it that the pool has a connection, so that none is opened."""
        tables = self._context.desk.tables
        pool = self._context.pools.of(0, tables.servers[0])
        self._served = [one for one in self._served if one.upstream.is_alive()]
        if not any(one.upstream.user is None for one in self._served):
            loop, outbox = asyncio.get_running_loop(), self._context.outbox
            upstream, wire = Upstream(loop, outbox, 0, _GENERATION, None, pool.forget), Wire()
            upstream.connection_made(wire)
            assert pool.give(upstream, now_ms(), private=False)
            self._served.append(Served(upstream, wire))

    async def _turn(self, talk: Talk) -> None:
        """Let the loop run what was left for later, and tell a client's connection of its end."""
        self._offer()
        for _ in range(_CALLS):
            await asyncio.sleep(0)
        if talk.wire.ended and talk.client.phase is not type(talk.client.phase).CLOSED:
            talk.client.connection_lost(None)

    def _unanswered(self, talk: Talk) -> bool:
        return bool(talk.script) and any(self._request(one, talk) is not None for one in self._served)

    def _request(self, served: Served, talk: Talk) -> tuple[Any, bytes] | None:
        data = served.wire.sent[served.read :]
        if not data:
            return None
        try:
            return read_request(data)
        except Incomplete:
            return None
        except Malformed as malformed:
            talk.faults.append(f'the server was sent {malformed}')
            served.read = len(served.wire.sent)
            return None

    async def _answer(self, talk: Talk, cuts: Sequence[int]) -> None:
        """Answer the request that is complete, if there is one."""
        for served in self._served:
            found = self._request(served, talk)
            if found is None:
                continue
            request, rest = found
            data = served.wire.sent[served.read :]
            talk.heads.append(data[: data.find(b'\r\n\r\n')])
            served.read = len(served.wire.sent) - len(rest)
            talk.asked.append(asked(request))
            if not talk.script:
                talk.faults.append('the server was sent more requests than there were')
                return
            await self._send(served, talk, talk.script.pop(0), cuts)

    async def _send(self, served: Served, talk: Talk, exchange: Exchange, cuts: Sequence[int]) -> None:
        upstream, wire = served.upstream, served.wire
        for piece in _pieces(exchange.answer.raw, cuts):
            if upstream.is_alive():
                upstream.data_received(piece)
                if cuts:
                    await self._turn(talk)
        if 'extra-behind' in exchange.traits and upstream.is_alive():
            talk.faults.append('a connection on which the server has said too much is kept')
        if exchange.answer.closes and upstream.is_alive():
            upstream.eof_received()
            wire.ended = True
            upstream.connection_lost(None)

    def _outcome(self, talk: Talk, case: Sequence[Exchange]) -> Outcome:
        ended = talk.wire.ended or talk.client.phase is type(talk.client.phase).LINGER
        out = Outcome(talk.asked, kept=not ended, faults=talk.faults)
        data = talk.wire.sent
        for exchange in case:
            responses: list[Response] = []
            try:
                while not responses or responses[-1].status < _FINAL:
                    before = data
                    response, data = read_response(data, exchange.method, ended=ended)
                    talk.heads.append(before[: before.find(b'\r\n\r\n')])
                    responses.append(response)
            except (Incomplete, Malformed) as fault:
                if ended and not data:
                    out.heard.append(Heard(0))
                    break
                out.faults.append(f'the client was sent {data[:200]!r}: {fault!r}')
                break
            out.heard.append(heard(responses, exchange.method))
            if exchange is case[-1] and exchange.heard.own and exchange.method == b'HEAD' and out.kept is False:
                data = b''  # who refuses a request need not know that it is a HEAD
        if data:
            out.faults.append(f'more than the answers: {data[:200]!r}')
        return out

    async def _close(self, talk: Talk) -> None:
        if talk.client.phase is not type(talk.client.phase).CLOSED:
            talk.client.connection_lost(None)
        await asyncio.sleep(0)

    def served(self) -> int:
        """Slots that are taken."""
        return self._proxy.served()


def _pieces(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    edges = [0, *cuts, len(data)]
    return [data[start:end] for start, end in itertools.pairwise(edges) if start < end]
