"""What of a CLI answer is compared: `cli COMMAND | FILTER`."""

from __future__ import annotations

import re

from tests.conformance.scenario import Wrong


def filtered(text: str, how: str) -> list[str]:
    """The lines of an answer that a filter lets through; without one all, the closing empty line included."""
    lines = text.removesuffix('\n').split('\n')
    verb, _, rest = how.partition(' ')
    if not verb:
        return lines
    if verb == 'columns':
        return sorted(name for name in _header(lines).partition(',-,')[0].removeprefix('# ').split(',') if name)
    if verb == 'fields':
        return _fields(lines, rest.split())
    if verb == 'names':
        return sorted(line.partition(':')[0] for line in lines if line)
    if verb == 'grep':
        return [line for line in lines if re.search(rest, line)]
    if verb == 'only':
        return [found[0] for line in lines if (found := re.search(rest, line))]
    if verb == 'first':
        return lines[: int(rest)]
    raise Wrong(f'no filter is called {verb!r}')


def _header(lines: list[str]) -> str:
    return next((line for line in lines if line.startswith('#')), '#')


def _words(line: str) -> list[str]:
    line = line.removeprefix('#').strip()
    return line.split(',') if ',' in line else line.split()


def _fields(lines: list[str], wanted: list[str]) -> list[str]:
    """Of each row below the header, the columns that are named there."""
    header = _words(_header(lines))
    unknown = [name for name in wanted if name not in header]
    if unknown:
        return [f'(no column {", ".join(unknown)})']
    after = lines[lines.index(_header(lines)) + 1 :]
    rows = [_words(line) for line in after if line]
    return [' '.join(f'{name}={row[header.index(name)]}' for name in wanted) for row in rows]
