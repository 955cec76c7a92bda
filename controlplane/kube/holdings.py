"""What an informer knows: compact forms of objects, and what is different about them. Pure.

H1  A listener hears of every difference between what it was told before and what is held now, once, in the order of the
    server's versions; of nothing else (but for `replay`).
H2  Another uid under the same name is another object: it is told as gone and then as new.
H3  A list is taken over as a whole: nobody sees half of it.
H4  What cannot be understood changes nothing: the object stays as it was last understood, and is counted.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Generic, TypeVar

from controlplane.kube.errors import Json

T = TypeVar('T')
Key = tuple[str, str]  # namespace ('' for kinds without), name
Listener = Callable[[Key, T | None, T | None], None]

_log = logging.getLogger(__name__)
_MALFORMED = (ValueError, TypeError, LookupError, AttributeError)  # what taking a document apart may provoke


class Listing(Generic[T]):
    """A list that is being read, page by page. Only what differs from what is held takes memory."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self.seen: set[Key] = set()
        self.changed: dict[Key, tuple[str, str, T | None]] = {}


class Holdings(Generic[T]):
    """`compact` makes of a document what is kept of it; None: nothing, it is as if it were not there.

    Compact forms are compared with ==: a change that does not show in them is none. It raises ValueError, TypeError,
    LookupError or AttributeError for what it cannot understand.
    """

    def __init__(self, name: str, compact: Callable[[Json], T | None]) -> None:
        self._name = name
        self._compact = compact
        self._values: dict[Key, T] = {}
        self._marks: dict[Key, tuple[str, str]] = {}  # uid, version; also of what compact makes nothing of
        self._listeners: list[Listener[T]] = []
        self.values: Mapping[Key, T] = MappingProxyType(self._values)
        self.malformed = 0

    def listen(self, listener: Listener[T]) -> None:
        """Call `listener(key, old, new)` for every difference from now on; it must be quick and must not raise."""
        self._listeners.append(listener)

    def replay(self) -> None:
        """Tell every listener of everything again, as unchanged."""
        for key, value in list(self._values.items()):
            self._tell(key, value, value)

    def read(self, listing: Listing[T], documents: Iterable[Json]) -> None:
        """Add a page to a list. What has the version that is held is not looked at further."""
        for document in documents:
            try:
                key, uid, version = _identity(document)
                listing.seen.add(key)
                if self._marks.get(key) == (uid, version):
                    listing.changed.pop(key, None)
                else:
                    listing.changed[key] = (uid, version, self._compact(document))
            except _MALFORMED as error:
                self._complain(document, error)

    def adopt(self, listing: Listing[T]) -> None:
        """The list is whole: what it does not name is gone, what it names is as it says."""
        scope = listing.namespace
        for key in [key for key in self._marks if scope in {'', key[0]} and key not in listing.seen]:
            self._drop(key)
        for key, (uid, version, value) in listing.changed.items():
            self._put(key, uid, version, value)

    def upsert(self, document: Json) -> None:
        """An ADDED or MODIFIED event; either may be told again."""
        try:
            key, uid, version = _identity(document)
            if self._marks.get(key) == (uid, version):
                return
            value = self._compact(document)
        except _MALFORMED as error:
            self._complain(document, error)
            return
        self._put(key, uid, version, value)

    def delete(self, document: Json) -> None:
        """A DELETED event; of an object that another has replaced since it says nothing."""
        try:
            key, uid, _ = _identity(document)
        except _MALFORMED as error:
            self._complain(document, error)
            return
        mark = self._marks.get(key)
        if mark is not None and mark[0] == uid:
            self._drop(key)

    def _put(self, key: Key, uid: str, version: str, value: T | None) -> None:
        mark = self._marks.get(key)
        if mark is not None and mark[0] != uid:
            self._drop(key)
        self._marks[key] = (uid, version)
        old = self._values.get(key)
        if value is None:
            self._values.pop(key, None)
        elif old == value:
            return
        else:
            self._values[key] = value
        if old is not None or value is not None:
            self._tell(key, old, value)

    def _drop(self, key: Key) -> None:
        del self._marks[key]
        old = self._values.pop(key, None)
        if old is not None:
            self._tell(key, old, None)

    def _tell(self, key: Key, old: T | None, new: T | None) -> None:
        for listener in self._listeners:
            listener(key, old, new)

    def _complain(self, document: Json, error: Exception) -> None:
        self.malformed += 1
        _log.error('%s: what cannot be understood stays as it was: %r in %.200r', self._name, error, document)


def _identity(document: Json) -> tuple[Key, str, str]:
    """Key, uid and version. LookupError, TypeError or AttributeError: it has none."""
    meta = document['metadata']
    return (meta.get('namespace', ''), meta['name']), meta.get('uid', ''), meta.get('resourceVersion', '')
