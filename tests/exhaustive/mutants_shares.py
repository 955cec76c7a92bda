"""Rules of the shares left out one at a time. The exploration must stop every one (see `mutants` for the house's way)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from controlplane.domain import shares
from controlplane.domain.holding import ANY, NONE, Holding
from controlplane.domain.shares import Account, Grant, Shares
from tests.exhaustive.mutants import put
from tests.exhaustive.shares_explore import Rules
from tests.exhaustive.shares_world import DataPlane, State

MUTANTS: dict[str, Callable[[], Rules | None]] = {}


ENDS_IN: dict[str, str] = {}
"""As in `mutants`."""

Change = Callable[[], Rules | None]


def mutant(ends_in: str) -> Callable[[Change], Change]:
    """Register a mutant. It changes the books in place, or returns other surroundings."""

    def register(change: Change) -> Change:
        MUTANTS[change.__name__], ENDS_IN[change.__name__] = change, ends_in
        return change

    return register


@mutant('lower, alone')
def an_ack_is_permission() -> None:
    """Who has acknowledged a lower share has nothing above it any more."""
    right = Holding.acked

    def acked(self: Holding, version: Any) -> Holding:
        return Holding(right(self, version).sent)

    Holding.acked = acked  # type: ignore[method-assign]


@mutant('leave')
def grow_before_shrink() -> None:
    """Everybody is told the share it ought to have, at once."""
    shares.moved = lambda account, targets: {
        plane: share for plane, share in targets.items() if share != account.holdings[plane].share
    }


@mutant('leave')
def what_is_sent_is_in_force() -> None:
    """A share that was told, and not acknowledged, counts as the only one."""

    def assigned(self: Holding, version: Any, share: int) -> Holding:
        return Holding(((version, share),), self.flight)

    Holding.assigned = assigned  # type: ignore[method-assign]


@mutant('lower and raise')
def figures_of_any_version() -> None:
    """Figures are believed, whichever share was in force when they were taken."""

    def acked(self: Holding, version: Any) -> Holding:
        last = max((n for n, (at, _) in enumerate(self.sent) if at <= version), default=0)
        left = max((share for _, share in self.sent[:last]), default=0)
        return Holding(self.sent[last:], max(self.flight, left) if self.flight < ANY else left).tidied()

    def reported(self: Holding, version: Any, flight: int) -> Holding:
        first = self.sent[0][0], min(self.sent[0][1], flight) if len(self.sent) > 1 else self.sent[0][1]
        return Holding((first, *self.sent[1:]), min(self.flight, flight)).tidied()

    Holding.acked, Holding.reported = acked, reported  # type: ignore[method-assign]


@mutant('dismiss')
def out_of_reach_is_gone() -> None:
    """What a data plane holds that cannot be reached is given to others at once."""
    Shares.part = Shares.leave  # type: ignore[method-assign]


@mutant('restart, keep')
def nobody_is_waited_for_after_a_restart() -> None:
    """Who is known and has not reported holds nothing."""
    put(shares, 'UNKNOWN', NONE)


@mutant('restart, keep')
def known_only_in_memory() -> Rules:
    """A control plane that starts anew knows nobody."""

    class Forgetful(Rules):
        def known_after_restart(self, x: State, number: int) -> bool:
            return False

    return Forgetful()


@mutant('restart, join')
def forgotten_while_it_lives() -> Rules:
    """A data plane that stops is forgotten as soon as its link is gone."""

    class Hasty(Rules):
        def may_forget(self, x: State, number: int) -> bool:
            return x.w.stops[number]

    return Hasty()


@mutant('part, alone')
def in_flight_at_the_end_of_the_lease() -> Rules:
    """The end of a lease ends nothing that is in flight."""

    class Lenient(Rules):
        def may_forget(self, x: State, number: int) -> bool:
            return x.w.stops[number] and (not x.dps[number].alive or x.dps[number].lapsed)

    return Lenient()


@mutant('restart, join')
def renewed_before_it_was_told() -> Rules:
    """Whoever connects gets a lease, with the shares it comes with."""

    class Trusting(Rules):
        def may_renew(self, dp: DataPlane) -> bool:
            return True

    return Trusting()


@mutant('leave')
def shares_outlive_a_goodbye() -> Rules:
    """Who left starts again with what its disk says."""

    class Remembering(Rules):
        def goodbye(self, dp: DataPlane) -> DataPlane:
            return dp._replace(alive=False)

    return Remembering()


@mutant('lower, part')
def shares_only_with_the_hello() -> Rules:
    """A data plane does not say what it has in flight above its share."""

    class Silent(Rules):
        def inventory(self, x: State, number: int) -> dict[Any, Holding]:
            return {key: Holding(holding.sent) for key, holding in super().inventory(x, number).items()}

    return Silent()


@mutant('remove')
def removed_is_forgotten() -> None:
    """With a server its account goes, whoever has requests there."""

    def close(self: Shares, key: Any, account: Account, version: Any) -> None:
        account.limit, account.holdings = None, {}

    Shares._close = close  # type: ignore[method-assign]


@mutant('two servers, part')
def the_same_get_the_remainders() -> None:
    """Every server's remainder goes to the first."""
    right = shares.divided

    def divided(accounts: Any, told: Any) -> Any:
        return {name: right({name: account}, told)[name] for name, account in accounts.items()}

    shares.divided = divided


@mutant('join')
def never_raised() -> None:
    """What was given up is given to nobody."""
    right = shares.moved
    shares.moved = lambda account, targets: {
        plane: share for plane, share in right(account, targets).items() if share < account.holdings[plane].share
    }


@mutant('leave')
def figures_change_nothing() -> None:
    """What falls in flight is heard, and the books are not looked at again."""
    move = Shares._move

    def quiet(self: Shares, key: Any, plane: str, holding: Holding) -> None:
        dirty = set(self._dirty)
        move(self, key, plane, holding)
        self._dirty = dirty

    Shares._move = quiet  # type: ignore[method-assign]


@mutant('no slot')
def always_due() -> None:
    """Whoever has no share is told that one is due."""
    shares._grant = lambda account, plane: Grant(account.holdings[plane].share, not account.holdings[plane].share)
