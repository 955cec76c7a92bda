"""Rules: what may be asked of a stick table while a rule is evaluated. Keys are bytes, as `key_of` makes them of samples.

Whoever evaluates rules hands tables in by `View.table` and `View.tracked`; in a worker they are those of `dataplane.stick`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from dataplane.rules.model import Named
from dataplane.rules.problems import Rejected

if TYPE_CHECKING:
    from dataplane.rules.samples import Sample
    from dataplane.rules.scope import Scope
    from dataplane.rules.table import Arguments, Check


class Table(Protocol):
    """One stick table (configuration manual, 11)."""

    def key_of(self, sample: Sample) -> bytes | None:
        """The key of a sample; None where it cannot be one."""

    def sample_of(self, key: bytes) -> Sample:
        """The sample a key stands for."""

    def size(self) -> tuple[int, int]:
        """How many entries there are, and how many there may be."""

    def holds(self, key: bytes) -> bool:
        """Is there an entry?"""

    def read(self, key: bytes, name: str, element: int = 0) -> int | None:
        """A figure: 0 where there is no entry, None where it is not stored."""

    def age(self, key: bytes, *, idle: bool) -> int | None:
        """Milliseconds until the entry expires, or (`idle`) since it was used last; None where there is none."""

    def trackers(self, key: bytes) -> int:
        """How many sessions and requests track the entry."""

    def add(self, key: bytes, name: str, element: int, amount: int, *, make: bool) -> int | None:
        """Add to `gpc` and its kind, and to their rate; the new figure, None where it is not stored."""

    def put(self, key: bytes, values: tuple[tuple[str, int, int], ...], *, make: bool) -> tuple[int, ...] | None:
        """Give figures (name, element, value) new values; the old ones, None where there is no entry."""


Tracked = tuple[Table, bytes]
"""A table and the key that is tracked in it."""


def named_table(place: int, *, own: bool) -> Check:
    """A check that makes a table's name of the argument at `place`; where there is none the proxy's `own` is meant, or nothing.

    Whether there is such a table is known when the whole configuration has been read: names go to `scope.tables`.
    """

    def check(arguments: Arguments, scope: Scope) -> Arguments:
        given = arguments[place] if len(arguments) > place else None
        if given is None and own:
            if not scope.proxy:
                msg = 'a table must be named here'
                raise Rejected(msg)
            given = Named('table', scope.proxy)
        if given is None:
            return arguments[:place]
        scope.tables.append(str(given))
        padded = arguments + (None,) * (place - len(arguments))
        return (*padded[:place], given, *arguments[place + 1 :])

    return check
