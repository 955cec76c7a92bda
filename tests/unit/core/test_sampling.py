from __future__ import annotations

from dataplane.core.sampling import Sampling


def test_of_each_round_those_in_a_range_are_taken() -> None:
    sampling = Sampling(((1, 1), (3, 4)), 5)
    assert [number for number in range(10) if sampling.takes(number)] == [0, 2, 3, 5, 7, 8]
