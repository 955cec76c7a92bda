from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataplane.config.conditions import COMPATIBLE_VERSION, evaluate
from dataplane.config.problems import Rejected

ENV = {'HOME': '/root', 'EMPTY': ''}


@pytest.mark.parametrize(
    'expression, answer',
    [
        ('', False),
        ('  ', False),
        ('0', False),
        ('1', True),
        ('-1', True),
        ('0x0', False),
        ('0x10', True),
        ('!0', True),
        ('! !1', True),
        ('(1)', True),
        ('!(1 && 0)', True),
        ('1 && 0 || 1', True),
        ('0 || 1 && 0', False),
        ('1||0&&0', True),
        ('defined(HOME)', True),
        ('defined(EMPTY)', True),
        ('defined(NONE)', False),
        ('defined()', False),
        ('streq(a,a)', True),
        ('streq(a,b)', False),
        ('streq( a,a )', False),
        ('streq("a,b",\'a,b\')', True),
        ('streq(a\\,b,"a,b")', True),
        ('strneq(a,b)', True),
        ('strstr(abc,bc)', True),
        ('strstr(abc,x)', False),
        ('feature(EPOLL)', True),
        ('feature(OPENSSL)', False),
        ('enabled(REUSEPORT)', True),
        ('enabled(SPLICE)', False),
        ('version_atleast(2.4)', True),
        ('version_atleast(2.4-dev19)', True),
        (f'version_atleast({COMPATIBLE_VERSION})', True),
        (f'version_before({COMPATIBLE_VERSION})', False),
        ('version_atleast(99)', False),
        ('version_before(99.1.2)', True),
        ('version_before(3.4-dev1)', False),
        ('openssl_version_atleast(1.1)', False),
        ('openssl_version_before(1.1)', False),
        ('ssllib_name_startswith(OpenSSL)', False),
        ('fips_mode()', False),
        ('fips_mode', False),
        ('defined(HOME) && !feature(FOO) || 0', True),
    ],
)
def test_answers(expression: str, answer: bool) -> None:
    assert evaluate(expression, ENV) is answer


@pytest.mark.parametrize(
    'expression, complaint',
    [
        ('foo', "unparsable conditional expression 'foo' at position 1"),
        ('foo(a)', 'unparsable conditional expression'),
        ('!', 'unparsable conditional expression'),
        ('1 &&', 'unparsable conditional expression'),
        ('(1', "expected ')' after conditional expression"),
        ('1 x', "unexpected character 'x' at the end of conditional expression '1 x' at position 3"),
        ('streq(a,a) x', "unexpected character 'x'"),
        ('streq(a)', "missing arguments (got 1/2) of predicate 'streq'"),
        ('streq', 'missing arguments (got 0/2)'),
        ('streq(a,b,c)', "too many arguments of predicate 'streq'"),
        ('streq(a,b', "expected ')' after the arguments of predicate 'streq'"),
        ('version_atleast(x)', "'x' is not a version"),
        ('0 && foo', 'unparsable conditional expression'),
        ('(' * 100 + '1' + ')' * 100, 'unparsable conditional expression'),
    ],
)
def test_what_is_no_expression(expression: str, complaint: str) -> None:
    with pytest.raises(Rejected) as raised:
        evaluate(expression, ENV)
    assert complaint in str(raised.value)


@given(st.text('01!()&| streqdfin,"\'\\x', max_size=60))
def test_any_expression_is_answered_or_rejected(expression: str) -> None:
    with suppress(Rejected):
        assert evaluate(expression, ENV) in (True, False)


def test_a_very_long_number_is_just_true() -> None:
    assert evaluate('9' * 60_000, ENV)
