"""The master CLI (`-S`): the stats socket's protocol, with words in front of a command that say whom it is for.

The supervisor answers all of it. A command for a worker is answered as the stats socket answers it, for the whole data plane; a
reload changes what the same processes do, so that the only old ones are those that another `nbthread` needs no more, while they leave.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final, Protocol

from dataplane.cli import commands, master, servers
from dataplane.cli.commands import Verb
from dataplane.cli.grammar import Command
from dataplane.cli.session import Answer, Complaint, Session, Severity
from dataplane.core.model import StatsSocket
from dataplane.supervisor.clisocket import Interpreter
from dataplane.supervisor.wait import Patience

_TABLE: Final = master.COMMANDS_OF_MASTER


class Supervised(Protocol):
    """What the commands of the master are about."""

    def processes(self, *, leaving: bool = False) -> list[tuple[int, int, int]]:
        """Number, process id and age in seconds of each worker: of those that leave, or of all others."""

    async def replace(self, why: str) -> None:
        """End every worker, and return when others serve."""


class Reloading(Protocol):
    """A reload, and how many there have been."""

    done: int
    failed: int


class MasterVerbs:
    """Finds whom a command is for. `worker` does those for a worker; `reload(hear)` reloads and says whether it did.

    `place` is whom commands are for in a session that has said nothing else.
    """

    place: Final = master.MASTER

    def __init__(
        self,
        worker: Interpreter,
        supervised: Supervised,
        reloads: Reloading,
        reload: Callable[[Callable[[str, str], None]], Awaitable[bool]],
        *,
        version: str,
        uptime: Callable[[], int],
    ) -> None:
        self.sockets: tuple[StatsSocket, ...] = ()
        self._worker, self._supervised, self._reloads, self._reload = worker, supervised, reloads, reload
        self._version, self._uptime = version, uptime

    async def run(self, command: Command, session: Session, patience: Patience) -> Answer:
        """Do one command and say what is to be said."""
        words = command.words
        try:
            if words[0].startswith('@') and not session.bound:
                return await self._for(command, session, patience)
            pid = self._target(session)
        except Complaint as complaint:
            return replace(complaint.answer, bare=True)
        if pid:
            return await self._worker.run(command, session, patience)
        return await self._as_master(command, session, patience)

    async def _for(self, command: Command, session: Session, patience: Patience) -> Answer:
        """`@WHOM` alone: what follows is for them. With a command: that one is."""
        prefix, rest = command.words[0], command.words[1:]
        pid = master.target(prefix, self._pids())
        if prefix.startswith('@@') and pid:
            session.bound = True
        if session.bound or not rest:
            session.place = str(pid) if pid else master.MASTER
        if not rest:
            return Answer(bare=True)
        asked = replace(command, words=rest)
        return await (self._worker.run if pid else self._as_master)(asked, session, patience)

    def _pids(self) -> dict[int, int]:
        return {number: pid for number, pid, _ in self._supervised.processes()}

    def _target(self, session: Session) -> int:
        """The process that a session's commands are for. Raises Complaint when it is no more."""
        return 0 if session.place == master.MASTER else master.target(f'@!{session.place}', self._pids())

    async def _as_master(self, command: Command, session: Session, patience: Patience) -> Answer:
        entry = commands.find(command.words, _TABLE)
        if entry is None:
            return commands.unknown(command.words, _TABLE)
        if not session.may(entry.level):
            return Answer('Permission denied', Severity.ERROR)
        match entry.verb:
            case Verb.HELP:
                return commands.help_text(command.words[1:], _TABLE)
            case Verb.SHOW_CLI_SOCKETS:
                return Answer(servers.show_sockets(self.sockets))
            case Verb.SHOW_PROC:
                return Answer(self._show_proc())
            case Verb.RELOAD | Verb.HARD_RELOAD:
                return await self._do_reload(session, hard=entry.verb is Verb.HARD_RELOAD)
        return await self._worker.run(command, session, patience)

    def _show_proc(self) -> str:
        reloads = f'{self._reloads.done} [failed: {self._reloads.failed}]'
        version = self._version
        own = master.Process(pid=os.getpid(), kind='master', reloads=reloads, uptime=self._uptime(), version=version)
        return master.show_proc(own, self._rows('0', leaving=False), self._rows('1', leaving=True))

    def _rows(self, reloads: str, *, leaving: bool) -> list[master.Process]:
        """Workers for `show proc`. Who leaves lags at least one reload behind."""
        return [
            master.Process(pid=pid, kind='worker', reloads=reloads, uptime=age, version=self._version)
            for _, pid, age in self._supervised.processes(leaving=leaving)
        ]

    async def _do_reload(self, session: Session, *, hard: bool) -> Answer:
        """As with HAProxy, whose master becomes another one by it, nothing more is done on this connection."""
        lines: list[str] = []
        succeeded = await self._reload(lambda level, text: lines.append(_line(level, text)))
        if succeeded and hard:
            await self._supervised.replace('hard reload')
        session.parting = True
        return Answer(master.show_reload(succeeded, lines))


def _line(level: str, text: str) -> str:
    return f'{f"[{level.upper()}]":<10} ({os.getpid()}) : {text}'
