"""`disable|enable|shutdown frontend`: whether the addresses of a frontend are listened on, apart from what the file says.

    OPEN -> PAUSED (disable) -> OPEN (enable)        OPEN, PAUSED -> STOP (shutdown) -> OPEN (the next reload)

A frontend that is paused accepts no more: who waits in its sockets is let in, then they are closed, and new connections are
refused. What runs on it goes on. HAProxy keeps a paused address to itself; here another process may take it meanwhile, and then
`enable` says that it cannot. A reload keeps what is paused, as it keeps what was set of servers, and opens what was shut down.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from dataplane.cli.session import Complaint
from dataplane.core.model import Frontend
from dataplane.supervisor.listeners import CannotListen, Listener, Listeners

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dataplane.core.tables import Tables

Say = Callable[[str, str], None]


class Door(StrEnum):
    """The state of a frontend, in the words of `show stat`."""

    OPEN = 'OPEN'
    PAUSED = 'PAUSED'
    STOP = 'STOP'


class Accepting(Protocol):
    """The worker processes."""

    def listen(self, listeners: Sequence[Listener]) -> None:
        """Have all accept on these."""

    async def unlisten(self, listeners: Sequence[Listener]) -> None:
        """Have all accept what waits in these, and then no more."""


class FrontDoors:
    """One per data plane. `changing` gives the turn to change listeners, which reloads take, too, and raises Complaint once there
    is none any more; `tables` gives the tables in force; `log(level, text)` is told what was done, and why it could not be.
    """

    def __init__(
        self,
        listeners: Listeners,
        workers: Accepting,
        changing: Callable[[], AbstractAsyncContextManager[None]],
        tables: Callable[[], Tables],
        log: Say,
    ) -> None:
        self._listeners, self._workers, self._changing, self._log = listeners, workers, changing, log
        self._tables = tables
        self._stopped = listeners.stopped

    def __repr__(self) -> str:
        return f'<FrontDoors paused={sorted(self._listeners.closed - self._stopped)} stopped={sorted(self._stopped)}>'

    def state(self, frontend: Frontend) -> Door:
        """What is to be said of a frontend."""
        if frontend.disabled or frontend.name in self._stopped:
            return Door.STOP
        return Door.PAUSED if frontend.name in self._listeners.closed else Door.OPEN

    async def disable(self, frontend: Frontend) -> None:
        """Accept no more for now. Raises Complaint."""
        match self.state(frontend):
            case Door.STOP:
                raise Complaint('Frontend was previously shut down, cannot disable.')
            case Door.PAUSED:
                raise Complaint('All sockets are already disabled.')
        await self._close(frontend.name)
        self._log('notice', f'Paused frontend {frontend.name}.')

    async def shutdown(self, frontend: Frontend) -> None:
        """Accept no more, for good. Raises Complaint."""
        if self.state(frontend) is Door.STOP:
            raise Complaint('Frontend was already shut down.')
        self._stopped.add(frontend.name)
        await self._close(frontend.name)
        self._log('notice', f'Proxy {frontend.name} stopped.')

    async def _close(self, name: str) -> None:
        self._listeners.closed.add(name)
        async with self._changing():
            mine = [listener for listener in self._listeners.all if listener.frontend == name]
            if name not in self._listeners.closed or not mine:
                return  # enabled, or reloaded, meanwhile
            await self._workers.unlisten(mine)
            for listener in mine:
                self._listeners.close(listener)

    async def enable(self, frontend: Frontend) -> None:
        """Accept again. Raises Complaint."""
        self._check_paused(frontend)
        async with self._changing():
            # shut down, or reloaded, while this waited for its turn?
            tables = self._tables()
            index = tables.frontend_of(frontend.name)
            if index is None:
                raise Complaint('No such frontend.')
            now = tables.frontends[index]
            self._check_paused(now)
            self._listeners.closed.discard(now.name)
            try:
                opened = self._listeners.open_missing([now])
            except CannotListen as problem:
                self._listeners.closed.add(now.name)
                for text in str(problem).splitlines():
                    self._log('alert', text)
                raise Complaint(
                    'Failed to resume frontend, check logs for precise cause (port conflict?).'
                ) from problem
            self._workers.listen(opened)
        self._log('notice', f'Resumed frontend {frontend.name}.')

    def _check_paused(self, frontend: Frontend) -> None:
        """Raise Complaint where it is not, so that it cannot be enabled."""
        match self.state(frontend):
            case Door.STOP:
                raise Complaint('Frontend was previously shut down, cannot enable.')
            case Door.OPEN:
                raise Complaint('All sockets are already enabled.')
