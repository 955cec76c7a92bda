"""Columns: one run per column from the lowest changed cell to the highest, and nothing when nothing changed."""

from __future__ import annotations

from array import array

from hypothesis import given
from hypothesis import strategies as st

from dataplane.core.columns import Columns


def test_a_run_from_the_lowest_to_the_highest_change() -> None:
    columns = Columns()
    assert columns.set(100, 2, 7)
    assert columns.set(100, 5, 9)
    assert columns.set(40, 0, -1)
    assert [(image.start, list(image.values)) for image in columns.images()] == [(40, [-1]), (102, [7, 0, 0, 9])]
    assert columns.images() == ()


def test_what_is_already_wanted_is_no_change() -> None:
    columns = Columns()
    assert not columns.set(100, 3, 0)
    columns.set(100, 3, 4)
    assert not columns.set(100, 3, 4)
    assert (columns.get(100, 3), columns.get(100, 9), columns.get(7, 0)) == (4, 0, 0)


def test_an_image_does_not_change_afterwards() -> None:
    columns = Columns()
    columns.set(0, 0, 1)
    (image,) = columns.images()
    columns.set(0, 0, 2)
    assert list(image.values) == [1]


@given(st.lists(st.lists(st.tuples(st.sampled_from([0, 10, 20]), st.integers(0, 9), st.integers(-5, 5)))))
def test_a_board_that_takes_all_images_says_what_is_wanted(rounds: list[list[tuple[int, int, int]]]) -> None:
    columns, board = Columns(), array('q', [0] * 30)
    wanted = [0] * 30
    for changes in rounds:
        for column, row, value in changes:
            columns.set(column, row, value)
            wanted[column + row] = value
        for image in columns.images():
            board[image.start : image.start + len(image.values)] = image.values
        assert list(board) == wanted
