"""Rules: can a regular expression take exponentially long? Looks at its tree, never at a subject.

Exponential is what is repeated without limit and can be read in several ways each time: `(a+)+`, `(a|a)*`, `(.*,?)*`. Said of
such a part are: the bytes it can begin with, and the bytes that can go on one of its own repeats. Where the end of one round
may as well be the beginning of the next, a subject that does not match in the end is tried in as many ways as there are
cuts. Possessive repeats and atomic groups are read in one way only. The answer errs to the safe side for branches, and knows
nothing of polynomial costs (`.*a.*b`), which the length of a request's head bounds.
"""

from __future__ import annotations

from re import _parser  # type: ignore[attr-defined]
from typing import Any, Final

_ALL: Final = frozenset(range(256))
_MANY: Final = 64
_DIGITS: Final = frozenset(b'0123456789')
_WORD: Final = _DIGITS | frozenset(b'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_')
_SPACE: Final = frozenset(b' \t\n\r\f\v')
_CATEGORIES: Final = {
    'CATEGORY_DIGIT': _DIGITS, 'CATEGORY_NOT_DIGIT': _ALL - _DIGITS, 'CATEGORY_WORD': _WORD,
    'CATEGORY_NOT_WORD': _ALL - _WORD, 'CATEGORY_SPACE': _SPACE, 'CATEGORY_NOT_SPACE': _ALL - _SPACE,
}  # fmt: skip
Bytes = frozenset[int]


def ambiguous(source: bytes) -> bool:
    """Is there a repeat without limit whose rounds can be cut in several ways?"""
    return _within(list(_parser.parse(source)))


def _within(items: list[tuple[Any, Any]]) -> bool:
    return any(_item(str(kind), value) for kind, value in items)


def _item(kind: str, value: Any) -> bool:
    if kind in ('MAX_REPEAT', 'MIN_REPEAT'):
        low, high, body = value
        items = list(body)
        if high > _MANY and (low, high) != (1, 1) and _cut(items):
            return True
        return _within(items)
    return any(_within(list(body)) for body in bodies(kind, value))


def bodies(kind: str, value: Any) -> list[Any]:
    """The parts of an item that are sequences of their own."""
    if kind == 'BRANCH':
        return list(value[1])
    if kind == 'SUBPATTERN':
        return [value[3]]
    if kind in ('ASSERT', 'ASSERT_NOT'):
        return [value[1]]
    if kind == 'ATOMIC_GROUP':
        return [value]
    if kind in ('MAX_REPEAT', 'MIN_REPEAT', 'POSSESSIVE_REPEAT'):
        return [value[2]]
    if kind == 'GROUPREF_EXISTS':
        return [body for body in value[1:] if body is not None]
    return []


def _cut(items: list[tuple[Any, Any]]) -> bool:
    """May one round of these be read as several, or in several ways?"""
    if len(items) == 1 and str(items[0][0]) in ('LITERAL', 'NOT_LITERAL', 'IN', 'ANY'):
        return False
    first, _ = _first(items)
    return bool(_ends(items) & first) or _branches(items)


def _branches(items: list[tuple[Any, Any]]) -> bool:
    """Two branches of which one may be read where the other was: both one byte long, or one that may be empty."""
    for kind, value in items:
        name = str(kind)
        if name == 'BRANCH':
            heads = [_first(list(branch)) for branch in value[1]]
            single = [
                len(branch) == 1 and str(branch[0][0]) in ('LITERAL', 'NOT_LITERAL', 'IN', 'ANY') for branch in value[1]
            ]
            for one in range(len(heads)):
                for other in range(one):
                    if single[one] and single[other] and heads[one][0] & heads[other][0]:
                        return True
        if name != 'ATOMIC_GROUP' and any(_branches(list(body)) for body in bodies(name, value)):
            return True
    return False


def _ends(items: list[tuple[Any, Any]], after: tuple[Bytes, ...] = ()) -> Bytes:
    """The bytes by which a repeat in the round could go on instead of ending with the round.

    `after`: what each item that must still come in the round can begin with. A repeat swallows them where it knows them all.
    """
    found: Bytes = frozenset()
    for kind, value in reversed(items):
        name = str(kind)
        if name in ('MAX_REPEAT', 'MIN_REPEAT'):
            low, high, body = value
            inner = list(body)
            head = _first(inner)[0]
            if high > 1 and high != low and all(head & one for one in after):
                found |= head
            found |= _ends(inner, after)
        elif name in ('SUBPATTERN', 'BRANCH'):
            for one in bodies(name, value):
                found |= _ends(list(one), after)
        head, empty = _first_of(name, value)
        if not empty:
            after = (head, *after)
    return found


def _first(items: list[tuple[Any, Any]]) -> tuple[Bytes, bool]:
    """The bytes a sequence can begin with, and whether it can be empty."""
    found: Bytes = frozenset()
    for kind, value in items:
        some, empty = _first_of(str(kind), value)
        found |= some
        if not empty:
            return found, False
    return found, True


def _first_of(kind: str, value: Any) -> tuple[Bytes, bool]:
    if kind == 'LITERAL':
        return frozenset((value,)), False
    if kind == 'NOT_LITERAL':
        return _ALL - {value}, False
    if kind == 'ANY':
        return _ALL - {10}, False
    if kind == 'IN':
        return _members(value), False
    if kind in ('MAX_REPEAT', 'MIN_REPEAT', 'POSSESSIVE_REPEAT'):
        some, empty = _first(list(value[2]))
        return some, empty or value[0] == 0
    if kind in ('SUBPATTERN', 'ATOMIC_GROUP', 'BRANCH'):
        heads = [_first(list(body)) for body in bodies(kind, value)]
        return frozenset().union(*(some for some, _ in heads)), any(empty for _, empty in heads)
    if kind in ('AT', 'ASSERT', 'ASSERT_NOT'):
        return frozenset(), True
    return _ALL, True


def _members(items: list[tuple[Any, Any]]) -> Bytes:
    found: set[int] = set()
    negated = False
    for kind, value in items:
        name = str(kind)
        if name == 'NEGATE':
            negated = True
        elif name == 'LITERAL':
            found.add(value)
        elif name == 'RANGE':
            found.update(range(value[0], value[1] + 1))
        elif name == 'CATEGORY':
            found |= _CATEGORIES.get(str(value), _ALL)
    return _ALL - found if negated else frozenset(found)
