"""Two transcripts side by side: the difference must be what the scenario declares, no more and no less."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from fnmatch import fnmatchcase

from tests.conformance.scenario import Difference


def changed(theirs: Sequence[str], ours: Sequence[str]) -> list[str]:
    """The lines of a diff that begin with a minus (HAProxy only) or a plus (Sluice only)."""
    return [line.rstrip() for line in difflib.ndiff(theirs, ours) if line[:2] in ('- ', '+ ')]


def problems(theirs: Sequence[str], ours: Sequence[str], declared: Sequence[Difference]) -> list[str]:
    """What of the difference is not declared, and what is declared and did not occur."""
    open_lines = changed(theirs, ours)
    found = []
    for difference in declared:
        for wanted in difference.lines:
            match = next((line for line in open_lines if _is(line, wanted)), None)
            if match is None:
                found.append(f'declared, but it did not occur: {wanted}')
            else:
                open_lines.remove(match)
    return [f'not declared: {line}' for line in open_lines] + found


def _is(line: str, wanted: str) -> bool:
    """Only a star is special: brackets are common in what is compared."""
    return line == wanted or fnmatchcase(line, wanted.replace('[', '[[]').replace('?', '[?]'))


def unified(theirs: Sequence[str], ours: Sequence[str]) -> str:
    """What a person reads when they differ."""
    return '\n'.join(difflib.unified_diff(list(theirs), list(ours), 'haproxy', 'sluice', lineterm='', n=4))
