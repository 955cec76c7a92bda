"""config: names of sections, of servers, and of what stands in lists of users."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from dataplane.config.problems import Rejected, shown

if TYPE_CHECKING:
    from dataplane.config.reader import Line

_NAME: Final = re.compile(r'[A-Za-z0-9_.:-]+', re.ASCII)


def check_name(name: str, what: str) -> None:
    """Raise Rejected when nothing may be called so."""
    if not _NAME.fullmatch(name):
        bad = next(char for char in name if not _NAME.fullmatch(char))
        msg = f"character '{shown(bad)}' is not permitted in {what} name '{shown(name)}'."
        raise Rejected(msg)


def named(line: Line, expected: str = 'arguments') -> str:
    """The name behind the first word of a line; HAProxy's sentence calls it `argument` or `arguments`. Raises Rejected."""
    name, what = line.word(1), f"'{line.words[0]}'"
    if not name:
        msg = f'{what} expects <name> as {expected}.'
        raise Rejected(msg)
    check_name(name, what)
    return name


def section_name(line: Line, expected: str = 'arguments') -> str:
    """The name of a section, which its first line has and nothing more. Raises Rejected."""
    name = named(line, expected)
    line.at_most(1)
    return name
