"""The worker processes, as the commands of the stats socket see them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from dataplane.supervisor.questions import Answers


class Workers(Protocol):
    """What may be asked of them."""

    @property
    def pids(self) -> Mapping[int, int]:
        """Process ids by number."""

    async def ask(self, what: str, **fields: Any) -> Answers:
        """Put a question to all of them."""

    async def sessions(self) -> Answers:
        """Their streams, one row each."""

    async def kill_session(self, session_id: str, /) -> tuple[bool, tuple[int, ...]]:
        """End one stream. Whether somebody had it, and who did not answer."""
