"""Whether a connection comes in: the rules for connections and for sessions, before anything was asked on it."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from dataplane.core.counters import C
from dataplane.core.layout import NOBODY
from dataplane.worker.arrival import Arrival, ends_of
from dataplane.worker.clock import now_ms
from dataplane.worker.connection import hide_end
from dataplane.worker.tracking import SESSION
from dataplane.worker.verdicts import Then

if TYPE_CHECKING:
    from dataplane.core.model import Bind, Frontend
    from dataplane.worker.client import Client
    from dataplane.worker.context import Context
    from dataplane.worker.ends import Ends
    from dataplane.worker.rulebook import ProxyRules, RuleList


class Doorstep:
    """A listening address as its connections come by it; `counted` is its index, NOBODY where it is not counted for itself."""

    __slots__ = ('_address', '_bind', '_frontend', 'counted')

    def __init__(self, address: str, counted: int) -> None:
        self.counted = counted
        self._address = address
        self._frontend: Frontend | None = None
        self._bind: Bind | None = None

    def bind_of(self, frontend: Frontend) -> Bind | None:
        """Its line in the frontend as the tables in force have it; None where that is gone."""
        if frontend is not self._frontend:
            self._frontend = frontend
            self._bind = next((bind for bind in frontend.binds if bind.address == self._address), None)
        return self._bind


class Doorway:
    """One per worker."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def arrival(self, sock: socket.socket, index: int, frontend: Frontend, bind: Bind | None) -> Arrival | None:
        """A connection as its rules see it; None where no rules would look at it, and it has no header either."""
        rules = self._rules(index)
        ruled = rules is not None and (rules.connection or rules.session)
        if not ruled and (bind is None or not bind.accept_proxy):
            return None
        rulebook = self._context.rulebook
        return Arrival(sock, self._context, None if rulebook is None else rulebook.store, index, frontend, bind)

    def lets_in(self, arrival: Arrival, sock: socket.socket, listener: int) -> bool:
        """Do the rules let a connection in? Otherwise it is closed and only counted. Those for its session wait until it is announced."""
        rules = self._rules(arrival.index)
        if rules is None:
            return True
        refused = None if self._passes(rules.connection, arrival) else C.DCON
        if refused is None and not arrival.announced:
            arrival.enter()
            refused = None if self._passes(rules.session, arrival) else C.DSES
        if refused is None:
            if arrival.tracking is not None and not arrival.announced:
                arrival.tracking.count(*SESSION)
            return True
        self._context.figures.refused(arrival.index, now_ms())
        self._refused(refused, arrival.index, listener)
        if arrival.dropped:
            hide_end(sock)
        sock.close()
        self._context.allowance.give_back(arrival.variables.values())
        if arrival.tracking is not None:
            arrival.tracking.release()
        return False

    def admits(self, client: Client, arrival: Arrival) -> bool:
        """The same of the session of a client that has been announced: its connection has been let in, and counts as open."""
        rules = self._rules(arrival.index)
        passes = rules is None or self._passes(rules.session, arrival)
        client.tracking = arrival.tracking
        if not passes:
            self._refused(C.DSES, arrival.index, client.listener)
            if arrival.dropped:
                client.vanish()
            client.cut()
            return False
        if arrival.tracking is not None:
            arrival.tracking.count(*SESSION)
        frontend = arrival.frontend
        if frontend.log_targets and not frontend.httplog:
            self._context.log.write(frontend.log_targets, _connected(arrival.session, frontend.name))
        return True

    def _rules(self, index: int) -> ProxyRules | None:
        rulebook = self._context.rulebook
        return None if rulebook is None else rulebook.frontends.get(index)

    def _passes(self, rules: RuleList, arrival: Arrival) -> bool:
        verdict = rules.run(arrival)
        if verdict is None:
            return True
        arrival.dropped = verdict.then is Then.DROP
        return False

    def _refused(self, counter: C, index: int, listener: int) -> None:
        figures = self._context.figures
        figures.add(counter, figures.frontend(index))
        if listener != NOBODY:
            figures.add(counter, figures.listener(listener))


def connect_line(sock: socket.socket, arrival: Arrival | None, name: str) -> str:
    """What HAProxy logs of a connection when no format is set."""
    return _connected(ends_of(sock) if arrival is None else arrival.session, name)


def _connected(ends: Ends, name: str) -> str:
    if not ends.source:
        return f'Connect from unix:1 to unix:1 ({name}/HTTP)'
    return f'Connect from {ends.source}:{ends.source_port} to {ends.target}:{ends.target_port} ({name}/HTTP)'
