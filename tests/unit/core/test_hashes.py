"""Hash functions: known values, and what each makes of nothing. That they are HAProxy's is seen in tests/integration."""

from __future__ import annotations

import pytest

from dataplane.core.hashes import FUNCTIONS, none, words


@pytest.mark.parametrize(
    'name, value, of_nothing',
    [
        ('sdbm', 0x3025_F862, 0),
        ('djb2', 0x0B88_5C8B, 5_381),
        ('wt6', 0x9400_28E8, 0xF99A_0360),
        ('crc32', 0x3524_41C2, 0),
        ('none', 0, 0),
    ],
)
def test_values_do_not_move(name: str, value: int, of_nothing: int) -> None:
    assert (FUNCTIONS[name](b'abc'), FUNCTIONS[name](b'')) == (value, of_nothing)


@pytest.mark.parametrize(
    'key, value',
    [
        (b'17', 17), (b'+17x', 17), (b'-1', 2**32 - 1), (b'4294967299', 3), (b'9' * 5_000, 2**32 - 1), (b'-', 0), (b'x1', 0),
    ],
)  # fmt: skip
def test_none_is_the_number_itself(key: bytes, value: int) -> None:
    assert none(key) == value


def test_an_address_is_its_words_over_each_other() -> None:
    assert words(bytes([127, 0, 0, 1])) == 0x7F00_0001
    assert words(bytes([1, 2, 3, 4]) * 2 + bytes(8)) == 0
    assert words(bytes([1, 2, 3, 4]) + bytes(12)) == 0x0102_0304
