"""config: which statuses count as errors of clients and as failures of servers in stick tables (configuration manual 3.1)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, cast

from dataplane.config.problems import Rejected, shown
from dataplane.core.answers import ERRORS, FAILURES, statuses

if TYPE_CHECKING:
    from collections.abc import Callable

    from dataplane.config.draft import GlobalDraft
    from dataplane.config.reader import Line

_RANGE: Final = re.compile(r'([1-5][0-9]{2})(?:-([1-5][0-9]{2}))?', re.ASCII)


def code_handlers(draft: GlobalDraft) -> dict[str, Callable[[Line], None]]:
    """`http-err-codes` and `http-fail-codes`."""

    def handler(place: int) -> Callable[[Line], None]:
        def handle(line: Line) -> None:
            errors, failures = cast('tuple[int, int]', draft.values.get('counted_codes', (ERRORS, FAILURES)))
            if place:
                failures = _changed(line, failures)
            else:
                errors = _changed(line, errors)
            draft.values['counted_codes'] = errors, failures

        return handle

    return {'http-err-codes': handler(0), 'http-fail-codes': handler(1)}


def _changed(line: Line, codes: int) -> int:
    """A word with `+` adds statuses, one with `-` takes them away, and one without begins anew."""
    words = [word for word in line.words[1:] if word]
    if not words:
        raise Rejected(f"'{line.words[0]}' expects ranges of statuses.")
    for word in words:
        sign = word[0] if word[0] in '+-' else ''
        named = 0
        for part in word.removeprefix(sign).split(','):
            named |= _statuses(line.words[0], part)
        codes = codes | named if sign == '+' else codes & ~named if sign == '-' else named
    return codes


def _statuses(keyword: str, text: str) -> int:
    found = _RANGE.fullmatch(text)
    low, high = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
    if low > high:
        raise Rejected(f"'{keyword}' : '{shown(text)}' is no status from 100 to 599, and no range of them.")
    return statuses(range(low, high + 1))
