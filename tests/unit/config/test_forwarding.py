"""`option forwarded`."""

from __future__ import annotations

import pytest

from dataplane.rules.model import Call, Expression
from dataplane.rules.steps import Forwarded
from tests.unit.config.loading import HTTP, backend, frontend_error, snapshot, warnings

SRC = Expression(Call('src'))


@pytest.mark.parametrize(
    'words, expected',
    [
        ('', Forwarded(proto=True, for_=True)),
        ('proto', Forwarded(proto=True)),
        ('host by by_port for for_port', Forwarded(host=True, by=True, by_port=True, for_=True, for_port=True)),
        ('for-expr src host-expr src', Forwarded(host=SRC, for_=SRC)),
        ('by-expr src by_port-expr src for for_port-expr src', Forwarded(by=SRC, by_port=SRC, for_=True, for_port=SRC)),
    ],
)
def test_what_stands_in_the_field(words: str, expected: Forwarded) -> None:
    assert backend(f'option forwarded {words}').rules.forwarded == expected


def test_it_is_inherited_and_taken_back() -> None:
    text = f'{HTTP} option forwarded\nbackend b\nbackend c\n no option forwarded\n'
    assert [found.rules.forwarded for found in snapshot(text).backends] == [Forwarded(proto=True, for_=True), None]


def test_a_port_without_its_node_is_ignored() -> None:
    text = f'{HTTP}backend b\n option forwarded proto by_port for_port-expr src\n'
    assert warnings(text) == [
        "7: 'option forwarded' : 'by_port' will be ignored because both 'by' and 'by-expr' are unset.",
        "7: 'option forwarded' : 'for_port' will be ignored because both 'for' and 'for-expr' are unset.",
    ]
    assert snapshot(text).backends[0].rules.forwarded == Forwarded(proto=True)


def test_what_is_no_such_option() -> None:
    (found,) = frontend_error('option forwarded scheme')
    assert found.endswith("(got 'scheme').")
    (found,) = frontend_error('option forwarded for-expr nope')
    assert found == "'option forwarded' : 'for-expr' : unknown fetch method 'nope'."
