"""A connection that has just been accepted, as rules see it: its addresses, and no request yet (`dataplane.rules.view`).

It has two pairs of ends: those of the connection (`fc_src`), which `tcp-request connection` rules may replace, and those of its session
(`src`), which begin as the same and which the client's PROXY header and `tcp-request session` rules may replace.
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Final

from dataplane.core.layout import NOBODY
from dataplane.rules.samples import Binary, parse_address
from dataplane.worker.bareview import BareView
from dataplane.worker.ends import Ends
from dataplane.worker.entryfacts import bind_name
from dataplane.worker.facts import figure_at
from dataplane.worker.transport import is_local

if TYPE_CHECKING:
    from collections.abc import Callable

    from dataplane.core.model import Bind, Frontend
    from dataplane.rules.samples import Address, Sample
    from dataplane.rules.steps import End
    from dataplane.rules.stores import Store
    from dataplane.rules.view import Fields
    from dataplane.stick import StickTable
    from dataplane.worker.context import Context
    from dataplane.worker.proxyheader import ProxyHeader
    from dataplane.worker.tracking import Tracking


class Arrival(BareView):
    """The view of one connection. `variables` are those of its session. `announced`: a PROXY header is to come before anything else;
    `moved`: its session, or itself, has other ends than its socket; `header` is what it was announced with; `dropped`: a rule has refused
    it without a word.
    """

    method: bytes = b''
    uri: bytes = b''
    version: bytes = b''
    request: Fields = ()
    body: bytes = b''
    body_size: int = 0
    status: int = 0
    response_version: bytes = b''
    response: Fields = ()
    response_body: bytes = b''

    def __init__(
        self, sock: socket.socket, context: Context, store: Store | None, index: int, frontend: Frontend, bind: Bind | None
    ) -> None:  # fmt: skip
        self.connection = self.session = ends_of(sock)
        self.moved = self.dropped = False
        self.last_rule = ''
        self.announced = bind is not None and bind.accept_proxy
        self.header: ProxyHeader | None = None
        self.variables: dict[str, Sample] = {}
        self.tracking: Tracking | None = None
        self.context, self.index, self.frontend, self.bind = context, index, frontend, bind
        self._store = store
        self._entered = False

    # -- its ends ----------------------------------------------------------------------------------------------------

    @property
    def src(self) -> Address | None:
        """Where its session comes from; so of the others."""
        return parse_address(self.session.source)

    @property
    def src_port(self) -> int:
        """The client's port."""
        return self.session.source_port

    @property
    def dst(self) -> Address | None:
        """The address the client connected to."""
        return parse_address(self.session.target)

    @property
    def dst_port(self) -> int:
        """The port the client connected to."""
        return self.session.target_port

    def move(self, end: End, value: Sample) -> None:
        """A rule puts another address or port in the place of one of its own: of the session, and before that begins of both."""
        self.session, self.moved = self.session.moved(end, value), True
        if not self._entered:
            self.connection = self.session

    def announce(self, header: ProxyHeader) -> None:
        """The client has said who it is."""
        self.header = header
        if header.ends is not None:
            self.session, self.moved = header.ends, True
        self.enter()

    def enter(self) -> None:
        """The session begins."""
        self._entered = True

    # -- the rest of a view ------------------------------------------------------------------------------------------

    def variable(self, scope: str, name: str) -> Sample | None:
        """A variable of the session or the process; there is no request that could have others."""
        if scope == 'proc':
            value: Sample | None = None if self._store is None else self._store.variable(name)
            return value
        return self.variables.get(name) if scope == 'sess' else None

    def set_variable(self, scope: str, name: str, value: Sample | None) -> None:
        """Give such a variable a value, or take it away."""
        allowance, store = self.context.allowance, self._store
        value = allowance.cut(value)
        if allowance.limited and store is not None and scope in ('sess', 'proc'):
            value = allowance.admit(scope, self.variable(scope, name), value, {}, self.variables, store)
        if scope == 'sess':
            if value is None:
                self.variables.pop(name, None)
            else:
                self.variables[name] = value
        elif scope == 'proc' and store is not None:
            store.set_variable(name, value)

    def fact(self, name: str) -> Sample | None:
        """What is known of a connection that has asked nothing yet."""
        known = _FACTS.get(name)
        return None if known is None else known(self)

    def tracked(self, number: int) -> tuple[StickTable, bytes] | None:
        """What a counter of the session tracks."""
        return None if self.tracking is None else self.tracking.get(number)

    def table(self, name: str) -> StickTable | None:
        """A stick table."""
        return self.context.tables.get(name)

    def figure(self, name: str, proxy: str, server: str) -> int | None:
        """A number about a proxy or server."""
        value = figure_at(self.context, name, proxy, server, (self.index, NOBODY, '', NOBODY))
        if value is not None and name == 'fe_conn' and proxy in ('', self.frontend.name):
            return value + 1  # the one at hand, which counts as open only when it is let in
        return value


def ends_of(sock: socket.socket) -> Ends:
    """Both addresses and ports; none of a unix socket, nor of a connection that is gone already."""
    try:
        peer, local = sock.getpeername(), sock.getsockname()
    except OSError:
        return Ends('', 0, '', 0)
    if not isinstance(peer, tuple) or not isinstance(local, tuple):
        return Ends('', 0, '', 0)
    return Ends(peer[0], peer[1], local[0], local[1])


def _facts() -> dict[str, Callable[[Arrival], Sample | None]]:
    """All of them by name."""
    return {
        'accept_us': lambda at: at.now_us,
        'act_conn': lambda at: at.context.figures.all_connections() + 1,
        'fc_src': lambda at: parse_address(at.connection.source),
        'fc_src_port': lambda at: at.connection.source_port or None,
        'fc_dst': lambda at: parse_address(at.connection.target),
        'fc_dst_port': lambda at: at.connection.target_port or None,
        'fc_rcvd_proxy': lambda at: at.header is not None,
        'fc_pp_tlvs': lambda at: None if at.header is None else Binary(at.header.tlvs),
        'fe_id': lambda at: at.frontend.id,
        'fe_name': lambda at: at.frontend.name.encode(),
        'fe_defbe': lambda at: (at.frontend.default_backend or '').encode(),
        'hostname': lambda _: socket.gethostname().encode(),
        'pid': lambda _: os.getpid(),
        'so_id': lambda at: None if at.bind is None else at.bind.id,
        'so_name': lambda at: None if at.bind is None else bind_name(at.bind, at.frontend),
        'src_is_local': lambda at: is_local(at.session.source),
        'dst_is_local': lambda at: is_local(at.session.target),
        'fc_src_is_local': lambda at: is_local(at.connection.source),
        'fc_dst_is_local': lambda at: is_local(at.connection.target),
        'stopping': lambda at: at.context.stopping,
        'thread': lambda at: at.context.worker,
    }


_FACTS: Final = _facts()
