"""HAProxy's lines about names: a server has another address, has none, has one again, or is of another SRV record.

Lines are made of what was told last of a server and what it is now, like those of `supervisor.statelog`, which has these told
before its own. An address that a person gave it was told to that person.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from dataplane.core.admin import Admin
from dataplane.core.ledger import ServerRecord
from dataplane.core.lookup import is_address
from dataplane.core.model import AdminState
from dataplane.core.naming import ADDITIONAL, BY_HAND
from dataplane.core.state import OpState

_NOBODY: Final = ('', BY_HAND)


class Named(NamedTuple):
    """A server's address and host name, '' for none, by whom they were said, whether it has none of the first, and is in forced maintenance."""

    host: str = ''
    fqdn: str = ''
    said: str = ''
    lacks: bool = False
    forced: bool = False


def named(record: ServerRecord) -> Named:
    """What there is to be told of it."""
    lookup, host = record.server.lookup, record.server.host
    if lookup is None:
        return Named()
    lacks, forced = bool(record.admin & Admin.RMAINT), bool(record.admin & Admin.FMAINT)
    return Named(host if is_address(host) else '', lookup.fqdn, lookup.said, lacks, forced)


def cause(record: ServerRecord) -> str:
    """Why it is going into maintenance, behind the line that says so."""
    return f' ({record.server.lookup.said})' if record.server.lookup is not None and record.admin & Admin.RMAINT else ''


def changed(record: ServerRecord, before: Named) -> Iterator[str]:
    """Where it is now, and what it is now. All of these are notices."""
    now, name = named(record), f'{record.backend}/{record.name}'
    if now.host and now.host != before.host and now.said not in _NOBODY:
        yield f'{name} changed its IP from {before.host or "(none)"} to {now.host} by {now.said}.'
    lookup = record.server.lookup
    if lookup is not None and lookup.is_service and now.fqdn and now.fqdn != before.fqdn:
        yield f"{name} changed its FQDN from {before.fqdn or '(null)'} to {now.fqdn} by 'SRV record'"


def resolved(record: ServerRecord, before: Named) -> Iterator[str]:
    """It has an address again; or it has none, but nothing else keeps it in maintenance any more."""
    now, lookup = named(record), record.server.lookup
    name, backup = f'Server {record.backend}/{record.name}', 'Backup ' if record.server.backup else ''
    if now.lacks and before.lacks and before.forced and not now.forced:
        yield f'{backup}{name} is leaving forced maintenance but remains in maintenance.'
    if lookup is None or now.lacks or not before.lacks:
        return
    shown = f"{backup}{name} ('{lookup.host}')"
    if record.effective is AdminState.MAINT:
        yield f'{shown} resolves again but remains in maintenance.'
    else:
        state = 'DOWN' if record.opstate is OpState.STOPPED else 'UP'
        wish = 'DRAIN' if record.effective is AdminState.DRAIN else 'READY'
        yield f'{shown} is {state}/{wish} (resolves again).'
    if now.said not in (*_NOBODY, ADDITIONAL):
        yield f'{name} administratively READY thanks to valid DNS answer.'
