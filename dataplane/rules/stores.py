"""Rules: the patterns of files and of ACLs' lines, which maps and ACLs look values up in and which change while traffic flows; and users.

A `Store` belongs to one process. An entry has a place, which says in what order entries came and never changes; a pattern may
have several entries (`add map` asks nothing). Whoever looks into a set does it through an index (`indexes`), made when it is
first wanted and told of every change. Who may change what, and in which order for all, is told in `replica` and `book`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol

from dataplane.rules.changes import DELETED, Kind
from dataplane.rules.changes import Change as Changed
from dataplane.rules.indexes import Held, Index, Plain, Row, index_of, sample_of
from dataplane.rules.matching import parse_pattern
from dataplane.rules.model import Entry, Match, Reference, Use
from dataplane.rules.patience import Patience, endless
from dataplane.rules.problems import Missing, Rejected, shown

if TYPE_CHECKING:
    from dataplane.rules.scope import Scope

_AT_ONCE: Final = 1_000
_SLOWLY: Final = 50
"""Entries that a set takes in one step: some milliseconds. A regular expression takes a fifth of one."""
VARIABLES: Final = '\0proc'
"""What a store has the variables of `proc` under."""


def encoded(text: str) -> bytes:
    """A text of a file as the bytes it was written in."""
    return text.encode('utf-8', 'surrogateescape')


def decoded(data: bytes) -> str:
    """The other way round."""
    return data.decode('utf-8', 'surrogateescape')


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


def bare_name(written: str) -> str:
    """The name of a reference without `file@` or `opt@`, which only say what becomes of it when it cannot be opened."""
    return written.removeprefix('file@') if written.startswith('file@') else written.removeprefix('opt@')


def read_patterns(written: str, scope: Scope, *, pairs: bool) -> str:
    """Read a pattern file into `scope.files`, once for all that name it; they have to agree on its columns. Returns its name.

    `virt@NAME` is no file: it begins without entries, and so does `opt@FILE` where there is no such file.
    """
    name = bare_name(written)
    if name not in scope.files:
        scope.files[name] = (
            () if name.startswith('virt@') else _read(name, scope, pairs=pairs, optional=written.startswith('opt@'))
        )
    if any((entry.value is not None) is not pairs for entry in scope.files[name]):
        columns = ('two', 'one') if not pairs else ('one', 'two')
        text = f'The file "{shown(name)}" is already used as {columns[0]} column file'
        msg = f'{text} and cannot be used by as {columns[1]} column file'
        raise Rejected(msg)
    return name


def _read(name: str, scope: Scope, *, pairs: bool, optional: bool) -> tuple[Entry, ...]:
    try:
        return entries_of(scope.read(name), pairs=pairs)
    except Missing:
        if optional:
            return ()
        raise


def is_slow(uses: Iterable[Use]) -> bool:
    """Does it take long to add an entry to a set that is looked into like this?"""
    return any(use.match is Match.REG for use in uses)


def acceptable(uses: Iterable[Use], key: str, value: str | None) -> None:
    """Raise Rejected, in HAProxy's words, where one of those who look into a set cannot take an entry."""
    for use in uses:
        parse_pattern(use.match, key)
        if use.gives in ('int', 'ip') and sample_of(b'', encoded(value or ''), use.gives) is None:
            msg = f"unable to parse '{shown(value or '')}'"
            raise Rejected(msg)


class Looking:
    """An index in use. Closures hold on to this while another index may take the place of the one in it.

    Without `fill` it is empty, for who fills it step by step.
    """

    __slots__ = ('_patience', 'index', 'use')

    def __init__(
        self, use: Use, held: Mapping[bytes, tuple[Held, ...]], patience: Patience, *, fill: bool = True
    ) -> None:
        self.use = use
        self._patience = patience
        plain = use.match is Match.STR and not use.fold and use.gives in ('', 'str')
        self.index: Index = Plain(held) if plain else index_of(use, patience)
        if fill and not plain:
            for key, entries in held.items():
                self.put(key, entries)

    def put(self, key: bytes, held: tuple[Held, ...]) -> None:
        """A pattern has these entries from now on."""
        gives = self.use.gives
        if gives not in ('', 'str'):
            held = tuple((place, sample_of(key, value, gives, self._patience)) for place, value in held)
        self.index.put(key, held)

    def holds(self, sample: Any) -> bool:
        """Does an entry match?"""
        return self.index.find(sample) is not None

    def find(self, sample: Any) -> Row | None:
        """The entry that counts."""
        return self.index.find(sample)


Change = Callable[[str, bytes, Changed], bool]


class PatternSet:
    """The patterns of one reference. `held`: the entries of each; `size`: bytes of all patterns and values.

    `last` is the highest place that an entry ever had; `patience` watches over searches.
    """

    def __init__(self, entries: Iterable[Entry] = (), uses: Iterable[Use] = (), patience: Patience = endless) -> None:
        self._patience = patience
        self.held: dict[bytes, tuple[Held, ...]] = {}
        self.count = self.size = self.last = 0
        self._looking: dict[Use, Looking] = {}
        self._making: list[Looking] = []
        for use in uses:
            self.looking(use)
        self.extend(entries)

    def extend(self, entries: Iterable[Entry]) -> None:
        """Add entries of a file behind those that are there."""
        for entry in entries:
            key, value = encoded(entry.pattern), None if entry.value is None else encoded(entry.value)
            self.put(key, (*self.held.get(key, ()), (self.last + 1, value)))

    def looking(self, use: Use) -> Looking:
        """What looks into this set in that way; made when it is first asked for."""
        known = self._looking.get(use)
        if known is None:
            known = self._looking[use] = Looking(use, self.held, self._patience)
        return known

    def prepare(self, use: Use, part: int = 25) -> Iterator[None]:
        """Make what `looking` is to give, some patterns per step; meanwhile the set may change."""
        if use in self._looking:
            return
        made = Looking(use, self.held, self._patience, fill=False)
        self._making.append(made)
        try:
            keys = list(self.held)
            for at in range(0, len(keys), part):
                for key in keys[at : at + part]:
                    made.put(key, self.held.get(key, ()))
                yield
        finally:
            self._making.remove(made)
        self._looking.setdefault(use, made)

    @property
    def uses(self) -> tuple[Use, ...]:
        """In what ways it is looked into so far."""
        return tuple(self._looking)

    def put(self, key: bytes, held: tuple[Held, ...]) -> None:
        """A pattern has these entries from now on; none: it is gone."""
        before = self.held.get(key, ())
        if held:
            self.held[key] = held
            self.last = max(self.last, held[-1][0])
        elif before:
            del self.held[key]
        self.count += len(held) - len(before)
        self.size += size_of(key, held) - size_of(key, before)
        for one in (*self._looking.values(), *self._making):
            one.put(key, held)

    def become(self, other: PatternSet) -> None:
        """Have all the entries of another set, which is given up, and no others: at once, whoever looks into this."""
        self.held, self.count, self.size = other.held, other.count, other.size
        self.last = max(self.last, other.last)
        for use, one in self._looking.items():
            one.index = other.looking(use).index

    def rows(self) -> list[Row]:
        """All entries, in their order."""
        return sorted(((place, key, value) for key, held in self.held.items() for place, value in held), key=_place)


def _place(row: Row) -> int:
    return row[0]


def _refuse(name: str, key: bytes, change: Changed) -> bool:
    """Nothing changes where nobody has said how others are told."""
    return False


def size_of(key: bytes, held: tuple[Held, ...]) -> int:
    """Bytes of the text of a pattern's entries."""
    return sum(len(key) + (len(value) if isinstance(value, bytes) else 0) for _, value in held)


Page = tuple[bytes, bytes | None]
"""An answer as it is sent where its connection closes, and where it stays (None: it cannot)."""


class Accounts(Protocol):
    """A user list at work."""

    def admits(self, user: bytes, password: bytes) -> bool:
        """Is that the password of a user of this list?"""

    def groups(self, user: bytes) -> tuple[bytes, ...]:
        """The groups of a user; none of one that is not in the list."""


class Store:
    """All sets of a configuration, by `Reference.key`. A set that nobody has put entries into is empty.

    `variables` are those of `proc`, each a pattern with one entry whose value is a sample. `change` is told what a rule does to a
    pattern, and says whether it could be; `knows` tells whether there is such a set at all.

    `patience` watches over searches with regular expressions.

    What an ACL's line says itself is no set until it is changed (`enliven`): what is made of it is made once, and costs least.
    """

    def __init__(
        self, files: Mapping[str, tuple[Entry, ...]] | None = None, references: tuple[Reference, ...] = (),
        patience: Patience = endless,
    ) -> None:  # fmt: skip
        self.references = references
        self.patience = patience
        self.accounts: Mapping[str, Accounts] = {}
        self.pages: Mapping[tuple[str, int], Page] = {}
        self.variables = PatternSet()
        self.change: Change = _refuse
        self._sets = {name: PatternSet(entries, patience=patience) for name, entries in (files or {}).items()}
        self._sets[VARIABLES] = self.variables

    def fill(self) -> Iterator[None]:
        """Make the sets of all files, with all that looks into them, some entries per step."""
        for reference in self.references:
            if reference.name:
                part = _SLOWLY if is_slow(reference.uses) else _AT_ONCE
                made = PatternSet(uses=reference.uses, patience=self.patience)
                for at in range(0, len(reference.entries), part):
                    made.extend(reference.entries[at : at + part])
                    yield
                self._sets[reference.key] = made

    def knows(self, name: str) -> bool:
        """Does the configuration name a file of that name?"""
        return any(reference.name == name for reference in self.references)

    def variable(self, name: str) -> Any:
        """The value of a variable of `proc`, None where it has none."""
        held = self.variables.held.get(encoded(name))
        return None if held is None else held[0][1]

    def begin(self, name: str, value: Any) -> None:
        """The value a variable begins with."""
        self.variables.put(encoded(name), ((self.variables.last + 1, value),))

    def like(self, name: str) -> PatternSet:
        """A set without entries, with all that looks into the one of that name."""
        return PatternSet(uses=self._sets[name].uses if name in self._sets else (), patience=self.patience)

    def set_variable(self, name: str, value: Any) -> None:
        """Give it a value, or (None) take it away."""
        self.change(VARIABLES, encoded(name), DELETED if value is None else Changed(Kind.SET, value))

    def own(self, place: int) -> PatternSet | None:
        """The set of the patterns that stand in an ACL's line, by the reference's place; None while they are as written."""
        return self._sets.get(self.references[place - 1].key) if 0 < place <= len(self.references) else None

    def enliven(self, key: str) -> bool:
        """The set of that key is about to change. Returns whether closures that know only what is written are stale now."""
        if key in self._sets:
            return False
        found = next((one for one in self.references if one.key == key and not one.name), None)
        entries, uses = ((), ()) if found is None else (found.entries, found.uses)
        self._sets[key] = PatternSet(entries, uses, self.patience)
        return found is not None

    def count(self) -> int:
        """Entries of all sets together."""
        return sum(one.count for one in self._sets.values())

    def __getitem__(self, name: str) -> PatternSet:
        found = self._sets.get(name)
        if found is None:
            found = self._sets[name] = PatternSet(patience=self.patience)
        return found

    def __contains__(self, name: str) -> bool:
        return name in self._sets
