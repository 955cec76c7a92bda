"""`option forwarded`, ready for use: the Forwarded field that a server is sent (RFC 7239), behind those that came.

What an expression yields stands in the field only where the RFC allows it; a node that cannot be told is `unknown`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from dataplane.rules.closures import compiled_expression
from dataplane.rules.fetches.request import host_of
from dataplane.rules.model import Expression
from dataplane.rules.rfc7239 import is_obfuscated
from dataplane.rules.samples import IPv4, IPv6, address_text, leading_integer, parse_address
from dataplane.worker.rewriting import clean

if TYPE_CHECKING:
    from dataplane.rules.samples import Address, Sample
    from dataplane.rules.steps import Forwarded
    from dataplane.rules.stores import Store
    from dataplane.worker.transaction import Transaction

Told = Callable[['Transaction'], 'Sample | None']
_UNKNOWN: Final = b'unknown'
_ESCAPED: Final = ((b'\\', b'\\\\'), (b'"', b'\\"'))


class ForwardedField:
    """Writes the field for one request."""

    __slots__ = ('_by', '_by_port', '_for', '_for_port', '_host', '_proto')

    def __init__(self, option: Forwarded, store: Store) -> None:
        self._proto = option.proto
        self._host = _told(option.host, store, host_of)
        self._by = _told(option.by, store, lambda transaction: transaction.dst)
        self._by_port = _told(option.by_port, store, lambda transaction: transaction.dst_port)
        self._for = _told(option.for_, store, lambda transaction: transaction.src)
        self._for_port = _told(option.for_port, store, lambda transaction: transaction.src_port)

    def line(self, transaction: Transaction) -> bytes:
        """The line without its end."""
        pairs = [b'proto=http'] if self._proto else []
        if self._host is not None:
            pairs.append(b'host="%b"' % _quotable(_text(self._host(transaction))))
        if self._by is not None:
            pairs.append(b'by=' + _node(self._by, self._by_port, transaction))
        if self._for is not None:
            pairs.append(b'for=' + _node(self._for, self._for_port, transaction))
        return b'Forwarded: ' + b';'.join(pairs)


def forwarded_line(transaction: Transaction) -> bytes:
    """The line as the backend, or else the frontend, asks for it; empty where neither does."""
    book, story = transaction.context.rulebook, transaction.exchange.story
    if book is None:
        return b''
    for rules in (book.backends.get(story.backend), book.frontends.get(story.frontend)):
        if rules is not None and rules.forwarded is not None:
            return rules.forwarded.line(transaction)
    return b''


def _told(part: Expression | bool, store: Store, own: Told) -> Told | None:
    if isinstance(part, Expression):
        return compiled_expression(part, store)
    return own if part else None


def _text(value: Sample | None) -> bytes:
    if isinstance(value, IPv4 | IPv6):
        return address_text(value)
    if isinstance(value, bytes):
        return bytes(value)
    return b'' if value is None else b'%d' % value


def _quotable(text: bytes) -> bytes:
    for char, escaped in _ESCAPED:
        text = text.replace(char, escaped)
    return clean(text)


def _node(name: Told, port: Told | None, transaction: Transaction) -> bytes:
    """A node as the RFC has it; quoted where a colon is in it."""
    who = _name(name(transaction))
    number = b'' if port is None else _port(port(transaction))
    node = who + b':' + number if number else who
    return b'"%b"' % node if port is not None or who.startswith(b'[') else node


def _name(value: Sample | None) -> bytes:
    address: Address | None = value if isinstance(value, IPv4 | IPv6) else None
    if address is None:
        text = _text(value)
        if is_obfuscated(text) or text == _UNKNOWN:
            return text
        address = parse_address(text.decode('latin-1'))
    if address is None:
        return _UNKNOWN
    return address_text(address) if type(address) is IPv4 else b'[%b]' % address_text(address)


def _port(value: Sample | None) -> bytes:
    text = _text(value)
    if is_obfuscated(text):
        return text
    return text if text.isdigit() and 0 < leading_integer(text) < 65_536 else b''
