"""Small worlds around the real books of shares: data planes, links and a control plane that crash, part and come back.

The books (`controlplane.domain.shares`) are the real ones; what surrounds them here obeys the rules that docs/protocol.md
states: one parcel under way per link, answers in order, a hello that says what is in force, a lease that a data plane with
`stop` does not outlive. What a state is can be told by its key; what may come next are the steps of `shares_explore`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from controlplane.domain.desired import Key
from controlplane.domain.holding import Holding, held
from controlplane.domain.shares import Account, Shares
from controlplane.domain.version import NOTHING, Version

Counts = tuple[int, ...]  # by server


class Told(NamedTuple):
    """A version and the shares that go with it."""

    version: Version
    shares: Counts


class Says(NamedTuple):
    """On the way up: an acknowledgement (`flight` None), or what was in flight at that version."""

    version: Version
    flight: Counts | None


class DataPlane(NamedTuple):
    """One data plane and its link. `held` is what the control plane takes it to have, `parcel` what is under way to it.

    `adopting`: in force, and neither kept nor acknowledged yet. `disk` None: nothing that may be used after a start.
    """

    alive: bool
    force: Told
    disk: Told | None
    flight: Counts
    lapsed: bool
    linked: bool = False
    held: Told | None = None
    confirmed: bool = False
    parcel: Told | None = None
    adopting: bool = False
    up: tuple[Says, ...] = ()

    def may_use(self, server: int) -> int:
        """How many slots of a server it may use at this moment."""
        return self.force.shares[server] if self.alive and not self.lapsed else 0

    def has(self, server: int) -> int:
        """What counts against the limit."""
        return max(self.may_use(server), self.flight[server])


@dataclass(frozen=True)
class World:
    """`limits` by server. `stops`: by data plane, whether it stops on a partition. `away`: how many join only later.

    `changes`: (server, new limit), in this order; a limit of 0: the server is removed.
    """

    limits: Counts
    stops: tuple[bool, ...]
    away: int = 0
    partitions: int = 0
    kills: int = 0
    leaves: int = 0
    restarts: int = 0
    dismissals: int = 0
    changes: tuple[tuple[int, int], ...] = ()

    @property
    def planes(self) -> list[str]:
        """Their names."""
        return [f'd{number}' for number in range(len(self.stops))]

    def servers(self) -> list[Key]:
        """The servers, by number."""
        return [Key('server', f's{number}', 'b') for number in range(len(self.limits))]


class State:
    """One state of a world. `ceiling`: by server, what may be booked: the limit, or what was when it was lowered."""

    __slots__ = ('books', 'ceiling', 'change', 'dismissed', 'dps', 'head', 'left', 'limits', 'w')

    def __init__(self, world: World) -> None:
        nothing = Told(NOTHING, (0,) * len(world.limits))
        self.w = world
        self.books, self.head = Shares(), Version(1, 1)
        self.limits, self.ceiling, self.change = world.limits, world.limits, 0
        self.dps = [DataPlane(False, nothing, None, nothing.shares, stops) for stops in world.stops]
        self.dismissed = 0
        self.left = [world.partitions, world.kills, world.leaves, world.restarts, world.dismissals, world.away]
        self.books.want('b', named(self.limits), self.head, new=[key.name for key in world.servers()])
        for number in range(len(self.dps) - world.away):
            self.start(number)

    def clone(self) -> State:
        """A copy that may be changed."""
        n = object.__new__(State)
        n.w, n.head, n.limits, n.ceiling, n.change = self.w, self.head, self.limits, self.ceiling, self.change
        n.books, n.dps, n.left, n.dismissed = copied(self.books), self.dps[:], self.left[:], self.dismissed
        return n

    def put(self, number: int, **values: Any) -> None:
        """Change a data plane."""
        self.dps[number] = self.dps[number]._replace(**values)

    def start(self, number: int) -> None:
        """It starts from what its disk says; with `stop` it may use nothing before it has a lease."""
        dp = self.dps[number]
        force = dp.disk or Told(NOTHING, (0,) * len(self.limits))
        self.put(number, alive=True, force=force, lapsed=self.w.stops[number])

    def unlink(self, number: int) -> None:
        """The link is gone, and what was on it. What has begun to be applied is finished."""
        self.put(number, linked=False, held=None, confirmed=False, parcel=None, up=())
        self.books.part(self.w.planes[number])

    def key(self) -> tuple[Any, ...]:
        """Equal for states that behave alike: of versions only the order matters."""
        versions = {self.head, NOTHING}
        for dp in self.dps:
            told = (dp.force, dp.disk, dp.held, dp.parcel)
            versions.update(one.version for one in told if one is not None)
            versions.update(says.version for says in dp.up)
        accounts = self.books.accounts.get('b', {})
        for account in accounts.values():
            versions.update(at for holding in account.holdings.values() for at, _ in holding.sent)
        rank = {version: number for number, version in enumerate(sorted(versions))}
        dps = tuple(
            (
                *(None if told is None else (rank[told[0]], told[1]) for told in (dp[1], dp[2], dp[6], dp[8])),
                (dp[0], dp[3], dp[4], dp[5], dp[7], dp[9]),
                *((rank[at], flight) for at, flight in dp.up),
            )
            for dp in self.dps
        )
        books = tuple(
            (name, account.limit, ranked(account.holdings, rank), tuple(sorted(account.targets.items())))
            for name, account in sorted(accounts.items())
        )
        flags = tuple(sorted(self.books.planes.items())), tuple(sorted(self.books._silent)), bool(self.books._dirty)
        return (dps, books, flags, rank[self.head], self.limits, self.ceiling, self.change, tuple(self.left))

    # what holds

    def actual(self, server: int) -> int:
        """What all data planes together may use or have in flight."""
        return sum(dp.has(server) for n, dp in enumerate(self.dps) if not self.dismissed & 1 << n)

    def account(self, server: int) -> Account | None:
        """The books of a server."""
        return self.books.accounts.get('b', {}).get(f's{server}')

    def broken(self) -> str | None:
        """Which promise does not hold, in words."""
        for server, limit in enumerate(self.limits):
            account = self.account(server)
            booked = 0 if account is None else account.booked
            for number, dp in enumerate(self.dps):
                bound = self._bound(server, number)
                if dp.has(server) > bound:
                    return f'S1: d{number} may use or has {dp.has(server)} of s{server}, booked are {bound}'
            if limit and self._all_heard(server) and booked > max(limit, self.ceiling[server]):
                return f'S2: {booked} of s{server} are booked, the limit is {limit}'
            if limit and self.actual(server) > max(limit, self.ceiling[server]):
                return f'the limit of s{server} is {limit}, {self.actual(server)} are in use'
        return None

    def _bound(self, server: int, number: int) -> int:
        account = self.account(server)
        if self.dismissed & 1 << number:
            return 2**50
        if account is None:  # of a server that was removed nothing is booked of who is silent, until there is one again
            return 2**50 if f'd{number}' in self.books._silent else 0
        return account.holdings.get(f'd{number}', held(NOTHING, 0, 0)).bound

    def _all_heard(self, server: int) -> bool:
        account = self.account(server)
        return account is not None and account.booked < 2**40

    def lower_ceilings(self) -> None:
        """What may be booked above a lowered limit never rises again."""
        if self.ceiling == self.limits:
            return
        self.ceiling = tuple(
            min(ceiling, max(limit, account.booked if (account := self.account(server)) else 0))
            for server, (limit, ceiling) in enumerate(zip(self.limits, self.ceiling, strict=True))
        )


def ranked(holdings: Mapping[str, Holding], rank: Mapping[Version, int]) -> tuple[Any, ...]:
    """Holdings with the order of versions instead of versions."""
    return tuple(
        (name, tuple((rank[at], share) for at, share in holding.sent), holding.flight)
        for name, holding in sorted(holdings.items())
    )


def named(limits: Iterable[int]) -> dict[str, int]:
    """The limits by the servers' names, of those that there are."""
    return {f's{server}': limit for server, limit in enumerate(limits) if limit}


def copied(books: Shares) -> Shares:
    """Independent books that say the same."""
    n = Shares()
    n.accounts = {
        backend: {
            name: Account(account.limit, dict(account.holdings), dict(account.targets))
            for name, account in accounts.items()
        }
        for backend, accounts in books.accounts.items()
    }
    n.planes, n._silent, n._dirty = dict(books.planes), dict(books._silent), set(books._dirty)
    n._unsettled = {plane: set(keys) for plane, keys in books._unsettled.items()}
    n._stale = {*books.accounts}
    return n


STOP, KEEP = True, False
WORLDS: dict[str, World] = {
    'join': World((2,), (STOP, STOP), away=1),
    'one slot': World((1,), (STOP, STOP), away=1, partitions=1),
    'no slot': World((1,), (KEEP, STOP, STOP)),
    'scale out': World((3,), (STOP, KEEP), away=1),
    'leave': World((2,), (STOP, KEEP), leaves=1),
    'lower, alone': World((2,), (KEEP,), changes=((0, 1),)),
    'lower, part': World((2,), (STOP,), changes=((0, 1),), partitions=1),
    'part, alone': World((1,), (STOP,), partitions=1),
    'part': World((1,), (STOP, STOP), partitions=1),
    'part, keep': World((1,), (KEEP, KEEP), partitions=2),
    'kill': World((1,), (STOP, KEEP), kills=1),
    'restart': World((1,), (STOP, KEEP), restarts=1),
    'restart, join': World((1,), (STOP, KEEP), away=1, restarts=1),
    'lower and raise': World((2,), (STOP,), changes=((0, 1), (0, 3)), away=1),
    'two servers': World((1, 1), (STOP, KEEP), away=1),
    'dismiss': World((1,), (KEEP, KEEP), partitions=1, dismissals=1),
}
"""Small enough to be walked to their end: 300 to 31,000 states."""

WIDE: dict[str, World] = {
    'kill, keep': World((2,), (KEEP, KEEP), kills=1),
    'restart, keep': World((2,), (KEEP, KEEP), restarts=1),
    'lower': World((3,), (KEEP, KEEP), changes=((0, 1),)),
    'remove': World((1,), (STOP, KEEP), changes=((0, 0), (0, 1))),
    'remove, restart': World((1,), (STOP, STOP), changes=((0, 0), (0, 1)), restarts=1),
    'kill and part': World((1,), (STOP, KEEP), kills=1, partitions=1),
    'restart, kill': World((2,), (STOP, STOP), restarts=1, kills=1),
    'restarts': World((1,), (STOP, KEEP), restarts=2, partitions=1),
    'remove, part': World((2,), (STOP, KEEP), changes=((0, 0), (0, 1)), partitions=1),
    'two servers, part': World((1, 1), (STOP, STOP), partitions=1),
    'three': World((2,), (STOP, STOP, STOP), partitions=1, away=1),
}
"""Too large to be walked to their end: what is nearest to the beginning. Each mutant breaks in one of all these worlds."""
