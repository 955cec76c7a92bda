from __future__ import annotations

import pytest

from controlplane.domain.brake import judge
from controlplane.domain.desired import Key, Write
from tests.unit.controlplane.domain.specs import APP, S1, S2, S3, S4, SERVER, app


@pytest.mark.parametrize('removed,held', [([S1], False), ([S1, S2], False), ([S1, S2, S3], True), ([APP], True)])
def test_more_than_the_share_is_held(removed: list[Key], held: bool) -> None:
    writes = [Write(key, None) for key in removed]
    verdict = judge(app(S1, S2, S3, S4), writes, 50)
    assert bool(verdict.held) == held
    assert verdict.passed == (() if held else tuple(writes))
    assert judge(app(S1, S2, S3, S4), writes, 50, confirmed=['app']).held == {}


def test_small_backends_are_never_held() -> None:
    assert judge(app(S1, S2), [Write(S1, None), Write(S2, None)], 0).held == {}


def test_other_backends_pass_and_so_do_routes_of_that_name() -> None:
    other = Write(Key('server', 's1', 'other'), SERVER)
    route = Write(Key('route', 'app'), None)
    gone = [Write(key, None) for key in (S1, S2, S3)]
    verdict = judge(app(S1, S2, S3), [*gone, other, route], 50)
    assert verdict.held == {'app': (3, 3)}
    assert verdict.passed == (other, route)


def test_removing_what_is_not_there_counts_for_nothing() -> None:
    writes = [Write(Key('server', f'x{n}', 'app'), None) for n in range(9)] + [Write(Key('backend', 'none'), None)]
    assert judge(app(S1, S2, S3), writes, 50).held == {}
