"""Weights: what a person sets (0-256), what the algorithms use (0-4096), and the text form of the stats socket.

A user weight is scaled by 16 so that slowstart has steps to grow by even at weight 1. The balancing algorithms see only
the scaled, effective weight. Manual: `weight`, `slowstart`; management manual 9.3: `set weight`.
"""

from __future__ import annotations

import re
from typing import Final

SCALE: Final = 16
"""Effective weight per unit of user weight."""
UWEIGHT_MAX: Final = 256
EWEIGHT_MAX: Final = SCALE * UWEIGHT_MAX
_PERCENT_MAX: Final = 100 * UWEIGHT_MAX

# of many digits the first 20 are enough to be beyond any weight, and int() refuses thousands
_NUMBER: Final = re.compile(r'\s*([+-]?)0*(\d{1,20})\d*(.*)', re.ASCII | re.DOTALL)


def effective(uweight: int, ramp: int = SCALE) -> int:
    """The effective weight of a user weight at `ramp` sixteenths of full service: never 0 unless the user weight is."""
    return uweight * ramp


def shown(eweight: int) -> int:
    """An effective weight in user units, rounded up, as `show stat` prints it in `weight`."""
    return (eweight + SCALE - 1) // SCALE


def ramp(elapsed: int, slowstart: int) -> int:
    """How many sixteenths of its weight a warming-up server has after `elapsed` of `slowstart` (same unit): 1 to 16."""
    if elapsed >= slowstart:
        return SCALE
    return max(1, (SCALE * elapsed + slowstart) // slowstart)


def relative(iweight: int, percent: int) -> int:
    """`percent` of the initial weight, rounded down, at most 256."""
    return min(UWEIGHT_MAX, iweight * min(percent, _PERCENT_MAX) // 100)


def parse(text: str) -> tuple[int, bool]:
    """A weight as typed: (value, is it a percentage). Raises ValueError with HAProxy's own words.

    The range of a plain value is checked here, too, since these words belong to the text and not to the change.
    """
    if not text:
        raise ValueError('Require <weight> or <weight%>.')
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise ValueError('Empty weight string empty or preceded by garbage')
    sign, digits, rest = match.groups()
    value = int(sign + digits)
    if rest == '%':
        check(value, percent=True)
        return value, True
    check(value, percent=False)
    if rest:
        raise ValueError('Trailing garbage in weight string')
    return value, False


def check(value: int, *, percent: bool) -> None:
    """Raises ValueError, with HAProxy's words, for a weight out of range."""
    if percent and value < 0:
        raise ValueError('Relative weight must be positive.')
    if not percent and not 0 <= value <= UWEIGHT_MAX:
        raise ValueError('Absolute weight can only be between 0 and 256 inclusive.')
