"""What expressions may ask of a request before it has a server: its head and its client's address (`dataplane.rules.view`).

There is no body yet, no response and no proxy's figures; who lets an expression stand here has made sure that it asks for none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataplane.rules.samples import parse_address
from dataplane.worker.bareview import BareView
from dataplane.worker.rewriting import fields_of

if TYPE_CHECKING:
    from dataplane.rules.samples import Address
    from dataplane.rules.view import Fields
    from dataplane.worker.head import RequestHead


class RequestView(BareView):
    """The view of one request."""

    body: bytes = b''
    body_size: int = 0
    src_port: int = 0
    dst: Address | None = None
    dst_port: int = 0
    status: int = 0
    response_version: bytes = b''
    response_body: bytes = b''
    response: Fields = ()

    def __init__(self, head: RequestHead, address: str) -> None:
        self._head = head
        self.method = head.method
        self.uri = head.target
        self.version = b'1.%d' % head.version
        self.src = parse_address(address)

    @property
    def request(self) -> Fields:
        """The request's header fields."""
        return fields_of(self._head)

    @property
    def now_us(self) -> int:
        """It is always the same moment: what is asked is only ever the same of the same request."""
        return 0

    def random(self) -> int:
        """Nothing here is left to chance."""
        return 0
