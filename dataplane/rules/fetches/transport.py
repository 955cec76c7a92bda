"""Rules: what the system knows of both TCP connections (configuration manual 7.3.3): times of a round trip, and segments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dataplane.rules.fetches.client import fact
from dataplane.rules.phases import Use
from dataplane.rules.problems import Rejected, shown
from dataplane.rules.samples import Type
from dataplane.rules.table import Arguments, Fetch, Getter, simple

if TYPE_CHECKING:
    from dataplane.rules.samples import Sample
    from dataplane.rules.scope import Scope
    from dataplane.rules.view import View

_UNITS: Final = ('', 'ms', 'us')
_MS: Final = 1_000
TIMES: Final = ('rtt', 'rttvar')
SEGMENTS: Final = ('unacked', 'sacked', 'lost', 'retrans', 'fackets', 'reordering')


def _unit_checked(arguments: Arguments, _: Scope) -> Arguments:
    if arguments and arguments[0] not in _UNITS:
        msg = f"unknown unit type '{shown(str(arguments[0]))}'"
        raise Rejected(msg)
    return arguments


def _time(name: str) -> Fetch:
    """A time which the view tells in microseconds."""

    def build(arguments: Arguments) -> Getter:
        if arguments and arguments[0] == 'us':
            return fact(name)

        def fetch(view: View) -> Sample | None:
            value = view.fact(name)
            return (value + _MS // 2) // _MS if isinstance(value, int) else None

        return fetch

    use = Use.CLIENT if name.startswith('fc') else Use.SERVER_CONNECTION
    return Fetch(Type.INT, use, build, 'str?', _unit_checked)


TRANSPORT: Final[dict[str, Fetch]] = {
    **{f'{side}_{name}': _time(f'{side}_{name}') for side in ('fc', 'bc') for name in TIMES},
    **{f'fc_{name}': simple(Type.INT, Use.CLIENT, fact(f'fc_{name}')) for name in SEGMENTS},
}
