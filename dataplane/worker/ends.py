"""Both ends of a client's connection: of itself, of its session, or of one of its requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

from dataplane.rules.samples import address_text
from dataplane.rules.steps import End

if TYPE_CHECKING:
    from dataplane.rules.samples import Address, Sample


class Ends(NamedTuple):
    """Where a connection comes from and what it was made to: addresses in text, '' over a unix socket, and ports."""

    source: str
    source_port: int
    target: str
    target_port: int

    def moved(self, end: End, value: Sample) -> Ends:
        """The same with another address or port in place of one of them."""
        if end is End.SRC:
            return self._replace(source=address_text(cast('Address', value)).decode())
        if end is End.DST:
            return self._replace(target=address_text(cast('Address', value)).decode())
        port = cast('int', value)
        return self._replace(source_port=port) if end is End.SRC_PORT else self._replace(target_port=port)
