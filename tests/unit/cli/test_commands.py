from __future__ import annotations

import pytest

from dataplane.cli.commands import ALWAYS, COMMANDS, Verb, find, help_text, unknown
from dataplane.cli.master import COMMANDS_OF_MASTER
from dataplane.cli.session import Severity
from dataplane.core.model import Level

TAIL = """  help [<command>]                        : list matching or all commands
  prompt [help | n | i | p | timed ]*     : toggle interactive mode with prompt
  quit                                    : disconnect"""


def usages(text: str) -> list[str]:
    return [line.split(':')[0].strip().split(' [')[0].split(' <')[0] for line in text.splitlines()[1:-3]]


def test_every_verb_has_one_command() -> None:
    own = [entry for entry in COMMANDS_OF_MASTER[4:] if entry not in COMMANDS]
    verbs = [entry.verb for entry in (*COMMANDS, *ALWAYS, *own)]
    assert sorted(verbs, key=lambda verb: verb.name) == sorted(Verb, key=lambda verb: verb.name)


def test_commands_are_in_alphabetical_order() -> None:
    assert list(COMMANDS) == sorted(COMMANDS, key=lambda entry: entry.words)


def test_a_command_is_found_by_its_leading_words() -> None:
    entry = find(('show', 'servers', 'state', 'px'))
    assert entry is not None
    assert (entry.verb, entry.level) == (Verb.SHOW_SERVERS_STATE, Level.USER)
    assert find(('show', 'servers')) is None
    assert find(('',)) is None


def test_shutdown_session_and_sessions_are_two() -> None:
    one, all_of_them = find(('shutdown', 'session', '0x1')), find(('shutdown', 'sessions', 'server', 'px/s1'))
    assert one is not None
    assert all_of_them is not None
    assert (one.verb, all_of_them.verb) == (Verb.SHUTDOWN_SESSION, Verb.SHUTDOWN_SESSIONS_SERVER)


def test_nothing_is_answered_with_everything() -> None:
    text = unknown(('',)).text
    assert text.startswith("Unknown command: ''. Please enter one of the following commands only:\n  add acl ")
    assert text.endswith(TAIL)
    assert len(text.splitlines()) == 1 + len([entry for entry in COMMANDS if entry.usage]) + 3
    assert 'expert-mode' not in text


@pytest.mark.parametrize(
    'line,expected',
    [
        ('set maxconn', ['set maxconn frontend', 'set maxconn global', 'set maxconn server']),
        ('set maxconn foo', ['set maxconn frontend', 'set maxconn global', 'set maxconn server']),
        ('show servers', ['show servers conn', 'show servers state']),
        ('show stta', ['show servers state', 'show stat']),
        ('shw stat', ['show acl', 'show map', 'show startup-logs', 'show stat', 'show table']),
        ('shutdown', ['shutdown frontend', 'shutdown session', 'shutdown sessions server']),
        ('shutdown sessions', ['shutdown sessions server']),
        (
            'disable servre px/s1',
            [
                'disable agent',
                'disable dynamic-cookie backend',
                'disable frontend',
                'disable health',
                'disable server (DEPRECATED)',
            ],
        ),
    ],
)
def test_an_unknown_command_gets_the_likeliest(line: str, expected: list[str]) -> None:
    answer = unknown(line.split())
    head = f"Unknown command: '{line.split(maxsplit=1)[0]}', but maybe one of the following ones is a better match:\n"
    assert answer.text.startswith(head)
    assert answer.text.endswith(TAIL)
    assert answer.severity is Severity.INFO
    assert usages(answer.text) == expected


def test_no_more_than_five_guesses() -> None:
    assert 1 <= len(usages(unknown(('zzz',)).text)) <= 5


def test_help_lists_what_begins_like_it() -> None:
    assert help_text(('set', 'maxconn')).text.startswith(
        'The following commands are valid at this level:\n  set maxconn front'
    )
    assert usages(help_text(('show', 'stat')).text) == ['show stat']
    assert help_text(()).text.endswith(TAIL)


def test_no_answer_holds_an_empty_line() -> None:
    assert '\n\n' not in help_text(()).text
    assert '\n\n' not in unknown(('show', 'x')).text


def test_the_usage_lines_are_aligned() -> None:
    for line in help_text(()).text.splitlines()[1:]:
        assert line[42] == ':'
