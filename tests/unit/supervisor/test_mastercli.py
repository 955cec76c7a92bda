"""The master CLI's interpreter over a supervisor without processes."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from dataplane.cli.grammar import Command, words
from dataplane.cli.session import Answer, Mode, Session
from dataplane.core.model import Level, StatsSocket
from dataplane.supervisor.mastercli import MasterVerbs
from dataplane.supervisor.wait import Patience
from tests.inprocess import Plane

Say = Callable[[str, str], None]


@dataclass
class Processes:
    """Worker processes, and reloads that go as `succeeds` says."""

    pids: list[int] = field(default_factory=lambda: [100, 200])
    old: list[int] = field(default_factory=list)
    succeeds: bool = True
    done: int = 0
    failed: int = 0
    replaced: list[str] = field(default_factory=list)

    def processes(self, *, leaving: bool = False) -> list[tuple[int, int, int]]:
        return [(number, pid, 61) for number, pid in enumerate(self.old if leaving else self.pids)]

    async def replace(self, why: str) -> None:
        self.replaced.append(why)

    async def reload(self, hear: Say) -> bool:
        hear('alert' if not self.succeeds else 'notice', 'so it went')
        self.done += self.succeeds
        self.failed += not self.succeeds
        return self.succeeds


class Talk:
    """One session."""

    def __init__(self, level: Level = Level.ADMIN) -> None:
        self.processes = Processes()
        self.plane = Plane()
        self.session = Session(level, 10_000, place=MasterVerbs.place)
        own = self.processes
        self.master = MasterVerbs(self.plane.verbs(), own, own, own.reload, version='9.9', uptime=lambda: 5)

    async def __call__(self, line: str) -> Answer:
        return await self.master.run(Command(words(line)), self.session, Patience())


async def test_one_command_for_a_worker() -> None:
    talk = Talk()
    assert (await talk('@1 show version')).text == '1.2.3'
    assert (await talk('@!200 get weight px/s1')).text == '10 (initial 10)'
    assert (await talk('get weight px/s1')).text.startswith("Unknown command: 'get'")
    assert talk.session.place == 'master'


async def test_all_that_follows_for_a_worker() -> None:
    talk = Talk()
    assert await talk('@2') == Answer(bare=True)
    assert talk.session.place == '200'
    assert (await talk('get weight px/s1')).text == '10 (initial 10)'
    assert (await talk('@master show proc')).text.startswith('#<PID>')
    assert (await talk('get weight px/s1')).text == '10 (initial 10)'
    assert await talk('@master') == Answer(bare=True)
    assert (await talk('show proc')).text.startswith('#<PID>')


async def test_a_session_that_went_on_with_one_alone_asks_nobody_else() -> None:
    talk = Talk()
    assert (await talk('@@1 show version')).text == '1.2.3'
    assert (talk.session.bound, talk.session.place) == (True, '100')
    assert (await talk('@master')).text.startswith("Unknown command: '@master'")
    assert (await talk('get weight px/s1')).text == '10 (initial 10)'
    other = Talk()
    assert await other('@@') == Answer(bare=True)
    assert not other.session.bound


async def test_a_worker_that_is_gone_is_not_answered_for() -> None:
    talk = Talk()
    await talk('@1')
    talk.processes.pids = [300, 200]
    answer = await talk('show version')
    assert (answer.text, answer.bare) == ("Can't find the target PID matching the prefix '@!100'", True)
    assert await talk('@1') == Answer(bare=True)
    assert talk.session.place == '300'


async def test_processes() -> None:
    talk = Talk()
    talk.processes.done, talk.processes.failed = 3, 1
    lines = (await talk('show proc')).text.split('\n')
    assert lines[1].split() == [str(os.getpid()), 'master', '3', '[failed:', '1]', '0d00h00m05s', '9.9']
    assert [line.split() for line in lines[3:]] == [
        ['100', 'worker', '0', '0d00h01m01s', '9.9'],
        ['200', 'worker', '0', '0d00h01m01s', '9.9'],
    ]


async def test_workers_that_leave_are_old_ones_and_asked_for_nothing() -> None:
    talk = Talk()
    talk.processes.pids, talk.processes.old = [100], [200]
    lines = (await talk('show proc')).text.split('\n')
    assert [line.split() for line in lines[2:]] == [
        ['#', 'workers'], ['100', 'worker', '0', '0d00h01m01s', '9.9'],
        ['#', 'old', 'workers'], ['200', 'worker', '1', '0d00h01m01s', '9.9'],
    ]  # fmt: skip
    assert (await talk('@2 show version')).text.startswith("Can't find the target PID")


@pytest.mark.parametrize(
    'line, succeeds, text, replaced',
    [
        ('reload', True, 'Success=1\n--\n[NOTICE]   ({pid}) : so it went', []),
        ('reload', False, 'Success=0\n--\n[ALERT]    ({pid}) : so it went', []),
        ('hard-reload', True, 'Success=1\n--\n[NOTICE]   ({pid}) : so it went', ['hard reload']),
        ('hard-reload', False, 'Success=0\n--\n[ALERT]    ({pid}) : so it went', []),
    ],
)
async def test_reload_is_the_last_thing_of_a_session(
    line: str, *, succeeds: bool, text: str, replaced: list[str]
) -> None:
    talk = Talk()
    talk.processes.succeeds = succeeds
    assert (await talk(line)).text == text.format(pid=os.getpid())
    assert talk.processes.replaced == replaced
    assert talk.session.parting


@pytest.mark.parametrize('line', ['reload', 'hard-reload', '@1 disable server px/s1'])
async def test_only_an_administrator_may(line: str) -> None:
    talk = Talk(Level.OPERATOR)
    assert (await talk(line)).text == 'Permission denied'
    assert (talk.processes.done, talk.plane.revision) == (0, 1)


async def test_what_the_stats_socket_knows_too() -> None:
    talk = Talk()
    talk.master.sockets = (StatsSocket(path='/run/m', level=Level.ADMIN),)
    assert (await talk('show version')).text == '1.2.3'
    assert (await talk('show cli sockets')).text == '# socket lvl processes\nunix@/run/m admin all'
    assert (await talk('help')).text.split('\n')[1].startswith('  @!<pid>')
    await talk('prompt')
    assert talk.session.mode is Mode.PROMPT
    await talk('operator')
    assert (await talk('show cli level')).text == 'operator'


def test_frames_without_an_empty_line() -> None:
    session = Session(Level.ADMIN, 10_000, place='master')
    assert session.frame(Answer(bare=True), last=True, uptime_s=0) == ''
    assert session.frame(Answer('a', bare=True), last=True, uptime_s=0) == 'a\n'
    session.mode = Mode.PROMPT
    assert session.frame(Answer(bare=True), last=True, uptime_s=0) == 'master> '
    assert session.frame(Answer('a'), last=True, uptime_s=0) == 'a\n\nmaster> '
    session.timed = True
    assert session.prompt(61) == 'master[0:00:01:01]> '
