"""Rules: converters of times. `ltime` and its kind tell the time of the machine's zone."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final, cast

from dataplane.rules.fetches.internal import unit_checked
from dataplane.rules.samples import Sample, Type
from dataplane.rules.table import Arguments, Converter, Step, plain

if TYPE_CHECKING:
    from dataplane.rules.stores import Store
    from dataplane.rules.view import View

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAYS: Final = ('Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun')
_MONTHS: Final = ('Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec')
_UNITS: Final = {'s': 1, 'ms': 1_000, 'us': 1_000_000}
_FRACTION: Final = re.compile(r'%([0-9]?)N')
_DIGITS: Final = {'ms': 3, 'us': 6}


def moment(number: int, per_second: int) -> datetime | None:
    """The moment so many seconds (or parts of one) after 1970; None beyond what a calendar holds."""
    try:
        return _EPOCH + timedelta(
            seconds=number // per_second, microseconds=number % per_second * 1_000_000 // per_second
        )
    except OverflowError:
        return None


def _http_date(arguments: Arguments, _: Store) -> Step:
    offset = cast('int', arguments[0] or 0) if arguments else 0
    unit = str(arguments[1]) if len(arguments) > 1 else 's'
    per_second = _UNITS[unit]

    def step(sample: int, _view: View) -> Sample | None:
        total = sample + offset
        when = moment(total, per_second)
        if when is None:
            return None
        fraction = '' if unit == 's' else f'.{total % per_second:0{_DIGITS[unit]}}'
        return (
            f'{_DAYS[when.weekday()]}, {when.day:02} {_MONTHS[when.month - 1]} {when.year:04} '
            f'{when.hour:02}:{when.minute:02}:{when.second:02}{fraction} GMT'
        ).encode()

    return step


def _written(*, local: bool, unit: str) -> Converter:
    """As strftime() writes it; of parts of a second `%N` and `%3N` tell the fraction."""
    per_second = _UNITS[unit]

    def build(arguments: Arguments, _: Store) -> Step:
        layout = str(arguments[0])
        offset = cast('int', arguments[1] or 0) if len(arguments) > 1 else 0

        def step(sample: int, _view: View) -> Sample | None:
            when = moment(sample + offset, per_second)
            if when is None:
                return None
            here = when.astimezone() if local else when
            text = layout
            if per_second > 1 and 'N' in layout:
                text = _FRACTION.sub(lambda found: f'{here.microsecond:06}000'[: int(found[1] or 9)], layout)
            return here.strftime(text).encode('utf-8', 'surrogateescape')

        return step

    return Converter(Type.INT, Type.STR, build, 'str,int?')


def _date(sample: bytes) -> Sample | None:
    """The seconds since 1970 of an HTTP date."""
    try:
        when = parsedate_to_datetime(sample.decode('ascii'))
    except ValueError:
        return None
    aware = when if when.tzinfo else when.replace(tzinfo=UTC)
    return int((aware - _EPOCH).total_seconds())


TIMES: Final[dict[str, Converter]] = {
    'http_date': Converter(Type.INT, Type.STR, _http_date, 'int?,str?', unit_checked(1)),
    'date': plain(Type.STR, Type.INT, _date),
    'utime': _written(local=False, unit='s'),
    'ltime': _written(local=True, unit='s'),
    'ms_utime': _written(local=False, unit='ms'),
    'ms_ltime': _written(local=True, unit='ms'),
    'us_utime': _written(local=False, unit='us'),
    'us_ltime': _written(local=True, unit='us'),
}
