"""Rules: HAProxy's hashes that Python's library does not have. All give 32 unsigned bits (configuration manual 7.3.1).

sdbm, djb2 and wt6 are what `hash-type` knows as well (`dataplane.core.hashes`); `avalanche` is what its word of that name does to them.
"""

from __future__ import annotations

from typing import Final

_MASK: Final = 0xFFFFFFFF
_CASTAGNOLI: Final = 0x82F63B78


def avalanche(value: int) -> int:
    """Bob Jenkins' full avalanche, spread by a prime: neighbours become strangers."""
    value = (value + 0x7ED55D16 + (value << 12)) & _MASK
    value = value ^ 0xC761C23C ^ (value >> 19)
    value = (value + 0x165667B1 + (value << 5)) & _MASK
    value = ((value + 0xD3A2646C) ^ (value << 9)) & _MASK
    value = (value + 0xFD7046C5 + (value << 3)) & _MASK
    value = value ^ 0xB55A4F09 ^ (value >> 16)
    return value * 3_221_225_473 & _MASK


def sdbm(data: bytes) -> int:
    """The hash of the sdbm library; HAProxy's default."""
    value = 0
    for byte in data:
        value = value * 65_599 + byte & _MASK
    return value


def djb2(data: bytes) -> int:
    """Daniel Bernstein's `hash * 33 + byte`."""
    value = 5_381
    for byte in data:
        value = value * 33 + byte & _MASK
    return value


def wt6(data: bytes) -> int:
    """Willy Tarreau's hash of two words that turn each other."""
    one, other = 0xA53C965A, 0x5CA6953A
    left, right = 6, 18
    for byte in data:
        one = ~(one ^ byte) & _MASK
        other = ~(other + byte) & _MASK
        turned = (other << left | other >> (32 - left)) & _MASK
        other = (one << right | one >> (32 - right)) & _MASK
        one = turned
        mixed = (one >> 16 ^ other) & 0xFFFF
        left, right = mixed & 0x1F, mixed >> 11
    return one ^ other


def _table(polynomial: int) -> tuple[int, ...]:
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = value >> 1 ^ (polynomial if value & 1 else 0)
        table.append(value)
    return tuple(table)


_CRC32C: Final = _table(_CASTAGNOLI)


def crc32c(data: bytes) -> int:
    """CRC32 with Castagnoli's polynomial (RFC 4960, appendix B)."""
    value = _MASK
    for byte in data:
        value = _CRC32C[(value ^ byte) & 0xFF] ^ value >> 8
    return value ^ _MASK
