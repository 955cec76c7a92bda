"""core: keys of stick tables: what of a sample, or of what a person writes, becomes one, and how it is shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from dataplane.core.stick.definition import FIXED, Definition, KeyType
from dataplane.rules.samples import Binary, IPv4, IPv6, Sample, Type, address_text, cast, parse_address

_TYPES: Final = {
    KeyType.IP: Type.IPV4, KeyType.IPV6: Type.IPV6, KeyType.INTEGER: Type.INT, KeyType.STRING: Type.STR, KeyType.BINARY: Type.BIN,
}  # fmt: skip
_WHOLE: Final = 0xFFFFFFFF
_ESCAPES: Final = {7: 'a', 8: 'b', 9: 't', 10: 'n', 11: 'v', 12: 'f', 13: 'r', 27: 'e', 32: ' ', 61: '=', 92: '\\'}


def type_of_key(key: KeyType) -> Type:
    """The type a sample is cast to before it becomes a key."""
    return _TYPES[key]


def key_maker(definition: Definition) -> Callable[[Sample], bytes | None]:
    """What makes a key of a sample: cut to the table's length, a block filled up with zeros; None where it cannot be one."""
    wanted, length, key_type = _TYPES[definition.key], definition.length, definition.key

    def made(sample: Sample) -> bytes | None:
        value = cast(sample, wanted)
        if value is None:
            return None
        if isinstance(value, bytes):
            return value[:length].ljust(length, b'\0') if key_type is KeyType.BINARY else bytes(value[:length])
        return (value & (1 << 8 * length) - 1).to_bytes(length, 'big')

    return made


def sample_of(definition: Definition, key: bytes) -> Sample:
    """The sample a key stands for."""
    match definition.key:
        case KeyType.STRING:
            return key
        case KeyType.BINARY:
            return Binary(key)
        case KeyType.IP:
            return IPv4(int.from_bytes(key, 'big'))
        case KeyType.IPV6:
            return IPv6(int.from_bytes(key, 'big'))
        case KeyType.INTEGER:
            return int.from_bytes(key, 'big')


def key_of_text(definition: Definition, text: str) -> bytes | None:
    """The key a person means; None where it is none. Blocks cannot be written."""
    if definition.key is KeyType.STRING:
        return text.encode('utf-8', 'surrogateescape')[: definition.length]
    if definition.key is KeyType.INTEGER:
        fits = text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= _WHOLE
        return int(text).to_bytes(FIXED[KeyType.INTEGER], 'big') if fits else None
    address = parse_address(text)
    wanted = IPv6 if definition.key is KeyType.IPV6 else IPv4
    return address.to_bytes(definition.length, 'big') if type(address) is wanted else None


def key_text(definition: Definition, key: bytes) -> str:
    """A key as `show table` shows it."""
    if definition.key is KeyType.STRING:
        return ''.join(_shown(byte) for byte in key)
    if definition.key is KeyType.BINARY:
        return key.hex().upper()
    number = int.from_bytes(key, 'big')
    if definition.key is KeyType.INTEGER:
        return str(number)
    return address_text(IPv6(number) if definition.key is KeyType.IPV6 else IPv4(number)).decode()


def _shown(byte: int) -> str:
    if byte in _ESCAPES:
        return f'\\{_ESCAPES[byte]}'
    return chr(byte) if 32 < byte < 127 else f'\\x{byte:02x}'
