from __future__ import annotations

import pytest

from controlplane.domain.desired import Key, Write
from controlplane.domain.refusals import Invalid, NotFound
from controlplane.domain.selector import Selector
from controlplane.domain.version import Version
from tests.unit.controlplane.domain.specs import S1, S2, SERVER, app

DESIRED = app(S1, S2).after(
    [Write(S1, SERVER, {'node': 'n1', 'zone': 'z'}), Write(S2, {**SERVER, 'port': 81})], Version(1, 3)
)


@pytest.mark.parametrize(
    'selector,found',
    [
        (Selector(name='*'), [S1, S2]),
        (Selector(name='s[2-9]'), [S2]),
        (Selector(labels={'node': 'n1'}), [S1]),
        (Selector(labels={'node': 'n1', 'zone': 'y'}), []),
        (Selector(address='10.0.0.1'), [S1, S2]),
        (Selector(address='10.0.0.1:81'), [S2]),
        (Selector(address='10.0.0.1:81', name='s1'), []),
        (Selector(name='*', backend='app'), [S1, S2]),
    ],
)
def test_all_that_is_given_must_hold(selector: Selector, found: list[Key]) -> None:
    assert selector.select(DESIRED) == found


def test_saying_nothing_selects_nothing() -> None:
    with pytest.raises(Invalid, match='means every server'):
        Selector(backend='app').select(DESIRED)
    with pytest.raises(NotFound):
        Selector(name='*', backend='none').select(DESIRED)
