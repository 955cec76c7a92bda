"""Which searches are watched, and what becomes of one that is given up."""

from __future__ import annotations

from typing import Any

import pytest

from dataplane.rules.converters import CONVERTERS
from dataplane.rules.indexes import index_of
from dataplane.rules.matching import made
from dataplane.rules.model import Match, Named, Pattern, Use
from dataplane.rules.patience import endless, patient, unwatched
from dataplane.rules.regexes import compile_regex
from dataplane.rules.stores import PatternSet, Store


@pytest.mark.parametrize(
    'text, most',
    [
        ('abc', None), ('^a*$', None), ('a{2}b{1,3}', None), ('a*', 1_000), ('^/(.*)/(.*)', 1_000), ('/(.*)/(.*)', 100),
        ('^a+b+c+', 100), ('(/[a-z]+)*', 0), ('(a?){30}a{30}', 0), ('(?:a|ab|b)*c', 0), ('^(?:ab)*$', None), ('(?:a|b)c*', 1_000),
    ],
)  # fmt: skip
def test_watched_is_what_may_take_long(text: str, most: int | None) -> None:
    assert unwatched(compile_regex(text, fold=False).pattern) == most


def test_short_subjects_are_nobodys_business() -> None:
    watched: list[bytes] = []

    def patience(search: Any, subject: bytes) -> Any:
        watched.append(subject)
        return search(subject)

    regex = compile_regex('a.*b', fold=False)
    search = patient(regex.search, regex.pattern, patience)
    for subject in (b'a' * 1_000, b'a' * 1_001):
        assert search(subject) is None
    assert watched == [b'a' * 1_001]
    assert patient(regex.search, regex.pattern, endless) == regex.search


def given_up(_search: Any, _subject: bytes) -> Any:
    """There is no time at all."""
    return None


def test_what_is_given_up_does_not_match() -> None:
    subject = b'a' * 2_000 + b'b'
    assert made(Match.REG, [Pattern('a.*b', False)])(subject)
    assert not made(Match.REG, [Pattern('a.*b', False)], given_up)(subject)
    index = index_of(Use(Match.REG), given_up)
    index.put(b'a.*b', ((1, None),))
    assert index.find(subject) is None
    patterns = PatternSet(patience=given_up)
    patterns.put(b'a.*b', ((1, b'x'),))
    assert not patterns.looking(Use(Match.REG, gives='str')).holds(subject)


def test_what_is_given_up_is_not_replaced() -> None:
    subject = b'a' * 2_000 + b'b'
    store = Store(patience=given_up)
    view: Any = None
    assert CONVERTERS['regsub'].build(('a.*b', 'x'), store)(subject, view) == subject
    assert CONVERTERS['regsub'].build(('a.*b', 'x'), Store())(subject, view) == b'x'
    store['m'].put(b'^a', ((1, rb'\0'),))
    assert CONVERTERS['map_regm'].build((Named('map', 'm'), 'none'), store)(subject, view) == b'a'


def test_a_map_of_expressions_gives_its_default_where_the_match_is_not_found_again() -> None:
    """The first search says that there is one; the second, for what it is, has no time left."""
    times = iter((True, False))

    def once(search: Any, subject: bytes) -> Any:
        return search(subject) if next(times) else None

    store = Store(patience=once)
    store['m'].put(b'a.*b', ((1, b'x'),))
    view: Any = None
    assert CONVERTERS['map_regm'].build((Named('map', 'm'), 'none'), store)(b'a' * 2_000 + b'b', view) == b'none'
