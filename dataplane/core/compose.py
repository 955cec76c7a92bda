"""The configuration in force, from its three sources: the file, what the control plane pushed, addresses set at run time.

The file owns its names: a pushed backend that has one of them is refused, and so is a file that takes a pushed name. All
problems are reported at once. Pushed backends and servers may leave their id (and fullconn) to be chosen here; a name keeps
the id it had.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

from dataplane.core.dyncookie import CookieChange, bearing
from dataplane.core.layout import Algorithm
from dataplane.core.limit import declared, default_fullconn
from dataplane.core.model import HASHES, AdminState, Backend, Balance, Route, Server, Snapshot
from dataplane.core.naming import Found, readdressed, renamed, surviving
from dataplane.core.tables import prefix_of
from dataplane.core.weight import UWEIGHT_MAX

_ALGORITHMS: Final[Mapping[str, Algorithm]] = {
    'roundrobin': Algorithm.ROUNDROBIN, 'leastconn': Algorithm.LEASTCONN, 'random': Algorithm.RANDOM,
    'first': Algorithm.FIRST, 'static-rr': Algorithm.STATIC_RR, 'sticky': Algorithm.STICKY,
}  # fmt: skip
FIRST_PROXY_ID: Final = 2

Key = tuple[str, str]
Named = TypeVar('Named', Backend, Server)


def algorithm_of(balance: Balance) -> Algorithm:
    """What stands in the backend's cell. Raises KeyError for a word that nobody knows."""
    if not balance.hashed:
        return _ALGORITHMS[balance.algorithm]
    if not balance.consistent:
        return Algorithm.MAP
    return Algorithm.BOUNDED if balance.factor else Algorithm.RING


class Refused(Exception):
    """A change that cannot be made. Nothing has changed. `backends`: those at fault, where that can be said."""

    def __init__(self, problems: Iterable[str], backends: Iterable[str] = ()) -> None:
        self.problems = tuple(problems)
        self.backends = tuple(backends)
        super().__init__('; '.join(self.problems))


@dataclass(frozen=True, slots=True)
class Sources:
    """Everything a configuration is made of. `states`: the control plane's wishes; `addresses` and `cookies`: set at run time.

    `added` and `removed`: servers that joined or left a backend of the file at run time; `more` and `less`: backends that did.
    All are forgotten with the file. `published`: set at run time, until the file says something else. `found`: what is known of servers
    that nameservers are asked for, while they are declared to ask for the same.
    """

    file: Snapshot = field(default_factory=Snapshot)
    backends: tuple[Backend, ...] = ()
    routes: tuple[Route, ...] = ()
    states: Mapping[Key, tuple[AdminState, int]] = field(default_factory=dict)
    addresses: Mapping[Key, tuple[str, int]] = field(default_factory=dict)
    added: tuple[tuple[str, Server], ...] = ()
    removed: frozenset[Key] = frozenset()
    more: tuple[Backend, ...] = ()
    less: frozenset[str] = frozenset()
    published: Mapping[str, bool] = field(default_factory=dict)
    cookies: Mapping[str, CookieChange] = field(default_factory=dict)
    found: Mapping[Key, Found] = field(default_factory=dict)

    def declared(self) -> dict[Key, Server]:
        """The servers as file, push and additions have them, by (backend, server)."""
        found = {(b.name, s.name): s for b in (*self.file.backends, *self.backends) for s in b.servers}
        return {key: s for key, s in found.items() if key not in self.removed} | {(b, s.name): s for b, s in self.added}

    def asking(self) -> dict[Key, Server]:
        """Those whose addresses nameservers are asked for, as they are at run time."""
        asking = {key: server for key, server in self.declared().items() if server.lookup is not None}
        return {key: self.found[key].on(server) if key in self.found else server for key, server in asking.items()}

    def following(self, file: Snapshot) -> Sources:
        """With another file, which alone says what servers its backends have."""
        said = {backend.name: backend.published for backend in file.backends}
        before = {backend.name: backend.published for backend in self.file.backends}
        kept = {
            name: shown for name, shown in self.published.items() if name in said and said[name] is before.get(name)
        }
        new = replace(self, file=file, added=(), removed=frozenset(), more=(), less=frozenset(), published=kept)
        found = surviving(self.declared(), self.found, new.declared())
        return self._keeping(replace(new, found=found))

    def backing(self, backend: Backend) -> Sources:
        """With one more backend."""
        return replace(self, more=(*self.more, backend))

    def without(self, name: str) -> Sources:
        """Without a backend of the file, or one that was added."""
        shown = {known: published for known, published in self.published.items() if known != name}
        more = tuple(backend for backend in self.more if backend.name != name)
        less = self.less | {name} if any(backend.name == name for backend in self.file.backends) else self.less
        cookies = {known: change for known, change in self.cookies.items() if known != name}
        return replace(self, more=more, less=less, published=shown, cookies=cookies)

    def showing(self, name: str, *, published: bool) -> Sources:
        """With a backend that requests may be sent to, or may not."""
        return replace(self, published={**self.published, name: published})

    @property
    def local(self) -> Iterator[Backend]:
        """The backends of the file as they are at run time, with their servers, newcomers last; addresses are those declared."""
        more: dict[str, list[Server]] = defaultdict(list)
        for name, server in self.added:
            more[name].append(server)
        touched = {name for name, _ in self.removed} | more.keys() | self.published.keys()
        for backend in (*(one for one in self.file.backends if one.name not in self.less), *self.more):
            if backend.name in touched:
                kept = (server for server in backend.servers if (backend.name, server.name) not in self.removed)
                published = self.published.get(backend.name, backend.published)
                yield replace(backend, servers=(*kept, *more[backend.name]), published=published)
            else:
                yield backend

    def adding(self, backend: str, server: Server) -> Sources:
        """With one more server, under a name that the backend does not have."""
        return replace(self, added=(*self.added, (backend, server)))

    def removing(self, key: Key) -> Sources:
        """Without a server of the file, or one that was added."""
        added = tuple((backend, server) for backend, server in self.added if (backend, server.name) != key)
        addresses = {known: address for known, address in self.addresses.items() if known != key}
        kept = {known: found for known, found in self.found.items() if known != key}
        of_the_file = any(b.name == key[0] and any(s.name == key[1] for s in b.servers) for b in self.file.backends)
        removed = self.removed | {key} if of_the_file else self.removed
        return replace(self, added=added, removed=removed, addresses=addresses, found=kept)

    def renaming(self, key: Key, name: str) -> Sources:
        """With another name for a server of the file, or one that was added; it stands behind those that have theirs from the file."""
        backend, server, address = key[0], self.declared()[key], self.addresses.get(key)
        new = self.removing(key).adding(backend, replace(server, name=name))
        if key in self.found:
            new = new.finding({(backend, name): self.found[key]})
        return new if address is None else new.addressed({(backend, name): address})

    def pushing(
        self, backends: Sequence[Backend], routes: Sequence[Route], states: Mapping[Key, tuple[AdminState, int]]
    ) -> Sources:
        """With another wish of the control plane."""
        return self._keeping(replace(self, backends=tuple(backends), routes=tuple(routes), states=dict(states)))

    def addressed(self, addresses: Mapping[Key, tuple[str, int]]) -> Sources:
        """With other addresses for some servers; one whose address nameservers are asked for has it until they say otherwise."""
        asking, plain, found = self.asking(), dict(self.addresses), {}
        for key, address in addresses.items():
            known = readdressed(asking[key], *address) if key in asking else None
            if known is None:
                plain[key] = address
            else:
                found[key] = known
        return replace(self, addresses=plain).finding(found)

    def finding(self, found: Mapping[Key, Found]) -> Sources:
        """With what is known of some servers that nameservers are asked for."""
        return replace(self, found={**self.found, **found}) if found else self

    def asking_for(self, key: Key, fqdn: str) -> Sources:
        """With another host name that a server asks for."""
        server = self.asking().get(key)
        found = None if server is None else renamed(server, fqdn)
        return self if found is None else self.finding({key: found})

    def cooked(self, backend: str, change: CookieChange) -> Sources:
        """With other dynamic cookies of one backend."""
        return replace(self, cookies={**self.cookies, backend: change.over(self.cookies.get(backend))})

    def _keeping(self, new: Sources) -> Sources:
        """What was set at run time lives on while that which it stands in for is still declared."""
        if self.cookies:
            same = {backend.name: bearing(backend) for backend in (*self.local, *self.backends)}
            now = {backend.name: bearing(backend) for backend in (*new.local, *new.backends)}
            cookies = {name: one for name, one in self.cookies.items() if name in now and now[name] == same.get(name)}
            new = replace(new, cookies=cookies)
        if not self.addresses:
            return new
        before, after = self.declared(), new.declared()
        kept = {
            key: address
            for key, address in self.addresses.items()
            if key in after and (after[key].host, after[key].port) == (before[key].host, before[key].port)
        }
        return replace(new, addresses=kept)


_NOTHING: Final = Sources()


def compose(sources: Sources, previous: Snapshot, base: Sources = _NOTHING) -> Snapshot:
    """The configuration in force. Raises Refused with all problems.

    `previous` was composed of `base`: names keep the ids they have there, and a backend that is declared as it was is the
    same object again, so that a change of one backend costs what that backend costs.
    """
    pushed = tuple(replace(backend, pushed=True) for backend in sources.backends)
    kept = _kept(sources, base, previous)
    _check(sources, pushed, kept)
    before = {backend.name: backend for backend in previous.backends if backend.pushed}
    addressed = {backend for backend, _ in (*sources.addresses, *sources.found)}
    composed = [_at_run_time(backend, sources, addressed) for backend in sources.local]
    taken = {backend.id for backend in composed} | {front.id for front in sources.file.frontends}
    for backend in _number(pushed, before, taken, FIRST_PROXY_ID):
        same = kept.get(backend.name)
        if same is None or same.id != backend.id:
            same = _at_run_time(_complete(backend, before.get(backend.name), sources), sources, addressed)
        composed.append(same)
    return replace(sources.file, backends=tuple(composed), routes=sources.routes)


def _kept(sources: Sources, base: Sources, previous: Snapshot) -> dict[str, Backend]:
    """Pushed backends, as they were composed, that nothing speaks for composing again."""
    if sources.file is not base.file:
        return {}
    addressed = {key[0] for key in (*sources.addresses, *base.addresses)}.union(sources.cookies, base.cookies)
    declared_before = {backend.name: backend for backend in base.backends}
    same = {
        backend.name
        for backend in sources.backends
        if backend.name not in addressed and declared_before.get(backend.name) == backend
    }
    return {backend.name: backend for backend in previous.backends if backend.pushed and backend.name in same}


def _complete(backend: Backend, before: Backend | None, sources: Sources) -> Backend:
    """A pushed backend with everything resolved that the compiler resolves in a file."""
    known = {server.name: server for server in before.servers} if before is not None else {}
    servers = []
    for server in _number(backend.servers, known, set(), 1):
        maxconn, minconn = declared(server.maxconn, server.minconn)
        if (maxconn, minconn) != (server.maxconn, server.minconn):
            server = replace(server, maxconn=maxconn, minconn=minconn)
        servers.append(server)
    fullconn = backend.fullconn if backend.fullconn > 0 else default_fullconn(backend, sources.file.frontends)
    return replace(backend, servers=tuple(servers), fullconn=fullconn)


def _number(items: tuple[Named, ...], before: Mapping[str, Named], taken: set[int], first: int) -> tuple[Named, ...]:
    """Items with ids: their own if it is free, that of the same name before, else the lowest free one from `first`."""
    taken = set(taken)
    ids: dict[str, int] = {}
    for wanted in ({i.name: i.id for i in items}, {i.name: before[i.name].id for i in items if i.name in before}):
        for name, number in wanted.items():
            if name not in ids and number > 0 and number not in taken:
                ids[name] = number
                taken.add(number)
    for item in items:
        if item.name not in ids:
            while first in taken:
                first += 1
            ids[item.name] = first
            taken.add(first)
    return tuple(item if item.id == ids[item.name] else replace(item, id=ids[item.name]) for item in items)


def _at_run_time(backend: Backend, sources: Sources, addressed: Collection[str]) -> Backend:
    """The backend with addresses and cookies set at run time; `addressed`: the names of those that have such addresses."""
    if backend.name in sources.cookies:
        backend = sources.cookies[backend.name].of(backend)
    addresses = sources.addresses
    if backend.name not in addressed:
        return backend
    servers = []
    for server in backend.servers:
        key = backend.name, server.name
        if key in sources.found:
            server = sources.found[key].on(server)
        host, port = addresses.get(key, (server.host, server.port))
        servers.append(replace(server, host=host, port=port))
    return replace(backend, servers=tuple(servers))


def _check(sources: Sources, pushed: tuple[Backend, ...], kept: Collection[str]) -> None:
    problems: list[tuple[str, str]] = []
    owned = {backend.name: backend.where for backend in sources.local}
    names = set(owned)
    for backend in pushed:
        if backend.name in owned:
            where = f' ({owned[backend.name]})' if owned[backend.name] else ''
            problems.append((backend.name, f"backend '{backend.name}' belongs to the configuration file{where}"))
        elif backend.name in names:
            problems.append((backend.name, f"backend '{backend.name}' is pushed twice"))
        names.add(backend.name)
        if backend.name not in kept:
            problems.extend((backend.name, problem) for problem in _check_backend(backend))
    seen = set()
    for route in sources.routes:
        where = f"route '{route.host}{route.path_prefix}'"
        if route.backend not in names:
            problems.append((route.backend, f"{where}: no such backend '{route.backend}'"))
        if (key := (route.host, prefix_of(route.path_prefix))) in seen:
            problems.append((route.backend, f'{where} is given twice'))
        seen.add(key)
    if problems:
        raise Refused((text for _, text in problems), dict.fromkeys(name for name, _ in problems))


def _check_backend(backend: Backend) -> list[str]:
    """What a file's compiler would have refused, too."""
    problems = []
    if backend.balance.algorithm not in _ALGORITHMS.keys() | HASHES:
        problems.append(f"backend '{backend.name}': unknown balance algorithm '{backend.balance.algorithm}'")
    if backend.balance.draws < 1:
        problems.append(f"backend '{backend.name}': random needs at least 1 draw, not {backend.balance.draws}")
    seen = set()
    for server in backend.servers:
        where = f"server '{backend.name}/{server.name}'"
        if server.name in seen:
            problems.append(f'{where} is given twice')
        seen.add(server.name)
        if not server.host:
            problems.append(f'{where}: no address')
        for what, value, most in (
            ('port', server.port, 65_535),
            ('weight', server.weight, UWEIGHT_MAX),
            ('maxconn', server.maxconn, None),
            ('minconn', server.minconn, None),
            ('maxqueue', server.maxqueue, None),
        ):
            if value < 0 or (most is not None and value > most):
                problems.append(f'{where}: {what} {value} is out of range')
    return problems
