from __future__ import annotations

import pytest

from dataplane.core.model import PriorityRule
from tests.unit.config.loading import HTTP, backend, errors, frontend, frontend_error, snapshot


@pytest.mark.parametrize(
    'rule, expected',
    [
        ('set-priority-class int(5)', PriorityRule(kind='class', value=5)),
        ('set-priority-class int(-5)', PriorityRule(kind='class', value=-5)),
        ('set-priority-class int(99999)', PriorityRule(kind='class', value=2_047)),
        ('set-priority-class int(-99999)', PriorityRule(kind='class', value=-2_047)),
        ('set-priority-offset int(+250)', PriorityRule(kind='offset', value=250)),
        ('set-priority-offset int(9999999)', PriorityRule(kind='offset', value=524_287)),
        ('set-priority-class hdr(X-Class)', PriorityRule(kind='class', header='X-Class')),
        ('set-priority-offset req.hdr(x-offset)', PriorityRule(kind='offset', header='x-offset')),
    ],
)
def test_priorities(rule: str, expected: PriorityRule) -> None:
    assert frontend(f'http-request {rule}').priority_rules == (expected,)
    assert backend(f'http-request {rule}').priority_rules == (expected,)


def test_rules_keep_their_order_those_of_named_defaults_first() -> None:
    text = (
        'defaults d\n mode http\n http-request set-priority-class int(1)\nfrontend f from d\n bind :80\n'
        ' http-request set-priority-class int(2)\n http-request set-priority-class int(3)\n'
    )
    assert [rule.value for rule in snapshot(text).frontends[0].priority_rules] == [1, 2, 3]


def test_the_rules_of_a_listen_are_run_once() -> None:
    found = snapshot(f'{HTTP}listen l\n bind :80\n http-request set-priority-class int(1)\n')
    assert len(found.frontends[0].priority_rules) == 1
    assert found.backends[0].priority_rules == ()


@pytest.mark.parametrize(
    'rule, complaint',
    [
        ('', "'http-request' expects an action, but got ''."),
        ('foo', "'http-request' expects an action, but got 'foo'."),
        ('denny', "'http-request' expects an action, but got 'denny'; did you mean 'deny' maybe ?"),
        ('deny', "'http-request deny' is not supported: rules set queue priorities only."),
        ('set-var(txn.x) int(1)', "'http-request set-var(txn.x)' is not supported: rules set queue priorities only."),
        ('set-priority-class', "'http-request set-priority-class' : missing fetch method."),
        (
            'set-priority-class int(5) if TRUE',
            "'http-request set-priority-class' : conditions ('if') are not supported yet.",
        ),
        (
            'set-priority-class int(5) foo',
            "'http-request set-priority-class' expects either 'if' or 'unless' followed by a condition but found 'foo'.",
        ),
        (
            'set-priority-class int(x)',
            "'http-request set-priority-class' : fetch method 'int' : failed to parse 'x' as type 'integer'.",
        ),
        ('set-priority-class hdr()', "'http-request set-priority-class' : fetch method 'hdr' expects one header name (got '')."),
        ('set-priority-class hdr(a,2)', "'http-request set-priority-class' : fetch method 'hdr' expects one header name (got 'a,2')."),
        ('set-priority-class hdr(a', "'http-request set-priority-class' : 'hdr(a' is not supported, only int(N), hdr(NAME) and req.hdr(NAME) are."),
        ('set-priority-class src', "'http-request set-priority-class' : 'src' is not supported, only int(N), hdr(NAME) and req.hdr(NAME) are."),
        ('set-priority-class int(5),add(1)', "'http-request set-priority-class' : 'int(5),add(1)' is not supported, only int(N), hdr(NAME) and req.hdr(NAME) are."),
        ('use-service', "'http-request use-service' : '' is not supported, only 'prometheus-exporter' is."),
        ('use-service lua.x', "'http-request use-service' : 'lua.x' is not supported, only 'prometheus-exporter' is."),
        ('use-service prometheus-exporter if TRUE', "'http-request use-service' : the only condition supported is 'if { path PATH }'."),
        ('use-service prometheus-exporter if { path x }', "'http-request use-service' : a path begins with '/' and has printable characters only (got 'x')."),
    ],
)  # fmt: skip
def test_what_is_no_rule(rule: str, complaint: str) -> None:
    assert frontend_error(f'http-request {rule}') == [complaint]


def test_anonymous_defaults_have_no_rules() -> None:
    assert errors('defaults\n http-request set-priority-class int(1)\n')[0] == (
        "2: 'http-request' not allowed in anonymous 'defaults' section."
    )


def test_defaults_serve_no_metrics() -> None:
    (found,) = errors('defaults d\n http-request use-service prometheus-exporter\n')
    assert "not supported in 'defaults' section" in found
