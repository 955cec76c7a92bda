"""config: numbers, times (configuration manual 2.5) and sizes as they are written in the file.

Where HAProxy takes what `atoi()` makes of a word ("maxconn abc" is 0 there), a word that is no number is refused here.
"""

from __future__ import annotations

import re
from typing import Final

from dataplane.config.problems import Rejected, shown

MAX_INT: Final = 2_147_483_647
"""Largest number a keyword takes, and the longest time in milliseconds (about 24.8 days)."""

_UNITS_US: Final = {'us': 1, 'ms': 1_000, 's': 1_000_000, 'm': 60_000_000, 'h': 3_600_000_000, 'd': 86_400_000_000}
_NUMBER: Final = re.compile(r'-?[0-9]{1,18}', re.ASCII)
_TIME: Final = re.compile(r'([0-9]+)([a-z]*)', re.ASCII)
_SIZE: Final = re.compile(r'([0-9]{1,18})([kKmMgG]?)', re.ASCII)
_DIGITS: Final = 18
_SHIFTS: Final = {'': 0, 'k': 10, 'm': 20, 'g': 30}


def parse_int(word: str, what: str, low: int, high: int = MAX_INT) -> int:
    """An integer within [low, high]; `what` names the keyword in the error."""
    if not word:
        msg = f"'{what}' expects an integer argument."
        raise Rejected(msg)
    if not _NUMBER.fullmatch(word):
        msg = f"'{what}' expects an integer argument (got '{shown(word)}')."
        raise Rejected(msg)
    value = int(word)
    if not low <= value <= high:
        msg = f"'{what}' value must be between {low} and {high} (was {shown(word)})"
        raise Rejected(msg)
    return value


def parse_time(word: str, what: str, *, unit: str = 'ms') -> int:
    """A time in milliseconds, rounded up so that one that is not 0 stays so. `unit` counts where none is written."""
    if not word:
        msg = f"'{what}' expects an integer value (in milliseconds)"
        raise Rejected(msg)
    found = _TIME.fullmatch(word)
    if found is None or found[2] not in ('', *_UNITS_US):
        bad = re.sub('^[0-9]*', '', word)
        msg = f"unexpected character '{shown(bad[:1])}' in '{what}' (got '{shown(word)}'; units are us, ms, s, m, h, d)"
        raise Rejected(msg)
    micros = int(found[1][:_DIGITS]) * _UNITS_US[found[2] or unit]
    value = -(-micros // 1_000)
    if value > MAX_INT or len(found[1]) > _DIGITS:
        msg = f"timer overflow in argument '{shown(word)}' to '{what}' (maximum value is {MAX_INT} ms or ~24.8 days)"
        raise Rejected(msg)
    return value


def parse_size(word: str, what: str, low: int, high: int = MAX_INT) -> int:
    """A size in bytes within [low, high]; `k`, `m` and `g` multiply by powers of 1024."""
    found = _SIZE.fullmatch(word)
    if found is None:
        msg = f"'{what}' expects a size in bytes, optionally with k, m or g (got '{shown(word)}')."
        raise Rejected(msg)
    value = int(found[1]) << _SHIFTS[found[2].lower()]
    if not low <= value <= high:
        msg = f"'{what}' value must be between {low} and {high} bytes (was {shown(word)})"
        raise Rejected(msg)
    return value
