"""Rules: the conditions of `set-var`, action and converter (configuration manual 7.3.1, `set-var`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataplane.rules.actions import Unless

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dataplane.rules.samples import Sample


def fit(conditions: Iterable[Unless], scope: str, before: Sample | None, value: Sample) -> bool:
    """Do all of them hold, of what the variable had (None: nothing) and what it is to have?

    One of `proc` exists from the file on, without a value.
    """
    return all(_fits(one, scope, before, value) for one in conditions)


def _fits(only: Unless, scope: str, before: Sample | None, value: Sample) -> bool:
    if scope == 'proc' and only in (Unless.IF_EXISTS, Unless.IF_NOT_EXISTS):
        return only is Unless.IF_EXISTS
    if only in (Unless.IF_EXISTS, Unless.IF_SET, Unless.IF_NOT_SET, Unless.IF_NOT_EXISTS):
        return (before is not None) is (only in (Unless.IF_EXISTS, Unless.IF_SET))
    if only in (Unless.IF_EMPTY, Unless.IF_NOT_EMPTY):
        return (value == b'') is (only is Unless.IF_EMPTY)
    if type(before) is int and type(value) is int:  # nothing else is compared, a bool neither: it is set
        return before > value if only is Unless.IF_GREATER else before < value
    return True
