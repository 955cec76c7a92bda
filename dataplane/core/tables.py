"""The tables streams are routed by: a whole configuration with the board's index of everything that has cells.

Immutable; every structural change makes new ones with the next number, every worker prepares them beside those in use,
and the board's TABLES cell says which are in force. What cells say (weights, limits, states) is not to be read here: a
cell change does not make new tables.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from dataplane.core.model import Backend, Frontend, Route, Server, Snapshot
from dataplane.core.records import by_fields

ROUTE_HOSTS_ANY = ''


@dataclass(frozen=True)
class Tables:
    """A configuration and its indexes. `members`: the servers of a backend in configuration order.

    `listeners`: frontend and address of what is counted for itself (`option socket-stats`).
    """

    number: int
    snapshot: Snapshot = field(default_factory=Snapshot)
    frontends: dict[int, Frontend] = field(default_factory=dict)
    backends: dict[int, Backend] = field(default_factory=dict)
    servers: dict[int, Server] = field(default_factory=dict)
    members: dict[int, tuple[int, ...]] = field(default_factory=dict)
    listeners: dict[int, tuple[str, str]] = field(default_factory=dict)
    _frontends: dict[str, int] = field(init=False, repr=False, compare=False)
    _backends: dict[str, int] = field(init=False, repr=False, compare=False)
    _servers: dict[tuple[str, str], int] = field(init=False, repr=False, compare=False)
    _listeners: dict[tuple[str, str], int] = field(init=False, repr=False, compare=False)
    _routes: dict[str, dict[str, int]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, '_frontends', {frontend.name: index for index, frontend in self.frontends.items()})
        put(self, '_backends', {backend.name: index for index, backend in self.backends.items()})
        put(
            self,
            '_servers',
            {
                (self.backends[backend].name, self.servers[server].name): server
                for backend, servers in self.members.items()
                for server in servers
            },
        )
        put(self, '_listeners', {place: index for index, place in self.listeners.items()})
        put(self, '_routes', self._index_routes(self.snapshot.routes))

    def _index_routes(self, routes: tuple[Route, ...]) -> dict[str, dict[str, int]]:
        index: dict[str, dict[str, int]] = {}
        for route in routes:
            index.setdefault(route.host, {})[prefix_of(route.path_prefix)] = self._backends[route.backend]
        return index

    def frontend_of(self, name: str) -> int | None:
        """Index of a frontend, None if there is none of that name."""
        return self._frontends.get(name)

    def listener_of(self, frontend: str, address: str) -> int | None:
        """Index of a listening address, None if it is not counted for itself."""
        return self._listeners.get((frontend, address))

    def backend_of(self, name: str) -> int | None:
        """Index of a backend, None if there is none of that name."""
        return self._backends.get(name)

    def eligible(self, backend: int, *, forced: bool = False) -> bool:
        """May a request be sent to this backend by `use_backend`, `default_backend` or a route? `forced`: by `force-be-switch`, too."""
        known = self.backends[backend]
        return known.mode == 'http' and (forced or (known.published and not known.disabled))

    def server_of(self, backend: str, server: str) -> int | None:
        """Index of a server, None if that backend has none of that name."""
        return self._servers.get((backend, server))

    def route(self, host: str, path: str) -> int | None:
        """Index of the backend that a pushed route names for a request, or None.

        `host` as in the request (any case, with or without port), `path` as in the request target. The exact host is
        asked first, then `*.` with its first label taken off, then routes for any host; in each the longest path prefix
        that ends at a `/` or at the path's end wins.
        """
        if not self._routes:
            return None
        host = bare_host(host)
        path = path.partition('?')[0]
        for name in (host, '*.' + host.partition('.')[2], ROUTE_HOSTS_ANY):
            prefixes = self._routes.get(name)
            if prefixes is not None and (found := _longest(prefixes, path)) is not None:
                return found
        return None


by_fields(Tables)


def prefix_of(path_prefix: str) -> str:
    """The form a prefix is looked up in: `/a/` and `/a` are one prefix, `/` is the empty one."""
    return path_prefix.rstrip('/')


def bare_host(host: str) -> str:
    """A host as routes name it: lower case, no port, no dot at the end. `[::1]:80` is `[::1]`."""
    end = host.rfind(':')
    if end > host.rfind(']'):
        host = host[:end]
    return host.lower().removesuffix('.')


def _longest(prefixes: dict[str, int], path: str) -> int | None:
    """Prefixes are tried from the whole path down to the empty one, a segment at a time."""
    end = len(path)
    while end > 0:
        found = prefixes.get(path[:end])
        if found is not None:
            return found
        end = path.rfind('/', 0, end)
    return prefixes.get('')
