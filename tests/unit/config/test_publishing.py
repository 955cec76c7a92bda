"""`be-unpublished`, `force-be-switch`, and what is kept of named defaults for backends to come."""

from __future__ import annotations

import pytest

from tests.unit.config.loading import HTTP, backend, backend_error, errors, frontend, frontend_error, snapshot, warnings


def test_published_unless_it_is_said() -> None:
    assert backend('').published
    assert not backend('be-unpublished').published
    assert backend('disabled').published


def test_a_condition_that_forces() -> None:
    rules = frontend('acl boss src 10.0.0.0/8\n force-be-switch if boss\n force-be-switch unless { path / }').rules
    assert [switch.name for switch in rules.forced] == ['', '']
    assert rules.forced[1].condition is not None
    assert rules.forced[1].condition.unless
    assert frontend('').rules.forced == ()


@pytest.mark.parametrize(
    'line, said',
    [
        ('force-be-switch', "'force-be-switch' requires either 'if' or 'unless' followed by a condition (got '')."),
        ('force-be-switch x', "'force-be-switch' requires either 'if' or 'unless' followed by a condition (got 'x')."),
    ],
)
def test_bad_lines_of_a_frontend(line: str, said: str) -> None:
    assert frontend_error(line) == [said]


def test_an_acl_that_is_not_there() -> None:
    (problem,) = frontend_error('force-be-switch if nobody')
    assert 'nobody' in problem


def test_bad_lines_elsewhere() -> None:
    assert backend_error('be-unpublished now') == ["'be-unpublished' cannot handle unexpected argument 'now'."]
    for line in ('be-unpublished', 'force-be-switch if TRUE'):
        (problem,) = errors(f'defaults\n mode http\n {line}\n')
        assert "not allowed in 'defaults' section" in problem
    told = warnings(f'{HTTP}backend b\n force-be-switch if TRUE\nfrontend f\n bind :80\n be-unpublished\n')
    assert len([text for text in told if 'ignored because' in text]) == 2


def test_named_defaults_are_kept_for_backends_to_come() -> None:
    text = 'defaults a\n mode http\n retries 7\n fullconn 9\ndefaults\n mode http\n retries 8\ndefaults b\n retries 2\n'
    kept = snapshot(text).defaults
    assert [(mode, made.name, made.retries, made.fullconn) for mode, made in kept] == [
        ('http', 'a', 7, 9),
        ('', 'b', 2, 0),
    ]
