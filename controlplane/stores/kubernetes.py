"""A store that is Kubernetes' own objects: what there is follows from them, so little is kept here.

Opening it is becoming leader. Three things are written: what a person wishes of a server (as ServerOverrides, by `Wishes`),
what only the control plane knows (data planes, holding back, operations: `Records`), and the term (`Election`). What
follows from Services, endpoints and policies is committed by nothing but being leader still.

Several wishes are not one write in Kubernetes. When one of them fails, StoreUnavailable says so; those that were written
come back by the watch like anybody's, so that what is in force is what the objects say.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from controlplane.domain.desired import Key
from controlplane.domain.refusals import Fenced, StoreUnavailable
from controlplane.domain.store import KEPT_OPERATIONS, Loaded, StoredObject, Transaction
from dataplane.wire.state import canonical

log = logging.getLogger('sluice.store')

KEPT_BYTES: Final = 512 * 1024  # of operations, uncompressed


class Election(Protocol):
    """Who leads."""

    async def gain(self) -> int:
        """Wait until this one leads; returns its term."""
        ...

    def holds(self) -> bool:
        """Whether this one leads now."""
        ...

    async def successor(self) -> str:
        """Why this one does not lead."""
        ...

    async def raise_to(self, at_least: int) -> int:
        """Begin a higher term. Fenced: it does not lead. StoreUnavailable: not now."""
        ...

    async def release(self) -> None:
        """Let others lead."""
        ...


class Records(Protocol):
    """What is remembered of one's own; fenced by the term."""

    async def claim(self, term: int) -> Mapping[str, Any]:
        """Write in this term from now on; returns what is there."""
        ...

    async def write(self, document: Mapping[str, Any]) -> None:
        """Replace what is there."""
        ...


class Wishes(Protocol):
    """What people want of servers."""

    async def put(self, wishes: Mapping[Key, Mapping[str, Any]]) -> None:
        """Make them durable. StoreUnavailable: not all of them were."""
        ...


Begin = Callable[[int], Awaitable[tuple[StoredObject, ...]]]


class KubernetesStore:
    """One reign. `begin` gives what is wanted at the start of a term, from what was pushed last or from the objects."""

    def __init__(self, election: Election, records: Records, wishes: Wishes, begin: Begin) -> None:
        self._election, self._records, self._wishes, self._begin = election, records, wishes, begin
        self._is_open = False
        self._planes: dict[str, dict[str, Any]] = {}
        self._operations: list[dict[str, Any]] = []
        self._holding_back = False

    async def open(self) -> Loaded:
        """Wait until this one leads, then read everything. StoreUnavailable: it cannot be read; nobody is led then."""
        term = await self._election.gain()
        try:
            found = await self._records.claim(term)
            objects = await self._begin(term)
        except BaseException:
            await self._election.release()
            raise
        self._planes = dict(found.get('planes') or {})
        self._operations = list(found.get('operations') or ())
        self._holding_back = bool(found.get('holdingBack'))
        self._is_open = True
        return Loaded(term, objects, dict(self._planes), tuple(self._operations), self._holding_back)

    async def raise_term(self, at_least: int) -> int:
        """Begin a new term."""
        await self._check()
        term = await self._election.raise_to(at_least)
        await self._records.claim(term)
        return term

    async def commit(self, *transactions: Transaction) -> None:
        """Keep what is to be kept here; of derived changes nothing is."""
        await self._check()
        for transaction in transactions:
            if transaction.objects and not transaction.derived and not transaction.wishes:
                named = ', '.join(str(row.key) for row in transaction.objects[:3])
                raise StoreUnavailable(f'{named}: it follows from Kubernetes and cannot be kept here')
        wishes = {key: wish for transaction in transactions for key, wish in transaction.wishes.items()}
        if wishes:
            await self._wishes.put(wishes)
        await self._remember(transactions, only_operations=bool(wishes))

    async def _remember(self, transactions: Sequence[Transaction], *, only_operations: bool) -> None:
        planes, holding_back = dict(self._planes), self._holding_back
        for transaction in transactions:
            for name, record in transaction.planes.items():
                if record is None:
                    planes.pop(name, None)
                else:
                    planes[name] = record
            if transaction.holding_back is not None:
                holding_back = transaction.holding_back
        operations = [t.operation for t in transactions if t.operation is not None]
        if not operations and planes == self._planes and holding_back == self._holding_back:
            return
        kept = _newest([*self._operations, *operations])
        try:
            await self._records.write({'planes': planes, 'operations': kept, 'holdingBack': holding_back})
        except Fenced:
            raise
        except StoreUnavailable as error:
            if not only_operations:
                raise
            # the wishes are kept and count; a later leader will not know of the operation, which it says when asked
            log.warning('operations could not be remembered: %s', error)
        self._planes, self._operations, self._holding_back = planes, kept, holding_back

    async def _check(self) -> None:
        if not self._is_open:
            raise StoreUnavailable('the store is not open')
        if not self._election.holds():
            raise Fenced(await self._election.successor())

    async def close(self) -> None:
        """Lead no more. Closing twice is harmless."""
        if self._is_open:
            self._is_open = False
            await self._election.release()


def _newest(operations: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """As many of the newest as are to be kept and find room, in their order."""
    kept: list[dict[str, Any]] = []
    size = 0
    for operation in reversed(operations[-KEPT_OPERATIONS:]):
        size += len(canonical(operation))
        if size > KEPT_BYTES and kept:
            break
        kept.append(operation)
    return kept[::-1]
