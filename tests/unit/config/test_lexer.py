from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataplane.config.lexer import MAX_EXPANDED, MAX_LINE, MAX_WORDS, split_words
from dataplane.config.problems import Rejected

ENV = {'FOO': 'a b', 'EMPTY': '', 'LIST': ' x  y ', 'ONE': '1', 'LARGE': 'x' * 1_000}

WORDS = [
    ('', []),
    ('  \t ', []),
    ('# comment', []),
    ('a b\tc', ['a', 'b', 'c']),
    ('a#b c', ['a']),
    ('a \\# b', ['a', '#', 'b']),
    ('a\\ b', ['a b']),
    ('a\\\\b', ['a\\b']),
    ('a\\1b', ['a\\1b']),
    ('a\\', ['a\\']),
    ('\\\' \\"', ["'", '"']),
    ('\\n \\r \\t', ['\n', '\r', '\t']),
    ('\\x41\\x6f', ['Ao']),
    ('\\xc3\\xa9', ['é']),
    ("'a $FOO \\n # b'", ['a $FOO \\n # b']),
    ('"a # b"', ['a # b']),
    ('"it\'s"', ["it's"]),
    ('"" x', ['', 'x']),
    ("'' x", ['', 'x']),
    ('a"b"\'c\'', ['abc']),
    ('$FOO ${FOO}', ['$FOO', '${FOO}']),
    ('"$FOO"', ['a b']),
    ('"${FOO}" x', ['a b', 'x']),
    ('"${FOO[*]}" x', ['a', 'b', 'x']),
    ('"${LIST[*]}"', ['x', 'y']),
    ('"<${FOO[*]}>"', ['<a', 'b>']),
    ('"${EMPTY[*]}" x', ['', 'x']),
    ('"$FOO[*]"', ['a b[*]']),
    ('"$EMPTY" x', ['', 'x']),
    ('"$NONE" x', ['x']),
    ('"${NONE}" x', ['x']),
    ('"${NONE-y z}"', ['y z']),
    ('"${NONE-}" x', ['', 'x']),
    ('"${EMPTY-y}" x', ['', 'x']),
    ('"${ONE-y}"', ['1']),
    ('"${NONE[*]-y z}"', ['y', 'z']),
    ('":${ONE}$ONE"', [':11']),
    ('"\\$ONE"', ['$ONE']),
    ('"$.LINE"', ['7']),
    ('"${.FILE}"', ['f']),
    ('a\r', ['a']),
    ('é "ü" # \udcff', ['é', 'ü']),
]


def variable(name: str) -> str | None:
    return {'.LINE': '7', '.FILE': 'f', '.SECTION': ''}.get(name, ENV.get(name))


@pytest.mark.parametrize('text, words', WORDS)
def test_words_of_a_line(text: str, words: list[str]) -> None:
    assert split_words(text, variable) == words


@pytest.mark.parametrize(
    'text, complaint',
    [
        ('"foo', "unmatched quote at position 1: '\"foo'"),
        ("a 'foo", 'unmatched quote at position 3'),
        ('foo\\x', 'truncated or invalid hexadecimal sequence at position 4'),
        ('foo\\x1g', 'truncated or invalid hexadecimal sequence'),
        ('"${FOO"', 'unmatched brace in environment variable name at position 3'),
        ('"${FOO!}"', 'unmatched brace'),
        ('"${FOO-x"', 'unmatched brace'),
        ('"$"', 'forbidden first char in environment variable name at position 3'),
        ('"${}"', 'forbidden first char'),
        ('"$1"', 'forbidden first char'),
        ('"$.X"', 'forbidden first char'),
        ('"$.LINES"', 'forbidden first char'),
        ('"${FOO[x]}"', 'truncated or invalid word expansion sequence at position 7'),
        ('a\0b', "NUL character in 'a?b'"),
        ('a # \0', 'stray NUL character at position 5'),
        ('a\rb', 'stray carriage return character at position 2'),
        ('\\x00', 'NUL character'),
        ('\\xff', 'is not valid UTF-8'),
        ('a\udcffb', "'a?b' is not valid UTF-8"),
        ('\ud800', 'is not valid UTF-8'),
        ('x ' * (MAX_WORDS + 1), f'too many words, limit is {MAX_WORDS}'),
        ('x' * (MAX_LINE + 1), f'line too long, limit is {MAX_LINE}'),
        ('"' + '$LARGE' * 141 + '"', f'line too long once its variables are expanded, limit is {MAX_EXPANDED}'),
        ('"' + '${LARGE[*]} ' * 141 + '"', 'line too long once its variables are expanded'),
    ],
)
def test_what_no_line_may_be(text: str, complaint: str) -> None:
    with pytest.raises(Rejected) as raised:
        split_words(text, variable)
    assert complaint in str(raised.value)


def test_an_unset_variable_beside_text_leaves_the_text() -> None:
    assert split_words('a"$NONE" b', variable) == ['a', 'b']


@given(
    st.lists(st.text(st.characters(exclude_categories=['Cs'], exclude_characters="\0\n\r'"), min_size=1), max_size=20)
)
def test_single_quotes_keep_every_word(words: list[str]) -> None:
    assert split_words(' '.join(f"'{word}'" for word in words), variable) == words


@given(st.text(st.characters(codec='utf-8', exclude_characters='\n')) | st.text('"\'\\${}[*]-#x4 \tFO', max_size=30))
def test_any_text_is_words_or_rejected(text: str) -> None:
    with suppress(Rejected):
        assert len(split_words(text, variable)) <= MAX_WORDS
