"""`stick` lines: which server a key is to have, and which one it has got (configuration manual, 4.2 `stick`; facts of HAProxy 2.6-3.4).

Before a request is admitted its backend's lines are gone through once, in order: the first key that is matched and whose server may be
used decides, unless `use-server` or a cookie did; keys to be stored are noted, one per table. They are stored with the number and the name of the
server that answers, once its answer has passed all rules, and so are those that `store-response` lines find in it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from dataplane.core.layout import NOBODY
from dataplane.core.stick.serverkey import mark_of, text_of
from dataplane.rules.closures import compiled, compiled_expression

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dataplane.core.model import Server
    from dataplane.core.stick.definition import ServerKey
    from dataplane.core.tables import Tables
    from dataplane.rules.actions import Stick
    from dataplane.rules.stores import Store
    from dataplane.stick import StickTable
    from dataplane.worker.rulebook import ProxyRules
    from dataplane.worker.transaction import Transaction

_MOST: Final = 8
"""Tables one request may store to."""


class StickRule:
    """One `stick` line, ready for use."""

    __slots__ = ('_holds', '_key_of', '_table', 'match', 'store')

    def __init__(self, stick: Stick, store: Store) -> None:
        self._holds = None if stick.condition is None else compiled(stick.condition, store)
        self._key_of = compiled_expression(stick.key, store)
        self._table = stick.table
        self.match = stick.match
        self.store = stick.store

    def key(self, ruled: Transaction) -> tuple[StickTable, bytes] | None:
        """The table and the key of a message; None where the condition does not hold or there is no key."""
        table = ruled.table(self._table)
        if table is None or (self._holds is not None and not self._holds(ruled)):
            return None
        sample = self._key_of(ruled)
        key = None if sample is None else table.key_of(sample)
        return None if key is None else (table, key)


class Numbers:
    """Servers of backends by what tables keep of them. Made anew when tables come into force."""

    __slots__ = ('_ids', '_marks', '_tables')

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._ids: dict[int, dict[int, int]] = {}
        self._marks: dict[tuple[int, ServerKey], dict[int, int]] = {}

    def find(self, backend: int, table: StickTable, key: bytes) -> int:
        """The index of a backend's server that a table keeps for a key, NOBODY where it has none.

        By its name or address, and if there is none of that, by its number.
        """
        mark = table.read(key, 'server_key')
        if mark:
            found = self._by_mark(backend, table.definition.srvkey).get(mark, NOBODY)
            if found != NOBODY:
                return found
        number = table.read(key, 'server_id')  # 0, which no server has, also where there is no entry
        return self._by_id(backend).get(number, NOBODY) if number else NOBODY

    def _by_id(self, backend: int) -> dict[int, int]:
        known = self._ids.get(backend)
        if known is None:
            known = self._ids[backend] = {server.id: index for index, server in self._members(backend)}
        return known

    def _by_mark(self, backend: int, kind: ServerKey) -> dict[int, int]:
        known = self._marks.get((backend, kind))
        if known is None:
            known = {
                mark_of(text_of(kind, one.name, one.host, one.port)): index for index, one in self._members(backend)
            }
            self._marks[backend, kind] = known
        return known

    def _members(self, backend: int) -> list[tuple[int, Server]]:
        servers = self._tables.servers
        return [(index, servers[index]) for index in self._tables.members.get(backend, ())]


def stick(ruled: Transaction, rules: ProxyRules, find: Callable[[StickTable, bytes], int], *, decided: bool) -> int:
    """Go through the lines for requests. `find` gives the server that a table keeps for a key if it may be used; `decided`: another
    line has.

    Answers the server to be used, NOBODY where none is said.
    """
    server = NOBODY
    ruled.stores = []
    for rule in rules.sticks:
        found = rule.key(ruled)
        if found is None:
            continue
        table, key = found
        if rule.match:
            if not decided and server == NOBODY:
                server = find(table, key)
            table.count(key)  # nothing, but that it was used
        if rule.store:
            _note(ruled.stores, table, key)
    return server


def _note(stores: list[tuple[StickTable, bytes]], table: StickTable, key: bytes) -> None:
    """Only the first key of each table is stored."""
    if len(stores) < _MOST and all(known is not table for known, _ in stores):
        stores.append((table, key))


def learn(ruled: Transaction, lists: Iterable[ProxyRules], server: Server) -> None:
    """The answer goes on: keep its server for all keys that were noted, and for those that are in the answer."""
    stores = list(ruled.stores)
    for rules in lists:
        for rule in rules.answer_sticks:
            found = rule.key(ruled)
            if found is not None:
                _note(stores, *found)
    if server.non_stick:
        return
    for table, key in stores:
        mark = mark_of(text_of(table.definition.srvkey, server.name, server.host, server.port))
        table.put(key, (('server_id', 0, server.id), ('server_key', 0, mark)), make=True)
