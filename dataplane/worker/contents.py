"""What this worker shares with all others: maps, ACLs and variables of `proc`. The shell around `dataplane.rules.replica`.

    a rule acts -> seen by this worker's next look -> at the end of the loop's turn a batch to the supervisor
    'patterns' from the supervisor -> followed, at once or (whole sets) made beside and then put in the place of the old -> ack

A reading of the files (`load`) has a store and a replica of its own, made while its tables are prepared and in use from their
commit on. What belongs to another reading is acknowledged and forgotten.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from dataplane.rules.book import LIMITS
from dataplane.rules.changes import Change
from dataplane.rules.packing import packed, unpacked_rows
from dataplane.rules.patience import Patience, endless
from dataplane.rules.replica import Replica
from dataplane.rules.stores import PatternSet, Store, decoded
from dataplane.wire.framing import Message, unpack

if TYPE_CHECKING:
    from dataplane.core.model import Snapshot

_AT_ONCE: Final = 50
"""Patterns of a whole set that are taken in one turn; a regular expression takes a fifth of a millisecond."""
_LOG: Final = logging.getLogger('sluice.rules')


class Contents:
    """One per worker. `send(message)` reaches the supervisor; `remake()` is called when closures over an ACL's line are stale."""

    def __init__(self, loop: asyncio.AbstractEventLoop, patience: Patience = endless) -> None:
        """`patience` watches over searches with regular expressions."""
        self.send: Callable[[Message], None] = _nowhere
        self.remake: Callable[[], None] = _nothing
        self.load = -1
        self._loop = loop
        self._patience = patience
        self._ready: dict[int, Store] = {}
        self._replica = Replica(Store(), LIMITS)
        self._flushing = False
        self._told_of = 1

    @property
    def store(self) -> Store:
        """The store of the reading in force."""
        return self._replica.store

    # -- readings ----------------------------------------------------------------------------------------------------

    def prepare(self, number: int, snapshot: Snapshot) -> Iterator[None]:
        """Make what tables of that number will need, a part per step."""
        if snapshot.load == self.load:
            return
        store = store_of(snapshot, self._patience)
        yield from store.fill()
        self._ready[number] = store

    def ready(self, number: int, snapshot: Snapshot) -> Store:
        """What rules of tables of that number, which were prepared, will look into."""
        return self.store if snapshot.load == self.load else self._ready[number]

    def discard(self, number: int) -> None:
        """Tables that will never be committed."""
        self._ready.pop(number, None)

    def adopt(self, number: int, snapshot: Snapshot) -> Store:
        """Tables came into force. Returns the store that their rules look into."""
        if snapshot.load != self.load:
            store = self._ready.pop(number, None)
            if store is None:
                store = store_of(snapshot, self._patience)
                for _ in store.fill():
                    pass
            self.load = snapshot.load
            self._replica = Replica(store, LIMITS)
            store.change = self.act
            self._told_of = 1
        for older in [known for known in self._ready if known <= number]:
            del self._ready[older]
        return self._replica.store

    # -- what rules do -------------------------------------------------------------------------------------------------

    def act(self, name: str, key: bytes, change: Change) -> bool:
        """A rule changes a pattern: true here at once, and elsewhere when the supervisor has told the others."""
        replica = self._replica
        done = replica.act(name, key, change)
        if not done and replica.refused >= self._told_of:
            self._told_of = 2 * replica.refused
            _LOG.warning(
                '%s: "%s" could not be changed, the %d. so far', name.strip('\0'), decoded(key[:80]), replica.refused
            )
        if replica.waiting and not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)
        return done

    def _flush(self) -> None:
        self._flushing = False
        replica = self._replica
        if replica.waiting:
            batch = replica.batch()
            changes = [[name, decoded(key), kind.value, packed(value)] for (name, key), (kind, value) in batch.items()]
            self.send({'op': 'changes', 'load': self.load, 'number': replica.number, 'changes': changes})

    # -- what the supervisor says --------------------------------------------------------------------------------------

    async def hear(self, message: Message, fds: tuple[int, ...]) -> None:
        """Follow a packet with whole sets. The supervisor sends the next one when this is acknowledged."""
        if message['load'] != self.load:
            for fd in fds:
                os.close(fd)
            self._ack(message)
            return
        whole: dict[str, PatternSet] = {}
        current = ''
        for part in unpack(fds[0]):
            if isinstance(part, str):
                current = part
                whole[current] = self._replica.store.like(current)
            else:
                assert isinstance(part, list)
                for at, (key, held) in enumerate(part, start=1):
                    whole[current].put(key, held)
                    if at % _AT_ONCE == 0:
                        await asyncio.sleep(0)
            await asyncio.sleep(0)
        self.follow(message, list(whole.items()))

    def follow(self, message: Message, whole: list[tuple[str, PatternSet]]) -> None:
        """Have what a packet says, all of it at once, and acknowledge it."""
        if message['load'] == self.load:
            replica = self._replica
            told = [(name, unpacked_rows(rows)) for name, rows in message['told']]
            replica.hear(told, whole, message['taken'])
            if replica.stale:
                replica.stale = False
                self.remake()
            if replica.waiting:
                self._flush()
        self._ack(message)

    def _ack(self, message: Message) -> None:
        self.send({'op': 'patterns', 'sequence': message['sequence']})


def store_of(snapshot: Snapshot, patience: Patience = endless) -> Store:
    """The store of a reading, to be filled: variables have their values already."""
    store = Store(references=snapshot.references, patience=patience)
    for name, value in snapshot.variables:
        store.begin(name, value)
    return store


def _nowhere(message: Message) -> None:
    """Nobody to tell yet."""


def _nothing() -> None:
    """Nothing was made yet."""
