"""The stats sockets: unix and TCP servers that speak HAProxy's runtime protocol (management manual, 9.3).

One task per connection reads lines, has their commands done one after the other, and writes the answers; a second one
reads ahead, never more than a line may be long, so that a client that closes is noticed while a command waits. When the
client closes its side, what it has sent is still done; then the connection closes. A connection that is silent for `stats
timeout`, or does not take its answers for as long, is closed. A unix socket's path is taken over from nobody who
still listens there (see `dataplane.supervisor.unixsocket`).
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from dataclasses import replace
from typing import Final, Protocol

from dataplane.cli.grammar import Command, Reader, TooBig
from dataplane.cli.servers import socket_name
from dataplane.cli.session import Answer, Mode, Session, Severity
from dataplane.core.model import Global, Level, StatsSocket
from dataplane.supervisor.inherited import inherited
from dataplane.supervisor.tcpsocket import bound
from dataplane.supervisor.unixsocket import Place, listen_unix
from dataplane.supervisor.wait import Patience

MAX_CONNECTIONS: Final = 256
_BACKLOG: Final = 64
_CHUNK: Final = 4096
_LINGER: Final = 1.0


class CannotListen(Exception):
    """A stats socket could not be opened; the text names it and says why."""


class Interpreter(Protocol):
    """What does the commands."""

    sockets: tuple[StatsSocket, ...]

    async def run(self, command: Command, session: Session, patience: Patience) -> Answer:
        """Do one command and say what is to be said."""


class CliServer:
    """All stats sockets of a data plane. `settings` gives the `global` section in force, `uptime` seconds for timed prompts;
    `place` is what prompts begin with.
    """

    def __init__(
        self, verbs: Interpreter, *, settings: Callable[[], Global], uptime: Callable[[], int], place: str = ''
    ) -> None:
        self._verbs, self._settings, self._uptime, self._place = verbs, settings, uptime, place
        self._servers: list[asyncio.Server] = []
        self._places: list[Place] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, sockets: tuple[StatsSocket, ...]) -> None:
        """Open the sockets. Raises CannotListen, and then none is open."""
        try:
            opened = [await self._open(wanted) for wanted in sockets]
        except CannotListen:
            await self.close()
            raise
        self._verbs.sockets = tuple(opened)

    async def _open(self, wanted: StatsSocket) -> StatsSocket:
        """Open one. Returns it as it is called from here on: one that was inherited has a name of its own."""
        try:
            if wanted.fd is not None:
                listener = inherited(wanted.fd)
                named = _named(wanted, listener)
            elif wanted.path is not None:
                listener, named = listen_unix(wanted.path, wanted.mode, _BACKLOG), wanted
                self._places.append(Place.of(wanted.path))
            else:
                listener, named = bound(wanted.host, wanted.port), wanted
        except OSError as error:
            raise CannotListen(f'cannot bind socket ({error.strerror}) [{socket_name(wanted)}]') from error

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._serve(reader, writer, wanted.level)

        start = asyncio.start_unix_server if listener.family == socket.AF_UNIX else asyncio.start_server
        self._servers.append(await start(serve, sock=listener, limit=_CHUNK))
        return named

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Host and port of the TCP sockets, as they were bound."""
        return [
            listener.getsockname()[:2]
            for server in self._servers
            for listener in server.sockets
            if listener.family != socket.AF_UNIX
        ]

    async def close(self) -> None:
        """Stop listening, end the connections, and take away the paths that are still this server's."""
        for server in self._servers:
            server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for place in self._places:
            place.leave()
        self._servers.clear()
        self._places.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, level: Level) -> None:
        task = asyncio.current_task()
        assert task is not None
        if len(self._tasks) >= MAX_CONNECTIONS:
            writer.transport.abort()
            return
        self._tasks.add(task)
        settings = self._settings()
        session = Session(level, settings.stats_timeout, place=self._place)
        connection = _Connection(reader, writer, session, Reader(settings.bufsize, settings.tuning.payload))
        try:
            await connection.talk(self._verbs, self._uptime)
        except OSError:
            # the client left, cannot be reached any more, or does not read: there is nobody to tell
            writer.transport.abort()
        finally:
            connection.read_ahead.cancel()
            writer.close()
            self._tasks.discard(task)


class _Connection:
    """One client."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, session: Session, lines: Reader
    ) -> None:
        self._reader, self._writer, self._session, self._lines = reader, writer, session, lines
        self._arrived, self._room, self._closed = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.read_ahead = asyncio.create_task(self._read_ahead())

    async def talk(self, verbs: Interpreter, uptime: Callable[[], int]) -> None:
        """Do what the client sends until it has had enough. Raises OSError when it is gone."""
        try:
            while (line := await self._next_line()) is not None:
                if self._lines.collecting:
                    await self._write('+ ' if self._session.mode is Mode.PROMPT else '')
                    continue
                await self._do(line, verbs, uptime)
                if self._session.ended or self._session.mode is Mode.NON_INTERACTIVE:
                    break
        except TooBig as refusal:
            answer = Answer(str(refusal), Severity.ERROR)
            await self._write(self._session.frame(answer, last=False, uptime_s=0))
        await self._part()

    async def _do(self, line: list[Command], verbs: Interpreter, uptime: Callable[[], int]) -> None:
        for position, command in enumerate(line, start=1):
            is_last = position == len(line)
            patience = Patience(
                self._closed,
                lambda is_last=is_last: not is_last or self._lines.pending,  # type: ignore[misc]
                self._arrived,
                self._write,
            )
            await asyncio.sleep(0)  # a line may hold thousands of commands: others get their turn between them
            answer = await verbs.run(command, self._session, patience)
            if self._session.ended:
                return
            await self._write(self._session.frame(answer, last=is_last, uptime_s=uptime()))
            if self._session.parting:
                self._session.ended = True
                return

    async def _next_line(self) -> list[Command] | None:
        """The next line; None when the client has closed its side and all is done, or has been silent for too long."""
        while True:
            line = self._lines.take()
            if not self._lines.full:
                self._room.set()
            if line is not None:
                return line
            if self._closed.is_set():
                if not self._lines.finish():
                    return None
                continue
            self._arrived.clear()
            try:
                async with asyncio.timeout(self._session.timeout_ms / 1000):
                    await self._arrived.wait()
            except TimeoutError:
                return None

    async def _read_ahead(self) -> None:
        try:
            while data := await self._reader.read(_CHUNK):
                self._lines.feed(data)
                self._arrived.set()
                if self._lines.full:
                    self._room.clear()
                    await self._room.wait()
        except OSError:
            # reset, or out of reach: as if the client had closed, and writing will say so, too
            pass
        self._closed.set()
        self._arrived.set()

    async def _write(self, text: str) -> None:
        if not text:
            return
        if self._writer.transport.is_closing():
            # uvloop's transports, once closed, take no more: that would be a RuntimeError
            raise ConnectionResetError('the client is gone')
        self._writer.write(text.encode(errors='surrogateescape'))
        async with asyncio.timeout(self._session.timeout_ms / 1000):
            await self._writer.drain()

    async def _part(self) -> None:
        """Close our side first and let the client close its own: closing on unread input would destroy the last answer."""
        async with asyncio.timeout(self._session.timeout_ms / 1000):
            await self._writer.drain()
        if not self._writer.transport.is_closing() and self._writer.can_write_eof():
            self._writer.write_eof()
        self.read_ahead.cancel()
        try:
            async with asyncio.timeout(_LINGER):
                await asyncio.wait([self.read_ahead])
                while not self._closed.is_set() and await self._reader.read(_CHUNK):
                    pass
        except TimeoutError:
            # it was told that nothing more comes
            pass


def _named(wanted: StatsSocket, sock: socket.socket) -> StatsSocket:
    """An inherited socket with the name that it is bound to. Raises OSError."""
    name = sock.getsockname()
    if sock.family == socket.AF_UNIX:
        return replace(wanted, fd=None, path=os.fsdecode(name))
    return replace(wanted, fd=None, host=name[0], port=name[1])
