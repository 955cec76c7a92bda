"""One worker's connections in memory, fed with anything in any order: nothing fails, nothing is kept, nobody is told nonsense.

The input is a list of steps divided by byte 0xFE. The first byte of each says what happens, the rest is what is sent:
`c` the client sends, `s` the server does, `C`/`S` the same with the loop running in between, `e`/`E` client or server end
their direction, `l`/`L` are gone altogether, `p`/`P` take no more for now or take again, `t`/`T` the time of what is waited for
is over. Other first bytes: the step is ignored. An input that begins with `v` meets a worker with all kinds of rules and options.
"""

from __future__ import annotations

import asyncio
from functools import cache
from typing import Any

from dataplane.config import load
from dataplane.core.model import Snapshot
from dataplane.worker.connection import Phase
from dataplane.worker.wheel import NEVER, Timer
from tests.integration.harness.memory import Memory, Served, Talk
from tests.oracle.wire import Incomplete, Malformed, read_request

DIVIDER = b'\xfe'
_MOST_STEPS = 48
_MOST_BYTES = 1 << 15
_RULED = r"""
global
    h1-case-adjust x-a X-A
    h1-case-adjust host HOST
defaults
    mode http
    option httplog
    timeout client 1s
    timeout server 1s
    timeout connect 1s
    timeout tarpit 1s
listen l
    bind :80
    monitor-uri /monitor
    option forwardfor if-none
    option originalto
    option http-restrict-req-hdr-names preserve
    option checkcache
    option h1-case-adjust-bogus-client
    option h1-case-adjust-bogus-server
    http-reuse always
    retries 2
    retry-on all-retryable-errors
    cookie SRV insert indirect nocache
    capture request header X len 8
    unique-id-format %{+X}o%ci:%cp_%rt
    unique-id-header X-Id
    log-format "%ci %[var(txn.v)] %HM %HU %ST %tsc %CC %hr %{+Q}r"
    capture cookie S len 9
    acl odd url_param(a) -m len 3
    http-request set-var(txn.v) req.hdr(x),lower,word(1,-)
    http-request deny if { path_beg /deny }
    http-request tarpit deny_status 429 if { path_beg /tarpit }
    http-request return status 200 content-type text/plain lf-string "%[path] %[req.body]" if { path /return }
    http-request redirect location /%[url_param(to)] if odd
    http-request silent-drop if { path /drop }
    http-request reject if { path /reject }
    http-request set-path /b%[path] if { path_beg /a }
    http-request replace-header X (.)(.*) \2\1
    http-request set-method POST if { path /post }
    http-response set-status 299 if { res.hdr(x-a) -m found }
    http-response replace-value X-A a b
    http-response deny if { status 418 }
    http-after-response set-header X-B %[var(txn.v)]
    server s 127.0.0.1:1 cookie c1
"""
_UPGRADE = b'upgrade: websocket\r\n'


class World:
    """A worker that lives as long as the process, and its loop."""

    def __init__(self, configuration: Snapshot | None) -> None:
        self.loop = asyncio.new_event_loop()
        self.failures: list[dict[str, Any]] = []
        self.loop.set_exception_handler(lambda _, context: self.failures.append(context))
        self.memory = Memory(configuration)
        self.loop.run_until_complete(self.memory.__aenter__())

    def run(self, data: bytes) -> None:
        """Play one input to its end."""
        self.loop.run_until_complete(self._play(data))
        if self.failures:
            context = self.failures[0]
            self.failures.clear()
            failed = context.get('exception')
            raise AssertionError(f'the loop was told of {context}') from failed

    async def _play(self, data: bytes) -> None:
        memory = self.memory
        talk = memory._connect([])
        try:
            for step in data[:_MOST_BYTES].split(DIVIDER)[:_MOST_STEPS]:
                await self._step(talk, step[:1], step[1:])
            await self._turn(talk)
            self._judge()
        finally:
            await self._end(talk)
        assert memory.served() == 0, 'a slot is still taken'
        assert memory._proxy.queued() == 0, 'somebody still waits'
        assert not memory._proxy.traffic._clients, 'a client is still known'

    async def _step(self, talk: Talk, kind: bytes, rest: bytes) -> None:
        client, wire = talk.client, talk.wire
        served = next((one for one in self.memory._served if one.upstream.user is not None), None)
        if client.phase is Phase.CLOSED or wire.ended:
            await self._turn(talk)
            return
        if kind in (b'c', b'C') and rest and not wire.paused:
            client.data_received(rest)
        elif kind == b'e' and not client._eof:
            if not client.eof_received():
                wire.ended = True
        elif kind == b'l':
            client.connection_lost(None)
        elif kind == b'p' and not client._write_paused:
            client.pause_writing()
        elif kind == b'P' and client._write_paused:
            client.resume_writing()
        elif kind == b't':
            _expire(client._timer)
        elif kind == b'T':
            _expire(client.server_timer)
        elif served is not None:
            self._serve(served, kind, rest)
        if kind in (b'C', b'S') or kind not in (b'c', b's'):
            await self._turn(talk)

    def _serve(self, served: Served, kind: bytes, rest: bytes) -> None:
        upstream, wire = served.upstream, served.wire
        if kind in (b's', b'S') and rest and upstream.is_alive() and not wire.paused:
            upstream.data_received(rest)
        elif kind == b'E' and upstream.is_alive():
            if not upstream.eof_received():
                wire.ended = True
        elif kind == b'L' and upstream.is_alive():
            wire.ended = True
            upstream.connection_lost(None)

    async def _turn(self, talk: Talk) -> None:
        await self.memory._turn(talk)
        for served in self.memory._served:
            if served.wire.ended and served.upstream.link is not type(served.upstream.link).CLOSED:
                served.upstream.connection_lost(None)

    def _judge(self) -> None:
        """What servers were sent is requests by the letter, and nothing else."""
        for served in self.memory._served:
            data = served.wire.sent
            if _UPGRADE in data.lower():
                continue  # another protocol may follow, or what was sent for it
            while data:
                try:
                    _, data = read_request(data)
                except Incomplete:
                    break
                except Malformed as malformed:
                    if b' HTTP/1.0\r\n' in data:
                        break  # without Host, as it came
                    raise AssertionError(f'a server was sent {malformed}') from malformed

    async def _end(self, talk: Talk) -> None:
        if talk.client.phase is not Phase.CLOSED:
            talk.client.connection_lost(None)
        for served in self.memory._served:
            if served.upstream.is_alive():
                served.wire.ended = True
                served.upstream.connection_lost(None)
        self.memory._served.clear()
        for _ in range(4):
            await asyncio.sleep(0)


def _expire(timer: Timer) -> None:
    """Let a timer that is armed fire now, as its wheel does."""
    if timer.deadline != NEVER:
        timer.deadline = NEVER
        timer.expired()


@cache
def world(*, ruled: bool) -> World:
    """The one of this process, without or with rules and options."""
    return World(load([('f.cfg', _RULED)], {}, cores=1).snapshot if ruled else None)


def traffic(data: bytes) -> None:
    """Play one input."""
    world(ruled=data.startswith(b'v')).run(data)


def steps(*wanted: bytes) -> bytes:
    """An input of these steps, for seeds."""
    return DIVIDER.join(wanted)
