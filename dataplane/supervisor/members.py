"""What those who share something with all workers are told of them: who comes, who says what, who dies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from dataplane.core.tables import Tables
from dataplane.wire.framing import Message


class Barrier(Protocol):
    """The publisher, as workers see it."""

    async def join(self, worker: int, welcome: Callable[[Tables, int], bool]) -> None:
        """Make a worker a member."""

    def left(self, worker: int) -> None:
        """It died."""

    def heard(self, worker: int, message: Message) -> bool:
        """It answered."""


class Contents(Protocol):
    """What changes in maps, ACLs and variables, as workers see it."""

    def join(self, worker: int) -> None:
        """Tell a new worker what is not in the files."""

    def left(self, worker: int) -> None:
        """It died."""

    def heard(self, worker: int, message: Message) -> bool:
        """It said something. Was it about this?"""

    async def settled(self, worker: int | None = None) -> tuple[int, ...]:
        """Return when it, or everybody, knows all."""
