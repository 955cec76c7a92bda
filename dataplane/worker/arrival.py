"""A connection that has just been accepted, as rules see it: its addresses, and no request yet (`dataplane.rules.view`)."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from dataplane.rules.samples import parse_address
from dataplane.worker.bareview import BareView

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dataplane.rules.samples import Address, Sample
    from dataplane.rules.stores import Store
    from dataplane.rules.view import Fields
    from dataplane.stick import StickTable
    from dataplane.worker.allowance import Allowance
    from dataplane.worker.tracking import Tracking


class Arrival(BareView):
    """The view of one connection. `variables` are those of its session, `store` has those of the process."""

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
        self, sock: socket.socket, tables: Mapping[str, StickTable], store: Store, allowance: Allowance
    ) -> None:
        peer, local = _named(sock, peer=True), _named(sock, peer=False)
        self.src: Address | None = parse_address(peer[0])
        self.src_port = peer[1]
        self.dst: Address | None = parse_address(local[0])
        self.dst_port = local[1]
        self.variables: dict[str, Sample] = {}
        self.tracking: Tracking | None = None
        self._tables = tables
        self._store = store
        self._allowance = allowance

    def variable(self, scope: str, name: str) -> Sample | None:
        """A variable of the session or the process; there is no request that could have others."""
        if scope == 'proc':
            value: Sample | None = self._store.variable(name)
            return value
        return self.variables.get(name) if scope == 'sess' else None

    def set_variable(self, scope: str, name: str, value: Sample | None) -> None:
        """Give such a variable a value, or take it away."""
        if self._allowance.limited and scope in ('sess', 'proc'):
            before = self.variable(scope, name)
            value = self._allowance.admit(scope, before, value, {}, self.variables, self._store)
        if scope == 'sess':
            if value is None:
                self.variables.pop(name, None)
            else:
                self.variables[name] = value
        elif scope == 'proc':
            self._store.set_variable(name, value)

    def tracked(self, number: int) -> tuple[StickTable, bytes] | None:
        """What a counter of the session tracks."""
        return None if self.tracking is None else self.tracking.get(number)

    def table(self, name: str) -> StickTable | None:
        """A stick table."""
        return self._tables.get(name)


def _named(sock: socket.socket, *, peer: bool) -> tuple[str, int]:
    """Address and port; none of a unix socket, nor of a connection that is gone already."""
    try:
        name = sock.getpeername() if peer else sock.getsockname()
    except OSError:
        return '', 0
    return (name[0], name[1]) if isinstance(name, tuple) else ('', 0)
