"""Between the desired state, the data planes and the books of shares: what each of them says, in the others' words."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from controlplane.domain.desired import Desired, Key, Scope
from controlplane.domain.holding import ANY, Holding, held
from controlplane.domain.planes import Plane
from controlplane.domain.shares import Account, Grant, Grants, Shares
from controlplane.domain.version import Version
from dataplane.wire.events import Drained, Hello, Status

Row = tuple[str, str, str, int, int]


class Division:
    """The books (`shares`) of one control plane. `on_due` is called when they are to be looked at (`Sequencer.divide`)."""

    def __init__(self, desired: Desired, version: Version, planes: Iterable[Plane]) -> None:
        self.shares = Shares()
        self.on_due: Callable[[], None] = _nothing
        for plane in planes:
            self.shares.expect(plane.id, stops=plane.stops)
        for backend in desired.state['backends']:
            if limits := divided_limits(desired, backend):
                self.shares.want(backend, limits, version)

    @property
    def is_used(self) -> bool:
        """Whether there is any limit to divide."""
        return bool(self.shares.accounts)

    # what is wanted

    def happened(self, before: Desired, after: Desired, keys: Iterable[Key], version: Version) -> None:
        """The desired state changed by `keys`, at `version`; shares that follow from it go with that very version."""
        for backend in {key.backend or key.name for key in keys if key.kind != 'route'}:
            limits, accounts = divided_limits(after, backend), self.shares.accounts.get(backend, {})
            if not limits and not accounts:
                continue
            there, were = _servers(after, backend), _servers(before, backend)
            self.shares.drop(backend, [name for name in accounts if name in there and name not in limits])
            self.shares.want(backend, limits, version, new=there.keys() - were.keys())
        self.assign(version)

    def assign(self, version: Version) -> None:
        """Book what ought to be assigned now, at `version`, which nobody has been sent yet."""
        self.shares.assign(self.shares.proposed(), version)

    def is_due(self) -> bool:
        """Whether anything is to be assigned."""
        proposal = self.shares.proposed()
        return bool(proposal.shares or proposal.targets)

    def grants(self) -> Mapping[str, Grants]:
        """What every known data plane is to be told now, by its name."""
        return self.shares.grants()

    # data planes

    def joined(
        self, plane: Plane, hello: Hello, rows: Sequence[Row] | None, desired: Desired, head: Version, *, lapsed: bool
    ) -> None:
        """A data plane said hello, and what it holds (None: it does not know how to; then nothing but a new one is trusted)."""
        if rows is not None:
            holdings = self._holdings(rows, hello, desired, lapsed=lapsed)
            self.shares.join(plane.id, holdings, head)
        elif plane.id in self.shares.planes:
            self.shares.back(plane.id)
        else:
            self.shares.join(plane.id, {}, head, complete=not hello.seq)
        if plane.held_back or not plane.durable:
            self.shares.part(plane.id)
        self.on_due()

    def _holdings(self, rows: Iterable[Row], hello: Hello, desired: Desired, *, lapsed: bool) -> dict[Key, Holding]:
        at, holdings = Version(hello.term, hello.seq), {}
        for backend, server, kind, number, flight in rows:
            key = Key('server', server, backend)
            is_divided = self.account(key) is not None
            if not is_divided and server in _servers(desired, backend):
                continue  # its limit is each data plane's own
            share = (number or ANY) if kind == 'own' else number
            if lapsed and (kind == 'share' or hello.on_partition == 'stop'):
                share = 0
            holdings[key] = held(at, share, flight)
        return holdings

    def reachable(self, name: str) -> None:
        """It can be told its shares from now on."""
        self.shares.back(name)
        self.on_due()

    def parted(self, plane: Plane) -> None:
        """Its link is gone."""
        self.shares.part(plane.id)
        self.on_due()

    def left(self, name: str) -> None:
        """It carries no traffic any more."""
        self.shares.leave(name)
        self.on_due()

    def acked(self, plane: Plane, version: Version) -> None:
        """Everything up to `version` is in force there, but for the backends that it keeps as they were."""
        self.shares.acked(plane.id, version, plane.kept.keys())
        self._look()

    def reported(self, name: str, status: Status) -> None:
        """Figures of what is in flight."""
        if self.is_used:
            flights = {Key('server', server, backend): flight for backend, server, flight, _, _ in status.servers}
            self.shares.reported(name, Version(status.term, status.seq), flights)
            self._look()

    def stated(self, name: str, drained: Drained) -> None:
        """Servers that were removed, and in which nothing is in flight any more."""
        if self.is_used:
            gone = {Key('server', server, backend): 0 for backend, server, state in drained.servers if state == 'gone'}
            self.shares.reported(name, Version(drained.term, drained.seq), gone)
            self._look()

    def _look(self) -> None:
        if self.shares.is_dirty:
            self.on_due()

    # for people

    def account(self, key: Key) -> Account | None:
        """The books of one server, if its limit is divided."""
        return self.shares.accounts.get(key.backend, {}).get(key.name)

    def view(self, key: Key) -> dict[str, Any] | None:
        """Who may use how many of a server, None: its limit is not divided. `held`: at most in use, null: not known."""
        account = self.account(key)
        if account is None or account.limit is None:
            return None
        return {
            name: {
                'share': min(holding.share, account.limit),
                'held': holding.bound if holding.bound < ANY else None,
                'due': account.targets.get(name, 0),
            }
            for name, holding in sorted(account.holdings.items())
        }

    def shares_of(self, name: str) -> dict[str, dict[str, int]]:
        """The shares of one data plane, by backend and server."""
        return {
            backend: {server: grant.share for server, grant in sorted(grants.items())}
            for backend, grants in sorted(self.grants().get(name, {}).items())
        }


def divided_limits(desired: Desired, backend: str) -> dict[str, int]:
    """The servers of a backend whose limit is divided over the data planes. An unlimited server has nothing to divide."""
    if desired.scope(backend) is not Scope.DIVIDED:
        return {}
    return {name: spec['maxConn'] for name, spec in _servers(desired, backend).items() if spec['maxConn']}


def reported_grants(rows: Collection[Row]) -> Grants:
    """The shares in the state of a data plane, as it reports them."""
    grants: dict[str, dict[str, Grant]] = {}
    for backend, server, kind, number, _ in rows:
        if kind in {'share', 'due'}:
            grants.setdefault(backend, {})[server] = Grant(number, kind == 'due')
    return grants


def _servers(desired: Desired, backend: str) -> Mapping[str, Mapping[str, Any]]:
    found: Mapping[str, Mapping[str, Any]] = desired.state['backends'].get(backend, {}).get('servers', {})
    return found


def _nothing() -> None:
    """Nobody pushes yet."""
