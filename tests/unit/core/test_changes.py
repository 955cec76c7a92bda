"""The changes: plain values that are equal when they say the same, so that saying it twice can be seen."""

from __future__ import annotations

import dataclasses
import inspect

import pytest

from dataplane.core import changes
from dataplane.core.changes import SetAdmin, SetMaxconn, SetWeight
from dataplane.core.model import AdminState, Origin

KINDS = [kind for _, kind in inspect.getmembers(changes, inspect.isclass) if kind.__module__ == changes.__name__]


@pytest.mark.parametrize('kind', KINDS)
def test_every_change_is_frozen(kind: type) -> None:
    assert dataclasses.is_dataclass(kind)
    assert kind.__dataclass_params__.frozen  # type: ignore[attr-defined]


def test_a_person_at_the_cli_is_who_asks_by_default() -> None:
    assert SetAdmin('b', 's', AdminState.MAINT).origin is Origin.CLI
    assert SetAdmin('b', 's', AdminState.MAINT) != SetAdmin('b', 's', AdminState.MAINT, Origin.PUSH)


def test_weights_are_absolute_by_default() -> None:
    assert not SetWeight('b', 's', 50).percent


def test_the_same_change_twice_is_one() -> None:
    assert len({SetMaxconn('b', 's', 5), SetMaxconn('b', 's', 5), SetMaxconn('b', 's', 6)}) == 2
