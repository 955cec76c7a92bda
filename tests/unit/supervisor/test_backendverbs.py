"""`add`, `del`, `publish` and `unpublish backend` on a supervisor without processes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dataplane.cli.grammar import Command, words
from dataplane.cli.session import Answer, Session, Severity
from dataplane.core.model import Backend, Level
from dataplane.supervisor.backendverbs import USAGE
from dataplane.supervisor.wait import Patience
from tests.inprocess import SNAPSHOT, Plane

WITH_DEFAULTS = replace(SNAPSHOT, defaults=(('http', Backend(name='base', id=0, retries=5)),))


@pytest.fixture
def plane() -> Plane:
    return Plane(WITH_DEFAULTS)


async def say(plane: Plane, line: str, level: Level = Level.ADMIN) -> Answer:
    return await plane.verbs().run(Command(words(line)), Session(level, 10_000), Patience())


@pytest.mark.parametrize(
    'line, text',
    [
        ('add backend', USAGE),
        ('add backend n', USAGE),
        ('add backend n from', USAGE),
        ('add backend n from base mode', USAGE),
        ('add backend n from base moon x', USAGE),
        ('add backend n of base', USAGE),
        ('add backend n from base guid x/y', "'guid' : invalid character '/'"),
        ('add backend n+ from base', "character '+' is not permitted in backend name 'n+'."),
        ('add backend n from no', "Cannot find default proxy 'no'."),
        ('del backend', 'A backend name is expected.'),
        ('del backend x', 'No such backend.'),
        ('del backend px', 'Backend must be unpublished prior to its deletion.'),
        ('publish backend', 'A backend name is expected.'),
        ('unpublish backend x', 'No such backend.'),
        ('wait 2 be-removable px', 'Failed. Backend must be unpublished prior to its deletion.'),
        ('wait 2 be-removable x', 'Failed. No such backend.'),
    ],
)
async def test_errors(plane: Plane, line: str, text: str) -> None:
    assert await say(plane, line) == Answer(text, Severity.ERROR)
    assert plane.revision == 1


async def test_a_backend_comes_is_shown_hidden_and_goes(plane: Plane) -> None:
    assert await say(plane, 'add backend n from base') == Answer('New backend registered.', Severity.INFO)
    assert 'n,BACKEND,' in (await say(plane, 'show stat n 2 -1')).text
    assert 'UP (UNPUB)' in (await say(plane, 'show stat n 2 -1')).text
    assert await say(plane, 'publish backend n') == Answer('Backend published.', Severity.INFO)
    assert 'UNPUB' not in (await say(plane, 'show stat n 2 -1')).text
    assert (await say(plane, 'add server n/s 10.0.0.1:80')).text == 'New server registered.'
    assert await say(plane, 'unpublish backend n') == Answer('Backend unpublished.', Severity.INFO)
    assert (await say(plane, 'del backend n')).text == 'Only a backend without server can be deleted.'
    await say(plane, 'del server n/s')
    assert await say(plane, 'del backend n') == Answer('Backend deleted.', Severity.INFO)
    assert plane.ledger.tables.backend_of('n') is None


async def test_a_backend_with_a_stream_in_it_is_waited_for(plane: Plane) -> None:
    await say(plane, 'add backend n from base mode http')
    index = plane.ledger.tables.backend_of('n')
    assert index is not None
    inside = plane.layout.beconn(1, index)
    plane.cells[inside] = 1
    reason = 'Backend still has attached streams on it.'
    assert (await say(plane, 'del backend n')).text == reason
    assert (await say(plane, 'wait 2 be-removable n')).text == f'Wait delay expired. {reason}'
    plane.cells[inside] = 0
    assert (await say(plane, 'wait 2 be-removable n')).text == 'Done.'


@pytest.mark.parametrize('line', ['add backend n from base', 'del backend px', 'publish backend px'])
async def test_only_an_administrator_may(plane: Plane, line: str) -> None:
    assert (await say(plane, line, Level.OPERATOR)).text == 'Permission denied'
