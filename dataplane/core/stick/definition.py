"""core: what a `stick-table` line says (configuration manual, 11.1), and what data an entry may have.

Immutable and pickled like everything in a snapshot. Two definitions that are equal may share one table: that is how entries
outlast a reload.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Final


class KeyType(StrEnum):
    """What a key is; the value is how `show table` calls it."""

    IP = 'ip'
    IPV6 = 'ipv6'
    INTEGER = 'integer'
    STRING = 'string'
    BINARY = 'binary'


FIXED: Final = {KeyType.IP: 4, KeyType.IPV6: 16, KeyType.INTEGER: 4}
"""Bytes of a key whose length is not chosen."""
DEFAULT_LENGTH: Final = {KeyType.STRING: 31, KeyType.BINARY: 32}
"""Bytes of a key where no `len` is said; a string's 32 hold an end that is no part of it."""


class Kind(Enum):
    """How a kind of data is kept. COUNT and TAG: a number; CURRENT: who tracks the entry; RATE: events of a period; MARK: what a server is
    known by (`serverkey`).
    """

    COUNT = 'count'
    TAG = 'tag'
    CURRENT = 'current'
    RATE = 'rate'
    MARK = 'mark'


class ServerKey(StrEnum):
    """`srvkey`: by what a server is known in a table, beside its number."""

    NAME = 'name'
    ADDR = 'addr'


MOST_ELEMENTS: Final = 100
"""Of an array: `gpc`, `gpt` and `gpc_rate`."""
ARRAYS: Final = frozenset(('gpc', 'gpc_rate', 'gpt'))
KINDS: Final[dict[str, Kind]] = {
    'server_id': Kind.TAG, 'gpt0': Kind.TAG, 'gpc0': Kind.COUNT, 'gpc0_rate': Kind.RATE, 'conn_cnt': Kind.COUNT,
    'conn_rate': Kind.RATE, 'conn_cur': Kind.CURRENT, 'sess_cnt': Kind.COUNT, 'sess_rate': Kind.RATE,
    'http_req_cnt': Kind.COUNT, 'http_req_rate': Kind.RATE, 'http_err_cnt': Kind.COUNT, 'http_err_rate': Kind.RATE,
    'bytes_in_cnt': Kind.COUNT, 'bytes_in_rate': Kind.RATE, 'bytes_out_cnt': Kind.COUNT, 'bytes_out_rate': Kind.RATE,
    'gpc1': Kind.COUNT, 'gpc1_rate': Kind.RATE, 'server_key': Kind.MARK, 'http_fail_cnt': Kind.COUNT, 'http_fail_rate': Kind.RATE,
    'gpt': Kind.TAG, 'gpc': Kind.COUNT, 'gpc_rate': Kind.RATE, 'glitch_cnt': Kind.COUNT, 'glitch_rate': Kind.RATE,
}  # fmt: skip
"""Every kind of data by name, in the order in which `show table` shows them."""
WIDE: Final = frozenset(('bytes_in_cnt', 'bytes_out_cnt', 'server_key'))
"""What has 64 bits; all others have 32 and begin again at 0."""


@dataclass(frozen=True, slots=True)
class Data:
    """One kind of data that is stored: `elements` of an array, 1 of others; `period` in ms of a rate."""

    name: str
    elements: int = 1
    period: int = 0

    @property
    def kind(self) -> Kind:
        """How it is kept."""
        return KINDS[self.name]

    def label(self, element: int) -> str:
        """How `show table` calls it."""
        name = self.name
        if name in ARRAYS:
            name = f'gpc{element}_rate' if name == 'gpc_rate' else f'{name}{element}'
        return f'{name}({self.period})' if self.kind is Kind.RATE else name


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """One table. `name` is its proxy's; `length` the most bytes of a key, `size` the most entries, `expire` ms (0: never).

    `stores` in the order of `KINDS`, without two of a name.
    """

    name: str
    key: KeyType
    length: int
    size: int
    expire: int = 0
    nopurge: bool = False
    srvkey: ServerKey = ServerKey.NAME
    stores: tuple[Data, ...] = ()
