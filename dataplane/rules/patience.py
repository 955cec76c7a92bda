"""Rules: how long a regular expression may take on one subject.

PCRE gives up after ten million steps, and what it gives up does not match; `re` has no such end. Its steps are at most about the
length of the subject to the power of the repeats, so a search is only watched where the subject is long enough for many, or where
a repeat has a choice of its own in each round. Who watches is handed in (`Patience`): this room knows no clock.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from re import _parser  # type: ignore[attr-defined]
from typing import Any, Final

from dataplane.rules.ambiguity import bodies

Search = Callable[[bytes], Any]
Patience = Callable[[Search, bytes], Any]
"""Does a search on a subject; None, as where nothing is found, when it takes too long."""

_STEPS: Final = 1_000_000
"""Steps that nobody watches: some hundredths of a second."""
_FEW: Final = 4
"""A repeat of no more rounds than this multiplies nothing worth mentioning."""
_REPEATS: Final = ('MAX_REPEAT', 'MIN_REPEAT', 'POSSESSIVE_REPEAT')
_START: Final = ('AT_BEGINNING', 'AT_BEGINNING_STRING')


def endless(search: Search, subject: bytes) -> Any:
    """For whoever has all the time there is."""
    return search(subject)


def patient(search: Search, source: bytes, patience: Patience) -> Search:
    """The search of an expression (`source`, as `re` has it), given up where it takes too long."""
    most = unwatched(source)
    if patience is endless or most is None:
        return search

    def watched(subject: bytes) -> Any:
        return search(subject) if len(subject) <= most else patience(search, subject)

    return watched


@lru_cache(maxsize=4096)
def unwatched(source: bytes) -> int | None:
    """How long a subject may be that certainly takes no time; None: any."""
    items = list(_parser.parse(source))
    repeats, nested = _repeats(items, within=False)
    if nested:
        return 0
    if not repeats:
        return None
    anchored = bool(items) and str(items[0][0]) == 'AT' and str(items[0][1]) in _START
    powers = repeats if anchored else repeats + 1
    return None if powers == 1 else round(_STEPS ** (1 / powers))


def _repeats(items: list[tuple[Any, Any]], *, within: bool) -> tuple[int, bool]:
    """How many repeats there are, and whether there is a choice within one of them."""
    count, nested = 0, False
    for kind, value in items:
        name = str(kind)
        many = name in _REPEATS and value[1] > _FEW
        for body in bodies(name, value):
            inner, deeper = _repeats(list(body), within=within or many)
            count, nested = count + inner, nested or deeper
        nested = nested or (within and (name == 'BRANCH' or (name in _REPEATS and value[0] != value[1])))
        count += many
    return count, nested
