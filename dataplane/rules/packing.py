"""Rules: samples and entries as JSON between the supervisor and its workers.

A string is a string, with what is no UTF-8 as surrogates; other samples are a list of their type's word and a text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from dataplane.rules.indexes import Held
from dataplane.rules.samples import Binary, IPv4, IPv6, Method
from dataplane.rules.stores import decoded, encoded

_WORDS: Final[dict[type, str]] = {bool: 'bool', int: 'int', IPv4: 'ipv4', IPv6: 'ipv6', Binary: 'bin', Method: 'meth'}
_MAKERS: Final[dict[str, Callable[[str], Any]]] = {
    'bool': lambda text: text == '1',
    'int': int,
    'ipv4': lambda text: IPv4(int(text)),
    'ipv6': lambda text: IPv6(int(text)),
    'bin': lambda text: Binary(encoded(text)),
    'meth': lambda text: Method(encoded(text)),
}


def packed(value: Any) -> Any:
    """A sample, or None, as JSON has it."""
    if value is None:
        return None
    word = _WORDS.get(type(value))
    if word is None:
        return decoded(value)
    return [word, decoded(value) if isinstance(value, bytes) else str(int(value))]


def unpacked(data: Any) -> Any:
    """The other way round. Raises ValueError, KeyError or TypeError where it is nothing of ours."""
    if isinstance(data, str):
        return encoded(data)
    if data is None:
        return None
    word, text = data
    return _MAKERS[word](text)


def packed_rows(rows: Iterable[tuple[bytes, tuple[Held, ...]]]) -> list[Any]:
    """Patterns with their entries."""
    return [[decoded(key), [[place, packed(value)] for place, value in held]] for key, held in rows]


def unpacked_rows(rows: Iterable[Any]) -> list[tuple[bytes, tuple[Held, ...]]]:
    """The other way round."""
    return [(encoded(key), tuple((place, unpacked(value)) for place, value in held)) for key, held in rows]
