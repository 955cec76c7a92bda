"""Where a request comes from and what it was made to: its connection's addresses, or those that rules have put in their place.

What is seen like this - by expressions, in forwarded fields, in `balance source`, in the log - is one thing; the connection stays what
it is, and its next request begins with its own addresses again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from dataplane.rules.samples import address_text, parse_address
from dataplane.rules.steps import End
from dataplane.worker.bareview import BareView

if TYPE_CHECKING:
    from dataplane.rules.samples import Address, Sample
    from dataplane.worker.halves import ClientEnd


class Places(BareView):
    """Both ends of a request's way to this proxy."""

    __slots__ = ('_client', '_moved')

    def __init__(self, client: ClientEnd) -> None:
        self._client = client
        self._moved: dict[End, Sample] | None = None

    @property
    def src(self) -> Address | None:
        """The client's address, or the one a rule has put in its place; so of the others."""
        return parse_address(self.source())

    @property
    def src_port(self) -> int:
        """The client's port."""
        return self._port(End.SRC_PORT, self._client.port)

    @property
    def dst(self) -> Address | None:
        """The address the client connected to."""
        return parse_address(self.destination())

    @property
    def dst_port(self) -> int:
        """The port the client connected to."""
        return self._port(End.DST_PORT, self._client.local_port)

    def source(self) -> str:
        """The client's address in text."""
        return self._client.address if self._moved is None else self._address(End.SRC, self._client.address)

    def destination(self) -> str:
        """The address the client connected to, in text."""
        return self._client.local_address if self._moved is None else self._address(End.DST, self._client.local_address)

    def _address(self, end: End, own: str) -> str:
        moved = None if self._moved is None else self._moved.get(end)
        return own if moved is None else address_text(cast('Address', moved)).decode()

    def _port(self, end: End, own: int) -> int:
        moved = None if self._moved is None else self._moved.get(end)
        return moved if isinstance(moved, int) else own

    def move(self, end: End, value: Sample) -> None:
        """From here on the request comes from, or was made to, another address or port."""
        if self._moved is None:
            self._moved = {}
        self._moved[end] = value

    def client_info(self, name: str) -> int | None:
        """What the system knows of the client's connection (transport.py)."""
        return self._client.tcp_info(name)

    def own_address(self, *, peer: bool) -> str:
        """The connection's own address in text."""
        ends = self._client.ends
        if ends is not None:
            return ends.source if peer else ends.target
        return self._client.address if peer else self._client.local_address

    def own_end(self, *, peer: bool) -> Address | None:
        """The connection's own address, the client's (`peer`) or the one it connected to."""
        return parse_address(self.own_address(peer=peer))

    def own_port(self, *, peer: bool) -> int:
        """Its port."""
        ends = self._client.ends
        if ends is not None:
            return ends.source_port if peer else ends.target_port
        return self._client.port if peer else self._client.local_port
