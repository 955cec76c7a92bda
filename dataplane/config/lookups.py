"""config: words of `server` lines about its name: `resolvers`, `resolve-prefer`, `resolve-net`, `resolve-opts`, `init-addr`."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Final

from dataplane.config.problems import Rejected, shown
from dataplane.core.lookup import DEFAULT_INIT, Network, is_address
from dataplane.wire.unixhost import is_unix

if TYPE_CHECKING:
    from dataplane.config.address import LookUp
    from dataplane.config.draft import ServerDraft

WORDS: Final = frozenset(('resolvers', 'resolve-prefer', 'resolve-net', 'resolve-opts', 'init-addr'))
"""Words of a server line that are read here."""
_METHODS: Final = ('last', 'libc', 'none')
_FAMILIES: Final = ('ipv4', 'ipv6')
_OPTIONS: Final = {
    'allow-dup-ip': ('shares', True), 'prevent-dup-ip': ('shares', False), 'ignore-weight': ('weighs', False),
}  # fmt: skip
_NETWORKS: Final = 5
_LABEL, _NAME = 63, 253


def apply(server: ServerDraft, name: str, value: str) -> None:
    """Take one of `WORDS` into the draft. Raises Rejected."""
    lookup = server.lookup
    match name:
        case 'resolvers':
            server.lookup = replace(lookup, resolvers=value)
        case 'resolve-prefer':
            if value not in _FAMILIES:
                msg = f"'resolve-prefer' expects either ipv4 or ipv6 as argument (got '{shown(value)}')."
                raise Rejected(msg)
            server.lookup = replace(lookup, prefer=value)
        case 'resolve-net':
            server.lookup = replace(lookup, nets=_networks(value))
        case 'resolve-opts':
            for option in value.split(','):
                if option not in _OPTIONS:
                    known = ', '.join(map(repr, _OPTIONS))
                    msg = f"'resolve-opts' : unknown resolve-opts option '{shown(option)}', supported methods are {known}."
                    raise Rejected(msg)
                attribute, flag = _OPTIONS[option]
                server.lookup = replace(server.lookup, **{attribute: flag})  # type: ignore[arg-type]
        case _:
            for method in value.split(','):
                if method not in _METHODS and not is_address(method):
                    known = ', '.join(map(repr, _METHODS))
                    msg = f"'init-addr' : unknown init-addr method '{shown(method)}', supported methods are {known}."
                    raise Rejected(msg)
            server.lookup = replace(lookup, init=tuple(value.split(',')))


def _networks(value: str) -> tuple[Network, ...]:
    found: list[Network] = []
    for text in value.split(','):
        try:
            found.append(ip_network(text, strict=False))
        except ValueError:
            msg = f"'resolve-net' invalid network '{shown(text)}'."
            raise Rejected(msg) from None
    if len(found) > _NETWORKS:
        msg = f"'resolve-net' cannot assign more than {_NETWORKS} networks (got {len(found)})."
        raise Rejected(msg)
    return tuple(found)


def first_address(server: ServerDraft, known: dict[str, str], look_up: LookUp) -> str:
    """Give a server with a name and `resolvers` its first address, as `init-addr` says. Returns a warning, '' for none.

    `known`: what names meant that were looked up already, '' for nothing. What was last known (`last`) is for whoever
    starts with a state file, or goes on, to say. Raises Rejected where no method is left.
    """
    if is_address(server.host) or is_unix(server.host) or not server.lookup.resolvers:
        standing_in = [method for method in server.lookup.init if method not in _METHODS]
        if standing_in and not server.lookup.resolvers:
            msg = f"'init-addr' {standing_in[0]} needs 'resolvers': without, the name is looked up for each connection."
            raise Rejected(msg)
        server.lookup = replace(server.lookup, resolvers='')
        return ''
    name = server.host
    labels = name.removesuffix('.').split('.')
    if len(name) > _NAME or not all(0 < len(label) <= _LABEL for label in labels):
        msg = f"failed to parse FQDN '{shown(name)}'."
        raise Rejected(msg)
    server.lookup = replace(server.lookup, name=name, init=server.lookup.init or DEFAULT_INIT)
    if server.lookup.is_service:
        return ''
    problem = ''
    for method in server.lookup.init:
        if method == 'none':
            return f'{problem}, disabling server.' if problem else ''
        if method == 'libc':
            if name not in known:
                known[name] = _looked_up(name, look_up)
            if known[name]:
                server.host = known[name]
                return ''
            problem = f"could not resolve address '{name}'"
        elif method != 'last':
            server.host = str(ip_address(method))
            return f'{problem}, falling back to configured address.' if problem else ''
    msg = f"could not resolve address '{name}'."
    raise Rejected(msg)


def _looked_up(name: str, look_up: LookUp) -> str:
    try:
        return look_up(name)
    except OSError:
        return ''
