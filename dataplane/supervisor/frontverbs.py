"""What the commands about frontends do: `disable|enable|shutdown frontend`, `set maxconn frontend`, `set rate-limit`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from dataplane.cli import arguments
from dataplane.cli.session import Answer, Complaint
from dataplane.core.changes import Change, SetFrontendMaxconn, SetRateLimit
from dataplane.core.layout import Rate
from dataplane.core.model import Frontend
from dataplane.supervisor.figures import Figures

_Words = tuple[str, ...]


class Doors(Protocol):
    """Who opens and closes frontends. Each raises Complaint when that cannot be."""

    async def disable(self, frontend: Frontend) -> None:
        """Accept no more for now."""

    async def enable(self, frontend: Frontend) -> None:
        """Accept again."""

    async def shutdown(self, frontend: Frontend) -> None:
        """Accept no more, for good."""


class FrontVerbs:
    """The methods of these commands; whoever has them knows the tables and submits changes."""

    _doors: Doors
    _figures: Figures
    _submit: Callable[[Change], Awaitable[Answer]]

    def _frontend(self, words: _Words) -> Frontend:
        """The frontend that the first word names, by its name or `#id`."""
        name = words[0] if words else ''
        if not name:
            raise Complaint('A frontend name is expected.')
        tables = self._figures.tables
        frontends, index = tables.frontends, tables.frontend_of(name)
        if index is None:
            index = next((index for index, frontend in frontends.items() if f'#{frontend.id}' == name), None)
        if index is None:
            raise Complaint('No such frontend.')
        return frontends[index]

    async def _disable_frontend(self, words: _Words, _session: object, _patience: object) -> Answer:
        await self._doors.disable(self._frontend(words))
        return Answer()

    async def _enable_frontend(self, words: _Words, _session: object, _patience: object) -> Answer:
        await self._doors.enable(self._frontend(words))
        return Answer()

    async def _shutdown_frontend(self, words: _Words, _session: object, _patience: object) -> Answer:
        await self._doors.shutdown(self._frontend(words))
        return Answer()

    async def _set_maxconn_frontend(self, words: _Words, _session: object, _patience: object) -> Answer:
        frontend = self._frontend(words)
        limit = arguments.frontend_maxconn(words[1] if len(words) > 1 else '')
        return await self._submit(SetFrontendMaxconn(frontend.name, limit))

    async def _set_rate_limit(self, words: _Words, _session: object, _patience: object) -> Answer:
        setting, limit = arguments.rate_limit(words)
        return await self._submit(SetRateLimit(Rate[setting.upper().replace('-', '_')], limit))
