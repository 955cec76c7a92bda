"""Versions: (term, seq). A term begins with seq 1, which is the whole state as it was then; each change adds one."""

from __future__ import annotations

import re
from typing import NamedTuple, Self

_TEXT = re.compile(r'(0|[1-9][0-9]{0,18})\.(0|[1-9][0-9]{0,18})\Z', re.ASCII)


class Version(NamedTuple):
    """A place in the total order of changes. Written `term.seq`."""

    term: int
    seq: int

    def __str__(self) -> str:
        return f'{self.term}.{self.seq}'

    def following(self) -> Version:
        """Return the next version of the same term."""
        return Version(self.term, self.seq + 1)

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read `term.seq`. ValueError: it is something else."""
        found = _TEXT.match(text)
        if found is None:
            raise ValueError(f'not a version (term.seq): {text!r:.60}')
        return cls(int(found[1]), int(found[2]))


NOTHING = Version(0, 0)
