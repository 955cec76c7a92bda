"""What `set-map`, `del-map`, `add-acl` and `del-acl` do: a pattern of a file's reference changes, for everybody.

As with HAProxy a rule whose file nobody looks into does nothing, and one whose pattern or value cannot be taken is passed over.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from dataplane.rules.actions import ChangeMap, Map
from dataplane.rules.changes import Change, Kind
from dataplane.rules.closures import compiled_format
from dataplane.rules.stores import Store

if TYPE_CHECKING:
    from dataplane.worker.transaction import Transaction

_KINDS: Final = {Map.SET_MAP: Kind.SET, Map.DEL_MAP: Kind.DEL, Map.ADD_ACL: Kind.ADD, Map.DEL_ACL: Kind.DEL}


def change_map(action: ChangeMap, store: Store) -> Callable[[Transaction], None]:
    """What the action does to a transaction's worker; the others follow."""
    name, kind = action.name, _KINDS[action.what]
    if not store.knows(name):
        return _nothing
    write = compiled_format(action.key, store)
    if action.value is None:
        change = Change(kind)

        def put(transaction: Transaction) -> None:
            store.change(name, write(transaction), change)

        return put
    value = compiled_format(action.value, store)

    def put_value(transaction: Transaction) -> None:
        store.change(name, write(transaction), Change(kind, value(transaction)))

    return put_value


def _nothing(_: Transaction) -> None:
    """Nobody looks into that file."""
