"""Reserves TCP ports on loopback so that test processes running side by side never pick the same one."""

from __future__ import annotations

import socket
from types import TracebackType


class Ports:
    """Ports that stay reserved until `close`.

    Each is held by a socket that is bound but does not listen. The kernel then hands the port to nobody who asks for any
    free port, while a server that sets SO_REUSEADDR or SO_REUSEPORT (as every server started here does) may listen on it.
    """

    def __init__(self) -> None:
        self._held: list[socket.socket] = []

    def take(self) -> int:
        """Reserve one more port and return it."""
        holder = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._held.append(holder)
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind(('127.0.0.1', 0))
        port: int = holder.getsockname()[1]
        return port

    def close(self) -> None:
        """Give all of them back."""
        while self._held:
            self._held.pop().close()

    def __enter__(self) -> Ports:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
