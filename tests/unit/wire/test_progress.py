"""The barrier's arithmetic: the rules of the module's docstring, one by one, and against a naive reckoning."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dataplane.wire.progress import Progress


def test_nobody_passes_everything() -> None:
    progress: Progress[str, int] = Progress()
    assert progress.passed(10)
    assert progress.missing(10) == ()
    assert progress.members == ()


def test_passed_when_all_acked() -> None:
    progress: Progress[str, int] = Progress()
    progress.join('a', 0)
    progress.join('b', 0)
    assert progress.missing(1) == ('a', 'b')
    assert progress.acked('a', 1)
    assert not progress.passed(1)
    assert progress.missing(1) == ('b',)
    assert progress.acked('b', 2)
    assert progress.passed(1)
    assert not progress.passed(2)


def test_joiner_counts_from_what_it_was_given() -> None:
    progress: Progress[int, int] = Progress()
    progress.join(0, 5)
    assert progress.passed(5)
    assert progress.missing(6) == (0,)
    assert progress.at(0) == 5


def test_leaving_lets_pass() -> None:
    progress: Progress[int, int] = Progress()
    progress.join(0, 0)
    progress.join(1, 0)
    progress.acked(0, 3)
    assert not progress.passed(3)
    assert progress.leave(1)
    assert not progress.leave(1)
    assert progress.passed(3)
    assert progress.at(1) is None


def test_stale_acks_are_quiet_and_counted() -> None:
    progress: Progress[int, tuple[int, int]] = Progress()
    progress.join(0, (1, 5))
    assert not progress.acked(0, (1, 5))
    assert not progress.acked(0, (1, 4))
    assert not progress.acked(7, (2, 0))
    assert progress.stale == 3
    assert progress.acked(0, (2, 0))
    assert progress.passed((1, 999))
    assert 'stale=3' in repr(progress)


def test_second_join_starts_anew() -> None:
    progress: Progress[int, int] = Progress()
    progress.join(0, 9)
    progress.join(0, 4)
    assert progress.missing(5) == (0,)


@given(st.lists(st.tuples(st.sampled_from(['join', 'leave', 'ack']), st.integers(0, 3), st.integers(0, 5))))
def test_agrees_with_a_naive_reckoning(steps: list[tuple[str, int, int]]) -> None:
    progress: Progress[int, int] = Progress()
    known: dict[int, int] = {}
    for what, member, version in steps:
        if what == 'join':
            progress.join(member, version)
            known[member] = version
        elif what == 'leave':
            assert progress.leave(member) == (known.pop(member, None) is not None)
        else:
            news = member in known and version > known[member]
            assert progress.acked(member, version) is news
            if news:
                known[member] = version
        for at in range(7):
            assert progress.passed(at) == all(v >= at for v in known.values())
            assert set(progress.missing(at)) == {m for m, v in known.items() if v < at}
