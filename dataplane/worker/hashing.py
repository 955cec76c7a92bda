"""From a request to its wish where a backend balances by hash: the key, as HAProxy takes it, and its hash value.

A function is made of a `Balance` once, when tables are adopted. Who has no key (no such parameter, no such header) has no
wish and goes round with the others. Manual: `balance`, `hash-type`.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from dataplane.core.hashes import FUNCTIONS, words
from dataplane.core.layout import ANY
from dataplane.core.stream import hashed
from dataplane.rules.closures import compiled_expression
from dataplane.rules.hashes import avalanche
from dataplane.rules.samples import Type
from dataplane.worker.requestview import RequestView

if TYPE_CHECKING:
    from dataplane.core.model import Balance
    from dataplane.core.tables import Tables
    from dataplane.rules.model import Expression
    from dataplane.worker.head import RequestHead

Wish = Callable[['RequestHead', str], int]
"""From a request's head and its client's address to what it wishes for."""


def wishes(tables: Tables) -> dict[int, Wish]:
    """For the backends, by index, whose streams are tied to servers by what they bring."""
    made = {index: wish_of(backend.balance) for index, backend in tables.backends.items()}
    return {index: wish for index, wish in made.items() if wish is not None}


def wish_of(balance: Balance) -> Wish | None:
    """What streams of a backend with this balance wish for; None when they may go anywhere."""
    if balance.algorithm == 'sticky':
        return lambda head, address: hashed(0)
    if balance.algorithm == 'source':
        return _by_source(spread=balance.avalanche)
    if balance.key is not None:
        return _by_expression(balance.key, FUNCTIONS[balance.function], spread=balance.avalanche)
    key_of = _key_of(balance)
    return None if key_of is None else _by_key(key_of, FUNCTIONS[balance.function], spread=balance.avalanche)


def _by_source(*, spread: bool) -> Wish:
    """The client's address; hash functions play no part, only the avalanche does."""

    def wish(head: RequestHead, address: str) -> int:
        packed = packed_of(address)
        if not packed:
            return ANY
        value = words(packed)
        return hashed(avalanche(value) if spread else value)

    return wish


def _by_expression(key: Expression, function: Callable[[bytes], int], *, spread: bool) -> Wish:
    """What an expression gives for the request, as the bytes it is made of."""
    value_of = compiled_expression(key, None, Type.BIN)

    def wish(head: RequestHead, address: str) -> int:
        sample = value_of(RequestView(head, address))
        if not isinstance(sample, bytes):
            return ANY
        value = function(sample)
        return hashed(avalanche(value) if spread else value)

    return wish


def _by_key(key_of: Callable[[RequestHead], bytes | None], function: Callable[[bytes], int], *, spread: bool) -> Wish:
    def wish(head: RequestHead, address: str) -> int:
        key = key_of(head)
        if key is None:
            return ANY
        value = function(key)
        return hashed(avalanche(value) if spread else value)

    return wish


def _key_of(balance: Balance) -> Callable[[RequestHead], bytes | None] | None:
    if balance.algorithm == 'uri':
        length, depth, whole, path_only = balance.length, balance.depth, balance.whole, balance.path_only
        return lambda head: uri_key(head.target, length, depth, whole=whole, path_only=path_only)
    if balance.algorithm == 'url_param':
        mark = balance.name.encode('latin-1', 'replace') + b'='
        return lambda head: parameter(head.target, mark)
    if balance.algorithm == 'hdr':
        name, domain_only = balance.name.lower().encode('latin-1', 'replace'), balance.domain_only
        return lambda head: header(head.values(name), domain_only=domain_only)
    return None


def packed_of(address: str) -> bytes:
    """An IP address as the network has it; nothing for what is none (a unix socket's client)."""
    try:
        return socket.inet_pton(socket.AF_INET6 if ':' in address else socket.AF_INET, address)
    except OSError:
        return b''


def uri_key(target: bytes, length: int, depth: int, *, whole: bool, path_only: bool) -> bytes:
    """The part of a target that `balance uri` hashes: up to `?` unless `whole`, to a length, to so many directories."""
    if path_only:
        target = path_and_query(target)
    if length:
        target = target[:length]
    if not whole:
        target = target.partition(b'?')[0]
    if depth:
        end = -1
        for _ in range(depth + 1):
            end = target.find(b'/', end + 1)
            if end < 0:
                return target
        return target[:end]
    return target


def path_and_query(target: bytes) -> bytes:
    """A target without scheme and authority; nothing for `*` and for an authority alone."""
    if target.startswith(b'/'):
        return target
    scheme, found, rest = target.partition(b'://')
    if not found or b'/' in scheme:
        return b''
    slash = rest.find(b'/')
    return rest[slash:] if slash >= 0 else b''


def parameter(target: bytes, mark: bytes) -> bytes | None:
    """The value of the first parameter that begins with `mark` (its name and `=`) in the query, or None."""
    query = target.partition(b'?')[2]
    if query.startswith(mark):
        start = len(mark)
    else:
        start = query.find(b'&' + mark)
        if start < 0:
            return None
        start += len(mark) + 1
    end = query.find(b'&', start)
    return query[start:] if end < 0 else query[start:end]


def header(values: list[bytes], *, domain_only: bool) -> bytes | None:
    """The first value of the first of these fields, or None when there is none; `domain_only`: see `domain`."""
    if not values:
        return None
    value = _first_of(values[0])
    if not value:
        return None
    return domain(value) if domain_only else value


def _first_of(line: bytes) -> bytes:
    """A field's value up to the first comma outside quotes."""
    if b'"' not in line:
        return line.partition(b',')[0].rstrip(b' \t')
    quoted = escaped = False
    for place in range(len(line)):
        byte = line[place]
        if escaped:
            escaped = False
        elif quoted and byte == 0x5C:
            escaped = True
        elif byte == 0x22:
            quoted = not quoted
        elif byte == 0x2C and not quoted:
            return line[:place].rstrip(b' \t')
    return line


def domain(host: bytes) -> bytes:
    """What is between the last two dots of a host name, `example` of `www.example.com`; with no dot, all of it."""
    end = host.rfind(b'.', 1)
    if end < 0:
        return host
    # a dot just before that one is part of the name, for HAProxy and so here
    return host[host.rfind(b'.', 0, end - 1) + 1 : end]
