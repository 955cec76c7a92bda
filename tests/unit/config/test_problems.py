from __future__ import annotations

import pytest

from dataplane.config.problems import MAX_PROBLEMS, ConfigErrors, Problem, Report, did_you_mean, shown


def test_a_problem_is_worded_as_haproxy_words_it() -> None:
    assert str(Problem('f.cfg', 3, 'bad')) == 'config : parsing [f.cfg:3] : bad'
    assert str(Problem('f.cfg', 0, 'bad')) == 'config : parsing [f.cfg] : bad'


def test_errors_are_all_said() -> None:
    errors = ConfigErrors([Problem('f', 1, 'a'), Problem('f', 2, 'b')], [Problem('f', 3, 'c')])
    assert str(errors) == 'config : parsing [f:1] : a\nconfig : parsing [f:2] : b'
    assert (len(errors.errors), len(errors.warnings)) == (2, 1)


def test_a_report_is_bounded() -> None:
    report = Report()
    for line in range(MAX_PROBLEMS * 2):
        report.error('f', line, 'bad')
        report.warning('f', line, 'odd')
    assert len(report.errors) == len(report.warnings) == MAX_PROBLEMS
    assert report.errors[-1].text == f'too many errors ({MAX_PROBLEMS}), the following ones are not shown'


@pytest.mark.parametrize(
    'word, text', [('a', 'a'), ('a\nb', 'a?b'), ('\udcff', '?'), ('x' * 80, 'x' * 80), ('x' * 81, 'x' * 77 + '...')]
)
def test_words_are_shown_on_one_line(word: str, text: str) -> None:
    assert shown(word) == text


def test_hints() -> None:
    assert did_you_mean('maxcon', ['maxconn', 'mode']) == "; did you mean 'maxconn' maybe ?"
    assert did_you_mean('zzz', ['maxconn']) == ''
    assert did_you_mean('', ['maxconn']) == ''
    assert did_you_mean('x' * 100_000, ['x' * 99_999]) == ''
