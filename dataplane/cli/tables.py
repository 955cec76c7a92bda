"""`show table`, `set table`, `clear table`: what their words ask for, and how tables and entries are shown (management manual, 9.3)."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from dataplane.cli.session import Complaint, Severity
from dataplane.core.stick.definition import KINDS, Definition, KeyType, Kind
from dataplane.core.stick.keys import key_of_text, key_text

_FILTERS: Final = 4
"""How many conditions on data may stand in one command."""
NO_TABLE: Final = 'No such table'
IN_USE: Final = 'Entry currently in use, cannot remove'
NO_ROOM: Final = 'Unable to allocate a new entry'
_KEY_EXPECTED: Final = 'Key value expected'
_USAGE: Final = {
    'show': 'Optional argument only supports "data.<store_data_type>" <operator> <value> and key <key>',
    'clear': 'Required arguments: <table> "data.<store_data_type>" <operator> <value> or <table> key <key>',
    'set': 'Required arguments: <table> key <key> [data.<store_data_type> <value>]*',
}
_DOES: Final = {'show': 'Showing keys from', 'clear': 'Removing keys from', 'set': 'Inserting keys into'}
_OPERATORS: Final[dict[str, Callable[[int, int], bool]]] = {
    'eq': operator.eq, 'ne': operator.ne, 'le': operator.le, 'ge': operator.ge, 'lt': operator.lt, 'gt': operator.gt,
}  # fmt: skip
_NUMBER: Final = re.compile(r'[+-]?[0-9]{1,20}', re.ASCII)
NOBODY: Final[Mapping[int, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Filter:
    """A condition on the figure at a place of the row."""

    place: int
    compare: Callable[[int, int], bool]
    value: int


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of which table: one key, or all entries that pass the filters; `set` gives `values`."""

    definition: Definition
    key: bytes | None = None
    filters: tuple[Filter, ...] = ()
    values: tuple[tuple[str, int, int], ...] = ()

    def wants(self, values: Sequence[int]) -> bool:
        """Does a row of figures pass all filters?"""
        return all(one.compare(values[one.place], one.value) for one in self.filters)


def parse(verb: str, words: Sequence[str], tables: Mapping[str, Definition]) -> Request:
    """The words behind `show`, `set` or `clear table`, the first of which is there. Raises Complaint."""
    definition = tables.get(words[0])
    if definition is None:
        raise Complaint(NO_TABLE)
    rest = words[1:]
    if rest and rest[0] == 'key':
        key = _key(verb, definition, rest[1] if len(rest) > 1 else '')
        return Request(definition, key, values=_values(definition, rest[2:]) if verb == 'set' else ())
    if verb == 'set':
        if rest and rest[0].startswith('data.'):
            raise Complaint('content-based lookup is only supported with the "show" and "clear" actions')
        raise Complaint(_USAGE[verb])
    return Request(definition, filters=_filters(verb, definition, rest))


def usage(verb: str) -> Complaint:
    """What is said where words are missing."""
    return Complaint(_USAGE[verb])


def _key(verb: str, definition: Definition, text: str) -> bytes:
    if not text:
        raise Complaint(_KEY_EXPECTED)
    if definition.key is KeyType.BINARY:
        raise Complaint(f'{_DOES[verb]} tables of type other than ip, ipv6, string and integer is not supported')
    key = key_of_text(definition, text)
    if key is None:
        raise Complaint('Invalid key')
    return key


def _filters(verb: str, definition: Definition, words: Sequence[str]) -> tuple[Filter, ...]:
    found: list[Filter] = []
    while words and len(found) < _FILTERS:
        if not words[0].startswith('data.'):
            raise Complaint(_USAGE[verb])
        number = len(found) + 1
        compare = _OPERATORS.get(words[1] if len(words) > 1 else '')
        place = _place(definition, words[0].removeprefix('data.'), f'Filter entry #{number}: ')
        if compare is None:
            raise Complaint(f'Filter entry #{number}: Require and operator among "eq", "ne", "le", "ge", "lt", "gt"')
        value = _NUMBER.fullmatch(words[2] if len(words) > 2 else '')
        if value is None:
            raise Complaint(f'Filter entry #{number}: Require a valid integer value to compare against')
        found.append(Filter(place, compare, int(value[0])))
        words = words[3:]
    if words:
        raise Complaint(
            f"Detected extra data in filter, {3 + 3 * _FILTERS + 1}th word of input, after '{found[-1].value}'"
        )
    return tuple(found)


def _place(definition: Definition, name: str, prefix: str = '') -> int:
    """Where a kind of data, of an array its first element, is among the figures of a row."""
    if name not in KINDS:
        raise Complaint(f'{prefix}Unknown data type')
    if KINDS[name] is Kind.MARK:
        raise Complaint(f'{prefix}What a server is known by is neither compared nor set')
    place = 0
    for data in definition.stores:
        if data.name == name:
            return place
        place += data.elements
    raise Complaint(f'{prefix}Data type not stored in this table')


def _values(definition: Definition, words: Sequence[str]) -> tuple[tuple[str, int, int], ...]:
    found = []
    while words:
        if not words[0].startswith('data.'):
            raise Complaint('"data.<type>" followed by a value expected')
        name = words[0].removeprefix('data.')
        _place(definition, name)
        value = words[1] if len(words) > 1 else ''
        if not (value.isascii() and value.isdigit() and len(value) <= 19):
            raise Complaint('Require a valid integer value to store')
        if KINDS[name] is Kind.CURRENT:
            raise Complaint('conn_cur is how many track the entry, and cannot be set', Severity.ERROR)
        found.append((name, 0, int(value)))
        words = words[2:]
    return tuple(found)


def head(definition: Definition, used: int) -> str:
    """The line that a table begins with."""
    return f'# table: {definition.name}, type: {definition.key}, size:{definition.size}, used:{used}'


def line(
    definition: Definition, key: bytes, row: tuple[int, int, int, tuple[int, ...]], servers: Mapping[int, str] = NOBODY
) -> str:
    """The line of an entry: where it is, who tracks it, when it expires and its figures. `servers`: by the marks that tables keep."""
    place, trackers, left, values = row
    places = [(data, element) for data in definition.stores for element in range(data.elements)]
    figures = ''
    for (data, element), value in zip(places, values, strict=True):
        shown = servers.get(value, '-') if data.kind is Kind.MARK else value
        figures += f' {data.label(element)}={shown}'
    return f'0x{place:x}: key={key_text(definition, key)} use={trackers} exp={left} shard=0{figures}'
