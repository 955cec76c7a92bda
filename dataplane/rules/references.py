"""Rules: who uses which patterns, noted while a configuration is read, and the numbers the CLI knows them by.

As HAProxy's: a file is one reference however often it is named, and what stands in the line of an ACL is one of its own. They are
numbered in the order they were met, from 0, past the numbers that `-u` gives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dataplane.rules.model import Entry, Reference
from dataplane.rules.problems import Rejected

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dataplane.rules.model import Pattern, Use


@dataclass(slots=True)
class _Draft:
    name: str
    identity: int | None = None
    shown: str = ''
    maps: bool = False
    acls: bool = False
    uses: list[Use] = field(default_factory=list)
    entries: tuple[Entry, ...] = ()


class References:
    """One per configuration. `where` says which line is read: `file 'F' line N`."""

    def __init__(self, where: Callable[[], str]) -> None:
        self._where = where
        self._drafts: list[_Draft] = []
        self._files: dict[str, _Draft] = {}

    def map(self, name: str, use: Use) -> None:
        """A file is used as a map."""
        self._file(name, use, 'map').maps = True

    def acl(self, name: str, use: Use) -> None:
        """A file is used by an ACL."""
        self._file(name, use, 'acl').acls = True

    def _file(self, name: str, use: Use, what: str) -> _Draft:
        draft = self._files.get(name)
        used = f'by {what} at {self._where()}'
        if draft is None:
            draft = self._files[name] = _Draft(name, shown=f"pattern loaded from file '{name}' used {used}")
            self._drafts.append(draft)
        else:
            draft.shown += f', {used}'
        draft.uses.append(use)
        return draft

    def own(self, keyword: str, use: Use, patterns: Sequence[Pattern], identity: int) -> int:
        """An ACL's line has patterns of its own (or none). Returns the reference's place, counted from 1."""
        if identity and any(draft.identity == identity for draft in self._drafts):
            msg = 'the id is already used'
            raise Rejected(msg)
        entries = tuple(Entry(pattern.text) for pattern in patterns)
        shown = f"acl '{keyword}' {self._where()}"
        self._drafts.append(_Draft('', identity or None, shown, acls=True, uses=[use], entries=entries))
        return len(self._drafts)

    def finished(self, files: Mapping[str, tuple[Entry, ...]]) -> tuple[Reference, ...]:
        """All of them, with their numbers and what they begin with."""
        taken = {draft.identity for draft in self._drafts}
        free, found = 0, []
        for draft in self._drafts:
            if draft.identity is None:
                while free in taken:
                    free += 1
                draft.identity = free
                free += 1
            entries = files[draft.name] if draft.name else draft.entries
            found.append(
                Reference(draft.name, draft.identity, draft.shown, draft.maps, draft.acls, tuple(draft.uses), entries)
            )
        return tuple(found)
