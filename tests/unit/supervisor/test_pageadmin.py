from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlencode

import pytest

from dataplane.core.changes import AdoptFile
from dataplane.core.model import AdminState
from dataplane.supervisor.pageadmin import ACTIONS, Administration, Said, Tokens, is_forged
from dataplane.supervisor.pageask import Asked
from tests.inprocess import SNAPSHOT, Plane

SECRET = b'k' * 32
HOST = 'stats.example:8404'


class Desk:
    """An administration over a plane, and what it noted."""

    def __init__(self, plane: Plane | None = None) -> None:
        self.plane = plane or Plane()
        self.notes: list[str] = []
        self.tokens = Tokens(SECRET)
        self.administration = Administration(
            self.plane.verbs(), lambda: self.plane.ledger.tables, self.tokens, self.notes.append
        )

    async def act(
        self, form: str | None, *, user: str = '', scope: tuple[str, ...] = (), granted: bool = True, **said: str
    ) -> Said:
        body = None if form is None else form.encode()
        asked = Asked(method='POST', target='/s', host=HOST, body=body, granted=granted, address='192.0.2.7', **said)
        return await self.administration.act(asked, user, 'stats', scope)

    def state(self, server: str) -> AdminState:
        return self.plane.ledger.records[self.plane.server('px', server)].effective


@pytest.mark.parametrize(
    'form, said',
    [
        ('s=s1&action=drain&b=%233', Said.DONE),
        ('s=s1&action=drain&b=px', Said.DONE),
        ('b=px&s=s1&s=s2&s=s1&action=maint', Said.DONE),
        ('s=s1&s=nobody&action=drain&b=px', Said.PART),
        ('s=nobody&action=drain&b=px', Said.ERRP),
        ('s=s1&action=explode&b=px', Said.ERRP),
        ('s=s1&action=&b=px', Said.ERRP),
        ('s=s1&action=drain&b=nobody', Said.ERRP),
        ('s=s1&action=drain&b=%2399', Said.ERRP),
        ('action=drain&b=px', Said.NONE),
        ('s=s1&b=px', Said.NONE),
        ('s=s1&action=drain', Said.NONE),
        ('', Said.NONE),
        ('&&;;%zz=%', Said.NONE),
        ('s=s1%0a%2Fs2&action=drain&b=px', Said.ERRP),
        (None, Said.EXCD),
        ('&'.join(f's=s{number}' for number in range(20_001)), Said.EXCD),
    ],
)
async def test_what_becomes_of_a_form(form: str | None, said: Said) -> None:
    assert await Desk().act(form) is said


async def test_states_are_those_of_the_stats_socket() -> None:
    desk = Desk()
    for action, state in (('drain', AdminState.DRAIN), ('maint', AdminState.MAINT), ('ready', AdminState.READY)):
        assert await desk.act(f's=s1&action={action}&b=px') is Said.DONE
        assert desk.state('s1') is state
    assert desk.plane.sources == ['cli'] * 3
    assert desk.notes[0] == 'Statistics page: drain of px/s1 by somebody at 192.0.2.7: done.'


@pytest.mark.parametrize('action', [*ACTIONS, 'enable', 'disable', 'stop', 'start'])
async def test_every_action_is_a_command_of_the_stats_socket(action: str) -> None:
    """What a server without checks refuses is refused by its reason, not as an unknown word."""
    desk = Desk()
    said = await desk.act(f's=s1&action={action}&b=px', user='u')
    (note,) = desk.notes
    assert said is (Said.DONE if note.endswith(': done.') else Said.ERRP)
    assert 'nknown' not in note
    assert 'expects' not in note


async def test_a_reload_that_numbers_anew_between_two_servers() -> None:
    """The backend that was meant is the one with that name, also where another one has its number by now."""
    desk = Desk()
    px, empty = SNAPSHOT.backends
    other = replace(px, name='other', servers=tuple(replace(server, disabled=False) for server in px.servers))
    plane, notes = desk.plane, desk.notes

    def note(text: str) -> None:
        notes.append(text)
        if len(notes) == 1:
            plane.make(AdoptFile(replace(SNAPSHOT, backends=(other, replace(px, id=7), empty))))

    administration = Administration(plane.verbs(), lambda: plane.ledger.tables, desk.tokens, note)
    asked = Asked(method='POST', target='/s', body=b's=s1&s=s2&action=maint&b=%233', granted=True)
    assert await administration.act(asked, '', 'stats', ()) is Said.DONE
    assert [desk.state(server) for server in ('s1', 's2')] == [AdminState.MAINT] * 2
    assert plane.ledger.records[plane.server('other', 's2')].effective is AdminState.READY


async def test_a_backend_that_goes_between_two_servers() -> None:
    desk = Desk()
    plane, notes = desk.plane, desk.notes

    def note(text: str) -> None:
        notes.append(text)
        if len(notes) == 1:
            plane.make(AdoptFile(replace(SNAPSHOT, backends=SNAPSHOT.backends[1:])))

    administration = Administration(plane.verbs(), lambda: plane.ledger.tables, desk.tokens, note)
    asked = Asked(method='POST', target='/s', body=b's=s1&s=s2&action=drain&b=px', granted=True)
    assert await administration.act(asked, '', 'stats', ()) is Said.PART
    assert notes[1].endswith('drain of px/s2 by somebody at : refused: No such backend.')


async def test_who_may_not_change_anything_does_not() -> None:
    desk = Desk()
    assert await desk.act('s=s1&action=drain&b=px', granted=False) is Said.DENY
    assert desk.state('s1') is AdminState.READY


async def test_only_what_a_page_shows_can_be_changed_there() -> None:
    desk = Desk()
    assert await desk.act('s=s1&action=drain&b=px', scope=('fe', 'empty')) is Said.ERRP
    assert await desk.act('s=s1&action=drain&b=px', scope=('fe', 'px')) is Said.DONE


async def test_a_note_is_one_line() -> None:
    desk = Desk()
    await desk.act(urlencode({'s': 'a\nb\x1b[1m' + 'x' * 5_000, 'action': 'drain', 'b': 'px'}))
    (note,) = desk.notes
    assert note.isprintable()
    assert len(note) == 500


@pytest.mark.parametrize(
    'said, forged',
    [
        ({}, None),
        ({'fetch_site': 'same-origin'}, False),
        ({'fetch_site': 'same-origin', 'origin': 'http://elsewhere'}, False),  # no page can set what a browser sets
        ({'fetch_site': 'cross-site'}, True),
        ({'fetch_site': 'same-site'}, True),
        ({'fetch_site': 'none'}, True),
        ({'origin': f'http://{HOST}'}, False),
        ({'origin': f'https://{HOST.upper()}'}, False),
        ({'origin': 'http://elsewhere'}, True),
        ({'origin': 'http://stats.example'}, True),
        ({'origin': 'null'}, True),
        ({'origin': 'http://[::1'}, True),
        ({'referer': f'http://{HOST}/s;up'}, False),
        ({'referer': f'http://elsewhere/http://{HOST}/s'}, True),
    ],
)
def test_where_a_form_comes_from(said: dict[str, str], forged: bool | None) -> None:
    assert is_forged(Asked(method='POST', target='/s', host=HOST, **said)) is forged  # type: ignore[arg-type]


def test_without_a_host_no_origin_is_ours() -> None:
    assert is_forged(Asked(method='POST', target='/s', origin='http://')) is True
    assert is_forged(Asked(method='POST', target='/s', origin='null')) is True


async def test_a_browser_needs_the_token_of_its_user() -> None:
    desk = Desk()
    form = 's=s1&action=drain&b=px'
    for token in (
        '',
        'x',
        'ü',
        desk.tokens.of('other', 'stats'),
        desk.tokens.of('u', 'other'),
        Tokens(b'j' * 32).of('u', 'stats'),
    ):
        said = await desk.act(f'{form}&{urlencode({"token": token})}', user='u', fetch_site='same-origin')
        assert said is Said.DENY
    assert desk.state('s1') is AdminState.READY
    assert 'no page of this address sent it' in desk.notes[0]
    right = urlencode({'token': desk.tokens.of('u', 'stats')})
    assert await desk.act(f'{form}&{right}', user='u', fetch_site='cross-site') is Said.DENY
    assert await desk.act(f'{form}&{right}', user='u', fetch_site='same-origin') is Said.DONE


def test_tokens_tell_users_and_proxies_apart() -> None:
    tokens = Tokens(SECRET)
    assert tokens.of('a', 'b:c') != tokens.of('a:b', 'c')
    assert tokens.fits(tokens.of('a', 'b'), 'a', 'b')


def test_everything_that_may_be_said_has_a_sentence() -> None:
    assert all(said.told for said in Said)
