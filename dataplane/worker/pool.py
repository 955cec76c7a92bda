"""Connections to servers that are idle between requests, per server, and who may use them (`http-reuse`, manual 4.2).

A connection opened for a client is `safe` for others once it has carried a second request. `never`: only the client it
was opened for; `safe`: others, but not for a client's first request; `aggressive`: for a first request only connections
that have been reused; `always`: any. Nothing is reused across servers, generations of sessions, or an address change, nor, where
a server has no port or no address of its own, across the ports and addresses that clients came to.
"""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Iterator, MutableSequence
from typing import TYPE_CHECKING, Final

from dataplane.core.layout import Layout, Rota
from dataplane.core.model import Server
from dataplane.wire.unixhost import is_unix, unix_path
from dataplane.worker.observer import Observer
from dataplane.worker.upstream import Address, CameTo, Upstream

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from dataplane.core.tables import Tables
    from dataplane.worker.halves import ServerUser
    from dataplane.worker.outbox import Outbox

_OUT: Final = Rota.OUT  # named per request: see core/plane.py
_FAMILIES: Final = (socket.AF_INET, socket.AF_INET6)
_ANYWHERE: Final = ('0.0.0.0', '::')
"""Addresses of no host: the server is wherever its client connected to, or was sent by `set-dst`."""


def numeric_address(host: str, port: int) -> Address | None:
    """The address for a host in numbers, or of a unix socket; None for a name."""
    if is_unix(host):
        return socket.AF_UNIX, unix_path(host)
    for family in _FAMILIES:
        try:
            socket.inet_pton(family, host)
        except OSError:
            continue
        return (family, (host, port) if family == socket.AF_INET else (host, port, 0, 0))
    return None


class Pool:
    """Idle connections of this worker to one server, the most recently used last."""

    def __init__(
        self,
        loop: AbstractEventLoop,
        outbox: Outbox,
        cells: MutableSequence[int],
        layout: Layout,
        worker: int,
        index: int,
        server: Server,
    ) -> None:
        self._loop = loop
        self._outbox = outbox
        self._cells = cells
        self._rota = layout.ROTA + index
        self._generation = layout.GENERATION + index
        self._count = layout.idle(worker, index)
        self._index = index
        self._idle: deque[Upstream] = deque()
        self._lent: set[Upstream] = set()
        self.server = server
        self.observer = None if server.observe is None else Observer(cells, layout, worker, index, server.observe)
        self._address = numeric_address(server.host, server.port)
        self.anywhere = server.host in _ANYWHERE
        self._fixed = (server.port > 0 and not self.anywhere) or is_unix(server.host)

    def _came_to(self, port: int, address: str) -> CameTo:
        """What of its client's destination says where a connection goes."""
        if self._fixed:
            return 0
        return (address, self.server.port or port) if self.anywhere else port

    def open(
        self, user: ServerUser, generation: int, port: int, preface: bytes = b'', address: str = ''
    ) -> Upstream:  # fmt: skip
        """A new connection for `user`, under way. `port` is used where the server has none of its own, `address` where it is `anywhere`.

        `preface` is what is said on it first.
        """
        upstream = Upstream(self._loop, self._outbox, self._index, generation, user, self.forget)
        server = self.server
        upstream.preface, upstream.source = preface, server.source
        upstream.came_to = self._came_to(port, address)
        if self._address is None:
            upstream.resolve_and_connect(server.host, server.port or port)
        elif self._fixed:
            upstream.connect(self._address)
        else:
            # a client of a unix socket came to no address: what is left is this host's own
            host = address if self.anywhere and address else server.host
            upstream.connect(numeric_address(host, server.port or port) or self._address)
        return upstream

    def take(
        self, mode: str, own: Upstream | None, port: int, preface: bytes = b'', address: str = '', *, first: bool
    ) -> Upstream | None:  # fmt: skip
        """An idle connection that may carry this request, None: open one. `own` is the client's private one, `port`, `preface` and
        `address` as in `open`: what was said first on a connection goes for all that follows.
        """
        came_to = self._came_to(port, address)
        if own is not None and own.server == self._index and own in self._lent:
            self._lent.discard(own)
            if self._is_good(own) and own.preface == preface and own.came_to == came_to:
                return own
            own.shutdown()
        if mode == 'never' or (first and mode == 'safe'):
            return None
        return self._take_shared(came_to, preface, reused_only=first and mode == 'aggressive')

    def _take_shared(self, came_to: CameTo, preface: bytes, *, reused_only: bool) -> Upstream | None:
        idle = self._idle
        kept: list[Upstream] | None = None
        found = None
        while idle:
            upstream = idle.pop()
            if not self._is_good(upstream):
                upstream.shutdown()
            elif upstream.came_to != came_to or upstream.preface != preface or (reused_only and upstream.uses < 2):
                kept = kept or []
                kept.append(upstream)
            else:
                found = upstream
                break
        if kept is not None:
            idle.extend(reversed(kept))
        self._cells[self._count] = len(idle)
        return found

    def _is_good(self, upstream: Upstream) -> bool:
        return upstream.is_alive() and not upstream.congested and upstream.generation >= self._cells[self._generation]

    def give(self, upstream: Upstream, now: int, *, private: bool) -> bool:
        """An exchange is done with `upstream`. True when it was kept; else it was shut down."""
        server, upstream.user = self.server, None
        full = 0 <= server.pool_max_conn <= len(self._idle)
        worn = 0 <= server.max_reuse < upstream.uses
        useless = self._cells[self._rota] <= _OUT or server.pool_purge_delay == 0
        if worn or useless or not self._is_good(upstream) or (full and not private):
            upstream.shutdown()
            return False
        upstream.idle_since = now
        if private:
            self._lent.add(upstream)
        else:
            self._idle.append(upstream)
            self._cells[self._count] = len(self._idle)
        return True

    def forget(self, upstream: Upstream) -> None:
        """An idle connection ended by itself."""
        self._lent.discard(upstream)
        if upstream in self._idle:
            self._idle.remove(upstream)
            self._cells[self._count] = len(self._idle)

    def close(self, upstream: Upstream) -> None:
        """Close a connection that was kept for one client, which is gone."""
        if upstream in self._lent:
            self._lent.discard(upstream)
            upstream.shutdown()

    def settle(self) -> None:
        """Close what must not be used any more: all when the server takes no traffic, else what is of an old generation."""
        out = self._cells[self._rota] <= _OUT
        for upstream in [*self._idle, *self._lent]:
            if out or not self._is_good(upstream):
                upstream.shutdown()
                self.forget(upstream)

    def sweep(self, now: int) -> None:
        """Close what was idle for the whole purge delay."""
        oldest = now - self.server.pool_purge_delay
        while self._idle and self._idle[0].idle_since <= oldest:
            self._idle.popleft().shutdown()
        self._cells[self._count] = len(self._idle)

    def drop(self) -> None:
        """Close everything that is idle."""
        for upstream in [*self._idle, *self._lent]:
            upstream.shutdown()
        self._idle.clear()
        self._lent.clear()
        self._cells[self._count] = 0


class Pools:
    """The pools of all servers this worker has sent something to."""

    def __init__(
        self, loop: AbstractEventLoop, outbox: Outbox, cells: MutableSequence[int], layout: Layout, worker: int
    ) -> None:
        self._loop = loop
        self._outbox = outbox
        self._cells = cells
        self._layout = layout
        self._worker = worker
        self._pools: dict[int, Pool] = {}

    def of(self, index: int, server: Server) -> Pool:
        """The pool of a server, as the tables in force describe it."""
        pool = self._pools.get(index)
        if pool is None or pool.server is not server:
            pool = self._renew(index, server)
        return pool

    def _renew(self, index: int, server: Server) -> Pool:
        """A pool for a server that is new, or was changed: connections to another address must not be reused."""
        old = self._pools.get(index)
        if old is not None:
            if old.server == server:
                old.server = server
                return old
            old.drop()
        pool = Pool(self._loop, self._outbox, self._cells, self._layout, self._worker, index, server)
        self._pools[index] = pool
        return pool

    def known(self, index: int) -> Pool | None:
        """The pool of a server if there is one."""
        return self._pools.get(index)

    def close(self, own: Upstream | None) -> None:
        """Close a connection that was kept for one client, if there is one."""
        pool = self._pools.get(own.server) if own is not None else None
        if own is not None and pool is not None:
            pool.close(own)

    def adopt(self, tables: Tables) -> None:
        """Follow tables that came into force: pools of servers that are gone or changed are closed."""
        for index in list(self._pools):
            server = tables.servers.get(index)
            if server is None:
                self._pools.pop(index).drop()
            else:
                self._renew(index, server)

    def settle(self) -> None:
        """Close every idle connection that must not be used any more."""
        for pool in self._pools.values():
            pool.settle()

    def sweep(self, now: int) -> None:
        """Purge what has been idle for long."""
        for pool in self._pools.values():
            pool.sweep(now)

    def __iter__(self) -> Iterator[Pool]:
        return iter(self._pools.values())
