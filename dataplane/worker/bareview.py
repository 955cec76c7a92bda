"""What every view has (`dataplane.rules.view`) - the clock and chance - and what one has where there is nothing to tell.

Views say themselves what there is of a request, of its response and of a connection.
"""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from dataplane.rules.samples import Sample
    from dataplane.rules.tables import Table, Tracked

_RANDOM: Final = random.SystemRandom()


class BareView:
    """Knows of no variables, captures, facts, tables and figures, and keeps none."""

    __slots__ = ()

    @property
    def now_us(self) -> int:
        """The wall clock."""
        return time.time_ns() // 1_000

    def random(self) -> int:
        """32 random bits."""
        return _RANDOM.getrandbits(32)

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
