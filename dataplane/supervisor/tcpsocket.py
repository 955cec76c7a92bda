"""A TCP socket that is bound to where a line of the configuration says: whoever listens has it from here."""

from __future__ import annotations

import socket
from typing import Final

_IPV6_TRANSPARENT: Final = 75
"""linux/in6.h; the module `socket` has no name for it."""
_OPTIONS: Final = {
    socket.AF_INET: (socket.IPPROTO_IP, socket.IP_TRANSPARENT),
    socket.AF_INET6: (socket.IPPROTO_IPV6, _IPV6_TRANSPARENT),
}


def bound(
    host: str,
    port: int,
    *,
    v6only: bool = False,
    shared: bool = False,
    interface: str = '',
    transparent: bool = False,
) -> socket.socket:
    """A socket that does not listen yet. `host` is an address, or '' or '*' for every one of IPv4; OSError says what could not be had.

    `shared`: others of one SO_REUSEPORT group are bound there, too. `interface`: only what arrives there is heard (ip(7),
    SO_BINDTODEVICE). `transparent`: the address need not be one of this machine (IP_TRANSPARENT, which needs CAP_NET_ADMIN).
    """
    flags = socket.AI_PASSIVE | socket.AI_NUMERICHOST
    known = socket.getaddrinfo(host if host not in {'', '*'} else '0.0.0.0', port, type=socket.SOCK_STREAM, flags=flags)
    family, _, _, _, address = known[0]  # of an address with a zone, too
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(v6only))
        if interface:
            _have(sock, f"interface '{interface}'", socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
        if transparent:
            _have(sock, "'transparent'", *_OPTIONS[family], 1)
        sock.bind(address)
    except OSError:
        sock.close()
        raise
    return sock


def _have(sock: socket.socket, what: str, level: int, option: int, value: int | bytes) -> None:
    try:
        sock.setsockopt(level, option, value)
    except OSError as error:
        raise OSError(error.errno, f'{what}: {error.strerror}') from error
