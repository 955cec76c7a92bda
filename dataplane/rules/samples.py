"""Rules: what a fetch yields, and what becomes of it where another type is wanted (configuration manual 7.1, 7.3).

A sample is a Python value that says its type: `bool`, `int` (64 bits, signed), `IPv4`, `IPv6`, `bytes` (a string),
`Binary` (a data block) or `Method`. No sample is None: the fetch found nothing, and nothing follows from it.

Casts are HAProxy's: a string becomes an integer by its leading digits, a block a string up to its first NUL, an address
a number and back. What cannot become the wanted type is None.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum
from ipaddress import IPv6Address
from typing import Any, Final

_BITS: Final = 64
_WHOLE: Final = (1 << _BITS) - 1
MAX_INT: Final = (1 << (_BITS - 1)) - 1
MIN_INT: Final = -MAX_INT - 1

_DIGITS: Final = re.compile(rb'([+-]?)0*([0-9]*)')
_QUAD: Final = re.compile(
    r'(0|[1-9][0-9]{0,2})\.(0|[1-9][0-9]{0,2})\.(0|[1-9][0-9]{0,2})\.(0|[1-9][0-9]{0,2})', re.ASCII
)
_LEADING_QUAD: Final = re.compile(rb'([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})(?![0-9.])')
_V6: Final = re.compile(r'[0-9A-Fa-f:.]{2,45}', re.ASCII)
_MAPPED: Final = 0xFFFF << 32
_SIXTOFOUR: Final = 0x2002


class Type(Enum):
    """What a sample may be. ANY: known when it is there; ADDRESS: one of the two kinds, known when it is there."""

    ANY = 'any'
    BOOL = 'boolean'
    INT = 'integer'
    ADDRESS = 'address'
    IPV4 = 'ipv4'
    IPV6 = 'ipv6'
    STR = 'string'
    BIN = 'binary'
    METHOD = 'method'


class IPv4(int):
    """An IPv4 address as the number it is."""

    __slots__ = ()


class IPv6(int):
    """An IPv6 address as the number it is."""

    __slots__ = ()


class Binary(bytes):
    """A data block: like a string, but what looks at it as a string sees it up to its first NUL."""

    __slots__ = ()


class Method(bytes):
    """The request's method."""

    __slots__ = ()


Address = IPv4 | IPv6
Sample = bool | int | bytes
"""Any sample; addresses are integers and blocks are bytes by inheritance, so ask `type_of`."""

_TYPES: Final[dict[type, Type]] = {
    bool: Type.BOOL, int: Type.INT, IPv4: Type.IPV4, IPv6: Type.IPV6, bytes: Type.STR, Binary: Type.BIN, Method: Type.METHOD,
}  # fmt: skip


def type_of(sample: Sample) -> Type:
    """The type of a sample that is there."""
    return _TYPES[type(sample)]


def wrapped(value: int) -> int:
    """The number as 64 signed bits hold it."""
    if MIN_INT <= value <= MAX_INT:
        return value
    value &= _WHOLE
    return value - (1 << _BITS) if value > MAX_INT else value


def clamped(value: int) -> int:
    """The number, or the nearest one that 64 signed bits hold."""
    return MIN_INT if value < MIN_INT else min(value, MAX_INT)


def parse_address(text: str) -> Address | None:
    """An address in its usual text form."""
    if ':' not in text:
        quad = _QUAD.fullmatch(text)
        if quad is None:
            return None
        a, b, c, d = (int(part) for part in quad.groups())
        return IPv4(a << 24 | b << 16 | c << 8 | d) if max(a, b, c, d) <= 255 else None
    if _V6.fullmatch(text) is None:
        return None
    try:
        return IPv6(int(IPv6Address(text)))
    except ValueError:
        return None


def address_text(address: Address) -> bytes:
    """An address as it is written: IPv6 in its shortest form."""
    if type(address) is IPv4:
        value = int(address)
        return b'%d.%d.%d.%d' % (value >> 24, value >> 16 & 255, value >> 8 & 255, value & 255)
    if address >> 32 == _MAPPED >> 32:
        return b'::ffff:' + address_text(IPv4(address & 0xFFFFFFFF))
    if 0xFFFF < address <= 0xFFFFFFFF:
        return b'::' + address_text(IPv4(address))
    return str(IPv6Address(int(address))).encode()


def to_v6(address: Address) -> IPv6:
    """An IPv4 address as it is written in IPv6 (`::ffff:`); IPv6 as it is."""
    return IPv6(_MAPPED | address) if type(address) is IPv4 else IPv6(address)


def to_v4(address: Address) -> IPv4 | None:
    """The IPv4 address an IPv6 one stands for (`::ffff:`, `::` or 6to4), None where it stands for none."""
    if type(address) is IPv4:
        return address
    high = address >> 32
    if high in (0, 0xFFFF):
        return IPv4(address & 0xFFFFFFFF)
    if address >> 112 == _SIXTOFOUR:
        return IPv4(address >> 80 & 0xFFFFFFFF)
    return None


def mapped_v4(address: Address) -> IPv4 | None:
    """The IPv4 address within a `::ffff:` one; None of other IPv6 ones."""
    if type(address) is IPv4:
        return address
    return IPv4(address & 0xFFFFFFFF) if address >> 32 == 0xFFFF else None


def leading_integer(text: bytes) -> int:
    """What HAProxy makes of a string that should be a number: its leading digits, 0 without any, never beyond 64 bits."""
    found = _DIGITS.match(text)
    if found is None or not found[2]:
        return 0
    value = int(found[2][:20])
    return clamped(-value if found[1] == b'-' else value)


def text_of(block: bytes) -> bytes:
    """A data block as a string: up to its first NUL."""
    return bytes(block.partition(b'\0')[0])


def packed(address: Address) -> Binary:
    """An address as the bytes it travels as."""
    return Binary(address.to_bytes(4 if type(address) is IPv4 else 16, 'big'))


def _address_of(text: bytes) -> Address | None:
    """An IPv4 address may have anything but a dot or a digit behind it, a port for one; an IPv6 one stands alone."""
    quad = _LEADING_QUAD.match(text)
    if quad is None:
        return parse_address(text.decode('latin-1'))
    a, b, c, d = (int(part) for part in quad.groups())
    return IPv4(a << 24 | b << 16 | c << 8 | d) if max(a, b, c, d) <= 255 else None


def _v4_of(text: bytes) -> Sample | None:
    address = _address_of(text)
    return address if type(address) is IPv4 else None


def _v6_of(text: bytes) -> Sample | None:
    address = _address_of(text)
    return address if type(address) is IPv6 else None


def _number(value: int) -> bytes:
    return b'%d' % value


def _eight_bytes(value: int) -> Binary:
    return Binary(int(value).to_bytes(8, 'big', signed=True))


def _plain(value: bytes) -> bytes:
    return bytes(value)


Cast = Callable[[Any], 'Sample | None']

_T = Type
_CASTS: Final[dict[tuple[Type, Type], Cast | None]] = {
    (_T.BOOL, _T.INT): int, (_T.BOOL, _T.STR): _number, (_T.BOOL, _T.BIN): _eight_bytes,
    (_T.INT, _T.BOOL): bool, (_T.INT, _T.STR): _number, (_T.INT, _T.BIN): _eight_bytes,
    (_T.INT, _T.ADDRESS): lambda value: IPv4(value & 0xFFFFFFFF), (_T.INT, _T.IPV4): lambda value: IPv4(value & 0xFFFFFFFF),
    (_T.INT, _T.IPV6): lambda value: to_v6(IPv4(value & 0xFFFFFFFF)),
    (_T.IPV4, _T.ADDRESS): None, (_T.IPV4, _T.INT): int, (_T.IPV4, _T.IPV6): to_v6, (_T.IPV4, _T.STR): address_text,
    (_T.IPV4, _T.BIN): packed,
    (_T.IPV6, _T.ADDRESS): None, (_T.IPV6, _T.IPV4): mapped_v4, (_T.IPV6, _T.STR): address_text, (_T.IPV6, _T.BIN): packed,
    (_T.STR, _T.BOOL): lambda text: leading_integer(text) != 0, (_T.STR, _T.INT): leading_integer,
    (_T.STR, _T.ADDRESS): _address_of, (_T.STR, _T.IPV4): _v4_of, (_T.STR, _T.IPV6): _v6_of,
    (_T.STR, _T.BIN): None, (_T.STR, _T.METHOD): Method,
    (_T.BIN, _T.STR): text_of, (_T.BIN, _T.METHOD): Method,
    (_T.METHOD, _T.STR): _plain, (_T.METHOD, _T.BIN): None,
}  # fmt: skip
"""How a sample of the one type becomes one of the other; None: it may be taken as it is."""


def may_cast(source: Type, wanted: Type) -> bool:
    """Is there a way from the one type to the other? What it is at run time may still have none."""
    if source is wanted or Type.ANY in (source, wanted):
        return True
    if source is Type.ADDRESS:
        return wanted in (Type.IPV4, Type.IPV6, Type.INT, Type.STR, Type.BIN)
    return (source, wanted) in _CASTS


def cast(sample: Sample, wanted: Type) -> Sample | None:
    """A sample of any type as one of the wanted type, None where it cannot become one."""
    source = _TYPES[type(sample)]
    if source is wanted or wanted is Type.ANY:
        return sample
    if (source, wanted) not in _CASTS:
        return None
    make = _CASTS[source, wanted]
    return sample if make is None else make(sample)


def caster(source: Type, wanted: Type) -> Cast | None:
    """The cast from a type that is known beforehand; None where there is nothing to do."""
    if source is wanted or wanted is Type.ANY:
        return None
    if source in (Type.ANY, Type.ADDRESS):
        return None if source is wanted else lambda sample: cast(sample, wanted)
    return _CASTS[source, wanted]
