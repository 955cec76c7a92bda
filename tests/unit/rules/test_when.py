"""`when`: under which condition a sample passes."""

from __future__ import annotations

import pickle

import pytest

from dataplane.rules.acls import parse_acl
from dataplane.rules.closures import compiled_expression
from dataplane.rules.expressions import parse_expression
from dataplane.rules.phases import Phase
from dataplane.rules.problems import Rejected
from dataplane.rules.scope import Scope
from tests.unit.rules.transaction import Transaction

SLOW = Scope(phase=Phase.LOG)
SLOW.acls['slow'] = parse_acl(['slow', 'method', 'GET'], SLOW)


def passes(condition: str, **facts: bool) -> bool:
    expression = pickle.loads(pickle.dumps(parse_expression([f'str(x),when({condition})'], 0, SLOW)[0]))
    view = Transaction(method=b'GET', facts={name.replace('_', '.'): value for name, value in facts.items()})
    return compiled_expression(expression)(view) is not None


@pytest.mark.parametrize(
    'condition, fact', [('error', 'when_error'), ('forwarded', 'when_forwarded'), ('toapplet', 'when_toapplet'), ('stopping', 'stopping')],
)  # fmt: skip
def test_a_fact_of_the_request_lets_it_pass(condition: str, fact: str) -> None:
    assert passes(condition, **{fact: True})
    assert not passes(condition, **{fact: False})
    assert not passes(condition)
    assert passes(f'!{condition}')
    assert not passes(f'!{condition}', **{fact: True})


def test_normal_is_the_opposite_of_error() -> None:
    assert passes('normal')
    assert not passes('normal', when_error=True)
    assert passes('!normal', when_error=True)
    assert not passes('!normal')


def test_who_was_forwarded_or_answered_by_the_page_was_processed() -> None:
    assert [passes('processed', **facts) for facts in ({}, {'when_forwarded': True}, {'when_toapplet': True})] == [
        False, True, True,
    ]  # fmt: skip


def test_an_acl_may_say_it() -> None:
    assert passes('acl,slow')
    assert not passes('!acl,slow')


@pytest.mark.parametrize(
    'condition, complaint',
    [
        ('acl', "could not find ACL ''"),
        ('acl,none', "could not find ACL 'none'"),
        ('never', "expects one of error, normal, forwarded, toapplet, processed, stopping, acl, but got 'never'"),
        ('error,x', "condition 'error' takes no argument"),
    ],
)
def test_what_is_no_condition(condition: str, complaint: str) -> None:
    with pytest.raises(Rejected) as found:
        passes(condition)
    assert complaint in str(found.value)
