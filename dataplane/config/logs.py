"""config: `log` lines, in `global` and in proxies (configuration manual 3.1 and 4.2)."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

from dataplane.config.address import LookUp, no_names, parse_log
from dataplane.config.problems import Rejected, shown
from dataplane.config.values import parse_int
from dataplane.core.model import LogTarget
from dataplane.core.sampling import Sampling
from dataplane.wire.syslog import FACILITIES, FORMATS, LEVELS

if TYPE_CHECKING:
    from dataplane.config.reader import Line

DEFAULT_FORMAT: Final = 'local'
"""What a line without `format` has; `log-send-hostname` makes it 'rfc3164' (done by the compiler)."""

_SHORTEST, _LONGEST = 80, 65_535
_MOST: Final = 1_000_000


def parse_log_line(line: Line, look_up: LookUp = no_names, *, proxy: bool) -> LogTarget:
    """`log ADDRESS [len N] [format F] [sample RANGES:SIZE] FACILITY [LEVEL [MINLEVEL]]`. Raises Rejected."""
    if not line.word(1) or not line.word(2):
        msg = f'log : expects <address> and <facility> {"or global " if proxy else ""}as arguments'
        raise Rejected(msg)
    address = parse_log(line.word(1), look_up)
    at, length, form, sample = 2, 1024, DEFAULT_FORMAT, None
    while (word := line.word(at)) in ('len', 'format', 'sample', 'profile'):
        if word == 'profile':
            msg = "log : 'profile' is not supported"
            raise Rejected(msg)
        if word == 'sample':
            sample = _sampling(line.word(at + 1))
        elif word == 'len':
            length = parse_int(line.word(at + 1), 'log len', _SHORTEST, _LONGEST)
        else:
            form = _one_of(line.word(at + 1), FORMATS, 'unknown log format')
        at += 2
    facility = _one_of(line.word(at), FACILITIES, 'unknown log facility')
    level = _one_of(line.word(at + 1) or 'debug', LEVELS, 'unknown optional log level')
    minimum = _one_of(line.word(at + 2) or 'emerg', LEVELS, 'unknown optional minimum log level')
    line.at_most(at + 2)
    return LogTarget(
        address=address, facility=facility, level=level, min_level=minimum, format=form, length=length, sample=sample
    )


def _sampling(text: str) -> Sampling:
    """`RANGES:SIZE`: ranges are numbers or `LOW-HIGH`, with commas between them."""
    ranges, colon, size = text.rpartition(':')
    if not colon:
        raise Rejected('log : Missing sample size')
    found = []
    for one in ranges.split(','):
        low, dash, high = one.partition('-')
        first = parse_int(low, 'log sample', 1, _MOST)
        found.append((first, parse_int(high, 'log sample', first, _MOST) if dash else first))
    found.sort()
    if any(before[1] >= after[0] for before, after in pairwise(found)):
        raise Rejected('log : sample ranges are overlapping')
    most, number = found[-1][1], parse_int(size, 'log sample', 1, _MOST)
    if number < most:
        msg = f'log : sample size {number} should be greater or equal to {most} the maximum of the high ranges limits'
        raise Rejected(msg)
    return Sampling(tuple(found), number)


def _one_of(word: str, known: tuple[str, ...], complaint: str) -> str:
    if word not in known:
        msg = f"log : {complaint} '{shown(word)}'"
        raise Rejected(msg)
    return word
