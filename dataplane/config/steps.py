"""config: actions that wait, hint, normalise, or change addresses, from their words (configuration manual 4.3); the others are in
actions.py, which also knows where each may stand.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from dataplane.config.keywords import ACTIONS
from dataplane.config.naming import is_token
from dataplane.config.problems import shown
from dataplane.config.ruling import header_format
from dataplane.config.values import parse_int, parse_size, parse_time
from dataplane.rules.expressions import parse_expression
from dataplane.rules.steps import (
    EarlyHint,
    End,
    ExpectProxy,
    Normalizer,
    NormalizeUri,
    Nothing,
    Pause,
    SetAddress,
    SetTos,
    Step,
    StrictMode,
    WaitBody,
)

if TYPE_CHECKING:
    from dataplane.config.actions import Place

Steps = Callable[[Sequence[str], 'Place'], tuple[Step, int]]
_TIME: Final = re.compile(r'[0-9]+(?:us|ms|s|m|h|d)?', re.ASCII)
_NUMBER: Final = re.compile(r'(?:0[xX][0-9a-fA-F]{1,8}|[0-9]{1,10})', re.ASCII)
_FULL: Final = (Normalizer.STRIP_DOTDOT,)
_STRICT: Final = (Normalizer.DECODE_UNRESERVED, Normalizer.TO_UPPERCASE)
_MOST_TOS: Final = 255


def _wait_for_body(words: Sequence[str], place: Place) -> tuple[Step, int]:
    time: int | None = None
    at_least = at = 0
    while at < len(words) and words[at] in ('time', 'at-least'):
        value = place.word(words, at + 1, f"an argument of '{words[at]}'")
        if words[at] == 'time':
            time = parse_time(value, f'{place.what} : time')
        else:
            at_least = parse_size(value, f'{place.what} : at-least', 0)
        at += 2
    if time is None:
        raise place.refuse("expects 'time <time>' and perhaps 'at-least <bytes>'")
    return WaitBody(time, at_least), at


def _pause(words: Sequence[str], place: Place) -> tuple[Step, int]:
    word = place.word(words, 0, 'a time or an expression')
    if _TIME.fullmatch(word):
        return Pause(parse_time(word, place.what)), 1
    expression, taken = parse_expression(words, 0, place.scope)
    return Pause(expression), taken


def _early_hint(words: Sequence[str], place: Place) -> tuple[Step, int]:
    name = place.word(words, 0, 'the name of a header field')
    if not is_token(name):
        raise place.refuse(f"'{shown(name)}' is no name of a header field")
    return EarlyHint(name.lower(), header_format(place.word(words, 1, 'a format string'), place.scope)), 2


def _normalize_uri(words: Sequence[str], place: Place) -> tuple[Step, int]:
    name = place.word(words, 0, f'a normalizer: {", ".join(Normalizer)}')
    if name not in list(Normalizer):
        raise place.refuse(f"unknown normalizer '{shown(name)}': {', '.join(Normalizer)}")
    normalizer = Normalizer(name)
    option = 'full' if normalizer in _FULL else 'strict' if normalizer in _STRICT else ''
    if option and len(words) > 1 and words[1] == option:
        return NormalizeUri(normalizer, option=True), 2
    return NormalizeUri(normalizer), 1


def _strict_mode(words: Sequence[str], place: Place) -> tuple[Step, int]:
    word = place.word(words, 0, "'on' or 'off'")
    if word not in ('on', 'off'):
        raise place.refuse(f"expects 'on' or 'off' (got '{shown(word)}')")
    return StrictMode(word == 'on'), 1


def _address(end: End) -> Steps:
    def parse(words: Sequence[str], place: Place) -> tuple[Step, int]:
        expression, taken = parse_expression(words, 0, place.scope)
        return SetAddress(end, expression), taken

    return parse


def _expect_proxy(words: Sequence[str], place: Place) -> tuple[Step, int]:
    if place.word(words, 0, "'layer4'") != 'layer4':
        raise place.refuse(f"expects 'layer4' (got '{shown(words[0])}')")
    return ExpectProxy(), 1


def _tos(words: Sequence[str], place: Place) -> tuple[Step, int]:
    word = place.word(words, 0, 'a number or an expression')
    if _NUMBER.fullmatch(word):
        value = int(word, 16) if word[:2].lower() == '0x' else parse_int(word, place.what, 0)
        if value > _MOST_TOS:
            raise place.refuse(f"a number from 0 to {_MOST_TOS} is expected (got '{shown(word)}')")
        return SetTos(value), 1
    expression, taken = parse_expression(words, 0, place.scope)
    return SetTos(expression), taken


def _set_nice(words: Sequence[str], place: Place) -> tuple[Step, int]:
    parse_int(place.word(words, 0, 'a number from -1024 to 1024'), place.what, -1_024, 1_024)
    place.scope.warnings.append(f'{place.what} has no effect: {ACTIONS["set-nice"].note}.')
    return Nothing(), 1


RESPONSE: Final[dict[str, Steps]] = {
    'pause': _pause,
    'set-fc-tos': _tos,
    'set-nice': _set_nice,
    'set-tos': _tos,
    'strict-mode': _strict_mode,
    'wait-for-body': _wait_for_body,
}
"""What `http-response` knows of them."""

SESSION: Final[dict[str, Steps]] = {f'set-{end}': _address(end) for end in End}
REQUEST: Final[dict[str, Steps]] = {
    **RESPONSE,
    'early-hint': _early_hint,
    'normalize-uri': _normalize_uri,
    **SESSION,
}
"""What `http-request` knows of them."""

AFTER: Final[dict[str, Steps]] = {'strict-mode': _strict_mode}
CONNECTION: Final[dict[str, Steps]] = {**SESSION, 'expect-proxy': _expect_proxy}
CONTENT: Final[dict[str, Steps]] = {**SESSION, 'set-nice': _set_nice}
