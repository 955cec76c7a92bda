"""What was set on the stats socket and is not what the control plane pushed, for those who look at the control plane.

Nothing is decided by it: the two wishes for a state are kept side by side (`dataplane.core.admin`), and a weight, a limit or
an address set here lives on until the pushed one changes (`ServerRecord.redeclared`, `Sources`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dataplane.core.limit import declared
from dataplane.core.model import AdminState, Origin
from dataplane.core.record import ServerRecord


def settings(record: ServerRecord, pushed: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(setting, value) in the words of `set server`, for each that differs from `pushed`, the server as it was pushed."""
    state = record.wished(Origin.CLI)
    if state is not AdminState.READY:
        yield 'state', state.value
    if record.uweight != pushed['weight']:
        yield 'weight', str(record.uweight)
    if record.maxconn != declared(pushed['maxConn'], pushed['minConn'])[0]:
        yield 'maxconn', str(record.maxconn)
    address = record.server.host, record.server.port
    if address != (pushed['address'], pushed['port']):
        yield 'addr', f'{address[0]} port {address[1]}'
