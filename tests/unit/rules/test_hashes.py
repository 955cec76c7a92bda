"""The hashes' published values, and HAProxy's for lengths at which XXH changes its way."""

from __future__ import annotations

import zlib
from itertools import pairwise

import pytest

from dataplane.rules.hashes import avalanche, crc32c, djb2, sdbm, wt6
from dataplane.rules.xxhash import xxh3, xxh32, xxh64

TURNS = [
    (4, (3805588450, 5800921549456939096, 12107378653082201309, 12024544758689220605)),
    (8, (1095734217, 15064883314565210311, 13003198624786000596, 17174265623711312035)),
    (9, (1887293138, 7903124161660708103, 16019172804632855411, 5182998064547961508)),
    (16, (4151746069, 13932072262788020538, 17683594068444286523, 10408387584264960641)),
    (17, (1805125466, 4443854655550933429, 6856207885408997065, 1604779897192041974)),
    (32, (791594220, 14395497797510396999, 1520771444775749335, 1666447226411813867)),
    (33, (98734912, 11292416055238386343, 11859964875433111273, 15808204513246974820)),
    (64, (1455005030, 6137378938707042921, 11575520278834979736, 2041482386633936770)),
    (128, (422700597, 15361537287298560100, 16424706568946857634, 4436954617187510061)),
    (129, (3332075560, 7641985577044149552, 12671022187154585716, 11936686224377061075)),
    (240, (4176401730, 15340506494636910355, 4220664201677083226, 8010497047472689815)),
    (241, (3504264006, 2877328971634238670, 2080784511356283038, 10121330152443913756)),
    (500, (2491222356, 2593945423581198879, 9690939745458671164, 14839017180921674971)),
    (1100, (2826248851, 2950226541896617097, 14239303329501887943, 5275026353667224468)),
]
"""Length, XXH32, XXH64, XXH3 and XXH3 with a seed of 5, of bytes that HAProxy hashed to the same."""


def test_32_bits() -> None:
    assert crc32c(b'123456789') == 0xE3069283
    assert (djb2(b'abc'), sdbm(b'abc'), wt6(b'abc'), zlib.crc32(b'abc')) == (
        193_485_963,
        807_794_786,
        2_483_038_440,
        891_568_578,
    )
    assert (avalanche(djb2(b'abc')), avalanche(sdbm(b'abc'))) == (2_235_766_107, 659_243_622)
    assert djb2(b'') == 5_381
    assert sdbm(b'') == 0


def test_neighbours_come_to_lie_far_apart() -> None:
    assert [avalanche(0x1_0000), avalanche(1), avalanche(2**32 - 1)] == [0x8F8D_EFE4, 0x3486_81B6, 0x7E64_C182]
    spread = sorted(avalanche(number) for number in range(1_000))
    assert max(b - a for a, b in pairwise(spread)) < 2**32 // 100


def test_xxh_of_little() -> None:
    assert xxh32(b'') == 0x02CC5D05
    assert xxh64(b'') == 0xEF46DB3751D8E999
    assert xxh3(b'') == 0x2D06800538D394C2
    assert xxh32(b'abc') == 852_579_327
    assert xxh32(b'abc', 7) == 1_473_238_068
    assert [xxh32(bytes(range(16)), seed) for seed in (0, 77)] == [0xB728_37F4, 0xFAC5_CEF1]
    assert xxh64(b'abc') == 4_952_883_123_889_572_249
    assert xxh3(b'abc') == 8_696_274_497_037_089_104
    assert xxh3(b'abc', 7) == 5_260_018_501_835_528_466


@pytest.mark.parametrize('size, expected', TURNS)
def test_xxh_at_every_turn(size: int, expected: tuple[int, int, int, int]) -> None:
    data = bytes(at * 37 + size & 255 for at in range(size))
    assert (xxh32(data), xxh64(data), xxh3(data), xxh3(data, 5)) == expected
