from __future__ import annotations

from dataclasses import fields

from dataplane.core.tuning import Tuning, VariableLimits


def test_nothing_is_limited_unless_it_is_said() -> None:
    assert not Tuning().variables
    for one in fields(VariableLimits):
        assert VariableLimits(**{one.name: 1})
