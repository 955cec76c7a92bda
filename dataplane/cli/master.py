"""The commands of the master CLI (management manual 9.4): to whom a line goes, and what is said of the processes.

The process that HAProxy calls the master is the supervisor, which also answers whatever is asked of a worker: there is one data
plane, and any of its workers stands for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from dataplane.cli.commands import COMMANDS, Entry, Table, Verb
from dataplane.cli.session import Complaint
from dataplane.core.model import Level

MASTER: Final = 'master'
_KNOWN: Final = {entry.verb: entry for entry in COMMANDS}
_PREFIXES: Final = (
    Entry(('@!<pid>',), Verb.HELP, '@!<pid>', 'send a command to the <pid> process'),
    Entry(('@<relative pid>',), Verb.HELP, '@<relative pid>', 'send a command to the <relative pid> process'),
    Entry(('@master',), Verb.HELP, '@master', 'send a command to the master process'),
    Entry(('@@<relative pid>',), Verb.HELP, '@@<relative pid>', 'go on with the <relative pid> process alone'),
)
COMMANDS_OF_MASTER: Final[Table] = (
    *_PREFIXES,
    _KNOWN[Verb.EXPERIMENTAL_MODE],
    _KNOWN[Verb.EXPERT_MODE],
    Entry(('hard-reload',), Verb.HARD_RELOAD, 'hard-reload', 'reload haproxy, and end what is under way', Level.ADMIN),
    _KNOWN[Verb.OPERATOR],
    Entry(('reload',), Verb.RELOAD, 'reload', 'reload haproxy', Level.ADMIN),
    _KNOWN[Verb.SHOW_CLI_LEVEL],
    _KNOWN[Verb.SHOW_CLI_SOCKETS],
    _KNOWN[Verb.SHOW_ENV],
    Entry(('show', 'proc'), Verb.SHOW_PROC, 'show proc', 'show processes status'),
    _KNOWN[Verb.SHOW_VERSION],
    _KNOWN[Verb.USER],
)
"""In the order of their words, as `help` shows them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One row of `show proc`. `reloads`: how many there have been since its configuration; `uptime` in seconds."""

    pid: int
    kind: str
    reloads: str
    uptime: int
    version: str

    def line(self) -> str:
        """The row."""
        minutes, seconds = divmod(self.uptime, 60)
        hours, minutes = divmod(minutes, 60)
        days, hours = divmod(hours, 24)
        uptime = f'{days}d{hours:02}h{minutes:02}m{seconds:02}s'
        return f'{self.pid:<15} {self.kind:<15} {self.reloads:<15} {uptime:<15} {self.version:<15}'


def show_proc(master: Process, workers: Iterable[Process], old: Sequence[Process] = ()) -> str:
    """`show proc`; `old` are workers that no configuration needs any more, while they finish what they have."""
    header = f'{"#<PID>":<15} {"<type>":<15} {"<reloads>":<15} {"<uptime>":<15} {"<version>":<15}'
    lines = [header, master.line(), '# workers', *(worker.line() for worker in workers)]
    if old:
        lines += ['# old workers', *(worker.line() for worker in old)]
    return '\n'.join(lines)


def show_reload(succeeded: bool, lines: Sequence[str]) -> str:
    """What `reload` says: whether the new configuration is in force, and what was told meanwhile."""
    return '\n'.join((f'Success={int(succeeded)}', *(('--', *lines) if lines else ())))


def target(prefix: str, pids: Mapping[int, int]) -> int:
    """The process that `@...` names, 0 for the master. `pids` has them by the numbers of the workers, which count from 0.

    `@1` is the first worker, `@!PID` the process of that id. Raises Complaint.
    """
    name = prefix.lstrip('@')
    if name in ('', MASTER):
        return 0
    by_pid = name.startswith('!')
    digits = name.removeprefix('!')
    if digits.isascii() and digits.isdecimal() and len(digits) < 10:
        number = int(digits)
        if by_pid and number in pids.values():
            return number
        if not by_pid and number - 1 in pids:
            return pids[number - 1]
    raise Complaint(f"Can't find the target PID matching the prefix '{prefix}'")
