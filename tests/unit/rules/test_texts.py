"""Converters of strings that HAProxy 2.6, which is asked about the others, does not have."""

from __future__ import annotations

import pytest

from dataplane.rules.closures import compiled_expression
from dataplane.rules.expressions import parse_expression
from dataplane.rules.scope import Scope
from tests.unit.rules.transaction import Transaction


@pytest.mark.parametrize(
    'name, turned',
    [
        ('example.com', b'com.example'),
        ('mail.Example.com.', b'com.Example.mail'),
        ('localhost', b'localhost'),
        ('', None),
        ('.', None),
        ('a..b', None),
        ('.a', None),
        ('a..', None),
    ],
)
def test_a_hosts_name_from_the_other_end(name: str, turned: bytes | None) -> None:
    expression = parse_expression([f'str({name}),reverse_dom'], 0, Scope())[0]
    assert compiled_expression(expression)(Transaction()) == turned
