"""A stats-file: what `dump stats-file` writes, and what of it is read back at the start (management manual 9.3; `stats-file`).

Two tables, of frontends and listeners and of backends and servers, each behind a line that names its columns; a row begins with
the guid of what it is about, and everything ends with a comma. Columns are found by their names, so that versions may differ in
them. What has no guid is not in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from dataplane.cli.stat import Kind, Row

FRONT: Final = (
    'stot', 'bin', 'bout', 'dreq', 'dresp', 'ereq', 'rate', 'hrsp_1xx', 'hrsp_2xx', 'hrsp_3xx', 'hrsp_4xx',
    'hrsp_5xx', 'hrsp_other', 'req_rate', 'req_tot', 'comp_in', 'comp_out', 'comp_byp', 'comp_rsp', 'conn_rate',
    'conn_tot', 'intercepted', 'dcon', 'dses', 'wrew', 'cache_lookups', 'cache_hits', 'eint', 'h1sess', 'h2sess',
    'h3sess', 'req_other', 'h1req', 'h2req', 'h3req', 'reqbin', 'reqbout', 'resbin', 'resbout', 'cache_hint_hits',
)  # fmt: skip
BACK: Final = (
    'stot', 'bin', 'bout', 'dreq', 'dresp', 'econ', 'eresp', 'wretr', 'wredis', 'chkfail', 'chkdown', 'lastchg',
    'lbtot', 'rate', 'hrsp_1xx', 'hrsp_2xx', 'hrsp_3xx', 'hrsp_4xx', 'hrsp_5xx', 'hrsp_other', 'hanafail', 'req_tot',
    'cli_abrt', 'srv_abrt', 'comp_in', 'comp_out', 'comp_byp', 'comp_rsp', 'lastsess', 'wrew', 'connect', 'reuse',
    'cache_lookups', 'cache_hits', 'eint', 'reqbin', 'reqbout', 'resbin', 'resbout', 'cache_hint_hits',
)  # fmt: skip
"""The columns, in the order of `show stat`."""
_IN_FRONT: Final = (Kind.FRONTEND, Kind.LISTENER)
_HEADER: Final = re.compile(r'#(\S+) (?:(.*),)')
_GUID: Final = re.compile(r'[A-Za-z0-9_.:-]{1,127}')
_NUMBER: Final = re.compile(r'[0-9]{1,18}')
Key = tuple[Kind, int, int]
"""Kind, number of the proxy and own number of what a row is about."""


@dataclass(frozen=True, slots=True)
class Saved:
    """A row of a file: in which of its tables, of whom, and the numbers by column. `line`: where."""

    front: bool
    guid: str
    values: Mapping[str, int]
    line: int


def write(rows: Iterable[Row], guids: Mapping[Key, str]) -> str:
    """The text, without its last line feed, of the rows that `guids` has a name for."""
    named = [(guid, row) for row in rows if (guid := guids.get((row.kind, row.iid, row.sid)))]
    front = (_line(guid, row, FRONT) for guid, row in named if row.kind in _IN_FRONT)
    back = (_line(guid, row, BACK) for guid, row in named if row.kind not in _IN_FRONT)
    return '\n'.join((f'#fe guid,{",".join(FRONT)},', *front, f'#be guid,{",".join(BACK)},', *back))


def _line(guid: str, row: Row, columns: tuple[str, ...]) -> str:
    return ''.join(f'{value},' for value in (guid, *(_shown(row.values.get(name, 0)) for name in columns)))


def _shown(value: object) -> str:
    """A number; nothing for the age of what never was."""
    return '' if value == -1 else str(value)


def read(text: str, path: str) -> tuple[list[Saved], list[str]]:
    """The rows of a file, and what is to be told of it in HAProxy's words. Of a file that is none there are no rows."""
    saved: list[Saved] = []
    told: list[str] = []
    columns: tuple[str, ...] | None = None
    front = begun = False
    for number, line in _lines(text):
        if line.startswith('#'):
            name, columns = _header(line)
            if not name and not begun:
                return [], [f"config: Invalid stats-file format in file '{path}'."]
            if not name:
                told.append(f"config: Ignored stats-file header line '{number}' in file '{path}'.")
            begun, front = True, name == 'fe'
        elif columns is not None:
            guid, *values = line.split(',')
            if _GUID.fullmatch(guid):
                saved.append(Saved(front, guid, dict(_numbers(columns, values)), number))
            else:
                told.append(ignored(number, path))
        elif not begun:
            return [], [f"config: Invalid stats-file format in file '{path}'."]
    return saved, told


def ignored(line: int, path: str) -> str:
    """What is told of a row that is about nothing it can be about."""
    return f"config: Ignored stats-file line {line} in file '{path}'."


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.split('\n'), 1):
        line = line.strip()
        if line and not line.startswith('//'):
            yield number, line


def _header(line: str) -> tuple[str, tuple[str, ...] | None]:
    """Which table begins, '' where none can; and its columns, None of one that is not known here."""
    found = _HEADER.fullmatch(line)
    if not found:
        return '', None
    first, *columns = found[2].split(',')
    if found[1] not in ('fe', 'be'):
        return found[1], None
    return (found[1], tuple(columns)) if first == 'guid' else ('', None)


def _numbers(columns: tuple[str, ...], values: list[str]) -> Iterator[tuple[str, int]]:
    for name, value in zip(columns, values, strict=False):
        if _NUMBER.fullmatch(value):
            yield name, int(value)
