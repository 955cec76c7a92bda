"""What the two halves of a request's way, and their owner, ask of each other. Types only: the halves are in client.py and
upstream.py, the owner in traffic.py.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from dataplane.core.model import Bind
    from dataplane.rules.samples import Sample
    from dataplane.worker.arrival import Arrival
    from dataplane.worker.client import Client
    from dataplane.worker.ends import Ends
    from dataplane.worker.tracking import Tracking
    from dataplane.worker.upstream import Upstream
    from dataplane.worker.wheel import Timer


class ServerUser(Protocol):
    """Who uses a connection to a server; called by that connection, one event at a time."""

    def on_connected(self) -> None:
        """The connection is established."""

    def on_connect_failed(self, error: int) -> None:
        """It could not be established; `error` is the errno. The connection is of no more use."""

    def on_server_data(self, data: bytes) -> None:
        """Bytes from the server."""

    def on_server_eof(self) -> bool:
        """The server will send no more. True: the connection stays open for what is still to be sent."""

    def on_server_lost(self) -> None:
        """The connection is gone."""

    def on_server_congested(self, *, congested: bool) -> None:
        """The server reads slower than it is sent to, or again fast enough."""


class ClientEnd(Protocol):
    """What an exchange asks of its client's connection."""

    address: str
    port: int
    local_address: str
    local_port: int
    requests: int
    patience: int | None
    """`timeout client` (ms), or what a rule says for this request."""
    idle_ms: int
    """How long it took until the first byte of the request came; -1: none has."""
    since: int
    """When the connection was accepted, or its last request ended (ms)."""
    listener: int
    """Index of the address it came in by, NOBODY where that is not counted for itself."""
    bind: Bind | None
    """That address; None where the file has it no more."""
    ends: Ends | None
    """The connection's own ends, where those of its session are others (`address` and its kind)."""
    tlvs: bytes | None
    """What its PROXY header said besides; None where it had none."""
    server_timer: Timer
    own: Upstream | None
    variables: dict[str, Sample] | None
    """Those of the session (`sess`), which stay from request to request; None until there are rules that could know of any."""
    tracking: Tracking | None
    """What `tcp-request connection` and `session` rules track, as long as the connection is there."""

    def write(self, data: bytes) -> None:
        """Send bytes; `is_congested` tells when it is time to stop."""

    def write_eof(self) -> None:
        """Send no more."""

    def is_congested(self) -> bool:
        """Is more waiting to be sent than should be?"""

    def hold_body(self, *, held: bool) -> None:
        """Stop, or go on, reading the request's body (or a tunnel's bytes)."""

    def renew(self) -> None:
        """The client may be silent anew: it was sent to."""

    def has_more(self) -> bool:
        """Has the client sent bytes beyond this request?"""

    def take_more(self) -> bytes:
        """Those bytes; they are no request."""

    def exchange_done(self, *, keep: bool) -> None:
        """The exchange is over: go on with the next request, or close once everything is sent."""

    def tcp_info(self, name: str) -> int | None:
        """What the system knows of the connection (`transport.tcp_info`)."""

    def set_tos(self, value: int) -> None:
        """The type of service of the packets that are sent."""

    def vanish(self) -> None:
        """Let the end of the connection, which follows, not be told to the client."""

    def cut(self) -> None:
        """End the connection at once: its answer cannot be completed."""


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
