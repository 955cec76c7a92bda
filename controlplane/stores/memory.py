"""A store that lasts as long as its process: for trying things out and for tests."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from controlplane.domain.desired import Key
from controlplane.domain.refusals import Fenced, StoreUnavailable
from controlplane.domain.store import KEPT_OPERATIONS, Loaded, StoredObject, Transaction


class MemoryStore:
    """Keeps everything in dictionaries; `reopened` gives a second store over the same contents, as a restart would."""

    def __init__(self) -> None:
        self._shelf = _Shelf()
        self._term = 0

    def reopened(self) -> MemoryStore:
        """Return another store over the same contents; once it is opened, this one is fenced."""
        twin = MemoryStore()
        twin._shelf = self._shelf
        return twin

    async def open(self) -> Loaded:
        """Raise the term and read everything."""
        self._term = self._shelf.term = self._shelf.term + 1
        return Loaded(
            self._term,
            tuple(self._shelf.objects.values()),
            dict(self._shelf.planes),
            tuple(self._shelf.operations.values()),
            self._shelf.holding_back,
        )

    async def raise_term(self, at_least: int) -> int:
        """Begin a new term."""
        self._check()
        self._term = self._shelf.term = max(at_least, self._shelf.term + 1)
        return self._term

    async def commit(self, *transactions: Transaction) -> None:
        """Keep them."""
        self._check()
        for transaction in transactions:
            self._keep(transaction)

    def _keep(self, transaction: Transaction) -> None:
        if transaction.holding_back is not None:
            self._shelf.holding_back = transaction.holding_back
        for row in transaction.objects:
            if row.spec is None:
                self._shelf.objects.pop(row.key, None)
            else:
                self._shelf.objects[row.key] = row
        for name, record in transaction.planes.items():
            if record is None:
                self._shelf.planes.pop(name, None)
            else:
                self._shelf.planes[name] = record
        if transaction.operation is not None:
            self._shelf.operations[transaction.operation['id']] = transaction.operation
            if len(self._shelf.operations) > KEPT_OPERATIONS:
                self._shelf.operations.popitem(last=False)

    async def close(self) -> None:
        """Let go."""
        self._term = 0

    def _check(self) -> None:
        if self._term == 0:
            raise StoreUnavailable('the store is not open')
        if self._term != self._shelf.term:
            raise Fenced(f'another control plane has taken over with term {self._shelf.term}')


class _Shelf:
    def __init__(self) -> None:
        self.term = 0
        self.holding_back = False
        self.objects: dict[Key, StoredObject] = {}
        self.planes: dict[str, dict[str, Any]] = {}
        self.operations: OrderedDict[str, dict[str, Any]] = OrderedDict()
