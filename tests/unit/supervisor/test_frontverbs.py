"""`set rate-limit`: limits of the whole data plane, on the board, in `show info`, and after a reload."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dataplane.cli.arguments import RATE_LIMITS
from dataplane.cli.grammar import Command, words
from dataplane.cli.session import Answer, Session, Severity
from dataplane.core.changes import AdoptFile
from dataplane.core.layout import Rate
from dataplane.core.model import Level
from dataplane.supervisor.wait import Patience
from tests.inprocess import SNAPSHOT, Plane

SHOWN = {
    Rate.CONNECTIONS: 'ConnRateLimit',
    Rate.SESSIONS: 'SessRateLimit',
    Rate.SSL_SESSIONS: 'SslRateLimit',
    Rate.HTTP_COMPRESSION: 'CompressBpsRateLim',
}


@pytest.fixture
def plane() -> Plane:
    return Plane(replace(SNAPSHOT, globals=replace(SNAPSHOT.globals, maxconnrate=100, maxsessrate=200)))


async def say(plane: Plane, line: str, level: Level = Level.ADMIN) -> Answer:
    return await plane.verbs().run(Command(words(line)), Session(level, 10_000), Patience())


def limits(plane: Plane) -> list[int]:
    return [int(plane.figures.info()[SHOWN[rate]]) for rate in Rate]


async def test_limits_are_set_and_shown(plane: Plane) -> None:
    assert limits(plane) == [100, 200, 0, 0]
    for setting, limit in (('connections', 5), ('sessions', 6), ('ssl-sessions', 7), ('http-compression', 8)):
        assert await say(plane, f'set rate-limit {setting} global {limit}') == Answer()
    assert limits(plane) == [5, 6, 7, 8 * 1024]
    assert await say(plane, 'set rate-limit connections global 0') == Answer()
    assert limits(plane)[0] == 0


@pytest.mark.parametrize(
    'line, text',
    [
        ('set rate-limit', RATE_LIMITS),
        ('set rate-limit connections', RATE_LIMITS),
        ('set rate-limit connections frontend 5', RATE_LIMITS),
        ('set rate-limit requests global 5', RATE_LIMITS),
        ('set rate-limit connections global', 'Expects an integer value.'),
        ('set rate-limit connections global x', 'Expects an integer value.'),
        ('set rate-limit connections global -1', 'Value out of range.'),
        ('set rate-limit sessions global 99999999999', 'Value out of range.'),
    ],
)
async def test_errors(plane: Plane, line: str, text: str) -> None:
    assert await say(plane, line) == Answer(text, Severity.ERROR)
    assert plane.revision == 1


async def test_who_may_not(plane: Plane) -> None:
    assert (await say(plane, 'set rate-limit connections global 5', Level.OPERATOR)).text == 'Permission denied'


async def test_what_was_set_lives_on_until_the_file_says_otherwise(plane: Plane) -> None:
    await say(plane, 'set rate-limit connections global 5')
    await say(plane, 'set rate-limit sessions global 6')
    plane.make(AdoptFile(plane.snapshot))
    assert limits(plane)[:2] == [5, 6]
    plane.make(AdoptFile(replace(plane.snapshot, globals=replace(plane.snapshot.globals, maxsessrate=300))))
    assert limits(plane)[:2] == [5, 300]


def test_a_frontend_shows_its_own(plane: Plane) -> None:
    plane.make(AdoptFile(replace(SNAPSHOT, frontends=(replace(SNAPSHOT.frontends[0], rate_limit=9),))))
    assert next(iter(plane.figures.rows())).values['rate_lim'] == 9
