"""config: what may be a name: of sections and servers, of users and groups; of what HTTP calls a token."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from dataplane.config.problems import Rejected, shown

if TYPE_CHECKING:
    from dataplane.config.reader import Line

_NAME: Final = re.compile(r'[A-Za-z0-9_.:-]+', re.ASCII)
_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", re.ASCII)


def check_name(name: str, what: str) -> None:
    """Raise Rejected when nothing may be called so."""
    if not _NAME.fullmatch(name):
        bad = next(char for char in name if not _NAME.fullmatch(char))
        msg = f"character '{shown(bad)}' is not permitted in {what} name '{shown(name)}'."
        raise Rejected(msg)


def is_token(text: str) -> bool:
    """May a field, a method or a cookie be called so (RFC 9110, 5.6.2)?"""
    return _TOKEN.fullmatch(text) is not None


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
