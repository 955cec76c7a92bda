"""The cases and what is sent in them."""

from __future__ import annotations

import pytest

from bench import cases


def test_payload_is_known_and_no_piece_looks_like_another() -> None:
    assert [len(cases.payload(size)) for size in (0, 1, 16, 1000, 102_400)] == [0, 1, 16, 1000, 102_400]
    text = cases.payload(cases.MIB)
    assert len({text[at : at + 16] for at in range(0, len(text), 16)}) == len(text) // 16
    assert text.startswith(cases.payload(1000))


def test_cases_are_chosen_by_name_in_their_own_order() -> None:
    assert cases.chosen([]) == cases.CASES
    assert [case.name for case in cases.chosen(['post-1k', 'tiny-0', 'post-1k'])] == ['tiny-0', 'post-1k']
    with pytest.raises(ValueError, match='no such case: browser-2k; there are tiny-0, '):
        cases.chosen(['browser-2k', 'tiny-0'])


def test_names_are_unique() -> None:
    assert len({case.name for case in cases.CASES}) == len(cases.CASES)


def test_all_connections_fit_into_the_servers_unless_the_case_is_the_queue() -> None:
    """Else a case would measure waiting instead of what its name says."""
    for case in cases.CASES:
        assert (case.servers * case.maxconn < case.connections) == case.queue, case.name
