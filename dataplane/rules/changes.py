"""Rules: what a rule does to one pattern, as data, and what becomes of the pattern's entries.

A worker does it at once and tells the supervisor, which does the same to what is true for all. What a worker has not told yet
is kept as one change per pattern: two that follow each other are one (`joined`), with the same effect on any entries.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final, NamedTuple

from dataplane.rules.indexes import Held


class Kind(StrEnum):
    """`SET`: all entries get the value, or one is added. `ADD`: one is added where there is none. `NEW`: this one and no other."""

    SET = 'set'
    ADD = 'add'
    DEL = 'del'
    NEW = 'new'


class Change(NamedTuple):
    """What is done to a pattern. `value` means nothing to DEL."""

    kind: Kind
    value: Any = None


DELETED: Final = Change(Kind.DEL)


def after(held: tuple[Held, ...], change: Change, place: int) -> tuple[Held, ...]:
    """The entries after a change; one that is added gets `place`."""
    kind, value = change
    if kind is Kind.DEL:
        return ()
    if kind is Kind.NEW or not held:
        return ((place, value),)
    if kind is Kind.ADD:
        return held
    return tuple((own, value) for own, _ in held)


def joined(first: Change | None, then: Change) -> Change:
    """One change with the effect of both."""
    if first is None or then.kind in (Kind.DEL, Kind.NEW):
        return then
    if first.kind is Kind.DEL:
        return Change(Kind.NEW, then.value)
    if then.kind is Kind.ADD:
        return first
    return Change(Kind.NEW if first.kind is Kind.NEW else Kind.SET, then.value)
