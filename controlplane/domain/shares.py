"""Limits that hold over all data planes together (`limitScope: divided`): who may use how much of which server.

What must hold, for every server with such a limit, at every instant, whatever is lost, late or dead:

- S1  The sum over all known data planes of max(what it may use, what it has in flight) is at most what is booked here.
- S2  Nothing is booked that takes the sum of what is booked above the limit. (A limit lowered later, or a scope changed to
      divided, may leave more booked; then nothing more is booked until it fits again.)
- S3  Whoever can be told has a share of the limit, less what those hold who cannot be told: as equal as whole numbers allow
      (the largest remainder), the remainders of a backend's servers spread over the data planes to within one.
- S4  *Due* says that a share of none is for now only: no more is needed for one than that those who can be told do as they are
      told and finish what they have in flight.

From S1 and S2 the promise follows: with `on-partition stop`, where a data plane is known for as long as it may use or have
anything, the sum over *all* data planes never exceeds a limit that is not lowered. With `keep` a data plane that cannot be
reached keeps what it holds, and nobody else gets it; the sum over all data planes then exceeds the limit by no more than what
those hold who were declared gone (by a person, or with their pod) and are not.

So shares are lowered first and raised when that has been acknowledged *and* what was in flight above them has ended
(`holding`). A data plane of which nothing is known yet - this control plane has just started - may hold anything:
until it has reported nobody is given more, and nobody has to give anything up for it either.

Nothing here waits or sends. `proposed` says what ought to be assigned now, `assign` books it at a version.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from controlplane.domain.desired import Key
from controlplane.domain.holding import ANY, NONE, UNKNOWN, Holding
from controlplane.domain.version import Version


class Grant(NamedTuple):
    """What a data plane is told of a server: how many it may use, and with none whether some are to come."""

    share: int
    due: bool = False


NO_GRANT = Grant(0)
Grants = Mapping[str, Mapping[str, Grant]]
"""By backend and server, of one data plane. What did not change is the same object."""


@dataclass(slots=True)
class Account:
    """One server. `limit` None: it was removed, and is kept until nobody has anything of it in flight."""

    limit: int | None
    holdings: dict[str, Holding]
    targets: dict[str, int] = field(default_factory=dict)

    @property
    def booked(self) -> int:
        """The sum of all bounds."""
        return sum(holding.bound for holding in self.holdings.values())


class Proposal(NamedTuple):
    """Shares to assign, and everybody's targets, by server."""

    shares: Mapping[Key, Mapping[str, int]]
    targets: Mapping[Key, Mapping[str, int]]


class Shares:
    """The books. Data planes are known by name; `reachable` are those that can be told something."""

    def __init__(self) -> None:
        self.accounts: dict[str, dict[str, Account]] = {}
        self.planes: dict[str, bool] = {}
        self._unsettled: dict[str, set[Key]] = {}
        self._silent: dict[str, Holding] = {}  # of whom nothing was heard yet -> what it may have of a server new to us
        self._dirty: set[str] = set()  # backends to be divided anew
        self._stale: set[str] = set()  # backends whose grants are to be written anew
        self._grants: dict[str, Grants] = {}

    # what is wanted

    def want(self, backend: str, limits: Mapping[str, int], version: Version, *, new: Collection[str] = ()) -> None:
        """From `version` on these servers of `backend` have these limits (all above 0), and no other of it has one.

        `new`: servers that no data plane has ever been told of before `version`.
        """
        accounts = self.accounts.setdefault(backend, {})
        for name, limit in limits.items():
            key = Key('server', name, backend)
            account = accounts.get(name) or self._open(key, {} if name in new else dict.fromkeys(self.planes, UNKNOWN))
            account.limit = limit
        for name in accounts.keys() - limits.keys():
            self._close(Key('server', name, backend), accounts[name], version)
        self._sweep(backend)

    def drop(self, backend: str, servers: Iterable[str]) -> None:
        """These servers are there and have no limit of this kind any more: what is held of them does not matter."""
        accounts = self.accounts.get(backend, {})
        for name in servers:
            if accounts.pop(name, None) is not None:
                self._forget(Key('server', name, backend))
        self._sweep(backend)

    def _open(self, key: Key, holdings: Mapping[str, Holding]) -> Account:
        """Begin to count a server. Who is not in `holdings` has nothing of it, or is silent."""
        account = Account(None, {p: holdings.get(p, self._silent.get(p, NONE)) for p in self.planes})
        self.accounts.setdefault(key.backend, {})[key.name] = account
        self._look(key)
        return account

    def _close(self, key: Key, account: Account, version: Version) -> None:
        """The server is removed at `version`: who applies that uses none of it, and may have something in flight."""
        if account.limit is not None:
            account.limit, account.targets = None, {}
            for name, holding in account.holdings.items():
                account.holdings[name] = holding.assigned(version, 0)
            self._look(key)

    # data planes

    def expect(self, plane: str, *, stops: bool) -> None:
        """It is known, and nothing is known of what it holds, until it says so or - if it `stops` - its lease ends.

        Of a server that comes to be only now it holds nothing, unless there was one of that name before. Where its silence
        ends by itself even that is not taken for granted.
        """
        self.planes[plane] = False
        self._silent[plane] = UNKNOWN if stops else NONE
        for backend, accounts in self.accounts.items():
            for name, account in accounts.items():
                account.holdings[plane] = UNKNOWN
                account.targets.pop(plane, None)
                self._look(Key('server', name, backend))
        self._changed()

    def join(self, plane: str, holdings: Mapping[Key, Holding], version: Version, *, complete: bool = True) -> None:
        """It is there, can be told, and says what it holds; with `complete` what it does not speak of it does not have.

        `holdings` may speak of servers that there are not: at `version` or before they were removed.
        """
        self.planes[plane] = True
        if complete:
            self._silent.pop(plane, None)
        for key, holding in holdings.items():
            if holding.bound and key.name not in self.accounts.get(key.backend, {}):
                self._open(key, {plane: holding})
        self._unsettled[plane] = set()
        for backend, accounts in self.accounts.items():
            for name, account in accounts.items():
                key = Key('server', name, backend)
                holding = holdings.get(key, NONE if complete else UNKNOWN)
                if account.limit is None and holding.share:
                    holding = holding.assigned(version, 0)
                account.holdings[plane] = holding
                account.targets[plane] = min(holding.share, account.limit or 0)
                self._look(key)
        self._changed()

    def back(self, plane: str) -> None:
        """It can be told again, and holds no more than is booked."""
        self.planes[plane] = True
        self._changed()

    def part(self, plane: str) -> None:
        """It cannot be told anything for now. What it holds it holds."""
        if self.planes.get(plane):
            self.planes[plane] = False
            self._changed()

    def leave(self, plane: str) -> None:
        """It holds nothing any more."""
        if self.planes.pop(plane, None) is None:
            return
        self._unsettled.pop(plane, None)
        self._grants.pop(plane, None)
        self._silent.pop(plane, None)
        for backend, accounts in tuple(self.accounts.items()):
            for account in accounts.values():
                account.holdings.pop(plane, None)
                account.targets.pop(plane, None)
            self._sweep(backend)
        self._changed()

    def acked(self, plane: str, version: Version, kept: Collection[str] = ()) -> None:
        """Everything up to `version` is in force there, but of the backends `kept` it has an older definition."""
        for key in tuple(self._unsettled.get(plane, ())):
            if key.backend not in kept:
                self._move(key, plane, self.accounts[key.backend][key.name].holdings[plane].acked(version))

    def reported(self, plane: str, version: Version, flights: Mapping[Key, int]) -> None:
        """So many were in flight there when `version` was in force."""
        for key in self._unsettled.get(plane, set()) & flights.keys():
            holding = self.accounts[key.backend][key.name].holdings[plane]
            self._move(key, plane, holding.reported(version, flights[key]))

    def _move(self, key: Key, plane: str, holding: Holding) -> None:
        account = self.accounts[key.backend][key.name]
        before, account.holdings[plane] = account.holdings[plane], holding
        if holding.settled:
            self._unsettled[plane].discard(key)
        if holding.bound < before.bound:
            self._dirty.add(key.backend)
            if account.limit is None:
                self._sweep(key.backend)

    def _changed(self) -> None:
        """Who there is, or can be told, is another: everything is to be looked at."""
        self._dirty.update(self.accounts)
        self._stale.update(self.accounts)

    def _look(self, key: Key) -> None:
        """Note who has yet to say something about this server."""
        for plane, holding in self.accounts[key.backend][key.name].holdings.items():
            if not holding.settled:
                self._unsettled.setdefault(plane, set()).add(key)

    def _forget(self, key: Key) -> None:
        for unsettled in self._unsettled.values():
            unsettled.discard(key)

    def _sweep(self, backend: str) -> None:
        """Let go of servers that were removed and of which nobody holds anything."""
        accounts = self.accounts.get(backend, {})
        for name in [name for name, account in accounts.items() if account.limit is None and not account.booked]:
            del accounts[name]
            self._forget(Key('server', name, backend))
        if not accounts:
            self.accounts.pop(backend, None)
        self._dirty.add(backend)
        self._stale.add(backend)

    # what follows

    @property
    def is_dirty(self) -> bool:
        """Whether something was heard that may change who ought to have what."""
        return bool(self._dirty)

    def proposed(self) -> Proposal:
        """What ought to be assigned now, as things stand. Backends about which nothing was heard are not looked at."""
        shares: dict[Key, Mapping[str, int]] = {}
        targets: dict[Key, Mapping[str, int]] = {}
        if not self._dirty:
            return Proposal(shares, targets)
        told = [plane for plane, reachable in sorted(self.planes.items()) if reachable]
        for backend in sorted(self._dirty):
            open_ = {n: a for n, a in sorted(self.accounts.get(backend, {}).items()) if a.limit is not None}
            for name, wanted in divided(open_, told).items():
                key = Key('server', name, backend)
                if wanted != open_[name].targets:
                    targets[key] = wanted
                if moves := moved(open_[name], wanted):
                    shares[key] = moves
        if not shares and not any(self._is_news(key, news) for key, news in targets.items()):
            for key, quiet in targets.items():
                self.accounts[key.backend][key.name].targets = dict(quiet)
            self._dirty.clear()
            return Proposal({}, {})
        return Proposal(shares, targets)

    def _is_news(self, key: Key, targets: Mapping[str, int]) -> bool:
        """Whether somebody without a share is to be told that one is due, or is not."""
        account = self.accounts[key.backend][key.name]
        return any(
            not account.holdings[plane].share and (target > 0) != (account.targets.get(plane, 0) > 0)
            for plane, target in targets.items()
        )

    def assign(self, proposal: Proposal, version: Version) -> None:
        """Book what was proposed, at `version`: parcels to that version and beyond tell it."""
        for key, wanted in proposal.targets.items():
            self._stale.add(key.backend)
            self.accounts[key.backend][key.name].targets = dict(wanted)
        for key, moves in proposal.shares.items():
            self._stale.add(key.backend)
            account = self.accounts[key.backend][key.name]
            for plane, share in moves.items():
                account.holdings[plane] = account.holdings[plane].assigned(version, share)
            self._look(key)
        self._dirty.clear()

    def grants(self) -> Mapping[str, Grants]:
        """What every data plane is to be told, as things stand."""
        for plane in self.planes:
            mine = self._grants.get(plane, {})
            changed = {}
            for backend in self._stale if plane in self._grants else {*self.accounts, *self._stale}:
                open_ = {n: a for n, a in self.accounts.get(backend, {}).items() if a.limit is not None}
                now = {name: _grant(account, plane) for name, account in open_.items()}
                if now != mine.get(backend, {}):
                    changed[backend] = now
            if changed or plane not in self._grants:
                self._grants[plane] = {name: grants for name, grants in {**mine, **changed}.items() if grants}
        self._stale.clear()
        return {plane: self._grants[plane] for plane in self.planes}


def _grant(account: Account, plane: str) -> Grant:
    share = account.holdings[plane].share
    if share >= ANY:
        return NO_GRANT
    return Grant(share, due=not share and account.targets.get(plane, 0) > 0)


def divided(accounts: Mapping[str, Account], told: Collection[str]) -> dict[str, dict[str, int]]:
    """What each of `told` ought to have of each server of a backend, in the end (S3)."""
    extras = dict.fromkeys(sorted(told), 0)
    out: dict[str, dict[str, int]] = {}
    for name, account in accounts.items():
        rest, blind = _rest(account, extras)
        shares = {plane: account.holdings[plane].share for plane in extras}
        if blind and sum(min(share, rest) for share in shares.values()) <= rest:
            out[name] = {plane: min(share, rest) for plane, share in shares.items()}
            continue
        base, over = divmod(rest, len(extras)) if extras else (0, 0)
        had = account.targets
        # among equals those who have it keep it: what does not move costs nothing
        more = set(sorted(extras, key=lambda plane: (extras[plane], had.get(plane, 0) <= base, plane))[:over])
        out[name] = {plane: base + (plane in more) for plane in extras}
        for plane in more:
            extras[plane] += 1
        if blind:
            out[name] = {plane: min(share, shares[plane]) for plane, share in out[name].items()}
    return out


def _rest(account: Account, told: Collection[str]) -> tuple[int, bool]:
    """What of the limit is left for `told`, and whether somebody else holds one knows not what."""
    others = [holding.bound for plane, holding in account.holdings.items() if plane not in told]
    known = [bound for bound in others if bound < ANY]
    return max(0, (account.limit or 0) - sum(known)), len(known) < len(others)


def moved(account: Account, targets: Mapping[str, int]) -> dict[str, int]:
    """The shares to assign now: down at once, up as far as the limit allows, those with nothing first (S2)."""
    holdings = account.holdings
    shares = {plane: min(target, holdings[plane].share) for plane, target in targets.items()}
    # as much as it may have anyhow costs nothing
    shares |= {plane: max(shares[plane], min(target, holdings[plane].bound)) for plane, target in targets.items()}
    free = (account.limit or 0) - account.booked
    rising = sorted((shares[plane], plane) for plane in targets if shares[plane] < targets[plane])
    for most in (1, ANY):
        for _, plane in rising:
            more = max(0, min(free, targets[plane] - shares[plane], most - shares[plane]))
            shares[plane] += more
            free -= more
    return {plane: share for plane, share in shares.items() if share != holdings[plane].share}
