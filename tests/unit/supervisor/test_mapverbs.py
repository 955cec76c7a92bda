"""The commands on maps, ACLs and variables, on a supervisor without processes."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from dataplane.cli import maps
from dataplane.cli.grammar import Command, words
from dataplane.cli.session import Answer, Session, Severity
from dataplane.core.model import Level
from dataplane.rules.model import Entry, Match, Reference, Use
from dataplane.supervisor.wait import Patience
from tests.inprocess import SNAPSHOT, Plane

BEG, SUB, INT = Use(Match.BEG, gives='str'), Use(Match.SUB, fold=True, gives='str'), Use(Match.STR, gives='int')
MAP = Reference(
    'm', 0, 'shown m', maps=True, acls=False, uses=(BEG, SUB), entries=(Entry('a', '1', 1), Entry('b', '2', 2))
)
NUMBERS = Reference('n', 1, 'shown n', maps=True, acls=False, uses=(INT,), entries=(Entry('k', '17', 1),))
ACL = Reference('f', 2, 'shown f', maps=False, acls=True, uses=(Use(Match.STR),), entries=(Entry('/x', None, 1),))
BOTH = Reference('both', 3, 'shown', maps=True, acls=True, uses=(BEG, Use(Match.BEG)), entries=(Entry('z', '9', 1),))
OWN = Reference('', 4, "acl 'path'", maps=False, acls=True, uses=(Use(Match.BEG),), entries=(Entry('/own'),))


@pytest.fixture
def plane() -> Plane:
    return Plane(replace(SNAPSHOT, references=(MAP, NUMBERS, ACL, BOTH, OWN), variables=(('x', b'a\x00'), ('n', 5))))


async def say(plane: Plane, line: str, payload: str | None = None, session: Session | None = None) -> Answer:
    command = Command(words(line), payload)
    return await plane.verbs().run(command, session or Session(Level.ADMIN, 10_000), Patience())


async def shown(plane: Plane, line: str) -> list[str]:
    """Entries without their places."""
    return [entry.partition(' ')[2] for entry in (await say(plane, line)).text.splitlines()]


async def test_what_there_is(plane: Plane) -> None:
    assert (await say(plane, 'show map')).text.splitlines() == [
        '# id (file) description',
        '0 (m) shown m. curr_ver=0 next_ver=0 entry_cnt=2',
        '1 (n) shown n. curr_ver=0 next_ver=0 entry_cnt=1',
        '3 (both) shown. curr_ver=0 next_ver=0 entry_cnt=1',
    ]
    assert [line.split(' ')[0] for line in (await say(plane, 'show acl')).text.splitlines()[1:]] == ['2', '3', '4']
    assert await shown(plane, 'show map m') == await shown(plane, 'show map #0') == ['a 1', 'b 2']
    assert await shown(plane, 'show acl #4') == ['/own']


UNKNOWN_MAP, UNKNOWN_ACL = str(maps.Kind.MAP.unknown), str(maps.Kind.ACL.unknown)
ERRORS = [
    ('show map none', UNKNOWN_MAP),
    ('show map f', UNKNOWN_MAP),
    ('show acl m', UNKNOWN_ACL),
    ('show acl #9', UNKNOWN_ACL),
    ('get map m', 'Missing map identifier and/or key.'),
    ('get acl', 'Missing ACL identifier and/or key.'),
    ('get map none k', UNKNOWN_MAP),
    ('add map', maps.ADD_MAP),
    ('add acl', maps.ADD_ACL),
    ('add map m k', maps.ADD_MAP),
    ('add map none k v', UNKNOWN_MAP),
    ('add acl both k', maps.SHARED),
    ('add acl f', maps.ADD_ACL),
    ('add map n k x', "unable to parse 'x'."),
    ('add map @5 m k v', "Version number in the future, please use 'prepare map' before."),
    ('set map m k', "'set map' expects three parameters: map identifier, key and value."),
    ('set map m k v', 'entry not found.'),
    ('set map m #0x99 v', 'key or pattern not found.'),
    ('set map n k x', "unable to parse 'x'."),
    ('del map m', 'This command expects two parameters: map identifier and key.'),
    ('del acl f', 'This command expects two parameters: ACL identifier and key.'),
    ('del map m k', 'Key not found.'),
    ('clear map', 'Missing map identifier.'),
    ('clear acl none', UNKNOWN_ACL),
    ('prepare map none', UNKNOWN_MAP),
    ('commit map m', 'Missing version number.'),
    ('commit map @7 m', 'Version number out of range.'),
    ('get var', 'Missing process-wide variable identifier.'),
    ('get var proc.none', 'Variable not found.'),
    ('get var txn.x', 'Variable not found.'),
    ('set var proc.x str(a)', 'This command is restricted to experimental mode only.'),
]


@pytest.mark.parametrize('line, text', ERRORS)
async def test_errors(plane: Plane, line: str, text: str) -> None:
    assert await say(plane, line) == Answer(text, Severity.ERROR)
    assert plane.book.touched() == []


async def test_every_way_of_looking_says_what_it_finds(plane: Plane) -> None:
    assert (await say(plane, 'get map m abc')).text.splitlines() == [
        'type=beg, case=sensitive, found=yes, idx=tree, key="a", value="1", type="str"',
        'type=sub, case=insensitive, found=yes, idx=list, key="a", value="1", type="str"',
    ]
    assert (await say(plane, 'get map m x')).text.splitlines() == [
        'type=beg, case=sensitive, found=no',
        'type=sub, case=insensitive, found=no',
    ]
    assert (await say(plane, 'get map n k')).text.endswith('key="k", value="17", type="sint"')
    assert (await say(plane, 'get acl f /x')).text.endswith('match=yes, idx=tree, pattern="/x"')


async def test_a_look_into_many_entries_lets_others_have_their_turn() -> None:
    entries = tuple(Entry(f'k{number}', str(number), number + 1) for number in range(5_000))
    plane = Plane(replace(SNAPSHOT, references=(replace(MAP, entries=entries),)))
    turns = 0
    looking = [asyncio.create_task(say(plane, f'get map m k{number}')) for number in (4_999, 7)]
    while not all(task.done() for task in looking):
        turns += 1
        await asyncio.sleep(0)
    assert turns > 200, 'the index was made in one turn'
    first, second = (task.result().text.splitlines()[0] for task in looking)
    assert 'key="k4999"' in first
    assert 'key="k7"' in second


async def test_what_changes_while_a_look_is_prepared_is_seen() -> None:
    entries = tuple(Entry(f'k{number}', str(number), number + 1) for number in range(2_000))
    plane = Plane(replace(SNAPSHOT, references=(replace(MAP, entries=entries),)))
    looking = asyncio.create_task(say(plane, 'get map m new'))
    await asyncio.sleep(0)
    assert not looking.done()
    await say(plane, 'add map m new here')
    assert 'value="here"' in (await looking).text


async def test_entries_come_change_and_go(plane: Plane) -> None:
    assert await say(plane, 'add map m c 3') == Answer()
    assert await say(plane, 'add map m', 'd 4\ne 5 6\n') == Answer()
    assert await say(plane, 'set map m a one') == Answer()
    assert await say(plane, 'del map m b') == Answer()
    assert await shown(plane, 'show map m') == ['a one', 'c 3', 'd 4', 'e 5 6']
    place = (await say(plane, 'show map m')).text.splitlines()[1].partition(' ')[0]
    assert await say(plane, f'set map m #{place} three') == Answer()
    assert await say(plane, f'del map m #{place}') == Answer()
    assert await shown(plane, 'show map m') == ['a one', 'd 4', 'e 5 6']
    assert await say(plane, 'add acl f any', '/y\n/z more\n') == Answer()
    assert await shown(plane, 'show acl f') == ['/x', '/y', '/z']
    assert await say(plane, 'clear map m') == Answer()
    assert await shown(plane, 'show map m') == []


async def test_what_a_payload_brings_before_its_fault_stays(plane: Plane) -> None:
    assert (await say(plane, 'add map m', 'c 3\nbad\nd 4\n')).text == "Missing value for key 'bad'."
    assert await shown(plane, 'show map m') == ['a 1', 'b 2', 'c 3']


async def test_a_version_counts_once_it_is_committed(plane: Plane) -> None:
    assert await say(plane, 'prepare map m') == Answer('New version created: 1', Severity.INFO)
    await say(plane, 'add map @1 m new 1')
    assert await shown(plane, 'show map m') == ['a 1', 'b 2']
    assert await shown(plane, 'show map @1 m') == ['new 1']
    assert await say(plane, 'commit map @1 m') == Answer()
    assert await shown(plane, 'show map m') == ['new 1']
    await say(plane, 'prepare map m')
    await say(plane, 'add map @2 m other 2')
    await say(plane, 'clear map @2 m')
    assert await shown(plane, 'show map @2 m') == []


async def test_who_does_not_confirm_is_named(plane: Plane) -> None:
    plane.missing = (1,)
    text = 'Applied, but not confirmed by worker 1.'
    for line in ('add map m c 3', 'set map m a 5', 'del map m a', 'clear map m', 'prepare map m; commit map @1 m'):
        for command in line.split('; '):
            answer = await say(plane, command)
        assert answer == Answer(text, Severity.WARNING)


async def test_variables(plane: Plane) -> None:
    session = Session(Level.ADMIN, 10_000, experimental=True)
    assert (await say(plane, 'get var proc.x')).text == 'proc.x: type=str value=<a.>'
    assert (await say(plane, 'get var proc.n')).text == 'proc.n: type=sint value=<5>'
    for line, text in (
        ('set var proc.x str(new)', 'type=str value=<new>'),
        ('set var proc.x expr int(3),add(4)', 'type=sint value=<7>'),
        ('set var proc.x fmt n=%[var(proc.n)]', 'type=str value=<n=5>'),
    ):
        assert await say(plane, line, session=session) == Answer()
        assert (await say(plane, 'get var proc.x')).text == f'proc.x: {text}'


@pytest.mark.parametrize(
    'line, text',
    [
        ('set var', 'Missing process-wide variable identifier.'),
        ('set var proc.x', "Missing either 'expr', 'fmt' or expression."),
        ('set var proc.x moon x', "'set var': arg type must be either 'expr' or 'fmt' but got 'moon'."),
        ('set var txn.x str(a)', "'set var': cannot set variable 'txn.x', only scope 'proc' is permitted here."),
    ],
)
async def test_variables_that_cannot_be_set(plane: Plane, line: str, text: str) -> None:
    session = Session(Level.ADMIN, 10_000, experimental=True)
    assert await say(plane, line, session=session) == Answer(text, Severity.ERROR)


async def test_who_may_set_variables(plane: Plane) -> None:
    session = Session(Level.OPERATOR, 10_000, experimental=True)
    assert (await say(plane, 'set var proc.x str(a)', session=session)).text == 'Permission denied'
