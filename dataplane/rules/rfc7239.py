"""Rules: what a Forwarded field says (RFC 7239, chapter 4 and 6), strictly by its grammar."""

from __future__ import annotations

import re
from typing import Final

from dataplane.rules.samples import Address, IPv4, IPv6, parse_address

PARAMETERS: Final = ('by', 'for', 'host', 'proto')
_PAIR: Final = re.compile(
    rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+)=(?:([!#$%&'*+.^_`|~0-9A-Za-z-]+)|\"((?:[^\"\\\x00-\x08\x0a-\x1f\x7f]|\\[^\x00-\x08\x0a-\x1f\x7f])*)\")"
)
_QUOTED: Final = re.compile(rb'\\(.)')
_NODE: Final = re.compile(rb'(\[[0-9A-Fa-f:.]+\]|[^:\[\]]+)(?::([0-9]{1,5}|_[0-9A-Za-z._-]+))?')
_OBFUSCATED: Final = re.compile(rb'_[0-9A-Za-z._-]+')
_HOST: Final = re.compile(rb"(?:\[[0-9A-Fa-fv:.!$&'()*+,;=_~-]+\]|[0-9A-Za-z._~!$&'()*+,;=%-]+)(?::[0-9]{0,5})?")
_SCHEME: Final = re.compile(rb'[A-Za-z][A-Za-z0-9+.-]*')
_UNKNOWN: Final = b'unknown'


def elements(value: bytes) -> list[dict[str, bytes]] | None:
    """The parameters of each element, names in lower case, quotes gone; None of a value that is not as it should be."""
    found: list[dict[str, bytes]] = []
    at, current = 0, dict[str, bytes]()
    while True:
        pair = _PAIR.match(value, at)
        if pair is None:
            return None
        name = pair[1].lower().decode()
        text = pair[2] if pair[2] is not None else _QUOTED.sub(rb'\1', pair[3])
        if name in current or not _is_valid(name, text):
            return None
        current[name] = text
        at = pair.end()
        if value.startswith(b';', at):
            at += 1
            continue
        found.append(current)
        rest = value[at:].lstrip(b' \t')
        if not rest:
            return found
        if not rest.startswith(b','):
            return None
        at = len(value) - len(rest[1:].lstrip(b' \t'))
        current = {}


def _is_valid(name: str, text: bytes) -> bool:
    if name in ('by', 'for'):
        return node_name(text) is not None
    if name == 'host':
        return _HOST.fullmatch(text) is not None
    return name != 'proto' or _SCHEME.fullmatch(text) is not None


def parameter(value: bytes, name: str) -> bytes | None:
    """A parameter of the first element that has it; None where there is none, or the value is not as it should be."""
    return next((one[name] for one in elements(value) or () if name in one), None)


def node_name(node: bytes) -> Address | bytes | None:
    """Who a node is: an address, `unknown` or an obfuscated name. None of what is no node."""
    found = _NODE.fullmatch(node)
    if found is None:
        return None
    name = found[1]
    if name.startswith(b'['):
        address = parse_address(name[1:-1].decode())
        return address if type(address) is IPv6 else None
    if name.lower() == _UNKNOWN or _OBFUSCATED.fullmatch(name):
        return name
    address = parse_address(name.decode('latin-1'))
    return address if type(address) is IPv4 else None


def node_port(node: bytes) -> int | bytes | None:
    """The port of a node, a number or an obfuscated name; None where there is none."""
    found = _NODE.fullmatch(node)
    if found is None or found[2] is None or node_name(node) is None:
        return None
    if found[2].startswith(b'_'):
        return found[2]
    port = int(found[2])
    return port if port < 65_536 else None


def is_obfuscated(text: bytes) -> bool:
    """May a node or a port be called so?"""
    return _OBFUSCATED.fullmatch(text) is not None
