"""Where a connection that is about to be made comes from: an address of this machine, a port, an interface (manual 5.2, `source`)."""

from __future__ import annotations

import socket
from typing import Final

_ADDRESS_NO_PORT: Final = 24  # linux/in.h; Python has no name for it before 3.12


def bind_to(sock: socket.socket, host: str, port: int, interface: str) -> None:
    """Bind a socket that is not connected yet; '' and 0 leave it to the system. Raises OSError.

    Without a port of its own the address is bound without one, so that the system may use a port for several targets.
    """
    if interface:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
    if not host and not port:
        return
    if port:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, _ADDRESS_NO_PORT, 1)
    sock.bind((host or ('::' if sock.family == socket.AF_INET6 else ''), port))
