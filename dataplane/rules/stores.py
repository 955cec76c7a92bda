"""Rules: the patterns of files, which maps and ACLs look values up in and which the CLI may change while traffic flows.

A `Store` belongs to one process. `PatternSet.version` changes with every change, by which matchers know that what they
have made of the entries is stale; nothing is rebuilt before somebody asks.
"""

from __future__ import annotations

from collections.abc import Mapping

from dataplane.rules.matching import parse_pattern
from dataplane.rules.model import Entry, Match
from dataplane.rules.problems import Rejected, shown
from dataplane.rules.scope import Scope


def entries_of(text: str, *, pairs: bool) -> tuple[Entry, ...]:
    """The entries of a pattern file. Blank lines and lines that begin with `#` count for nothing; leading blanks are cut.

    Of a map (`pairs`) the first word is the pattern and the rest of the line, blanks around it cut, its value.
    """
    entries = []
    for number, raw in enumerate(text.split('\n'), 1):
        if raw.startswith('#'):
            continue
        line = raw.rstrip('\r').lstrip(' \t')
        if not line:
            continue
        if pairs:
            pattern, _, value = (
                line.replace('\t', ' ', 1).partition(' ') if '\t' in line.split(' ')[0] else line.partition(' ')
            )
            entries.append(Entry(pattern, value.strip(' \t'), number))
        else:
            entries.append(Entry(line, None, number))
    return tuple(entries)


def read_patterns(name: str, scope: Scope, *, pairs: bool) -> None:
    """Read a pattern file into `scope.files`, once for all that name it; they have to agree on its columns."""
    if name not in scope.files:
        scope.files[name] = entries_of(scope.read(name), pairs=pairs)
    if any((entry.value is not None) is not pairs for entry in scope.files[name]):
        columns = ('two', 'one') if not pairs else ('one', 'two')
        text = f'The file "{shown(name)}" is already used as {columns[0]} column file'
        msg = f'{text} and cannot be used by as {columns[1]} column file'
        raise Rejected(msg)


class PatternSet:
    """The entries of one file, in order."""

    def __init__(self, name: str, entries: tuple[Entry, ...] = ()) -> None:
        self.name = name
        self.version = 0
        self._entries = entries
        self._matches: list[Match] = []

    def used_by(self, match: Match) -> None:
        """From now on every pattern has to be one that this way of comparing takes."""
        if match not in self._matches:
            self._matches.append(match)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All entries, in order."""
        return self._entries

    def add(self, pattern: str, value: str | None = None) -> None:
        """Append an entry (`add acl`, `add map`). Raises Rejected where who uses the file cannot take it."""
        self.replace((*self._entries, Entry(pattern, value)))

    def set_value(self, pattern: str, value: str) -> bool:
        """Give every entry of that pattern a value (`set map`). Is there one?"""
        if not self.holds(pattern):
            return False
        self.replace(
            tuple(Entry(one.pattern, value, one.line) if one.pattern == pattern else one for one in self._entries)
        )
        return True

    def delete(self, pattern: str) -> bool:
        """Take out every entry of that pattern (`del acl`, `del map`). Was there one?"""
        if not self.holds(pattern):
            return False
        self.replace(tuple(one for one in self._entries if one.pattern != pattern))
        return True

    def replace(self, entries: tuple[Entry, ...]) -> None:
        """Put other entries in the place of all (`clear`, `commit`). Raises Rejected, and then changes nothing."""
        known = set(self._entries)
        for entry in entries:
            if entry not in known:
                for match in self._matches:
                    parse_pattern(match, entry.pattern)
        self._entries = entries
        self.version += 1

    def holds(self, pattern: str) -> bool:
        """Is there an entry of exactly that pattern?"""
        return any(one.pattern == pattern for one in self._entries)


class Store:
    """All pattern files of a configuration, by name."""

    def __init__(self, files: Mapping[str, tuple[Entry, ...]] | None = None) -> None:
        self._sets = {name: PatternSet(name, entries) for name, entries in (files or {}).items()}

    def __getitem__(self, name: str) -> PatternSet:
        found = self._sets.get(name)
        if found is None:
            found = self._sets[name] = PatternSet(name)
        return found

    def __contains__(self, name: str) -> bool:
        return name in self._sets

    def names(self) -> list[str]:
        """The names of all files, in the order they were read."""
        return list(self._sets)
