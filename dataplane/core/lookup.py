"""What is said of names that nameservers of their own are asked for: `resolvers` sections, and what a server wants of one.

Immutable plain data like the rest of the vocabulary (`core.model`); names and defaults are those of HAProxy's configuration
manual, 5.3. Times are milliseconds. What an answer means for servers is `core.naming`'s to say.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final

from dataplane.core.records import by_fields

DEFAULT_INIT: Final = ('last', 'libc', 'none')
"""How a server with `resolvers` gets its first address where `init-addr` says nothing."""
Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class Nameserver:
    """One `nameserver` line; `host` is an address in numbers."""

    name: str
    host: str
    port: int
    tcp: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """For how long after the last valid answer others are passed over, by what they are; `obsolete`: a record that is answered no more."""

    nx: int = 30_000
    refused: int = 30_000
    timeout: int = 30_000
    other: int = 30_000
    valid: int = 10_000
    obsolete: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolvers:
    """One `resolvers` section. `resolve`: from an answer to the next question; `retry`: from one question to the same again."""

    name: str
    nameservers: tuple[Nameserver, ...] = ()
    payload: int = 512
    retries: int = 3
    resolve: int = 1_000
    retry: int = 1_000
    hold: Hold = field(default_factory=Hold)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """What a server asks of the section `resolvers`: the addresses of `name`, or the servers of a service if it begins with `_`.

    `prefer`: 'ipv4' or 'ipv6', which is asked for first; `nets`: networks that go before others; `shares`: addresses may be those of
    others, too; `weighs`: the weight of an SRV record counts. What follows is set at run time: `fqdn`, the name in force where it
    is another one ('' for none), whether it was `renamed`, and `said`, by whom the address was said, or why there is none.
    """

    resolvers: str
    name: str
    init: tuple[str, ...] = DEFAULT_INIT
    prefer: str = 'ipv6'
    nets: tuple[Network, ...] = ()
    shares: bool = False
    weighs: bool = True
    fqdn: str = ''
    renamed: bool = False
    said: str = ''

    @property
    def of(self) -> tuple[str, str]:
        """What it is declared to ask for, and of whom."""
        return self.resolvers, self.name

    @property
    def is_service(self) -> bool:
        """Are SRV records asked for?"""
        return self.name.startswith('_')

    @property
    def host(self) -> str:
        """The host name whose addresses are wanted, '' while a service has none for it."""
        return self.fqdn or ('' if self.is_service else self.name)


def is_address(host: str) -> bool:
    """Is it an address in numbers?"""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


by_fields(Nameserver, Hold, Resolvers, Lookup)
