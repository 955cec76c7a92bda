"""An expression made quicker finds something exactly where the one that was written does."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataplane.rules.searching import compile_search, quicker


@pytest.mark.parametrize(
    'text, expected',
    [
        ('.*a', r'\A.*a'), ('.+a', r'\A.+a'), ('(?i).*a', r'(?i)\A.*a'), ('a.*b', None), ('a.*b.*c', 'a(?>.*?b).*c'), ('^/x', None),
        ('^.*a.+?b.*c$', '^(?>.*?a)(?>.+?b).*c$'), ('.*a.*b', r'\A(?>.*?a).*b'), ('a|.*b', None), ('(a|.*b).*c', None), ('a.*b|c', None),
        (r'\.*a.*b', None), ('[.*]a.*b.*', '[.*]a(?>.*?b).*'), (r'(a).*\1.*b', None), ('a.*.*b', None), ('a.*+b.*c', None), (r'[\]|].*b.*c', r'[\]|](?>.*?b).*c'),
    ],
)  # fmt: skip
def test_rewritten(text: str, expected: str | None) -> None:
    assert quicker(text) == expected


def test_it_takes_no_longer_than_it_must() -> None:
    """Both would take hours; the limit of a test is seconds."""
    assert compile_search('a.*b.*c.*d', fold=False)(b'abc' * 5_000) is None
    assert compile_search('.*a.*b.*c', fold=False)(b'ab' * 7_000) is None
    assert compile_search('UNION.*SELECT.*FROM', fold=True)(b'union select ' * 1_000) is None


def test_lines_are_searched_as_it_is_written() -> None:
    search = compile_search('a.*b.*c', fold=False)
    assert search(b'a\nabc')
    assert search(b'abc')
    assert not search(b'a\nb\nc')
    assert compile_search('.*a', fold=False)(b'x\na')


PIECES = st.sampled_from(
    ['a', 'b', 'ab', '.', '[ab]', 'a?', 'b+', '(a|b)', '(ab)*', '$', '^', 'c', '(?=b)', 'a{2}', '[^a]']
)
EXPRESSIONS = st.lists(st.one_of(PIECES, st.sampled_from(['.*', '.+', '.*?'])), min_size=1, max_size=8).map(''.join)


@given(EXPRESSIONS, st.lists(st.text('abc', max_size=9), min_size=1, max_size=8))
def test_both_find_the_same(text: str, subjects: list[str]) -> None:
    made = quicker(text)
    if made is None:
        return
    plain, quick = re.compile(text), re.compile(made)
    for subject in subjects:
        assert bool(plain.search(subject)) == bool(quick.search(subject)), (text, made, subject)
