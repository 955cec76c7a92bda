"""`add server`, `del server` and when a server is removable, on a supervisor without processes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dataplane.cli.grammar import Command, words
from dataplane.cli.session import Answer, Session, Severity
from dataplane.core.changes import AdoptFile
from dataplane.core.checks import ServerCheck
from dataplane.core.counters import C
from dataplane.core.model import AdminState, Level
from dataplane.supervisor.wait import Patience
from tests.inprocess import SNAPSHOT, Plane


async def say(plane: Plane, line: str, level: Level = Level.ADMIN) -> Answer:
    return await plane.verbs().run(Command(words(line)), Session(level, 10_000), Patience())


@pytest.mark.parametrize(
    'line, text',
    [
        ('add server', "Require 'backend/server'."),
        ('add server px', "Require 'backend/server'."),
        ('add server x/n 10.0.0.1:80', 'No such backend.'),
        ('add server px/n', "'server' expects <name> and <addr>[:<port>] as arguments."),
        ('add server px/s1 10.0.0.1:80', 'Already exists a server with the same name in backend.'),
        ('add server px/n 10.0.0.1:80 id 2', "'id' : custom id 2 already used at  ('server s2')."),
        ('del server', "Require 'backend/server'."),
        ('del server px/x', 'No such server.'),
        ('del server x/s1', 'No such backend.'),
        ('del server px/s1', 'Only servers in maintenance mode can be deleted.'),
        ('set server px/s1 fqdn', 'set server <b>/<s> fqdn requires a FQDN.'),
        ('set server px/s1 fqdn a.b', 'set server <b>/<s> fqdn failed because no resolution is configured.'),
        (
            'set server px/s1 ssl on',
            "'set server <srv> ssl' cannot be set.  default-server should define ssl settings",
        ),
    ],
)
async def test_errors(line: str, text: str) -> None:
    plane = Plane()
    assert await say(plane, line) == Answer(text, Severity.ERROR)
    assert plane.revision == 1


async def test_a_server_comes_and_goes() -> None:
    plane = Plane()
    assert await say(plane, 'add server px/n 10.0.0.1:80 weight 7') == Answer('New server registered.', Severity.INFO)
    index = plane.server('px', 'n')
    record = plane.ledger.records[index]
    assert (record.effective, record.uweight, record.server.id) == (AdminState.MAINT, 7, 4)
    assert await say(plane, 'enable server px/n') == Answer()
    assert (await say(plane, 'del server px/n')).text == 'Only servers in maintenance mode can be deleted.'
    await say(plane, 'disable server px/n')
    assert await say(plane, 'del server #3/#4') == Answer('Server deleted.', Severity.INFO)
    assert plane.ledger.tables.server_of('px', 'n') is None
    assert set(plane.sources) == {'cli'}


async def test_what_has_no_effect_is_told_before() -> None:
    lines = (await say(Plane(), 'add server empty/n 10.0.0.1:80 tfo')).text.split('\n')
    assert lines[0].startswith("'tfo' has no effect")
    assert lines[1:] == ['New server registered.']


async def test_a_server_that_is_still_used_is_waited_for() -> None:
    plane = Plane()
    await say(plane, 'disable server px/s1')
    served = plane.layout.served(1, plane.server('px', 's1'))
    plane.cells[served] = 1
    reason = 'Server still has connections attached to it, cannot remove it.'
    assert await say(plane, 'del server px/s1') == Answer(reason, Severity.ERROR)
    assert (await say(plane, 'wait 2 srv-removable px/s1')).text == f'Wait delay expired. {reason}'
    plane.cells[served] = 0
    assert (await say(plane, 'wait 2 srv-removable px/s1')).text == 'Done.'
    assert (await say(plane, 'del server px/s1')).text == 'Server deleted.'


async def test_a_server_that_another_tracks_stays() -> None:
    checked = replace(SNAPSHOT.backends[0].servers[0], name='c', id=9, check=ServerCheck())
    plane = Plane(replace(SNAPSHOT, backends=(replace(SNAPSHOT.backends[0], servers=(checked,)),)))
    assert (await say(plane, 'add server px/t 10.0.0.1:80 track px/c')).text == 'New server registered.'
    said = 'This server cannot be removed at runtime due to other configuration elements pointing to it.'
    await say(plane, 'disable server px/c')
    assert (await say(plane, 'del server px/c')).text == said
    assert (await say(plane, 'wait 2 srv-removable px/c')).text == f'Failed. {said}'
    assert (await say(plane, 'del server px/t')).text == 'Server deleted.'
    assert (await say(plane, 'del server px/c')).text == 'Server deleted.'


async def test_workers_that_did_not_confirm_are_named_behind_it() -> None:
    plane = Plane(missing=(1,))
    answer = await say(plane, 'add server px/n 10.0.0.1:80')
    assert answer == Answer('New server registered.\nApplied, but not confirmed by worker 1.', Severity.WARNING)


@pytest.mark.parametrize('line', ['add server px/n 10.0.0.1:80', 'add server help', 'del server px/s3'])
@pytest.mark.parametrize('level', [Level.USER, Level.OPERATOR])
async def test_only_an_administrator_may(line: str, level: Level) -> None:
    plane = Plane()
    assert (await say(plane, line, level)).text == 'Permission denied'
    assert plane.revision == 1


async def test_the_words_that_are_taken() -> None:
    lines = (await say(Plane(), 'add server help')).text.split('\n')
    assert lines[0] == 'List of keywords supported for dynamic servers:'
    assert 'weight' in lines


async def test_a_server_in_maintenance_is_renamed_and_stays_what_it_was() -> None:
    plane = Plane()
    index = plane.server('px', 's1')
    plane.count(plane.layout.server_counters(0, index), C.STOT, 5)
    await say(plane, 'set weight px/s1 7')
    await say(plane, 'set server px/s1 addr 10.9.9.9')
    await say(plane, 'disable server px/s1')
    assert await say(plane, 'set server px/s1 name other') == Answer('Server name updated.', Severity.INFO)
    assert plane.server('px', 'other') == index
    assert (await say(plane, 'get weight px/other')).text == '7 (initial 10)'
    assert (await say(plane, 'get weight px/s1')).text == 'No such server.'
    row = next(row for row in plane.figures.rows() if row.values['svname'] == 'other')
    assert (row.values['stot'], row.values['status'], row.values['addr'], row.sid) == (5, 'MAINT', '10.9.9.9:18472', 1)
    await say(plane, 'enable server px/other')
    assert (await say(plane, 'set server px/other name s1')).text == 'Only servers in maintenance mode can be renamed.'


async def test_a_reload_calls_it_as_the_file_does() -> None:
    plane = Plane()
    await say(plane, 'disable server px/s1')
    await say(plane, 'set server px/s1 name other')
    plane.make(AdoptFile(replace(SNAPSHOT, load=1)))
    assert plane.ledger.tables.server_of('px', 'other') is None
    assert plane.ledger.server('px', 's1').effective is AdminState.READY


@pytest.mark.parametrize(
    'line, text',
    [
        ('set server px/s3 name', 'set server <b>/<s> name requires a name.'),
        ('set server px/s3 name a+b', "character '+' is not permitted in server name 'a+b'."),
        ('set server px/s3 name s1', 'Already exists a server with the same name in backend.'),
        ('set server px/s1 name n', 'Only servers in maintenance mode can be renamed.'),
        ('set server px/none name n', 'No such server.'),
    ],
)
async def test_names_that_cannot_be_had(line: str, text: str) -> None:
    plane = Plane()
    assert await say(plane, line) == Answer(text, Severity.ERROR)
    assert plane.revision == 1


async def test_a_server_that_another_tracks_keeps_its_name() -> None:
    checked = replace(SNAPSHOT.backends[0].servers[0], name='c', id=9, check=ServerCheck())
    plane = Plane(replace(SNAPSHOT, backends=(replace(SNAPSHOT.backends[0], servers=(checked,)),)))
    await say(plane, 'add server px/t 10.0.0.1:80 track px/c')
    await say(plane, 'disable server px/c')
    said = 'This server cannot be renamed at runtime due to other configuration elements pointing to it.'
    assert (await say(plane, 'set server px/c name n')).text == said
    assert (await say(plane, 'set server px/t name n')).text == 'Server name updated.'
