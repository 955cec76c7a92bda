"""Rules: what looks a sample up among the patterns of a set, and follows when one of them changes.

An index is made of a whole set once and told of every pattern that changes after that; telling it costs the same however
many there are. Which entry counts is what the manual says of maps (7.3.1): exact strings and blocks are found at once, prefixes
and networks by the longest that matches; of everything else the first that matches, in the order the entries came. ACLs only
ask whether there is one.

| index | of | a look costs |
|---|---|---|
| `Plain`, `Exact` | str, bin | one |
| `Longest` | beg | as many as there are lengths |
| `Ending` | end | likewise |
| `Narrowest` | ip | as many as there are masks |
| `Numbers` | int, len | one, and one per range |
| `Rows` | sub, dir, dom, reg, meth | one per entry |
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Protocol

from dataplane.rules.matching import made, network, range_of
from dataplane.rules.model import Match, Pattern, Use
from dataplane.rules.patience import Patience, endless, patient
from dataplane.rules.regexes import compile_regex
from dataplane.rules.replacing import replacement
from dataplane.rules.samples import IPv4, leading_integer, parse_address, to_v4, to_v6

if TYPE_CHECKING:
    from collections.abc import Mapping

Held = tuple[int, Any]
"""An entry of a pattern: its place in the order in which entries came, and its value (None in a set without values)."""
Row = tuple[int, bytes, Any]
"""An entry that an index found: its place, its pattern, and what a map gives for it."""


def sample_of(key: bytes, value: Any, gives: str, patience: Patience = endless) -> Any:
    """What a map makes of an entry; None where its value is none of the type. Of `regm` the search and what expands its match."""
    if gives == 'str':
        return value
    if gives == 'key':
        return key
    if value is None:
        return None
    if gives == 'int':
        return leading_integer(value) if value.lstrip(b'+-').isdigit() else None
    if gives == 'regm':
        regex = compile_regex(_text(key), fold=False)
        return patient(regex.search, regex.pattern, patience), replacement(value)
    return parse_address(_text(value))


def _text(data: bytes) -> str:
    return data.decode('utf-8', 'surrogateescape')


class Index(Protocol):
    """What all of them do."""

    def put(self, key: bytes, held: tuple[Held, ...]) -> None:
        """A pattern has these entries from now on, in their order; none: it is gone."""

    def find(self, sample: Any) -> Row | None:
        """The entry that counts for a sample of the type that is wanted."""


class Slots:
    """Patterns by what they mean: what is written differently may mean the same (`10.0.0.1` and `10.0.0.1/32`)."""

    __slots__ = ('rows',)

    def __init__(self) -> None:
        self.rows: dict[Any, tuple[Row, ...]] = {}

    def put(self, meaning: Any, key: bytes, held: tuple[Held, ...]) -> int:
        """Returns by how many the meanings have become more: 1, 0 or -1."""
        before = self.rows.get(meaning, ())
        rows = [(place, key, value) for place, value in held]
        if before and (len(before) > 1 or before[0][1] != key):
            rows = sorted([row for row in before if row[1] != key] + rows, key=_place)
        if rows:
            self.rows[meaning] = tuple(rows)
        elif before:
            del self.rows[meaning]
        return bool(rows) - bool(before)


def _place(row: Row) -> int:
    return row[0]


class Exact:
    """`meaning` of a pattern, `asked` of a sample: what has to be the same."""

    def __init__(self, meaning: Callable[[bytes], Any], asked: Callable[[Any], Any] | None) -> None:
        self._slots = Slots()
        self._meaning, self._asked = meaning, asked

    def put(self, key: bytes, held: tuple[Held, ...]) -> None:
        """See `Index`."""
        self._slots.put(self._meaning(key), key, held)

    def find(self, sample: Any) -> Row | None:
        """See `Index`."""
        rows = self._slots.rows.get(sample if self._asked is None else self._asked(sample))
        return None if rows is None else rows[0]


class Plain:
    """Exact strings and their values as they are: the set's own dictionary, so that there is nothing to follow."""

    def __init__(self, held: Mapping[bytes, tuple[Held, ...]]) -> None:
        self._held = held

    def put(self, key: bytes, held: tuple[Held, ...]) -> None:
        """See `Index`."""

    def find(self, sample: Any) -> Row | None:
        """See `Index`."""
        held = self._held.get(sample)
        return None if held is None else (held[0][0], sample, held[0][1])


class _Lengths:
    """Patterns that are a part of the sample as long as they are; `fold`: regardless of case."""

    def __init__(self, *, fold: bool) -> None:
        self.slots = Slots()
        self.lengths: list[int] = []
        self._counts: dict[int, int] = {}
        self.fold = fold

    def put(self, key: bytes, held: tuple[Held, ...]) -> None:
        """See `Index`."""
        meaning = key.lower() if self.fold else key
        more = self.slots.put(meaning, key, held)
        if more:
            size = len(meaning)
            self._counts[size] = count = self._counts.get(size, 0) + more
            if not count:
                del self._counts[size]
            if count == max(more, 0):
                self.lengths = sorted(self._counts, reverse=True)


class Longest(_Lengths):
    """Prefixes."""

    def find(self, sample: bytes) -> Row | None:
        """See `Index`."""
        rows, size = self.slots.rows, len(sample)
        if self.fold:
            sample = sample.lower()
        for length in self.lengths:
            if length <= size and (found := rows.get(sample[:length])) is not None:
                return found[0]
        return None


class Ending(_Lengths):
    """Suffixes; the first in the order of entries counts."""

    def find(self, sample: bytes) -> Row | None:
        """See `Index`."""
        rows, size = self.slots.rows, len(sample)
        if self.fold:
            sample = sample.lower()
        best: Row | None = None
        for length in self.lengths:
            if length <= size and (found := rows.get(sample[size - length :])) is not None:
                if best is None or found[0][0] < best[0]:
                    best = found[0]
        return best


class Narrowest:
    """Networks; those of the sample's own kind of address first."""

    def __init__(self) -> None:
        self._v4: list[tuple[int, Slots]] = []
        self._v6: list[tuple[int, Slots]] = []

    def put(self, key: bytes, held: tuple[Held, ...]) -> None:
        """See `Index`."""
        kind, address, mask = network(_text(key))
        masks = self._v4 if kind is IPv4 else self._v6
        slots = next((known for other, known in masks if other == mask), None)
        if slots is None:
            slots = Slots()
            masks.append((mask, slots))
            masks.sort(key=lambda one: one[0], reverse=True)
        slots.put(address, key, held)
        if not slots.rows:
            masks.remove((mask, slots))

    def find(self, sample: Any) -> Row | None:
        """See `Index`."""
        if type(sample) is IPv4:
            found = _among(self._v4, sample)
            return _among(self._v6, to_v6(sample)) if found is None and self._v6 else found
        found = _among(self._v6, sample)
        if found is not None or not self._v4:
            return found
        short = to_v4(sample)
        return None if short is None else _among(self._v4, short)


def _among(masks: list[tuple[int, Slots]], address: int) -> Row | None:
    for mask, slots in masks:
        found = slots.rows.get(address & mask)
        if found is not None:
            return found[0]
    return None


class Ordered:
    """Entries in their order, each with what `make` makes of its pattern; to add or take out one only moves memory."""

    def __init__(self, make: Callable[[bytes], Any]) -> None:
        self._make = make
        self.rows: list[tuple[int, bytes, Any, Any]] = []
        self._places: dict[bytes, tuple[int, ...]] = {}

    def put(self, key: bytes, held: tuple[Held, ...]) -> None:
        """See `Index`."""
        known = None
        for place in self._places.pop(key, ()):
            at = bisect_left(self.rows, place, key=_place_of)
            known = self.rows[at][3]
            del self.rows[at]
        if held:
            known = self._make(key) if known is None else known
            for place, value in held:
                row = (place, key, value, known)
                if not self.rows or self.rows[-1][0] < place:
                    self.rows.append(row)
                else:
                    insort(self.rows, row, key=_place_of)
            self._places[key] = tuple(place for place, _ in held)


def _place_of(row: tuple[int, bytes, Any, Any]) -> int:
    return row[0]


class Numbers:
    """Numbers, and ranges of them; `asked` makes a number of a sample."""

    def __init__(self, asked: Callable[[Any], int] | None) -> None:
        self._slots = Slots()
        self._ranges = Ordered(_bounds)
        self._asked = asked

    def put(self, key: bytes, held: tuple[Held, ...]) -> None:
        """See `Index`."""
        low, high = _bounds(key)
        if low is not None and low == high:
            self._slots.put(low, key, held)
        else:
            self._ranges.put(key, held)

    def find(self, sample: Any) -> Row | None:
        """See `Index`."""
        number = sample if self._asked is None else self._asked(sample)
        found = self._slots.rows.get(number)
        best = None if found is None else found[0]
        for place, key, value, (low, high) in self._ranges.rows:
            if best is not None and best[0] < place:
                break
            if (low is None or low <= number) and (high is None or number <= high):
                return place, key, value
        return best


def _bounds(key: bytes) -> tuple[int | None, int | None]:
    return range_of(_text(key))


class Rows(Ordered):
    """Tried one after the other: what is made of a pattern says whether a sample matches it."""

    def find(self, sample: Any) -> Row | None:
        """See `Index`."""
        for place, key, value, test in self.rows:
            if test(sample):
                return place, key, value
        return None


def _tested(use: Use, patience: Patience) -> Callable[[bytes], Callable[[Any], Any]]:
    match, fold = use.match, use.fold
    return lambda key: made(match, [Pattern(_text(key), fold)], patience)


def _block(key: bytes) -> bytes:
    return bytes.fromhex(key.decode('ascii'))


def index_of(use: Use, patience: Patience = endless) -> Index:
    """An index for that use, without any entries."""
    match use.match:
        case Match.STR:
            return Exact(bytes.lower, bytes.lower) if use.fold else Exact(bytes, None)
        case Match.BIN:
            return Exact(_block, None)
        case Match.BEG:
            return Longest(fold=use.fold)
        case Match.END:
            return Ending(fold=use.fold)
        case Match.IP:
            return Narrowest()
        case Match.INT:
            return Numbers(None)
        case Match.LEN:
            return Numbers(len)
    return Rows(_tested(use, patience))


INDEXED: Final = frozenset((Match.STR, Match.BEG, Match.IP))
"""Where HAProxy has a tree, of what is not regardless of case; lists are what it has of the rest."""
