from __future__ import annotations

import json
from typing import Any

import pytest

from controlplane.domain.desired import Write
from controlplane.domain.operations import ENDS, Goal, Operation, Progressed, Target
from controlplane.domain.version import Version
from tests.unit.controlplane.domain.specs import APP, ROUTE, S1, S2, SERVER, app


@pytest.mark.parametrize(
    'wanted,now,contradicted',
    [
        ({'adminState': 'drain'}, {'adminState': 'maint'}, False),
        ({'adminState': 'maint'}, {'adminState': 'drain'}, True),
        ({'adminState': 'drain'}, {'adminState': 'ready'}, True),
        ({'adminState': 'ready'}, {'adminState': 'drain'}, True),
        ({'adminState': 'ready'}, {'weight': 9}, False),
        ({'weight': 9}, {'weight': 8}, True),
        ({'sessionGeneration': 5}, {'sessionGeneration': 6}, False),
        ({'sessionGeneration': 5}, {'sessionGeneration': 4}, True),
    ],
)
def test_what_is_contrary(wanted: dict[str, Any], now: dict[str, Any], contradicted: bool) -> None:
    desired = app(S1).after([Write(S1, {**SERVER, **now})], Version(1, 3))
    assert Target(S1, wanted).contradicted(desired) == contradicted


def test_being_there_and_being_gone() -> None:
    assert Target(S1, None).contradicted(app(S1))
    assert not Target(S2, None).contradicted(app(S1))
    assert Target(S2, SERVER).contradicted(app(S1))


@pytest.mark.parametrize('old', list(Progressed))
@pytest.mark.parametrize('new', list(Progressed))
def test_every_cell_of_the_table(old: Progressed, new: Progressed) -> None:
    operation = Operation('o', 'v', 'me', Version(1, 2), Goal.ACKED, (), 0, state=old)
    if new is old or new in ENDS[old]:
        operation.move(new)
        assert operation.state is new
    else:
        with pytest.raises(ValueError, match=f'{old} -> {new}'):
            operation.move(new)


def test_a_record_survives_json() -> None:
    targets = (Target(S1, {'weight': 1}), Target(APP, None), Target(ROUTE, None))
    operation = Operation('o', 'v', 'me', Version(1, 2), Goal.DRAINED, targets, 5)
    assert Operation.from_record(json.loads(json.dumps(operation.record()))) == operation
    assert operation.backends == {'app'}
    assert list(operation.servers) == [S1]
