"""config: docs/cfg-support.md, made of the keyword tables: `python -m dataplane.config.support > docs/cfg-support.md`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
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
from dataplane.config.keywords.outside import CLASSES, outside

if TYPE_CHECKING:
    from collections.abc import Iterator

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

Sample fetches and converters stand wherever the manual has them: in ACLs and conditions, in actions, in log formats, in the names
of backends and servers; `balance hash` takes those of the head of a request.
"""

_TABLES: Final[tuple[tuple[str, str, Mapping[str, Keyword]], ...]] = (
    ('global', 'Keywords of `global`', GLOBAL),
    ('proxy', 'Keywords of `defaults`, `frontend`, `listen`, `backend`', PROXY),
    ('action', 'Actions of rules', ACTIONS),
    ('bind', 'Words of `bind` lines', BIND),
    ('server', 'Words of `server` and `default-server` lines', SERVER),
    ('fetch', 'Sample fetches', FETCHES),
    ('converter', 'Converters of samples', CONVERTERS),
)


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of one table is there: keywords by status, without those of a class of their own, which `elsewhere` counts."""

    counts: dict[Status, int]
    elsewhere: dict[str, int]

    @property
    def share(self) -> float:
        """What is supported of all that concerns HTTP/1 without TLS: 0 to 1."""
        return self.counts[Status.SUPPORTED] / max(1, sum(self.counts.values()))


def coverage() -> dict[str, Coverage]:
    """The figures of each table by its name in `keywords.outside`, and of all of them under ''."""
    found = {kind: _coverage(kind, table) for kind, _, table in _TABLES}
    whole = Coverage(dict.fromkeys(Status, 0), dict.fromkeys(CLASSES, 0))
    for one in found.values():
        for status, count in one.counts.items():
            whole.counts[status] += count
        for name, count in one.elsewhere.items():
            whole.elsewhere[name] += count
    return found | {'': whole}


def _coverage(kind: str, table: Mapping[str, Keyword]) -> Coverage:
    found = Coverage(dict.fromkeys(Status, 0), {})
    for name, keyword in table.items():
        where = outside(kind, name)
        if where:
            found.elsewhere[where] = found.elsewhere.get(where, 0) + 1
        else:
            found.counts[keyword.status] += 1
    return found


def document() -> str:
    """The whole text of docs/cfg-support.md."""
    parts = [_INTRODUCTION, _figures(), _sections()]
    for _, title, table in _TABLES:
        counts = ', '.join(f'{sum(word.status is status for word in table.values())} {status}' for status in Status)
        parts.append('\n'.join((f'\n## {title}\n\n{counts}.\n', *_rows(table), '')))
    return ''.join(parts)


def _figures() -> str:
    """How much is supported, table by table."""
    found = coverage()
    lines = [
        '\n## How much of it\n',
        'Counted are the keywords that concern a proxy for HTTP/1 without TLS.\n',
        '| | supported | accepted | refused | supported of all | other keywords |',
        '|---|---|---|---|---|---|',
    ]
    titles = {kind: title for kind, title, _ in _TABLES} | {'': 'all'}
    for kind, one in found.items():
        counts = ' | '.join(str(one.counts[status]) for status in Status)
        lines.append(f'| {titles[kind]} | {counts} | {one.share:.0%} | {sum(one.elsewhere.values())} |')
    classes = ', '.join(f'{name} ({count})' for name, count in found[''].elsewhere.items())
    lines.append(f'\nOther keywords are those of: {classes}. What becomes of them is in the tables, too.')
    return '\n'.join((*lines, ''))


def _sections() -> str:
    rows = (f'| `{name}` | {reason} |' for name, reason in sorted(SECTIONS.items()))
    head = (
        '\n## Sections\n\n`global`, `defaults`, `frontend`, `listen`, `backend`, `userlist`, `http-errors` and `ring` (without `backing-file`, and of its '
        'servers `log-proto`) are supported; so are `resolvers` (of TCP nameservers without settings of a server: names.md). Refused are:\n\n'
    )
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
