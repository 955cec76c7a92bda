"""Hash functions of `hash-type`, bit for bit those of HAProxy, so that a key goes to the same server behind both.

All give 32 bits. They are small and old; of none is anything asked but that it spreads keys. Manual: `hash-type`.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from typing import Final

_MASK: Final = 0xFFFF_FFFF
_INT64_MAX: Final = (1 << 63) - 1
_XX: Final = (0x9E37_79B1, 0x85EB_CA77, 0xC2B2_AE3D, 0x27D4_EB2F, 0x1656_67B1)


def sdbm(key: bytes) -> int:
    """The function of the sdbm database library."""
    value = 0
    for byte in key:
        value = (value * 65_599 + byte) & _MASK
    return value


def djb2(key: bytes) -> int:
    """Daniel J. Bernstein's, with addition."""
    value = 5_381
    for byte in key:
        value = (value * 33 + byte) & _MASK
    return value


def wt6(key: bytes) -> int:
    """Two words that mix and rotate each other by steps made of what they hold."""
    one, two, left, right = 0xA53C_965A, 0x5CA6_953A, 6, 18
    for byte in key:
        one = ~(one ^ byte) & _MASK
        two = ~(two + byte) & _MASK
        one, two = _rotated(two, left), _rotated(one, right)
        steps = (one >> 16 ^ two) & 0xFFFF
        left, right = steps & 31, steps >> 11
    return one ^ two


def crc32(key: bytes) -> int:
    """The checksum of Ethernet and zip files."""
    return zlib.crc32(key)


def none(key: bytes) -> int:
    """The number that the key begins with, by its lower 32 bits; 0 when it begins with none."""
    digits = key[1:] if key[:1] in (b'-', b'+') else key
    end = 0
    while end < len(digits) and 48 <= digits[end] <= 57:
        end += 1
    # of more digits than twenty the first are enough to be beyond what 64 bits hold, where counting stops
    value = min(int(digits[: min(end, 20)] or b'0'), _INT64_MAX)
    return (-value if key[:1] == b'-' else value) & _MASK


FUNCTIONS: Final[Mapping[str, Callable[[bytes], int]]] = {
    'sdbm': sdbm, 'djb2': djb2, 'wt6': wt6, 'crc32': crc32, 'none': none,
}  # fmt: skip
"""By their names in the configuration."""


def avalanche(value: int) -> int:
    """Bob Jenkins' full avalanche of 32 bits, times a prime near three quarters of the ring: neighbours come to lie far apart."""
    value = value + 0x7ED5_5D16 + (value << 12) & _MASK
    value = value ^ 0xC761_C23C ^ value >> 19
    value = value + 0x1656_67B1 + (value << 5) & _MASK
    value = (value + 0xD3A2_646C ^ value << 9) & _MASK
    value = value + 0xFD70_46C5 + (value << 3) & _MASK
    value = value ^ 0xB55A_4F09 ^ value >> 16
    return value * 3_221_225_473 & _MASK


def words(packed: bytes) -> int:
    """What `balance source` hashes an address to: its 32-bit words, in network order, one over the other."""
    value = 0
    for start in range(0, len(packed) - 3, 4):
        value ^= int.from_bytes(packed[start : start + 4], 'big')
    return value


def xxh32(packed: bytes, seed: int) -> int:
    """xxHash, 32 bits, of exactly the 16 bytes of an IPv6 address."""
    lanes = ((seed + _XX[0] + _XX[1]) & _MASK, (seed + _XX[1]) & _MASK, seed, (seed - _XX[0]) & _MASK)
    value = len(packed)
    for number, (lane, rotation) in enumerate(zip(lanes, (1, 7, 12, 18), strict=True)):
        word = int.from_bytes(packed[4 * number : 4 * number + 4], 'little')
        mixed = _rotated(lane + word * _XX[1] & _MASK, 13) * _XX[0] & _MASK
        value += _rotated(mixed, rotation)
    value &= _MASK
    value = (value ^ value >> 15) * _XX[1] & _MASK
    value = (value ^ value >> 13) * _XX[2] & _MASK
    return value ^ value >> 16


def _rotated(value: int, steps: int) -> int:
    return (value << steps | value >> 32 - steps) & _MASK
