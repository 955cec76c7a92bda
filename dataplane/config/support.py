"""config: docs/cfg-support.md, made of the keyword tables: `python -m dataplane.config.support > docs/cfg-support.md`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from dataplane.config.keywords import (
    ACTIONS,
    BIND,
    CONVERTERS,
    FETCHES,
    GLOBAL,
    PROXY,
    SECTIONS,
    SERVER,
    Keyword,
    Status,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_INTRODUCTION: Final = """\
# What of haproxy.cfg is supported

Generated from the keyword tables by `python -m dataplane.config.support`; do not edit.

The data plane reads HAProxy's configuration language. A keyword is one of

- **supported**: works as HAProxy's configuration manual says, but for what the note says;
- **accepted**: has no effect here and does no harm; a warning says so;
- **refused**: leaving it out would change what happens to traffic, so the file is refused, with file, line and reason.

A word in none of these tables is an error, as it is for HAProxy (`unknown keyword 'x' in 'y' section`). All errors of all
files are reported at once. Numbers are read strictly: where HAProxy makes 0 of `maxconn abc`, it is an error here.

Quotes, escapes, environment variables (in double quotes; `${NAME-default}`, `${NAME[*]}`), `.if`/`.elif`/`.else`/`.endif`,
`.notice`, `.warning`, `.alert`, `.diag`, named defaults and `from`, `no option` and `default option` work as in the manual.

Sample fetches and converters stand in `balance hash`, which takes what is in the head of a request. Where else the manual has
them - ACLs, conditions, actions, log formats - they are refused with the keyword they would belong to.
"""


def document() -> str:
    """The whole text of docs/cfg-support.md."""
    parts = [_INTRODUCTION, _sections()]
    tables: tuple[tuple[str, Mapping[str, Keyword]], ...] = (
        ('Keywords of `global`', GLOBAL),
        ('Keywords of `defaults`, `frontend`, `listen`, `backend`', PROXY),
        ('Actions of `http-request`', ACTIONS),
        ('Words of `bind` lines', BIND),
        ('Words of `server` and `default-server` lines', SERVER),
        ('Sample fetches', FETCHES),
        ('Converters of samples', CONVERTERS),
    )
    for title, table in tables:
        counts = ', '.join(f'{sum(word.status is status for word in table.values())} {status}' for status in Status)
        parts.append('\n'.join((f'\n## {title}\n\n{counts}.\n', *_rows(table), '')))
    return ''.join(parts)


def _sections() -> str:
    rows = (f'| `{name}` | {reason} |' for name, reason in sorted(SECTIONS.items()))
    head = '\n## Sections\n\n`global`, `defaults`, `frontend`, `listen` and `backend` are supported. Refused are:\n\n'
    return head + '\n'.join(('| section | reason |', '|---|---|', *rows, ''))


def _rows(table: Mapping[str, Keyword]) -> Iterator[str]:
    """One row per group of keywords that share status and note: supported ones first, in alphabetical order."""
    yield '| | keywords | note |'
    yield '|---|---|---|'
    groups: dict[tuple[int, str], list[str]] = {}
    for keyword in sorted(table.values(), key=lambda keyword: keyword.name):
        groups.setdefault((tuple(Status).index(keyword.status), keyword.note), []).append(keyword.name)
    for (status, note), names in sorted(groups.items()):
        yield f'| {tuple(Status)[status]} | {", ".join(f"`{name}`" for name in names)} | {note} |'


if __name__ == '__main__':
    sys.stdout.write(document())
