"""The words of a line, whatever the line: all that are wrong are named, the rest is applied."""

from __future__ import annotations

import pytest

from dataplane.config.keywords.table import accepted, refused, supported
from dataplane.config.keywords.table import table as table_of
from dataplane.config.problems import Rejected, Report
from dataplane.config.reader import Line
from dataplane.config.settings import read_settings

TABLE = table_of(supported('flag, size:1'), accepted('nothing does', 'harmless:1'), refused('nobody can', 'never'))


def read(*words: str) -> tuple[list[tuple[str, str]], Report, str]:
    """What was applied, what was reported, and what was raised."""
    applied: list[tuple[str, str]] = []
    report = Report()

    def apply(name: str, value: str) -> None:
        if value == 'bad':
            raise Rejected(f"'{name}' is bad")
        applied.append((name, value))

    try:
        read_settings(words, TABLE, apply, 'here', Line('t.cfg', 7, ('line', *words)), report)
    except Rejected as problem:
        return applied, report, str(problem)
    return applied, report, ''


def test_each_word_with_its_arguments() -> None:
    applied, report, problem = read('flag', 'size', '5', 'harmless', 'x', 'flag')
    assert applied == [('flag', ''), ('size', '5'), ('flag', '')]
    assert [(warning.line, warning.text) for warning in report.warnings] == [
        (7, "here : 'harmless' has no effect: nothing does.")
    ]
    assert problem == ''


def test_all_that_is_wrong_is_named() -> None:
    applied, report, problem = read('never', 'size', 'bad', 'flag', 'size')
    assert applied == [('flag', '')]
    assert [error.text for error in report.errors] == [
        "here : 'never' is not supported: nobody can.",
        "here : 'size' is bad",
    ]
    assert problem == "here : 'size' expects an argument."


@pytest.mark.parametrize('words, hint', [(('sizes', '1', 'never'), "; did you mean 'size' maybe ?"), (('#',), '.')])
def test_an_unknown_word_ends_it(words: tuple[str, ...], hint: str) -> None:
    applied, report, problem = read(*words)
    assert (applied, report.errors) == ([], [])
    assert problem == f"here : unknown keyword '{words[0]}'{hint}"


def test_what_is_refused_for_one_reason_is_one_error() -> None:
    table = table_of(refused('nobody can', 'never, nor:1'), refused('not today', 'later'))
    report = Report()
    with pytest.raises(Rejected) as raised:
        read_settings(
            ('never', 'later', 'nor', 'x', 'never'), table, lambda *_: None, 'here', Line('t.cfg', 7, ('line',)), report
        )
    assert [error.text for error in report.errors] == ["here : 'never', 'nor' are not supported: nobody can."]
    assert str(raised.value) == "here : 'later' is not supported: not today."


def test_an_empty_argument_is_none() -> None:
    assert read('size', '')[2] == "here : 'size' expects an argument."
