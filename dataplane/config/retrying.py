"""config: actions about timeouts and retries of one request: `set-timeout`, `set-retries`, `disable-l7-retry` (manual 4.3)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from dataplane.config.draft import Side
from dataplane.config.problems import shown
from dataplane.config.values import MAX_INT, parse_int, parse_time
from dataplane.rules.actions import SendOnce, SetRetries, SetTimeout
from dataplane.rules.expressions import parse_expression

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dataplane.config.actions import Parser, Place
    from dataplane.rules.actions import Action

TIMEOUTS: Final = ('server', 'tunnel', 'client', 'connect', 'queue', 'tarpit')
_OF_BACKENDS: Final = ('server', 'tunnel', 'connect', 'queue')
_TIME: Final = re.compile('[0-9]+(us|ms|[smhd])?', re.ASCII)


def parse_set_timeout(words: Sequence[str], place: Place) -> tuple[Action, int]:
    """`set-timeout NAME TIME|EXPRESSION`: an expression gives milliseconds."""
    name = words[0] if words else ''
    if name not in TIMEOUTS:
        raise place.refuse(f"expects one of {', '.join(repr(one) for one in TIMEOUTS)} (got '{shown(name)}')")
    side = Side.BACKEND if name in _OF_BACKENDS else Side.FRONTEND if name == 'client' else Side.BOTH
    if not side & place.proxy.side:
        half = 'backend' if side is Side.BACKEND else 'frontend'
        raise place.refuse(f"'{name}' needs a proxy with {half} capability")
    if len(words) < 2:
        raise place.refuse(f"expects a time or an expression behind '{name}'")
    if not _TIME.fullmatch(words[1]):
        expression, taken = parse_expression(words, 1, place.scope)
        return SetTimeout(name, expression), taken
    value = parse_time(words[1], f'{place.what} {name}')
    if not value:
        raise place.refuse(f"null value is not valid for '{name}'")
    return SetTimeout(name, value), 2


def _parse_set_retries(words: Sequence[str], place: Place) -> tuple[Action, int]:
    """`set-retries NUMBER|EXPRESSION`."""
    if not place.proxy.side & Side.BACKEND:
        raise place.refuse('needs a proxy with backend capability')
    if not words:
        raise place.refuse('expects a number or an expression')
    if not words[0].isdigit():
        expression, taken = parse_expression(words, 0, place.scope)
        return SetRetries(expression), taken
    return SetRetries(parse_int(words[0], place.what, 0, MAX_INT)), 1


def _parse_disable_l7_retry(words: Sequence[str], place: Place) -> tuple[Action, int]:
    """`disable-l7-retry`: takes nothing."""
    del words, place
    return SendOnce(), 0


RETRYING: Final[dict[str, Parser]] = {
    'set-retries': _parse_set_retries,
    'disable-l7-retry': _parse_disable_l7_retry,
}
"""Actions for requests only; `set-timeout` is one for responses, too."""
