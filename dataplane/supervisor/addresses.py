"""How the address of a server is shown: in `show stat` and in `show servers`."""

from __future__ import annotations

from dataplane.core.model import Server
from dataplane.wire.unixhost import is_unix


def address(server: Server) -> str:
    """Address and port, as `show stat` writes them."""
    if is_unix(server.host):
        return 'unix'
    return f'[{server.host}]:{server.port}' if ':' in server.host else f'{server.host}:{server.port}'


def host(server: Server) -> str:
    """The address alone; a unix socket's has no room in a line of fields."""
    return '-' if is_unix(server.host) else server.host
