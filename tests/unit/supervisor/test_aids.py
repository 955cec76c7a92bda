"""The commands about figures, frontends and inner workings, each through the one door of all commands."""

from __future__ import annotations

import asyncio
import os

import pytest

from dataplane.cli.grammar import Command, words
from dataplane.cli.session import Answer, Session, Severity
from dataplane.core.model import Level
from dataplane.core.rings import RingSection
from dataplane.supervisor.verbs import Verbs
from dataplane.supervisor.wait import Patience
from tests.inprocess import Plane


@pytest.fixture
def plane() -> Plane:
    return Plane()


@pytest.fixture
def verbs(plane: Plane) -> Verbs:
    return plane.verbs()


@pytest.fixture
def session() -> Session:
    return Session(Level.ADMIN, 10_000)


async def say(verbs: Verbs, session: Session, line: str) -> Answer:
    return await verbs.run(Command(words(line)), session, Patience())


async def test_counters_are_cleared(verbs: Verbs, session: Session, plane: Plane) -> None:
    for line in ('clear counters', 'clear counters all', 'clear counters whatever'):
        assert await say(verbs, session, line) == Answer()
    answer = await say(verbs, session, 'clear counters server px/#2 force')
    assert answer == Answer('Server counters cleared.', Severity.INFO)
    assert plane.counters.cleared == ['max', 'all', 'max', plane.server('px', 's2')]
    plane.counters.silent = (1,)
    assert await say(verbs, session, 'clear counters') == Answer('Not answered by worker 1.', Severity.WARNING)
    assert (await say(verbs, session, 'clear counters server px/s1')).text.endswith('\nNot answered by worker 1.')


async def test_operators_clear_maxima(verbs: Verbs, plane: Plane) -> None:
    assert await say(verbs, Session(Level.OPERATOR, 1000), 'clear counters') == Answer()
    assert plane.counters.cleared == ['max']


async def test_frontends_are_closed_and_opened(verbs: Verbs, session: Session, plane: Plane) -> None:
    for line in ('disable frontend fe', 'enable frontend #2', 'shutdown frontend fe'):
        assert await say(verbs, session, line) == Answer()
    assert plane.doors.done == [('disable', 'fe'), ('enable', 'fe'), ('shutdown', 'fe')]


async def test_sessions_are_selected_by_what_there_is(verbs: Verbs, session: Session, plane: Plane) -> None:
    plane.rows = [
        {'id': '0x1', 'frontend': 'fe', 'backend': 'px', 'server': 's1'},
        {'id': '0x2', 'frontend': 'fe', 'backend': 'empty', 'server': ''},
    ]
    for line, expected in [
        ('show sess backend #3', ['0x1']),
        ('show sess server #3/#1', ['0x1']),
        ('show sess server px/s2', []),
        ('show sess frontend #2', ['0x1', '0x2']),
    ]:
        text = (await say(verbs, session, line)).text
        assert [part.split(':')[0] for part in text.splitlines()] == expected
    assert (await say(verbs, session, 'show sess 0x2')).text.startswith('0x2: [')


async def test_faults_of_all_workers(verbs: Verbs, session: Session, plane: Plane) -> None:
    row = {
        'side': 'request', 'number': 0, 'proxy': ['fe', 2], 'other': ['<NONE>', -1], 'server': ['<NONE>', -1], 'source': '10.0.0.1:5',
        'data': 'x', 'position': 0, 'reason': 'no', 'limit': 10,
    }  # fmt: skip
    plane.rows = [{**row, 'when': 1.0, 'worker': 0}, {**row, 'when': 2.0, 'worker': 1}]
    plane.said = {'errors': [{'total': 3}, {'total': 4}]}
    text = (await say(verbs, session, 'show errors')).text
    assert text.splitlines()[0].endswith('] : 7')
    assert text.count('invalid request') == 1
    assert '  worker 2, no :' in text
    assert (await say(verbs, session, 'show errors px')).text.count('\n') == 0
    plane.silent = (1,)
    assert (await say(verbs, session, 'show errors')).text.endswith('\n# Not answered by worker 1.')


async def test_events(verbs: Verbs, session: Session, plane: Plane) -> None:
    assert 'buf0' in (await say(verbs, session, 'show events')).text
    assert (await say(verbs, session, 'show events buf0')).text == ''
    for text in ('one', 'two'):
        plane.ring.add('notice', text)
    lines = (await say(verbs, session, 'show events buf0')).text.split('\n')
    assert [line.split(' ', 1)[1] for line in lines] == ['one', 'two']
    assert (await say(verbs, session, 'show events buf0 -n')).text == ''
    assert (await say(verbs, session, 'show events buf0 -0')).text.count('\0') == 2


async def test_events_are_followed_until_something_is_said(verbs: Verbs, session: Session, plane: Plane) -> None:
    heard: list[str] = []
    came = asyncio.Event()

    async def write(text: str) -> None:
        heard.append(text.split(' ', 1)[1])
        came.set()

    patience = Patience(write=write)
    plane.ring.add('notice', 'before')
    task = asyncio.create_task(verbs.run(Command(words('show events buf0 -w')), session, patience))
    newest = asyncio.create_task(verbs.run(Command(words('show events buf0 -wn')), session, Patience()))
    await asyncio.wait_for(came.wait(), 10)
    came.clear()
    plane.ring.add('notice', 'after')
    await asyncio.wait_for(came.wait(), 10)
    assert heard == ['before\n', 'after\n']
    assert not task.done()
    patience.closed.set()
    patience.arrived.set()
    assert await asyncio.wait_for(task, 10) == Answer()
    newest.cancel()


async def test_inner_workings(verbs: Verbs, session: Session, plane: Plane) -> None:
    figures = {'accepted': 1, 'clients': 2, 'streams': 3, 'cpu_ms': 4, 'late_us_max': 5, 'rss_bytes': 6_000}
    plane.said = {
        'activity': [{'worker': 1, 'activity': figures}, {'worker': 0, 'activity': {**figures, 'accepted': 7}}]
    }
    assert 'accepted: 8 [ 7 1 ]' in (await say(verbs, session, 'show activity')).text
    threads = (await say(verbs, session, 'show threads')).text.splitlines()
    assert [line.split(':')[0] for line in threads] == ['  Thread 1 ', '  Thread 2 ']
    assert '  - Process worker 2 : 6000 bytes resident' in (await say(verbs, session, 'show pools')).text
    plane.rows = [{'id': '0x1', 'state': 'BODY', 'age_ms': 10}]
    assert '  stream(BODY) ' in (await say(verbs, session, 'show tasks')).text
    descriptors = (await say(verbs, session, 'show fd')).text.splitlines()
    assert all(' (supervisor) ' in line for line in descriptors)
    assert len((await say(verbs, session, f'show fd {descriptors[0].split()[0]}')).text.splitlines()) == 1
    assert (await say(verbs, session, 'show schema json')).text.startswith('{"$schema":')
    plane.silent = (1,)
    answer = await say(verbs, session, 'show activity')
    assert (answer.severity, answer.text.splitlines()[-1]) == (Severity.WARNING, '# Not answered by worker 1.')


async def test_rings_of_sections(verbs: Verbs, session: Session, plane: Plane) -> None:
    plane.rings.adopt([RingSection(name='r', description='my lines')])
    plane.rings.put('r', 'one')
    assert (await say(verbs, session, 'show events')).text.endswith('    r          : type=buffer, 0 dropped, my lines')
    assert await say(verbs, session, 'show events r') == Answer('one')
    assert await say(verbs, session, 'show events stdout') == Answer('Nothing to report for this sink', Severity.NOTICE)


async def test_who_may_read_events(verbs: Verbs) -> None:
    assert (await say(verbs, Session(Level.OPERATOR, 1000), 'show events buf0')).text == ''
    user = Session(Level.USER, 1000)
    assert 'buf0' in (await say(verbs, user, 'show events')).text
    assert await say(verbs, user, 'show events buf0') == Answer('Permission denied', Severity.ERROR)


async def test_where_it_runs(verbs: Verbs, session: Session, plane: Plane) -> None:
    libraries = (await say(verbs, session, 'show libs')).text
    assert 'libc' in libraries
    assert all(line.startswith('0x') for line in libraries.splitlines())
    lines = (await say(verbs, session, 'show dev')).text.splitlines()
    assert lines[0] == 'Sluice version 1.2.3'
    assert f'  pid: {os.getpid()}' in lines
    assert '  workers: 4000001 4000002' in lines
    for line in ('show dev', 'show libs'):
        assert (await say(verbs, Session(Level.USER, 1000), line)).text == 'Permission denied'
