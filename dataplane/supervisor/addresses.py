"""How the address of a server is shown: in `show stat` and in `show servers`."""

from __future__ import annotations

from dataplane.core.model import Server
from dataplane.core.naming import lacks_address
from dataplane.wire.unixhost import is_unix


def address(server: Server) -> str:
    """Address and port, as `show stat` writes them; '' while its name has none."""
    if lacks_address(server):
        return ''
    if is_unix(server.host):
        return 'unix'
    return f'[{server.host}]:{server.port}' if ':' in server.host else f'{server.host}:{server.port}'


def host(server: Server) -> str:
    """The address alone; a unix socket's has no room in a line of fields, and a name without one has none."""
    return '-' if is_unix(server.host) or lacks_address(server) else server.host


def asked(server: Server) -> tuple[str, str]:
    """For `show servers state`: the host name and the SRV record that nameservers are asked for, '-' for none."""
    lookup = server.lookup
    if lookup is None:
        return '-', '-'
    return lookup.host or '-', lookup.name if lookup.is_service else '-'
