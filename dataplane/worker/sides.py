"""What a client's connection and its owner ask of each other. Types only: the connection is in client.py, its owner in traffic.py."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from dataplane.worker.arrival import Arrival
    from dataplane.worker.client import Client


class Checked(Protocol):
    """A client's connection as its owner sees it while it is not read."""

    listener: int

    def check(self) -> None:
        """Has it gone meanwhile? Then its exchange ends."""

    def close_idle(self) -> None:
        """A soft stop: close it if it waits for a next request."""


class Owner(Protocol):
    """Who made a client's connection and hears of its end."""

    def parted(self, client: Checked, frontend: int) -> None:
        """The connection is gone."""

    def admits(self, client: Client, arrival: Arrival) -> bool:
        """May a client go on that has said by its PROXY header who it is? Otherwise it is gone."""

    def deaf(self, client: Checked) -> None:
        """The connection is not read for now, so nothing would tell that its client goes away."""

    def is_gone(self, sock: socket.socket, *, half: bool) -> bool:
        """Has the peer of a connection that is not read reset it, or (`half`) closed at least its own direction?"""
