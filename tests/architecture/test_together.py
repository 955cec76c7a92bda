"""What is given to one test process together is there: a name that is gone would share out nothing, silently."""

from __future__ import annotations

import pytest

from tests.architecture.source import ROOT
from tests.together import FILES, ROOMS, piece_of


@pytest.mark.parametrize('place', [*ROOMS, *FILES])
def test_what_is_kept_together_is_there(place: str) -> None:
    assert (ROOT / place).exists()


def test_who_shares_something_is_one_piece_of_work() -> None:
    assert piece_of('tests/architecture/test_docs.py::test_a[x::y]') == piece_of(
        'tests/architecture/test_size.py::test_b'
    )
    assert piece_of('tests/unit/core/test_x.py::TestA::test_b') == 'tests/unit/core/test_x.py'
    assert piece_of('tests/integration/test_x.py::test_b[c]') == 'tests/integration/test_x.py::test_b[c]'
