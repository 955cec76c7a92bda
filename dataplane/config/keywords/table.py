"""config: what is known about a keyword, and how tables of keywords are written.

A table is the only place that says whether a word is supported: the parser refuses or warns by it, and
docs/cfg-support.md is generated from it. In its texts `:N` behind a word of a `bind` or `server` line says how many
arguments follow it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable


class Status(StrEnum):
    """What happens to a file that uses the keyword."""

    SUPPORTED = 'supported'
    ACCEPTED = 'accepted'
    REFUSED = 'refused'


@dataclass(frozen=True, slots=True)
class Keyword:
    """One keyword of one kind of line. `note` says what is different, why it has no effect, or why it is refused."""

    name: str
    status: Status
    note: str = ''
    arguments: int = 0


HOW_TLS: Final = 'it says how TLS is spoken, which only lines with `ssl` do'
"""Why words have no effect that are not worth a warning on lines that are refused for `ssl`."""


def supported(names: str, note: str = '') -> list[Keyword]:
    """Keywords that work as HAProxy's manual says, but for what `note` says."""
    return _entries(names, Status.SUPPORTED, note)


def accepted(note: str, names: str) -> list[Keyword]:
    """Keywords without effect here and without harm: a warning repeats `note`."""
    return _entries(names, Status.ACCEPTED, note)


def refused(note: str, names: str) -> list[Keyword]:
    """Keywords whose absence would change what happens to traffic: the file is refused with `note`."""
    return _entries(names, Status.REFUSED, note)


def table(*groups: Iterable[Keyword]) -> dict[str, Keyword]:
    """The keywords by name. A keyword stands in one group only."""
    keywords = [keyword for group in groups for keyword in group]
    found = {keyword.name: keyword for keyword in keywords}
    if len(found) != len(keywords):
        names = [keyword.name for keyword in keywords]
        msg = f'keywords listed twice: {sorted({name for name in names if names.count(name) > 1})}'
        raise ValueError(msg)
    return found


def _entries(names: str, status: Status, note: str) -> list[Keyword]:
    entries = []
    for written in names.split(','):
        name, _, arguments = ' '.join(written.split()).partition(':')
        entries.append(Keyword(name, status, note, int(arguments or 0)))
    return entries
