"""What the two halves of a request's way ask of each other: the one towards its client (client.py), and the request itself, which
uses a connection to a server (upstream.py, exchange.py).

Classes to inherit from rather than protocols: compiled code finds a member of a class by its place in it, and one of a protocol by its
name, for 200 to 300 instructions more. A request makes 20 such calls: 4,500 of its 72,000 instructions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataplane.core.stream import Stream
from dataplane.worker.outbox import Sender

if TYPE_CHECKING:
    from dataplane.core.model import Bind
    from dataplane.rules.samples import Sample
    from dataplane.worker.ends import Ends
    from dataplane.worker.tracking import Tracking
    from dataplane.worker.upstream import Upstream
    from dataplane.worker.wheel import Timer


class ServerUser(Stream):
    """Who uses a connection to a server; called by that connection, one event at a time."""

    __slots__ = ()

    def on_connected(self) -> None:
        """The connection is established."""
        raise NotImplementedError

    def on_connect_failed(self, error: int) -> None:
        """It could not be established; `error` is the errno. The connection is of no more use."""
        raise NotImplementedError

    def on_server_data(self, data: bytes) -> None:
        """Bytes from the server."""
        raise NotImplementedError

    def on_server_eof(self) -> bool:
        """The server will send no more. True: the connection stays open for what is still to be sent."""
        raise NotImplementedError

    def on_server_lost(self) -> None:
        """The connection is gone."""
        raise NotImplementedError

    def on_server_congested(self, *, congested: bool) -> None:
        """The server reads slower than it is sent to, or again fast enough."""
        raise NotImplementedError


class ClientEnd(Sender):
    """What an exchange asks of its client's connection.

    `patience`: `timeout client` (ms), or what a rule says for this request. `idle_ms`: how long it took until the first byte of the
    request came; -1: none has. `since`: when the connection was accepted, or its last request ended (ms). `listener`: index of the address
    it came in by, NOBODY where that is not counted for itself, and `bind` that address; None where the file has it no more. `ends`:
    the connection's own ends, where those of its session are others (`address` and its kind). `tlvs`: what its PROXY header said
    besides; None where it had none. `variables`: those of the session (`sess`), which stay from request to request; None until there are
    rules that could know of any. `tracking`: what `tcp-request connection` and `session` rules track, as long as the connection is there.
    """

    __slots__ = (
        'address', 'bind', 'ends', 'idle_ms', 'listener', 'local_address', 'local_port', 'own', 'patience', 'port', 'requests',
        'server_timer', 'since', 'tlvs', 'tracking', 'variables',
    )  # fmt: skip

    address: str
    port: int
    local_address: str
    local_port: int
    requests: int
    patience: int | None
    idle_ms: int
    since: int
    listener: int
    bind: Bind | None
    ends: Ends | None
    tlvs: bytes | None
    server_timer: Timer
    own: Upstream | None
    variables: dict[str, Sample] | None
    tracking: Tracking | None

    def write(self, data: bytes) -> None:
        """Send bytes; `is_congested` tells when it is time to stop."""
        raise NotImplementedError

    def write_eof(self) -> None:
        """Send no more."""
        raise NotImplementedError

    def is_congested(self) -> bool:
        """Is more waiting to be sent than should be?"""
        raise NotImplementedError

    def hold_body(self, *, held: bool) -> None:
        """Stop, or go on, reading the request's body (or a tunnel's bytes)."""
        raise NotImplementedError

    def renew(self) -> None:
        """The client may be silent anew: it was sent to."""
        raise NotImplementedError

    def has_more(self) -> bool:
        """Has the client sent bytes beyond this request?"""
        raise NotImplementedError

    def take_more(self) -> bytes:
        """Those bytes; they are no request."""
        raise NotImplementedError

    def exchange_done(self, *, keep: bool) -> None:
        """The exchange is over: go on with the next request, or close once everything is sent."""
        raise NotImplementedError

    def tcp_info(self, name: str) -> int | None:
        """What the system knows of the connection (`transport.tcp_info`)."""
        raise NotImplementedError

    def set_tos(self, value: int) -> None:
        """The type of service of the packets that are sent."""
        raise NotImplementedError

    def vanish(self) -> None:
        """Let the end of the connection, which follows, not be told to the client."""
        raise NotImplementedError

    def cut(self) -> None:
        """End the connection at once: its answer cannot be completed."""
        raise NotImplementedError
