"""Hash functions of `hash-type`, bit for bit those of HAProxy, so that a key goes to the same server behind both.

All give 32 bits. Of none is anything asked but that it spreads keys. Manual: `hash-type`; what converters know as well is in
`dataplane.rules.hashes`.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from typing import Final

from dataplane.rules.hashes import djb2, sdbm, wt6

_MASK: Final = 0xFFFF_FFFF
_INT64_MAX: Final = (1 << 63) - 1


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


def words(packed: bytes) -> int:
    """What `balance source` hashes an address to: its 32-bit words, in network order, one over the other."""
    value = 0
    for start in range(0, len(packed) - 3, 4):
        value ^= int.from_bytes(packed[start : start + 4], 'big')
    return value
