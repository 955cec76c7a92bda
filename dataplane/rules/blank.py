"""Rules: the view of an expression that no message and no connection is there for: it says nothing of either (`view.View`).

Who evaluates such expressions adds the clock, chance, and what there is to be known. Workers have a base of their own
(`worker.bareview`): theirs are compiled, and what is compiled has no base that is not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataplane.rules.samples import Address, Sample
    from dataplane.rules.tables import Table, Tracked
    from dataplane.rules.view import Fields


class Blank:
    """Nothing of everything; variables are neither there nor kept."""

    method: bytes = b''
    uri: bytes = b''
    version: bytes = b''
    request: Fields = ()
    body: bytes = b''
    body_size: int = 0
    src: Address | None = None
    src_port: int = 0
    dst: Address | None = None
    dst_port: int = 0
    status: int = 0
    response_version: bytes = b''
    response: Fields = ()
    response_body: bytes = b''

    def variable(self, scope: str, name: str) -> Sample | None:
        """There are no variables."""
        return None

    def set_variable(self, scope: str, name: str, value: Sample | None) -> None:
        """Nothing follows that could read it."""

    def captured(self, where: str, slot: int) -> bytes | None:
        """Nothing was captured."""
        return None

    def capture(self, where: str, slot: int, value: bytes) -> None:
        """Nothing follows that could read it."""

    def fact(self, name: str) -> Sample | None:
        """No facts."""
        return None

    def tracked(self, number: int) -> Tracked | None:
        """Nothing is tracked."""
        return None

    def table(self, name: str) -> Table | None:
        """No tables."""
        return None

    def figure(self, name: str, proxy: str, server: str) -> int | None:
        """No figures."""
        return None
