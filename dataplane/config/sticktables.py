"""config: `stick-table` and `stick` lines, and actions on what is tracked (configuration manual, 4.2, 4.3 and 11.1).

Tables are named where they are used and may be declared later: whether there is one of that name, and whether a key fits it, is
looked at when everything has been read (`check_tables`).
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from dataplane.config.problems import Rejected, shown
from dataplane.config.tableuse import Use
from dataplane.config.values import parse_time
from dataplane.core.stick.definition import (
    ARRAYS,
    DEFAULT_LENGTH,
    FIXED,
    KINDS,
    MOST_ELEMENTS,
    Data,
    Definition,
    KeyType,
    Kind,
    ServerKey,
)
from dataplane.core.stick.keys import type_of_key
from dataplane.rules.actions import Add, Stick, Tag, Track
from dataplane.rules.expressions import output_type, parse_expression
from dataplane.rules.fetches.tables import COUNTERS
from dataplane.rules.phases import Phase
from dataplane.rules.samples import may_cast

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dataplane.config.actions import Place
    from dataplane.config.draft import ProxyDraft
    from dataplane.config.problems import Report
    from dataplane.config.reader import Line
    from dataplane.config.ruling import Ruling
    from dataplane.rules.actions import Action
    from dataplane.rules.model import Expression

STICKS: Final = ('stick match', 'stick on', 'stick store-request', 'stick store-response')
MOST_TABLES: Final = 100
"""Tables of one configuration: their descriptors travel to workers in one packet."""
_MOST_ENTRIES: Final = 1 << 24
_MOST_VALUE: Final = 0xFFFF_FFFF
"""Of general counters and tags, which have 32 bits."""
_TYPES: Final = {**{key.value: key for key in KeyType}, 'ipv4': KeyType.IP}
_SIZE: Final = re.compile(r'([0-9]{1,12})([kKmMgG]?)', re.ASCII)
_SHIFTS: Final = {'': 0, 'k': 10, 'm': 20, 'g': 30}
_STORE: Final = re.compile(r'([a-z0-9_]+)(?:\(([^()]*)\))?', re.ASCII)
_LONGEST_KEY: Final = 16_384
_CONDITIONS: Final = ('if', 'unless')


# -- stick-table ---------------------------------------------------------------------------------------------------------


def parse_stick_table(line: Line, proxy: ProxyDraft) -> None:
    """`stick-table type T [len N] size N [expire T] [nopurge] [store DATA,...]...`."""
    if proxy.stick_table is not None:
        msg = f"stick-table name '{shown(proxy.name)}' conflicts with table declared at {proxy.stick_table_where}."
        raise Rejected(msg)
    words = list(line.words[1:])
    key: KeyType | None = None
    length, size, expire, nopurge, srvkey = 0, 0, 0, False, ServerKey.NAME
    stores: dict[str, Data] = {}
    while words:
        word = words.pop(0)
        if word == 'type':
            key, length = _type(words)
        elif word == 'size':
            size = _size(_argument(words, word))
        elif word == 'expire':
            expire = parse_time(_argument(words, word), 'stick-table expire')
        elif word == 'nopurge':
            nopurge = True
        elif word == 'srvkey':
            srvkey = _server_key(_argument(words, word))
        elif word == 'store':
            for data in _stores(_argument(words, word)):
                stores.setdefault(data.name, data)
        elif word in ('peers', 'write-to', 'recv-only'):
            msg = f"stick-table: '{word}' is not supported: tables are not told to others."
            raise Rejected(msg)
        else:
            msg = f"stick-table: unknown argument '{shown(word)}'."
            raise Rejected(msg)
    if not size:
        raise Rejected('stick-table: missing size.')
    if key is None:
        raise Rejected('stick-table: missing type.')
    _together(stores)
    proxy.stick_table_where = line.where
    proxy.stick_table = Definition(
        name=proxy.name,
        key=key,
        length=length,
        size=size,
        expire=expire,
        nopurge=nopurge,
        srvkey=srvkey,
        stores=ordered(stores.values()),
    )


def ordered(stores: Iterable[Data]) -> tuple[Data, ...]:
    """In the order in which they are shown."""
    names = list(KINDS)
    return tuple(sorted(stores, key=lambda data: names.index(data.name)))


def _argument(words: list[str], name: str) -> str:
    if not words:
        msg = f"stick-table: missing argument after '{name}'."
        raise Rejected(msg)
    return words.pop(0)


def _type(words: list[str]) -> tuple[KeyType, int]:
    name = words.pop(0) if words else ''
    key = _TYPES.get(name)
    if key is None:
        msg = f"stick-table: unknown type '{shown(name)}'."
        raise Rejected(msg)
    if key in FIXED:
        return key, FIXED[key]
    if not words or words[0] != 'len':
        return key, DEFAULT_LENGTH[key]
    number = words[1] if len(words) > 1 else ''
    if not (number.isascii() and number.isdigit() and 0 < int(number[:9]) <= _LONGEST_KEY):
        msg = f"stick-table: 'len' expects a length from 1 to {_LONGEST_KEY} (got '{shown(number)}')."
        raise Rejected(msg)
    del words[:2]
    return key, int(number)


def _size(word: str) -> int:
    found = _SIZE.fullmatch(word)
    if found is None:
        bad = re.sub(r'^[0-9]*', '', word)
        msg = f"stick-table: unexpected character '{shown(bad[:1])}' in argument of 'size'."
        raise Rejected(msg)
    size = int(found[1]) << _SHIFTS[found[2].lower()]
    if size > _MOST_ENTRIES:
        msg = f"stick-table: 'size' may be {_MOST_ENTRIES} at most (got '{shown(word)}')."
        raise Rejected(msg)
    return size


def _server_key(word: str) -> ServerKey:
    try:
        return ServerKey(word)
    except ValueError:
        msg = f"stick-table : unknown server key type '{shown(word)}'."
        raise Rejected(msg) from None


def _stores(text: str) -> list[Data]:
    """`NAME`, `NAME(PERIOD)`, `NAME(ELEMENTS)` or `NAME(ELEMENTS,PERIOD)`, separated by commas."""
    found = []
    for word in re.split(r',(?![^()]*\))', text):
        match = _STORE.fullmatch(word)
        if match is None or match[1] not in KINDS:
            msg = f"stick-table: unknown store option '{shown(word.partition('(')[0])}'."
            raise Rejected(msg)
        found.append(_data(match[1], match[2]))
    return found


def _data(name: str, given: str | None) -> Data:
    wanted = (name in ARRAYS) + (KINDS[name] is Kind.RATE)
    arguments = [] if given is None else given.split(',')
    if len(arguments) < wanted or (wanted and '' in arguments):
        msg = f"stick-table: missing argument to store option '{name}'."
        raise Rejected(msg)
    if len(arguments) > wanted:
        msg = f"stick-table: unexpected argument to store option '{name}'."
        raise Rejected(msg)
    elements = 1
    if name in ARRAYS:
        word = arguments.pop(0).strip()
        elements = int(word) if word.isascii() and word.isdigit() and len(word) < 4 else 0
        if not 1 <= elements <= MOST_ELEMENTS:
            msg = f"stick-table: array size is out of allowed range (1-{MOST_ELEMENTS}) for store option '{name}'."
            raise Rejected(msg)
    if not arguments:
        return Data(name, elements)
    try:
        period = parse_time(arguments[0].strip(), name)
    except Rejected:
        period = 0
    if not period:
        msg = f"stick-table: error when processing store option '{name}'."
        raise Rejected(msg)
    return Data(name, elements, period)


def _together(stores: dict[str, Data]) -> None:
    """An array takes the place of the single ones."""
    for array, single in (('gpc', 'gpc[0/1]'), ('gpc_rate', 'gpc[0/1]_rate'), ('gpt', 'gpt0')):
        singles = [single.replace('[0/1]', number) for number in '01']
        if array in stores and any(one in stores for one in singles):
            text = f"simultaneous usage of '{array}' and '{single}' in a same table is not permitted as '{array}' overrides '{single}'"
            msg = f'stick-table: {text}.'
            raise Rejected(msg)


# -- stick ---------------------------------------------------------------------------------------------------------------


def parse_stick(line: Line, proxy: ProxyDraft, ruling: Ruling) -> None:
    """`stick on|match|store-request|store-response EXPRESSION [table T] [if|unless CONDITION]`."""
    what = line.word(1)
    response = what == 'store-response'
    if len(line.words) < 3:
        raise Rejected("'stick' expects a fetch method.")
    scope = ruling.scope(Phase.RESPONSE if response else Phase.BACKEND_REQUEST, proxy)
    try:
        key, at = parse_expression(line.words, 2, scope)
    except Rejected as problem:
        msg = f"'stick': {problem}"
        raise Rejected(msg) from None
    table = proxy.name
    if line.word(at) == 'table':
        table, at = line.word(at + 1), at + 2
    if at < len(line.words) and line.word(at) not in _CONDITIONS:
        msg = f"'stick': unknown keyword '{shown(line.word(at))}'."
        raise Rejected(msg)
    condition = ruling.condition(line.words[at:], scope)
    ruling.warn(line, scope)
    ruling.uses.append(Use(line.file, line.number, table, 'stick', key))
    stick = Stick(table, key, what in ('on', 'match'), what != 'match', condition)
    (proxy.answer_sticks if response else proxy.sticks).append(stick)


# -- actions -------------------------------------------------------------------------------------------------------------


def parse_track(name: str, words: Sequence[str], place: Place) -> tuple[Action, int]:
    """`track-scN EXPRESSION [table T]`."""
    number = name.removeprefix('track-sc')
    if not (number.isascii() and number.isdigit()):
        raise place.refuse(f"invalid stick table track ID '{shown(number)}'")
    if int(number[:9]) >= COUNTERS:
        raise place.refuse(f'{number[:9]} track-sc number exceeding {COUNTERS - 1} (MAX_SESS_STKCTR-1) value.')
    if not words or words[0] in _CONDITIONS:
        raise place.refuse('missing fetch method.')
    key, at = parse_expression(words, 0, place.scope)
    table = place.proxy.name
    if at < len(words) and words[at] == 'table':
        if at + 1 >= len(words) or words[at + 1] in _CONDITIONS:
            raise place.refuse('missing table name.')
        table, at = words[at + 1], at + 2
    place.scope.keyed.append((table, name, key))
    asked = place.scope.phase not in (Phase.CONNECTION, Phase.SESSION)
    return Track(int(number), key, table, asked), at


def parse_counting(name: str, words: Sequence[str], place: Place) -> tuple[Action, int]:
    """`sc-inc-gpc0(N)`, `sc-inc-gpc1(N)`, `sc-inc-gpc(I,N)`, `sc-add-gpc(I,N) VALUE`, `sc-set-gpt0(N) VALUE`, `sc-set-gpt(I,N) VALUE`."""
    bare, _, given = name.partition('(')
    arguments = given.removesuffix(')').split(',') if given else []
    data = bare.rpartition('-')[2]
    element = 0
    if data in ARRAYS:
        if len(arguments) != 2:
            raise place.refuse(f"Missing {data} ID '{shown(name)}'. Expects {bare}(<{data.upper()} ID>,<Track ID>).")
        element = _number(arguments[0], f"invalid {data} ID '{shown(arguments[0])}'", place)
        if element >= MOST_ELEMENTS:
            raise place.refuse(f"invalid {data} ID '{shown(arguments[0])}'")
    track = arguments[-1] if arguments else '0'
    number = _number(track, f'invalid stick table track ID. Expects {bare}(<Track ID>).', place)
    if number >= COUNTERS:
        raise place.refuse(f'invalid stick table track ID. The max allowed ID is {COUNTERS - 1}.')
    if bare.startswith('sc-inc'):
        return Add(number, data, element, 1), 0
    if not words or words[0] in _CONDITIONS:
        raise place.refuse('expects a number or an expression')
    word = words[0]
    value: int | Expression
    if word.isascii() and word.isdigit():
        if len(word) > 10 or int(word) > _MOST_VALUE:
            raise place.refuse(f"expects a number from 0 to {_MOST_VALUE}, or an expression (got '{shown(word)}')")
        value, taken = int(word), 1
    else:
        value, taken = parse_expression(words, 0, place.scope)
    return (Add if bare == 'sc-add-gpc' else Tag)(number, data, element, value), taken


def _number(word: str, problem: str, place: Place) -> int:
    if not (word.isascii() and word.isdigit() and len(word) < 10):
        raise place.refuse(problem)
    return int(word)


# -- when everything has been read ---------------------------------------------------------------------------------------


def check_tables(proxies: Sequence[ProxyDraft], uses: Sequence[Use], report: Report) -> None:
    """Note tables that there are not, that are declared twice, and keys that none of their tables can have."""
    known: dict[str, Definition] = {}
    for proxy in proxies:
        table = proxy.stick_table
        if table is None:
            continue
        if table.name in known:
            report.error(
                proxy.file, proxy.line, f"stick-table name '{shown(table.name)}' conflicts with another table."
            )
        known[table.name] = table
    if len(known) > MOST_TABLES:
        last = list(known)[MOST_TABLES]
        where = next(proxy for proxy in proxies if proxy.name == last)
        report.error(where.file, where.line, f'there are {len(known)} stick tables, {MOST_TABLES} at most can be had.')
    for use in uses:
        found = known.get(use.table)
        if found is None:
            kind = 'stick-table' if use.what == 'stick' else 'table'
            behind = '' if use.what == 'stick' else f' referenced by {use.what}'
            report.error(use.file, use.line, f"unable to find {kind} '{shown(use.table)}'{behind}.")
        elif use.key is not None and not may_cast(output_type(use.key), type_of_key(found.key)):
            text = f"type of fetch not usable with type of stick-table '{use.table}'."
            if use.what != 'stick':
                text = f"stick-table '{use.table}' uses a type incompatible with the '{use.what}' rule."
            report.error(use.file, use.line, text)


def tables_of(proxies: Sequence[ProxyDraft]) -> tuple[Definition, ...]:
    """All tables. Those that `stick` lines name keep the number and the key of a server, whether their line says so or not."""
    sticky = {stick.table for proxy in proxies for stick in (*proxy.sticks, *proxy.answer_sticks)}
    found = []
    for proxy in proxies:
        table = proxy.stick_table
        if table is None:
            continue
        if table.name in sticky:
            stored = {data.name for data in table.stores}
            lacking = [Data(name) for name in ('server_id', 'server_key') if name not in stored]
            table = replace(table, stores=ordered((*table.stores, *lacking)))
        found.append(table)
    return tuple(found)
