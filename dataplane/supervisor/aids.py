"""What the commands that show inner workings do: events, start-up lines, activity, tasks, memory, descriptors, threads.

HAProxy's names, and Sluice's own truth under them: a worker is what a thread is there, what it says of itself is asked of it,
and what has no counterpart here is not shown. The forms are for people; a figure that must be relied on is in `show info`.
"""

from __future__ import annotations

import asyncio
import os
import platform
import resource
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from dataplane.cli import aids
from dataplane.cli.session import Answer, Complaint, Session, Severity
from dataplane.core.model import Level
from dataplane.supervisor.asking import Workers
from dataplane.supervisor.figures import Figures
from dataplane.supervisor.questions import Answers, unanswered
from dataplane.supervisor.rings import Rings
from dataplane.supervisor.wait import Patience

_Words = tuple[str, ...]
_FDS_AT_ONCE: Final = 64
_STREAMS: Final = ('stdout', 'stderr')


class Known(Protocol):
    """What the configuration in force has left beside proxies."""

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables."""


@dataclass(slots=True)
class Surroundings:
    """The `rings` of events and lines, lines and number of warnings of the start, and what is known of the file beside its proxies."""

    rings: Rings
    startup: Sequence[str]
    known: Known
    warnings: int = 0


class AidVerbs:
    """The methods of these commands."""

    _around: Surroundings
    _workers: Workers
    _figures: Figures
    _pools: Callable[[], Sequence[aids.Pool]]

    async def _show_startup_logs(self, _words: _Words, _session: object, _patience: object) -> Answer:
        return Answer('\n'.join(self._around.startup))

    async def _show_env(self, words: _Words, _session: object, _patience: object) -> Answer:
        return Answer(aids.show_env(self._around.known.environment, words[0] if words else ''))

    async def _show_defaults(self, _words: _Words, _session: object, _patience: object) -> Answer:
        names = (backend.name for _, backend in self._figures.tables.snapshot.defaults)
        return Answer('\n'.join(('# name', *names)))

    async def _show_events(self, words: _Words, session: Session, patience: Patience) -> Answer:
        if not words or not words[0]:
            return Answer(aids.show_sinks(self._around.rings.listed()), Severity.INFO)
        if not session.may(Level.OPERATOR):
            raise Complaint('Permission denied')
        if words[0] in _STREAMS:
            return Answer('Nothing to report for this sink', Severity.NOTICE)
        ring = self._around.rings[words[0]]
        if ring is None:
            raise Complaint('No such event sink')
        options = aids.event_options(words[1:])
        end = '\0' if 'z' in options else '\n'
        seen = ring.last if 'n' in options else 0
        if 'w' not in options:
            return Answer(''.join(line + end for _, line in ring.since(seen)).removesuffix('\n'))
        while True:
            for number, line in ring.since(seen):
                await patience.write(line + end)
                seen = number
            if not await patience.until(ring.news(seen)):
                return Answer()

    async def _show_activity(self, _words: _Words, _session: object, _patience: object) -> Answer:
        found = await self._workers.ask('activity')
        said = sorted(found.said, key=lambda answer: int(answer['worker']))
        lines = aids.show_activity([answer['activity'] for answer in said], self._figures.wall())
        return _named('\n'.join(lines), found)

    async def _show_threads(self, _words: _Words, _session: object, _patience: object) -> Answer:
        found = await self._workers.ask('activity')
        said = {int(answer['worker']): answer['activity'] for answer in found.said}
        lines = [aids.thread_line(number, pid, said.get(number)) for number, pid in self._workers.pids.items()]
        return _named('\n'.join(lines), found)

    async def _show_tasks(self, _words: _Words, _session: object, _patience: object) -> Answer:
        found = await self._workers.sessions()
        places: dict[str, list[int]] = {}
        for row in found.rows:
            places.setdefault(f'stream({row["state"]})', []).append(int(row['age_ms']))
        for task in asyncio.all_tasks():
            places.setdefault(f'supervisor({aids.task_name(task.get_name())})', []).append(0)
        return _named('\n'.join(aids.show_tasks(places, self._figures.workers)), found)

    async def _show_pools(self, _words: _Words, _session: object, _patience: object) -> Answer:
        found = await self._workers.ask('activity')
        memory = {'supervisor': _resident()}
        for answer in sorted(found.said, key=lambda one: int(one['worker'])):
            memory[f'worker {int(answer["worker"]) + 1}'] = int(answer['activity']['rss_bytes'])
        return _named('\n'.join(aids.show_pools(self._pools(), memory)), found)

    async def _show_fd(self, words: _Words, _session: object, _patience: object) -> Answer:
        only = aids.descriptor(words[0]) if words and words[0] else None
        lines: list[str] = []
        for name, pid in (
            ('supervisor', os.getpid()),
            *((f'worker {n + 1}', p) for n, p in self._workers.pids.items()),
        ):
            for count, (number, where) in enumerate(_descriptors(pid)):
                if only in (None, number):
                    lines.append(f'{number:>7} : pid={pid} ({name}) {where}')
                if count % _FDS_AT_ONCE == 0:
                    await asyncio.sleep(0)
        return Answer('\n'.join(lines))

    async def _show_libs(self, _words: _Words, _session: object, _patience: object) -> Answer:
        return Answer(aids.show_libs(aids.mapped(_own('maps').splitlines())))

    async def _show_dev(self, _words: _Words, _session: object, _patience: object) -> Answer:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        sections: dict[str, dict[str, object]] = {
            f'Sluice version {self._figures.identity.version}': {},
            'Platform info': {
                'kernel': platform.platform(),
                'python': platform.python_version(),
                'cpus': len(os.sched_getaffinity(0)),
            },
            'Process info': {
                'pid': os.getpid(),
                'workers': ' '.join(map(str, self._workers.pids.values())),
                'cmdline': _own('cmdline').rstrip('\0').replace('\0', ' '),
                'uid': os.getuid(),
                'gid': os.getgid(),
                'fd limit (soft)': soft,
                'fd limit (hard)': hard,
                'resident': _resident(),
            },
        }
        return Answer(aids.show_dev(sections))


def _named(text: str, found: Answers) -> Answer:
    """The text, and who did not answer."""
    missing = unanswered(found.silent)
    return Answer(f'{text}\n# {missing}', Severity.WARNING) if missing else Answer(text)


def _resident() -> int:
    """Bytes of memory that this process holds (proc(5), statm)."""
    return int(_own('statm').split()[1]) * os.sysconf('SC_PAGE_SIZE')


def _own(name: str) -> str:
    """A file of proc(5) about this process."""
    with open(f'/proc/self/{name}', encoding='utf-8', errors='replace') as file:
        return file.read()


def _descriptors(pid: int) -> Iterator[tuple[int, str]]:
    """Open descriptors of a process, by number, and what each is. None of one that has died meanwhile."""
    place = f'/proc/{pid}/fd'
    try:
        numbers = sorted(map(int, os.listdir(place)))
    except OSError:
        # it has just ended, and with it what it had open
        return
    for number in numbers:
        try:
            where = os.readlink(f'{place}/{number}')
        except OSError:
            # closed since it was listed
            continue
        yield number, where
