"""What the commands on maps, ACLs and variables of `proc` do: `dataplane.cli.maps` on the book of `dataplane.supervisor.contents`.

A change is answered when every worker follows it: what comes in after the answer is decided by it, whoever takes it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import chain, islice
from typing import Any, Final, Protocol

from dataplane.cli import maps
from dataplane.cli.commands import Verb
from dataplane.cli.grammar import Command
from dataplane.cli.maps import Kind
from dataplane.cli.session import Answer, Complaint, Session, Severity
from dataplane.core.model import Level
from dataplane.rules.arguments import variable_of
from dataplane.rules.book import Book, Chapter
from dataplane.rules.expressions import check_phase, parse_expression
from dataplane.rules.formats import parse_format
from dataplane.rules.indexes import INDEXED
from dataplane.rules.matching import WANTED
from dataplane.rules.model import Use
from dataplane.rules.patience import Patience
from dataplane.rules.phases import Phase
from dataplane.rules.problems import Rejected
from dataplane.rules.samples import Type, cast, type_of
from dataplane.rules.scope import Scope
from dataplane.rules.stores import PatternSet, decoded, encoded
from dataplane.supervisor.variables import WORDS, Nobody, value_of

_PART: Final = 2_000
_AT_ONCE: Final = 100
"""Entries that are added in one turn of the loop: 20 ms where they are regular expressions."""
_READ_ANEW: Final = 'The configuration was read anew meanwhile: its entries are those of its files.'
_RESTRICTED: Final = 'This command is restricted to experimental mode only.'

VERBS: Final = frozenset((
    Verb.SHOW_MAP, Verb.SHOW_ACL, Verb.GET_MAP, Verb.GET_ACL, Verb.ADD_MAP, Verb.ADD_ACL, Verb.DEL_MAP, Verb.DEL_ACL, Verb.CLEAR_MAP,
    Verb.CLEAR_ACL, Verb.PREPARE_MAP, Verb.PREPARE_ACL, Verb.COMMIT_MAP, Verb.COMMIT_ACL, Verb.SET_MAP, Verb.GET_VAR, Verb.SET_VAR,
))  # fmt: skip
"""What is done here."""

Words = tuple[str, ...]
Method = Callable[[Command, Words, Session], Awaitable[Answer]]


class Contents(Protocol):
    """What all workers know, and when they do."""

    @property
    def book(self) -> Book:
        """What is true."""

    @property
    def patience(self) -> Patience:
        """Watches over searches with regular expressions."""

    async def settled(self) -> tuple[int, ...]:
        """Return when all workers follow; the numbers of those that died first."""


class MapVerbs:
    """One method per verb; `methods` has them by verb."""

    def __init__(self, contents: Contents) -> None:
        self._contents = contents
        self._preparing = asyncio.Lock()
        self.methods: Final[dict[Verb, Method]] = {
            Verb.SHOW_MAP: self._of(Kind.MAP, self._show), Verb.SHOW_ACL: self._of(Kind.ACL, self._show),
            Verb.GET_MAP: self._of(Kind.MAP, self._get), Verb.GET_ACL: self._of(Kind.ACL, self._get),
            Verb.ADD_MAP: self._of(Kind.MAP, self._add), Verb.ADD_ACL: self._of(Kind.ACL, self._add),
            Verb.DEL_MAP: self._of(Kind.MAP, self._del), Verb.DEL_ACL: self._of(Kind.ACL, self._del),
            Verb.CLEAR_MAP: self._of(Kind.MAP, self._clear), Verb.CLEAR_ACL: self._of(Kind.ACL, self._clear),
            Verb.PREPARE_MAP: self._of(Kind.MAP, self._prepare), Verb.PREPARE_ACL: self._of(Kind.ACL, self._prepare),
            Verb.COMMIT_MAP: self._of(Kind.MAP, self._commit), Verb.COMMIT_ACL: self._of(Kind.ACL, self._commit),
            Verb.SET_MAP: self._of(Kind.MAP, self._set), Verb.GET_VAR: self._get_var, Verb.SET_VAR: self._set_var,
        }  # fmt: skip

    def _of(self, kind: Kind, what: Callable[[Kind, Words, str | None], Awaitable[Answer]]) -> Method:
        async def method(command: Command, words: Words, _session: Session) -> Answer:
            try:
                return await what(kind, words, command.payload)
            except Rejected as problem:
                raise Complaint(f'{problem}.') from None

        return method

    @property
    def _book(self) -> Book:
        return self._contents.book

    def _chapter(self, kind: Kind, words: Words) -> Chapter:
        found = self._book.find(words[0], maps=kind is Kind.MAP) if words else None
        if found is None:
            raise kind.unknown
        return found

    async def _settled(self) -> Answer:
        missing = await self._contents.settled()
        if not missing:
            return Answer()
        names = ', '.join(str(worker) for worker in missing)
        return Answer(f'Applied, but not confirmed by worker {names}.', Severity.WARNING)

    # -- looking -----------------------------------------------------------------------------------------------------

    async def _show(self, kind: Kind, words: Words, _payload: str | None) -> Answer:
        if not words:
            return Answer(maps.listed(_summary(one) for one in self._listed(kind)))
        version, words = maps.versioned(words)
        rows = self._chapter(kind, words).at(version).rows()
        parts = []
        for at in range(0, len(rows), _PART):
            lines = (maps.line_of(place, decoded(key), _text(value)) for place, key, value in rows[at : at + _PART])
            parts.append('\n'.join(lines))
            await asyncio.sleep(0)
        return Answer('\n'.join(parts))

    def _listed(self, kind: Kind) -> list[Chapter]:
        known = (one for one in self._book.chapters.values())
        wanted = (one for one in known if (one.reference.maps if kind is Kind.MAP else one.reference.acls))
        return sorted(wanted, key=lambda one: one.reference.identity)

    async def _get(self, kind: Kind, words: Words, _payload: str | None) -> Answer:
        if len(words) < 2 or not words[1]:
            raise Complaint(f'Missing {kind.value} identifier and/or key.')
        chapter = self._chapter(kind, words)
        patterns, uses = chapter.now, chapter.reference.uses
        async with self._preparing:  # an index of many entries takes seconds: nobody makes a second one meanwhile
            for use in uses:
                for _ in patterns.prepare(use):
                    await asyncio.sleep(0)
        return Answer('\n'.join(_looked(kind, patterns, use, words[1]) for use in uses))

    # -- changing ----------------------------------------------------------------------------------------------------

    async def _add(self, kind: Kind, words: Words, payload: str | None) -> Answer:
        version, words = maps.versioned(words)
        if not words:
            raise Complaint(maps.ADD_MAP if kind is Kind.MAP else maps.ADD_ACL)
        wanted = maps.added(kind, words[1:], payload)
        if kind is Kind.ACL and (pairs := self._book.find(words[0], maps=True)) is not None and pairs.reference.pairs:
            raise Complaint(maps.SHARED)
        chapter = self._chapter(kind, words)
        if kind is Kind.ACL and chapter.reference.pairs:
            raise Complaint(maps.SHARED)
        book = self._book
        try:
            book.add(chapter, islice(wanted, _AT_ONCE), version)
            while (following := next(wanted, None)) is not None:
                await asyncio.sleep(0)
                if self._book is not book:
                    raise Complaint(_READ_ANEW)
                book.add(chapter, chain((following,), islice(wanted, _AT_ONCE)), version)
        finally:
            answer = await self._settled()
        return answer

    async def _set(self, kind: Kind, words: Words, _payload: str | None) -> Answer:
        if len(words) < 3 or not all(words[:3]):
            raise Complaint("'set map' expects three parameters: map identifier, key and value.")
        if not self._book.give(self._chapter(kind, words), words[1], words[2]):
            raise Complaint('key or pattern not found.' if words[1].startswith('#') else 'entry not found.')
        return await self._settled()

    async def _del(self, kind: Kind, words: Words, _payload: str | None) -> Answer:
        if len(words) < 2 or not all(words[:2]):
            raise Complaint(f'This command expects two parameters: {kind.value} identifier and key.')
        if not self._book.delete(self._chapter(kind, words), words[1]):
            raise Complaint('Key not found.')
        return await self._settled()

    async def _clear(self, kind: Kind, words: Words, _payload: str | None) -> Answer:
        version, words = maps.versioned(words)
        if not words:
            raise Complaint(f'Missing {kind.value} identifier.')
        self._book.clear(self._chapter(kind, words), version)
        return await self._settled()

    async def _prepare(self, kind: Kind, words: Words, _payload: str | None) -> Answer:
        return Answer(f'New version created: {self._book.prepare(self._chapter(kind, words))}', Severity.INFO)

    async def _commit(self, kind: Kind, words: Words, _payload: str | None) -> Answer:
        version, words = maps.versioned(words)
        if version is None:
            raise Complaint('Missing version number.')
        self._book.commit(self._chapter(kind, words), version)
        return await self._settled()

    # -- variables ---------------------------------------------------------------------------------------------------

    async def _get_var(self, _command: Command, words: Words, _session: Session) -> Answer:
        if not words or not words[0]:
            raise Complaint('Missing process-wide variable identifier.')
        scope, _, name = words[0].partition('.')
        value = self._book.variable(name) if scope == 'proc' else None
        if value is None:
            raise Complaint('Variable not found.')
        shown = cast(value, Type.STR)
        text = bytes(value) if isinstance(value, bytes) else shown
        return Answer(
            maps.variable(words[0], WORDS[type_of(value)], text if isinstance(text, bytes) else b''), Severity.INFO
        )

    async def _set_var(self, _command: Command, words: Words, session: Session) -> Answer:
        if not session.experimental:
            raise Complaint(_RESTRICTED)
        if not session.may(Level.ADMIN):
            raise Complaint('Permission denied')
        if not words or not words[0]:
            raise Complaint('Missing process-wide variable identifier.')
        if len(words) < 2:
            raise Complaint("Missing either 'expr', 'fmt' or expression.")
        if len(words) > 2 and words[1] not in ('expr', 'fmt'):
            raise Complaint(f"'set var': arg type must be either 'expr' or 'fmt' but got '{words[1]}'.")
        try:
            self._give(words)
        except Rejected as problem:
            raise Complaint(str(problem)) from None
        return await self._settled()

    def _give(self, words: Words) -> None:
        variable = variable_of(words[0])
        if variable.scope != 'proc':
            raise Complaint(f"'set var': cannot set variable '{words[0]}', only scope 'proc' is permitted here.")
        scope = Scope(phase=Phase.CLI)
        book = self._book
        view = Nobody(book.variable, book.set_variable)
        if words[1] == 'fmt':
            value = value_of(parse_format(words[2], scope), view, self._contents.patience)
        else:
            at = 2 if words[1] == 'expr' else 1
            expression, end = parse_expression(words, at, scope)
            check_phase(expression, scope)
            if end < len(words):
                raise Complaint(f"'set var': unexpected argument '{words[end]}'.")
            value = value_of(expression, view, self._contents.patience)
        if value is not None:
            book.set_variable(variable.name, value)


def _summary(chapter: Chapter) -> str:
    one = chapter.reference
    return maps.summary(one.identity, one.name, one.shown, (chapter.version, chapter.newest), chapter.count)


def _text(value: Any) -> str | None:
    return decoded(value) if isinstance(value, bytes) else None


def _looked(kind: Kind, patterns: PatternSet, use: Use, word: str) -> str:
    """What one of those who look into a set finds for a word."""
    sample = cast(encoded(word), WANTED[use.match])
    row = None if sample is None else patterns.looking(use).find(sample)
    text = None
    if row is not None:
        value = next((value for place, value in patterns.held[row[1]] if place == row[0]), None)
        gives = WORDS[type_of(row[2])] if use.gives in ('int', 'ip') and row[2] is not None else 'str'
        text = decoded(row[1]), _text(value), gives
    tree = use.match in INDEXED and not use.fold
    return maps.found(kind, use.match.value, text, fold=use.fold, tree=tree)
