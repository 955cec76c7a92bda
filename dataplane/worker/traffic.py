"""All traffic of one worker: its listeners, its clients, its pools, and the clock that drives their timers.

Built by the worker's main, which also owns the desk and the log; everything else of the data path is made here.
"""

from __future__ import annotations

import asyncio
import select
import socket
from collections.abc import Callable, Iterator, MutableSequence, Sequence
from typing import TYPE_CHECKING, Any, Final

from dataplane.core.counters import C
from dataplane.core.layout import NOBODY, Layout
from dataplane.core.model import Frontend
from dataplane.worker.announced import Announced
from dataplane.worker.client import Client
from dataplane.worker.clock import now_ms
from dataplane.worker.connection import Phase
from dataplane.worker.context import Context
from dataplane.worker.doorway import Doorstep, Doorway, connect_line
from dataplane.worker.hashing import wishes
from dataplane.worker.listener import Listener
from dataplane.worker.rulebook import Rulebook
from dataplane.worker.sessions import session_id, session_row
from dataplane.worker.shelf import Shelf
from dataplane.worker.sticking import Numbers
from dataplane.worker.wheel import TICK

if TYPE_CHECKING:
    from dataplane.core.tables import Tables
    from dataplane.rules.samples import Sample
    from dataplane.rules.stores import Store
    from dataplane.worker.access_log import AccessLog
    from dataplane.worker.arrival import Arrival
    from dataplane.worker.contents import Contents
    from dataplane.worker.desk import Desk
    from dataplane.worker.inquiry import Inquiries
    from dataplane.worker.sides import Checked

_LOOK_AT_DEAF: Final = 100
_SWEEP: Final = 500
_FAREWELL: Final = 5_000
"""Milliseconds in which a client that is idle may still ask once more of a worker that retires."""
_ANY_RATE: Final = 1 << 62


class Traffic:
    """`board_cells` and `layout` are the board's; `worker` is this worker's row."""

    def __init__(
        self, *, loop: asyncio.AbstractEventLoop, desk: Desk, board_cells: MutableSequence[int], layout: Layout,
        worker: int, log: AccessLog, contents: Contents,
    ) -> None:  # fmt: skip
        self._loop = loop
        self.shelf = Shelf(layout.workers, worker, lambda: board_cells.__setitem__(layout.HEARTBEAT + worker, now_ms()))
        self._context = Context(loop, desk, board_cells, layout, worker, log, contents)
        self._doorway = Doorway(self._context)
        self._clients: set[Client] = set()
        self._deaf: set[Checked] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._listeners: list[Listener] = []
        self._done: Callable[[], None] | None = None
        self._close_idle_at = 0
        self._rates: dict[int, int] = {}  # of frontends, connections per second
        self._ready: dict[
            int, tuple[Rulebook, int]
        ] = {}  # rules of tables that may be committed, and how many remakes were before them
        self._remakes = 0
        self._deaf_at = self._sweep_at = now_ms()
        desk.on_tables = self.adopt
        contents.remake = self._remake_rules
        desk.settle_pools = self.settle_pools
        self.adopt(desk.tables)
        self._ticker = loop.call_later(TICK / 1000, self._tick)

    @property
    def inquiries(self) -> Inquiries:
        """What is asked of the supervisor."""
        return self._context.inquiries

    # -- listening ---------------------------------------------------------------------------------------------------

    def listen(self, sock: socket.socket, frontend: int, bind_name: str) -> None:
        """Accept clients of frontend number `frontend` on a listening socket; `bind_name` is its address."""
        known = self._context.desk.tables.frontends.get(frontend)
        if known is None:
            raise ValueError(f'bind {bind_name!r}: there is no frontend number {frontend} in the tables')
        address = bind_name.partition(' of worker ')[0]  # of a socket that is lent for a worker that is away
        counted = self._context.desk.tables.listener_of(known.name, address)
        step = Doorstep(address, NOBODY if counted is None else counted)
        listener = Listener(
            self._loop,
            sock,
            lambda: self._has_room(frontend),
            lambda accepted: self._accepted(accepted, frontend, known, step),
        )
        self._listeners.append(listener)
        listener.resume()

    def stop_listening(self) -> None:
        """Accept no more. The sockets stay open: closing one would reset what is in its backlog."""
        for listener in self._listeners:
            listener.stop()
        self._listeners.clear()

    def _has_room(self, frontend: int) -> bool:
        context = self._context
        cells, at, figures = context.cells, context.layout, context.figures
        limit, whole = cells[at.FEMAXCONN + frontend], cells[at.GLOBAL_MAXCONN]
        connections, sessions = cells[at.RATE_LIMITS], cells[at.RATE_LIMITS + 1]
        if connections and context.rate(C.CONN_SEC) >= connections:
            return False
        if sessions and context.rate(C.SESS_SEC) >= sessions:
            return False
        if self._rates and context.sessions_per_second(frontend) >= self._rates.get(frontend, _ANY_RATE):
            return False
        return (limit <= 0 or figures.connections(frontend) < limit) and (
            whole <= 0 or figures.all_connections() < whole
        )

    def _accepted(self, sock: socket.socket, index: int, known: Frontend, step: Doorstep) -> None:
        context = self._context
        frontend = context.frontend(index, known)
        bind = step.bind_of(frontend)
        arrival = self._doorway.arrival(sock, index, frontend, bind)
        if arrival is not None and not self._doorway.lets_in(arrival, sock, step.counted):
            return
        context.figures.opened(index, now_ms())
        if arrival is not None and arrival.announced:
            client: Client = Announced(context, self, index, frontend, sock, arrival)
        else:
            client = Client(context, self, index, frontend, sock)
            client.arrival = arrival
        client.bind, client.listener = bind, step.counted
        if step.counted != NOBODY:
            context.figures.listener_opened(step.counted)
        if arrival is not None:
            client.variables, client.tracking = arrival.variables, arrival.tracking
        self._clients.add(client)
        if frontend.log_targets and not frontend.httplog and (arrival is None or not arrival.announced):
            context.log.write(frontend.log_targets, connect_line(sock, arrival, frontend.name))
        task = self._loop.create_task(self._attach(client, sock, index))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def admits(self, client: Client, arrival: Arrival) -> bool:
        """May a client go on that has said by its PROXY header who it is? Otherwise it is gone."""
        return self._doorway.admits(client, arrival)

    async def _attach(self, client: Client, sock: socket.socket, index: int) -> None:
        """Let the loop take the socket over; the only task of a client's connection, and a short one."""
        try:
            await self._loop.connect_accepted_socket(lambda: client, sock)
        except OSError:
            sock.close()
            self.parted(client, index)

    # -- what clients tell -------------------------------------------------------------------------------------------

    def parted(self, client: Checked, frontend: int) -> None:
        """A client's connection is gone."""
        if client not in self._clients:
            return
        self._clients.discard(client)
        self._deaf.discard(client)
        if client.tracking is not None:
            client.tracking.release()
        self._context.allowance.give_back((client.variables or {}).values())
        self._context.figures.closed(frontend)
        if client.listener != NOBODY:
            self._context.figures.listener_closed(client.listener)
        for listener in self._listeners:
            listener.resume()
        self._finish_soft_stop()

    def deaf(self, client: Checked) -> None:
        """A client's connection is not read for now."""
        self._deaf.add(client)

    def is_gone(self, sock: socket.socket, *, half: bool) -> bool:
        """Has the peer of a connection that is not read reset it, or (`half`) closed at least its own direction?"""
        poll = select.poll()
        poll.register(sock.fileno(), select.POLLRDHUP if half else 0)
        # POLLHUP comes unasked, and says only that both directions were ended, by whomever.
        wanted = select.POLLERR | (select.POLLHUP | select.POLLRDHUP if half else 0)
        return any(events & wanted for _, events in poll.poll(0))

    # -- time --------------------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        self._ticker = self._loop.call_later(TICK / 1000, self._tick)
        self._context.tell_sent()
        self.tick(now_ms())

    def tick(self, now: int) -> None:
        """Turn the timer wheel to `now` (ms) and do what is to be done now and then. Harmless to call more often."""
        self._context.wheel.turn(now)
        if now - self._deaf_at >= _LOOK_AT_DEAF:
            self._deaf_at = now
            if self._deaf:
                deaf, self._deaf = self._deaf, set()
                for client in deaf:
                    self._look_at(client)
            for listener in self._listeners:
                listener.resume()
        if self._close_idle_at and now >= self._close_idle_at:
            self._close_idle()
        if now - self._sweep_at >= _SWEEP:
            self._sweep_at = now
            self._context.pools.sweep(now)

    def _look_at(self, client: Checked) -> None:
        """A defect in one connection's logic is reported, and the others are looked at all the same."""
        try:
            client.check()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is reported
            self._context.loop.call_exception_handler(
                {'message': f'{client!r} could not be looked at', 'exception': error}
            )

    # -- revisions and stops -----------------------------------------------------------------------------------------

    def prepare(self, tables: Tables) -> Iterator[None]:
        """Make the rules of tables that may be committed, beside those in use and a proxy per step."""
        remakes = self._remakes
        book = Rulebook(tables, self._context.contents.ready(tables.number, tables.snapshot), self._context.rulebook)
        yield from book.steps()
        self._ready[tables.number] = book, remakes

    def discard(self, number: int) -> None:
        """Tables that will never be committed."""
        self._ready.pop(number, None)

    def _book_of(self, tables: Tables, store: Store) -> Rulebook:
        """The rules of tables that come into force: as they were made ready, unless what they were made of is another by now."""
        book, remakes = self._ready.pop(tables.number, (None, 0))
        for older in [number for number in self._ready if number < tables.number]:
            del self._ready[older]
        if book is not None and book.store is store and remakes == self._remakes:
            return book
        return Rulebook.made(tables, store, self._context.rulebook)

    def adopt(self, tables: Tables) -> None:
        """Tables came into force."""
        context = self._context
        context.adopt(tables.snapshot.globals)
        if context.allowance.adopt(tables.snapshot.globals.tuning.variables):
            context.allowance.count(self._variables())
        context.faults.adopt(tables, context.bufsize)
        named = {target.address for frontend in tables.snapshot.frontends for target in frontend.log_targets}
        context.log.adopt(tables.snapshot.globals, named)
        context.pools.adopt(tables)
        context.wishes = wishes(tables)
        self._rates = {
            index: frontend.rate_limit for index, frontend in tables.frontends.items() if frontend.rate_limit
        }
        store = context.contents.adopt(tables.number, tables.snapshot)
        context.rulebook = self._book_of(tables, store) or None
        self.shelf.adopt(tables.number)
        context.tables = self.shelf.tables
        context.numbers = Numbers(tables)

    def _variables(self) -> Iterator[Sample]:
        """The values of all variables that clients and their requests have."""
        for client in self._clients:
            yield from (client.variables or {}).values()
            ruled = None if client.exchange is None else client.exchange.story.ruled
            if ruled is not None:
                yield from ruled.variables.values()

    def bring(self, stick_tables: Sequence[int]) -> None:
        """The descriptors of the stick tables that the tables in force have."""
        tables = self._context.desk.tables
        self.shelf.prepare(tables.number, tables.snapshot.stick_tables, stick_tables)
        self.shelf.adopt(tables.number)
        self._context.tables = self.shelf.tables

    def _remake_rules(self) -> None:
        """The patterns that stand in an ACL's line changed for the first time: what was made of them only knows the line."""
        context = self._context
        self._remakes += 1
        context.rulebook = Rulebook.made(context.desk.tables, context.contents.store) or None

    def settle_pools(self) -> None:
        """Close idle connections to servers that take no traffic, are gone, or had their sessions shut down."""
        self._context.pools.settle()

    def farewell(self) -> None:
        """The soft stop is near: go on as before, but every answer closes its connection, so that clients go elsewhere."""
        self._context.stopping = True

    def soft_stop(self, done: Callable[[], None]) -> None:
        """Accept no more, close idle connections, answer what is under way with `Connection: close`; then call `done`."""
        self._part(done)
        self._close_idle()
        self._finish_soft_stop()

    def retire(self, done: Callable[[], None]) -> None:
        """As a soft stop, but others go on here: who is idle is told with its next answer, and closed only if it asks for none soon."""
        self._part(done)
        self._close_idle_at = now_ms() + _FAREWELL
        self._finish_soft_stop()

    def stay(self) -> None:
        """It is needed after all: go on as if nothing had been said. Where to accept is said anew."""
        self._context.stopping = self._context.closes_idle = False
        self._done, self._close_idle_at = None, 0

    def _part(self, done: Callable[[], None]) -> None:
        self._context.stopping = True
        self._done = done
        self.stop_listening()

    def _close_idle(self) -> None:
        self._close_idle_at = 0
        self._context.closes_idle = True
        for client in list(self._clients):
            client.close_idle()

    def _finish_soft_stop(self) -> None:
        if self._done is not None and not self._clients:
            done, self._done = self._done, None
            self._loop.call_soon(done)

    def close(self) -> None:
        """End everything at once: listeners, clients, pools, timers. The log is its owner's."""
        self.stop_listening()
        self._ticker.cancel()
        for client in list(self._clients):
            if client.exchange is not None:
                client.exchange.client_gone()
            client.cut()
        for pool in self._context.pools:
            pool.drop()
        self._context.tell_sent()

    # -- sessions ----------------------------------------------------------------------------------------------------

    def open_now(self) -> tuple[int, int, int]:
        """Clients that are connected, requests under way, connections to servers that are idle."""
        context = self._context
        cells, at, worker = context.cells, context.layout, context.worker
        idle = sum(cells[at.idle(worker, server)] for server in context.desk.tables.servers)
        return len(self._clients), sum(client.exchange is not None for client in self._clients), idle

    def faults(self) -> Iterator[dict[str, Any]]:
        """The last faulty message of each proxy, for `show errors`."""
        return self._context.faults.rows()

    def fault_count(self) -> int:
        """How many faulty messages there were."""
        return self._context.faults.total

    def sessions(self) -> Iterator[dict[str, Any]]:
        """One row per request under way, for `show sess`. What ends between two rows is left out."""
        for client in tuple(self._clients):
            exchange = client.exchange
            if exchange is not None:
                yield session_row(self._context, client, exchange, now_ms())

    def kill(self, wanted: str) -> bool:
        """End one request as an administrator does; False when there is none of that id."""
        for client in self._clients:
            exchange = client.exchange
            if exchange is not None and session_id(self._context.worker, exchange.number) == wanted:
                exchange.on_shutdown()
                return True
        return False

    def __repr__(self) -> str:
        busy = sum(client.phase is Phase.BUSY for client in self._clients)
        return f'<Traffic worker={self._context.worker} clients={len(self._clients)} busy={busy}>'
