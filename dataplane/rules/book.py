"""Rules: what is true of all patterns that may change, in the order in which the supervisor heard of changes.

The supervisor has one `Book` per reading of the files. The CLI and workers change it; who has to be told is noted by `watch`.
Every pattern's entries are told as they are, never as what was done to them, so that being told twice, or once for many
changes, makes no difference.

Versions are HAProxy's: `prepare` gives a number, entries are put into that version unseen, `commit` puts it in the place of
all entries and forgets every version before it. Refused is what exceeds `Limits`, prepared versions included; what files
bring is never refused. The sentences are HAProxy's; a full stop is the CLI's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, Self

from dataplane.rules.changes import DELETED, Change, Kind, after
from dataplane.rules.indexes import Held
from dataplane.rules.model import Reference
from dataplane.rules.patience import Patience, endless
from dataplane.rules.problems import Rejected
from dataplane.rules.replica import Limits, Where
from dataplane.rules.stores import VARIABLES, PatternSet, acceptable, bare_name, decoded, encoded, is_slow, size_of

LIMITS: Final = Limits(entries=1_000_000, size=256 << 20)
_AT_ONCE: Final = 1_000
"""Entries of a file that are put in in one step: some milliseconds."""


class Chapter:
    """One reference: `now` is what counts, `prepared` what may come to count, by version."""

    def __init__(self, reference: Reference, patience: Patience = endless) -> None:
        self.reference = reference
        self.key = reference.key
        self.patience = patience
        self.now = self.empty()
        self.prepared: dict[int, PatternSet] = {}
        self.version = self.newest = self.place = 0
        self.touched = False

    def fill(self) -> Iterator[None]:
        """Put in what its file says, some entries per step."""
        entries = self.reference.entries
        for at in range(0, len(entries), _AT_ONCE):
            self.now.extend(entries[at : at + _AT_ONCE])
            yield
        self.place = self.now.last

    def empty(self) -> PatternSet:
        """A version that nothing was put into yet."""
        return PatternSet(patience=self.patience)

    def next_place(self) -> int:
        """A place behind all that were ever given."""
        self.place += 1
        return self.place

    def at(self, version: int | None) -> PatternSet:
        """What a version holds; nothing where there is none of that number."""
        if version is None or version == self.version:
            return self.now
        return self.prepared.get(version) or self.empty()

    @property
    def count(self) -> int:
        """Entries of all its versions."""
        return self.now.count + sum(one.count for one in self.prepared.values())


class Book:
    """`watch(name, key)` is told of every pattern that changed; key None: all of that set. `load`: which reading it is of.

    Make it with `made`, or `fill` it in steps before it is used.
    """

    def __init__(
        self, references: Iterable[Reference], variables: Iterable[tuple[str, Any]], load: int,
        watch: Callable[[str, bytes | None], None], limits: Limits = LIMITS, patience: Patience = endless,
    ) -> None:  # fmt: skip
        """`patience` watches over searches with regular expressions."""
        self.load = load
        self.limits = limits
        self.refused = 0
        self._watch = watch
        self.chapters = {one.key: Chapter(one, patience) for one in references}
        self.variables = Chapter(Reference(VARIABLES, -1, '', maps=False, acls=False))
        for name, value in variables:
            self.variables.now.put(encoded(name), ((self.variables.next_place(), value),))
        self.count = self.size = 0

    @classmethod
    def made(
        cls, references: Iterable[Reference], variables: Iterable[tuple[str, Any]], load: int,
        watch: Callable[[str, bytes | None], None], limits: Limits = LIMITS, patience: Patience = endless,
    ) -> Self:  # fmt: skip
        """A book with what the files say."""
        book = cls(references, variables, load, watch, limits, patience)
        for _ in book.fill():
            pass
        return book

    def fill(self) -> Iterator[None]:
        """Put in what the files say, some entries per step."""
        for chapter in self.chapters.values():
            yield from chapter.fill()
        self.count = sum(chapter.count for chapter in self.chapters.values())
        self.size = sum(chapter.now.size for chapter in self.chapters.values())

    def find(self, word: str, *, maps: bool) -> Chapter | None:
        """The reference that the CLI names, by `#` and its number or as its file: of maps, or of ACLs."""
        if word.startswith('#'):
            number = int(word[1:]) if word[1:].isascii() and word[1:].isdigit() and len(word) < 12 else -1
            found = next((one for one in self.chapters.values() if one.reference.identity == number), None)
        else:
            found = self.chapters.get(bare_name(word)) if '\0' not in word else None
        if found is None or not (found.reference.maps if maps else found.reference.acls):
            return None
        return found

    def set_of(self, name: str) -> PatternSet | None:
        """What counts under that key; None where no configuration has it."""
        chapter = self._chapter(name)
        return None if chapter is None else chapter.now

    def is_slow(self, name: str) -> bool:
        """Does it take workers long to follow changes of a set?"""
        chapter = self._chapter(name)
        return chapter is not None and is_slow(chapter.reference.uses)

    def touched(self) -> list[str]:
        """The keys of all sets that are no longer what the files said."""
        return [one.key for one in (*self.chapters.values(), self.variables) if one.touched]

    def _chapter(self, name: str) -> Chapter | None:
        return self.variables if name == VARIABLES else self.chapters.get(name)

    # -- what workers did ---------------------------------------------------------------------------------------------

    def take(self, changes: Iterable[tuple[Where, Change]]) -> int:
        """Do what a worker has done, one after the other. Returns how many could not be: they are as if they had not been done."""
        refused = 0
        for (name, key), change in changes:
            chapter = self._chapter(name)
            if chapter is None:
                refused += 1
                continue
            try:
                self._change(chapter, key, change)
            except Rejected:
                refused += 1
        self.refused += refused
        return refused

    def _change(self, chapter: Chapter, key: bytes, change: Change) -> None:
        before = chapter.now.held.get(key, ())
        held = after(before, change, chapter.place + 1)
        if held:
            if chapter is not self.variables:
                value = change.value
                acceptable(chapter.reference.uses, decoded(key), decoded(value) if value is not None else None)
            self._room(len(held) - len(before), size_of(key, held) - size_of(key, before))
            if held[-1][0] > chapter.place:
                chapter.next_place()
        self._put(chapter, chapter.now, key, held)

    def variable(self, name: str) -> Any:
        """The value of a variable of `proc`, None where it has none."""
        held = self.variables.now.held.get(encoded(name))
        return None if held is None else held[0][1]

    def set_variable(self, name: str, value: Any) -> None:
        """Give a variable of `proc` a value, or (None) take it away. Raises Rejected."""
        self._change(self.variables, encoded(name), DELETED if value is None else Change(Kind.SET, value))

    # -- what the CLI does ---------------------------------------------------------------------------------------------

    def add(self, chapter: Chapter, pairs: Iterable[tuple[str, str | None]], version: int | None) -> None:
        """Add entries, whatever there is already. Raises Rejected at the first that cannot be; those before it stay."""
        if version is not None and version > chapter.newest:
            msg = "Version number in the future, please use 'prepare map' before"
            raise Rejected(msg)
        over = version is not None and version < chapter.version
        for pattern, value in pairs:
            acceptable(chapter.reference.uses, pattern, value)
            if over:
                continue  # as with HAProxy, which keeps it where nobody will ever look
            key = encoded(pattern)
            entry = (chapter.place + 1, None if value is None else encoded(value))
            self._room(1, size_of(key, (entry,)))
            patterns = self._prepared(chapter, version)
            chapter.next_place()
            self._put(chapter, patterns, key, (*patterns.held.get(key, ()), entry))

    def _prepared(self, chapter: Chapter, version: int | None) -> PatternSet:
        if version is None or version == chapter.version:
            return chapter.now
        return chapter.prepared.setdefault(version, chapter.empty())

    def give(self, chapter: Chapter, word: str, value: str) -> bool:
        """Give all entries of a pattern, or the one at `#PLACE`, a value. False: there is none. Raises Rejected."""
        return self._each(
            chapter, word, encoded(value), lambda key: acceptable(chapter.reference.uses, decoded(key), value)
        )

    def delete(self, chapter: Chapter, word: str) -> bool:
        """Take out all entries of a pattern, or the one at `#PLACE`. False: there is none."""
        place = place_of(word)
        if place is None:
            key = encoded(word)
            if key not in chapter.now.held:
                return False
            self._put(chapter, chapter.now, key, ())
            return True
        found = _at(chapter.now, place)
        if found is None:
            return False
        self._put(chapter, chapter.now, found, tuple(one for one in chapter.now.held[found] if one[0] != place))
        return True

    def _each(self, chapter: Chapter, word: str, value: bytes, check: Callable[[bytes], None]) -> bool:
        place = place_of(word)
        key = encoded(word) if place is None else _at(chapter.now, place)
        before = () if key is None else chapter.now.held.get(key, ())
        if key is None or not before:
            return False
        check(key)
        held = tuple((own, value if place in (None, own) else old) for own, old in before)
        self._room(0, size_of(key, held) - size_of(key, before))
        self._put(chapter, chapter.now, key, held)
        return True

    def prepare(self, chapter: Chapter) -> int:
        """A new version, which nobody sees until it is committed."""
        chapter.newest += 1
        return chapter.newest

    def commit(self, chapter: Chapter, version: int) -> None:
        """Put a version in the place of what counts, and forget those before it. Raises Rejected."""
        if not chapter.version < version <= chapter.newest:
            msg = 'Version number out of range'
            raise Rejected(msg)
        self._forget(chapter.now)
        for number in [number for number in chapter.prepared if number < version]:
            self._forget(chapter.prepared.pop(number))
        chapter.now, chapter.version = chapter.prepared.pop(version, chapter.empty()), version
        self._changed(chapter, None)

    def clear(self, chapter: Chapter, version: int | None) -> None:
        """Take out all entries, or all of a version."""
        if version is None or version == chapter.version:
            self._forget(chapter.now)
            chapter.now = chapter.empty()
            self._changed(chapter, None)
        elif version in chapter.prepared:
            self._forget(chapter.prepared.pop(version))

    # -- what they all come to -----------------------------------------------------------------------------------------

    def _room(self, entries: int, size: int) -> None:
        if (entries > 0 and self.count + entries > self.limits.entries) or (
            size > 0 and self.size + size > self.limits.size
        ):
            msg = f'no room: all maps and ACLs together may have {self.limits.entries} entries and {self.limits.size} bytes'
            raise Rejected(msg)

    def _put(self, chapter: Chapter, patterns: PatternSet, key: bytes, held: tuple[Held, ...]) -> None:
        count, size = patterns.count, patterns.size
        patterns.put(key, held)
        self.count += patterns.count - count
        self.size += patterns.size - size
        if patterns is chapter.now:
            self._changed(chapter, key)

    def _forget(self, patterns: PatternSet) -> None:
        self.count -= patterns.count
        self.size -= patterns.size

    def _changed(self, chapter: Chapter, key: bytes | None) -> None:
        chapter.touched = True
        self._watch(chapter.key, key)


def place_of(word: str) -> int | None:
    """The place that `#0x...` names as the CLI shows it; None where the word is a pattern. One that cannot be is -1."""
    if not word.startswith('#'):
        return None
    try:
        return int(word[1:].removeprefix('0x'), 16)
    except ValueError:
        return -1


def _at(patterns: PatternSet, place: int) -> bytes | None:
    """The pattern of the entry at a place."""
    return next((key for key, held in patterns.held.items() if any(own == place for own, _ in held)), None)
