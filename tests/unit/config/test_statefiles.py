"""Where servers' states are read from."""

from __future__ import annotations

import pytest

from tests.unit.config.loading import HTTP, backend_error, errors, frontend_error, global_error, snapshot, warnings


def path(general: str, lines: str, defaults: str = '') -> str:
    text = f'global\n {general}\n{HTTP} {defaults}\nbackend b\n {lines}\n'
    return snapshot(text).backends[0].state_file


@pytest.mark.parametrize(
    'general, lines, found',
    [
        ('', '', ''),
        ('server-state-file f', '', ''),
        ('server-state-file f', 'load-server-state-from-file none', ''),
        ('', 'load-server-state-from-file global', ''),
        ('server-state-file f', 'load-server-state-from-file global', 'f'),
        ('server-state-file f\n server-state-base /d', 'load-server-state-from-file global', '/d/f'),
        ('server-state-file f\n server-state-base /d/', 'load-server-state-from-file global', '/d/f'),
        ('server-state-file /e/f\n server-state-base /d', 'load-server-state-from-file global', '/e/f'),
        ('server-state-base /d', 'load-server-state-from-file local', '/d/b'),
        ('server-state-base /d', 'load-server-state-from-file local\n server-state-file-name n', '/d/n'),
        ('server-state-base /d', 'load-server-state-from-file local\n server-state-file-name /n', '/n'),
        ('server-state-base /d', 'load-server-state-from-file local\n server-state-file-name', '/d/b'),
        ('', 'load-server-state-from-file local', 'b'),
    ],
)
def test_the_file_of_a_backend(general: str, lines: str, found: str) -> None:
    assert path(general, lines) == found


def test_what_defaults_say_counts_until_the_backend_says_otherwise() -> None:
    defaults = 'load-server-state-from-file local\n server-state-file-name n'
    assert path('', '', defaults) == 'n'
    assert path('', 'server-state-file-name use-backend-name', defaults) == 'b'
    assert path('', 'load-server-state-from-file none', defaults) == ''


@pytest.mark.parametrize(
    'lines, said',
    [
        ('server-state-file', "'server-state-file' expects one argument: a file path."),
        ('server-state-base', "'server-state-base' expects one argument: a directory path."),
        ('server-state-file a b', "'server-state-file' cannot handle unexpected argument 'b'."),
        ('server-state-file a\n server-state-file b', "'server-state-file' already specified. Continuing."),
        ('server-state-base a\n server-state-base b', "'server-state-base' already specified. Continuing."),
        ('stats-file', "'stats-file' expects one argument: a file path."),
        ('stats-file a\n stats-file b', "'stats-file' already specified. Continuing."),
    ],
)
def test_bad_global_lines(lines: str, said: str) -> None:
    (problem,) = global_error(lines)
    assert problem.partition(': ')[2] == said


@pytest.mark.parametrize(
    'lines, said',
    [
        (
            'load-server-state-from-file',
            "'load-server-state-from-file' expects 'global', 'local' or 'none' (got '').",
        ),
        (
            'load-server-state-from-file x',
            "'load-server-state-from-file' expects 'global', 'local' or 'none' (got 'x').",
        ),
        ('load-server-state-from-file local x', "'load-server-state-from-file' cannot handle unexpected argument 'x'."),
        ('server-state-file-name a b', "'server-state-file-name' cannot handle unexpected argument 'b'."),
    ],
)
def test_bad_lines(lines: str, said: str) -> None:
    assert backend_error(lines) == [said]


def test_a_frontend_has_no_servers() -> None:
    assert frontend_error('load-server-state-from-file global') == []
    text = f'{HTTP}backend b\nfrontend f\n bind :80\n load-server-state-from-file global\n server-state-file-name x\n'
    assert not errors(text)
    assert len([one for one in warnings(text) if "ignored because frontend 'f' has no backend capability" in one]) == 2


def test_where_counters_are_read_from() -> None:
    assert snapshot('global\n stats-file /var/lib/stats\n').globals.stats_file == '/var/lib/stats'
    assert not snapshot('global\n').globals.stats_file


@pytest.mark.parametrize(
    'section, warned',
    [
        ('backend b', 1),
        ('listen b\n bind :1\n server s 1.1.1.1:1', 1),
        ('backend b\n load-server-state-from-file none', 0),
        ('backend b\n load-server-state-from-file local', 0),
        ('backend b\n disabled', 0),
        ('frontend b\n bind :1\n default_backend c\nbackend c\n load-server-state-from-file none', 0),
        ('listen b\n bind :1\n stats enable', 0),
    ],
)
def test_to_load_from_the_global_file_where_none_is_named(section: str, warned: int) -> None:
    text = f'{HTTP} load-server-state-from-file global\n{section}\n'
    found = [warning for warning in warnings(text) if "Unfortunately, 'server-state-file' is not set!" in warning]
    assert len(found) == warned
    assert not any('Unfortunately' in warning for warning in warnings(f'global\n server-state-file f\n{text}'))
