"""The contract of a store: what it keeps, and what it promises.

1. `open` raises the term by one, durably, before it returns; no two openings of one store give the same term.
2. What `commit` was given is durable when it returns, all of it or - when it raises StoreUnavailable - none of it,
   however many transactions these are.
3. A store that somebody else has opened since (its term is no longer ours) refuses every commit: it is fenced.
4. The newest `KEPT_OPERATIONS` operations and `KEPT_ENTRIES` entries (for audit only) are kept; older ones may go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from controlplane.domain.desired import Key, Labels, Spec
from controlplane.domain.log import Entry
from controlplane.domain.version import Version

KEPT_OPERATIONS = 1_000
KEPT_ENTRIES = 10_000


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One thing as it was last set; in a transaction `spec` None means that it is removed."""

    key: Key
    spec: Spec | None
    labels: Labels
    version: Version


@dataclass(frozen=True, slots=True)
class Loaded:
    """Everything that was kept, and the new term."""

    term: int
    objects: tuple[StoredObject, ...] = ()
    planes: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    operations: tuple[dict[str, Any], ...] = ()
    holding_back: bool = False


@dataclass(frozen=True, slots=True)
class Transaction:
    """What becomes durable together. `planes`: record by id, None forgets it. `holding_back` None: as it was.

    `derived`: the objects follow from what is kept elsewhere, and will follow again; all that is asked is whether the store
    is still ours. `wishes`: per server what a person asked for, of which the objects are what comes; a store that keeps the
    objects need not look at them.
    """

    objects: tuple[StoredObject, ...] = ()
    planes: Mapping[str, dict[str, Any] | None] = field(default_factory=dict)
    operation: dict[str, Any] | None = None
    entry: Entry | None = None
    holding_back: bool | None = None
    derived: bool = False
    wishes: Mapping[Key, Mapping[str, Any]] = field(default_factory=dict)


class Store(Protocol):
    """Kept by one control plane at a time."""

    async def open(self) -> Loaded:
        """Raise the term and read everything. StoreUnavailable: it cannot be read or written."""
        ...

    async def raise_term(self, at_least: int) -> int:
        """Begin a new term, `at_least` or the next one, whichever is higher; durable when it returns."""
        ...

    async def commit(self, *transactions: Transaction) -> None:
        """Make durable, in this order. StoreUnavailable: nothing of any of them was."""
        ...

    async def close(self) -> None:
        """Let go; committing after this is StoreUnavailable."""
        ...
