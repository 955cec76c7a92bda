"""What answers of nameservers mean for the servers that want their addresses. Pure; who asks is `supervisor.naming`.

A server whose name has no address has the name for one, and is in maintenance by that alone (RMAINT of `core.admin`): flag and
address cannot disagree, since one follows from the other. What must hold of `shared` and `seated`:

N1  An address is given to one server of a backend, unless the server may share it; an SRV record always to one.
N2  A server keeps what it has while that is in the answer. Where two have the same, the first declared keeps it.
N3  Nobody is without while something that it may have is left.
N4  The order of an answer does not matter.

An answer is true from when it came, and may be late: each change says what it was made from (`was`), and is passed over when that
is not so any more (`named`). Then the next answer says it again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Final

from dataplane.core.lookup import Lookup, Network, is_address
from dataplane.core.model import Server

Key = tuple[str, str]

NO_IP: Final = 'No IP for server '
NO_RECORD: Final = 'entry removed from SRV record'
CACHE: Final = 'DNS cache'
ADDITIONAL: Final = 'DNS additional record'
BY_HAND: Final = 'by hand'
_STEP: Final = 256
"""An SRV weight is 0 to 65535, a server's 0 to 256: 0 stays 0, and nothing else becomes it."""


@dataclass(frozen=True, slots=True)
class Found:
    """What is known at run time of a server that asks for `of`: address ('' for none), port and name.

    `renamed`: the name is another than the declared one; `said`: by whom, or why there is no address.
    """

    of: tuple[str, str]
    host: str = ''
    port: int = 0
    fqdn: str = ''
    renamed: bool = False
    said: str = ''

    def on(self, server: Server) -> Server:
        """The server as it is with that; one that asks for something else by now is as it was."""
        lookup = server.lookup
        if lookup is None or lookup.of != self.of:
            return server
        lookup = replace(lookup, fqdn=self.fqdn, renamed=self.renamed, said=self.said)
        return replace(server, host=self.host or lookup.name, port=self.port, lookup=lookup)


@dataclass(frozen=True, slots=True)
class Renewed:
    """A server that is to become what was `found`, provided that it still is what it `was`."""

    backend: str
    server: str
    was: Found
    found: Found


def found_of(server: Server) -> Found | None:
    """What is known of a server that asks; None for one that does not."""
    lookup = server.lookup
    if lookup is None:
        return None
    host = server.host if is_address(server.host) else ''
    return Found(lookup.of, host, server.port, lookup.fqdn, lookup.renamed, lookup.said)


def lacks_address(server: Server) -> bool:
    """Is it in maintenance for want of an address?"""
    return server.lookup is not None and not is_address(server.host)


def named(servers: Mapping[Key, Server], renewed: Iterable[Renewed]) -> dict[Key, Found]:
    """Those of the changes that still mean the servers as they are."""
    kept = {}
    for one in renewed:
        server = servers.get((one.backend, one.server))
        if server is not None and found_of(server) == one.was:
            kept[one.backend, one.server] = one.found
    return kept


def surviving(
    before: Mapping[Key, Server], found: Mapping[Key, Found], after: Mapping[Key, Server]
) -> dict[Key, Found]:
    """What lives on behind another declaration: of each server that asks for the same, unless nothing was known of it."""
    kept = {}
    for key, server in after.items():
        old = before.get(key)
        known = None if old is None else found.get(key) or found_of(old)
        if old is None or known is None or server.lookup is None or server.lookup.of != known.of:
            continue
        if known.host or known.fqdn:
            kept[key] = known if old.port == server.port else replace(known, port=server.port)
    return kept


def renamed(server: Server, fqdn: str) -> Found | None:
    """A server that asks for another host name and keeps its address until there is an answer; None for one that does not ask."""
    found = found_of(server)
    return None if found is None else replace(found, fqdn=fqdn, renamed=True, said='')


def readdressed(server: Server, host: str, port: int) -> Found | None:
    """A server with an address that a person gave it; None for one that does not ask."""
    found = found_of(server)
    return None if found is None else replace(found, host=host, port=port, said=BY_HAND)


def weight_of(record: int) -> int:
    """The weight of a server by that of its SRV record."""
    return (record + _STEP - 1) // _STEP


# -- addresses -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wanting:
    """A server of one backend that wants an address of a name: the one it has ('' for none), and what it prefers."""

    key: Key
    host: str
    lookup: Lookup


def shared(wanting: Sequence[Wanting], addresses: Collection[str]) -> dict[Key, str]:
    """The address of each of these servers, which are of one backend and in the order of their declaration; '' for none."""
    used: Counter[str] = Counter()
    given: dict[Key, str] = {}
    for one in wanting:
        if one.host in addresses and (one.lookup.shares or not used[one.host]):
            given[one.key] = one.host
            used[one.host] += 1
    lacking = [one for one in wanting if one.key not in given]
    left = set(addresses) - used.keys()
    ranked: dict[tuple[str, tuple[Network, ...]], list[tuple[str, int]]] = {}
    for one in lacking:
        if not (left or (one.lookup.shares and addresses)):
            given[one.key] = ''
            continue
        likes = one.lookup.prefer, one.lookup.nets
        if likes not in ranked:
            ranked[likes] = _ranked(addresses, one.lookup)
        address = _best(ranked[likes], left, shares=one.lookup.shares)
        left.discard(address)
        given[one.key] = address
    return given


def _ranked(addresses: Iterable[str], lookup: Lookup) -> list[tuple[str, int]]:
    """HAProxy's order: the family goes before the network. Of equals the lowest comes first, so that answers have no order."""
    rated = []
    for address in addresses:
        found = ip_address(address)
        family = (found.version == 4) == (lookup.prefer == 'ipv4')
        network = any(found.version == net.version and found in net for net in lookup.nets)
        rated.append((-2 * family - network, found.version, int(found), address))
    return [(address, rate) for rate, _, _, address in sorted(rated)]


def _best(ranked: Sequence[tuple[str, int]], left: Collection[str], *, shares: bool) -> str:
    """The first that nobody has; who may share takes none that is worse than the first of all."""
    worst = ranked[0][1] if shares else 0
    unused = (address for address, rate in ranked if address in left and rate <= worst)
    return next(unused, ranked[0][0] if shares else '')


def preferred(addresses: Collection[str], host: str, lookup: Lookup) -> str:
    """Of the addresses that came along with an SRV record: the one it has if it is among them, else the best; '' of none."""
    return shared([Wanting(('', ''), host, lookup)], addresses)['', '']


# -- services --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Target:
    """An SRV record: a host name and a port, the weight it says, and the addresses that came along."""

    host: str
    port: int
    weight: int = 0
    addresses: frozenset[str] = frozenset()

    @property
    def place(self) -> tuple[str, int]:
        """Which record it is."""
        return self.host, self.port


@dataclass(frozen=True, slots=True)
class Seat:
    """A server of a service: the host name ('' for none) and port it has, and since when it has had none, in ms, 0 for ever."""

    key: Key
    fqdn: str
    port: int
    since: int = 0


def seated(seats: Sequence[Seat], targets: Iterable[Target]) -> dict[Key, Target | None]:
    """The record of each server of a service in one backend; None for those that have none. Who waited longest gets the next; who loses its own
    in the same answer has only begun to wait.
    """
    left = {target.place: target for target in targets}
    given: dict[Key, Target | None] = {}
    for seat in seats:
        target = left.pop((seat.fqdn, seat.port), None) if seat.fqdn else None
        if target is not None:
            given[seat.key] = target
    free = sorted((seat for seat in seats if seat.key not in given), key=lambda seat: (bool(seat.fqdn), seat.since))
    rest = [left[place] for place in sorted(left)]
    for at, seat in enumerate(free):
        given[seat.key] = rest[at] if at < len(rest) else None
    return given
