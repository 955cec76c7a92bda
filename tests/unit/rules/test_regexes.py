"""Regular expressions: what is translated, what is refused, and which could take forever."""

from __future__ import annotations

import pytest

from dataplane.rules.ambiguity import ambiguous
from dataplane.rules.problems import Rejected
from dataplane.rules.regexes import compile_regex


@pytest.mark.parametrize(
    'text, subject, expected',
    [
        ('^/api/', b'/api/x', b'/api/'), ('[[:digit:]]+', b'ab12', b'12'), ('[[:alpha:][:digit:]_-]+', b'.a1_-.', b'a1_-'),
        ('[[:punct:]]', b'a]', b']'), ('[]a]+', b'x]a', b']a'), ('[^]a]+', b']xya', b'xy'), (r'[\]a]', b']', b']'), (r'\h+', b'a \tb', b' \t'),
        (r'a\z', b'a\n', None), (r'a\Z', b'a\n', b'a'), (r'(?<name>a)\k<name>', b'xaa', b'aa'), (r'(a)\g1', b'aa', b'aa'),
        (r'(a)\g{1}', b'aa', b'aa'), (r'\x41\x{42}', b'AB', b'AB'), (r'\Qa.b\E.', b'a.bc', b'a.bc'), (r'\Qa.b', b'a.b', b'a.b'),
        ('a{,2}', b'a{,2}', b'a{,2}'), ('a{2}', b'aa', b'aa'), ('(?i)aB', b'Ab', b'Ab'), ('(?i:a)B', b'AB', b'AB'), ('a(?#note)b', b'ab', b'ab'),
        ('(?>a+)b', b'aab', b'aab'), ('a++b', b'aab', b'aab'), ('[a&&b]', b'&', b'&'), ('[[a]', b'[', b'['), ('(?=a)a', b'a', b'a'),
        (r'\e', b'\x1b', b'\x1b'), (r'[\h]', b'\t', b'\t'), (r'\R', b'\r\n', b'\r\n'), (r'\N+', b'ab\n', b'ab'), (r'\d\D\w\W\s\S', b'1a_ x y', None),
        ("(?'q'a)b", b'ab', b'ab'), ('(?:a|b)+', b'abab', b'abab'), ('é', 'é'.encode(), 'é'.encode()), (r'\/', b'/', b'/'), (r'[\x{41}]', b'A', b'A'),
        (r'[~|]+', b'~|', b'~|'), (r'\E', b'', b''),
    ],
)  # fmt: skip
def test_translated(text: str, subject: bytes, expected: bytes | None) -> None:
    found = compile_regex(text, fold=False).search(subject)
    assert (found[0] if found else None) == expected


def test_case_is_that_of_ascii() -> None:
    assert compile_regex('AB', fold=True).search(b'xab')
    assert not compile_regex('é', fold=True).search('É'.encode())


@pytest.mark.parametrize(
    'text, reason',
    [
        (r'\pL', 'properties'), (r'a\Kb', 'resetting'), (r'\Ga', 'start of the search'), (r'\X', 'graphemes'), ('(?R)', "'(?R)'"),
        ('(?1)', "'(?1)'"), ('(?|a|b)', "'(?|a'"), ('(*UTF8)a', 'verbs'), ('a(?i)b', "'(?i)'"), ('[[:^digit:]]', '[:^digit:]'),
        ('[[:foo:]]', '[:foo:]'), (r'[\R]', 'within a class'), (r'[\pL]', 'within a class'), ('(a', 'is invalid'), ('[a', 'missing terminating ]'),
        ('a**', 'is invalid'), (r'\i', 'is invalid'), ('(a+)+b', 'several ways'), ('x{99999999999}', 'is invalid'),
    ],
)  # fmt: skip
def test_refused(text: str, reason: str) -> None:
    with pytest.raises(Rejected) as found:
        compile_regex(text, fold=False)
    assert reason in str(found.value)


@pytest.mark.parametrize(
    'text',
    [
        '(a+)+',
        r'(\.|[^/])*x',
        '(.*,?)*',
        r'(\w+\s?)*$',
        '(a*)*',
        '(x+x+)+y',
        '^/(.*/)*x',
        '(.*foo)*',
        r'(\d+\.\d+)+',
        '((a|b)+)*c',
    ],
)
def test_what_can_take_forever_is_found(text: str) -> None:
    assert ambiguous(text.encode())


@pytest.mark.parametrize(
    'text',
    [
        '^(/[a-z]+)*$', '(ab|cd)*', r'([a-z]+\.)*example', '([^/]+/)*x', r'(?:[a-z0-9-]+\.)+com', '.*a.*b', '(?>a+)+', '(a++)+', '([^,]*,)*x',
        r'(\.\d+)*', '(a|b)*', '(a+){1,3}', r'^(www\.)?example\.(com|org)$', '(?=a+)b*', '(a)?(?(1)b|c)',
    ],
)  # fmt: skip
def test_what_cannot_is_taken(text: str) -> None:
    assert not ambiguous(text.encode())
