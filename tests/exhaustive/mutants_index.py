"""Rules left out around the index of servers: who must tell it what, and when it may be trusted."""

from __future__ import annotations

from typing import Any

from dataplane.core import repair
from dataplane.core.balance.wheel import POINT_BITS, Bounded, Ring, StaticRoundRobin
from dataplane.core.index import Index
from dataplane.core.layout import NOBODY
from dataplane.core.plane import Plane
from dataplane.core.pump import Pump
from dataplane.core.stream import HASHED
from tests.exhaustive import rows
from tests.exhaustive.mutants import ENDS_IN, MUTANTS, mutant, put
from tests.exhaustive.world import CLEARED, DEAD

__all__ = ['ENDS_IN', 'MUTANTS']


@mutant('long')
def index_not_told_of_a_release() -> None:
    """A slot is given back and the server's leaf stays as it was."""

    def untold(self: Index, cells: Any, server: int) -> None:
        cells[self.at.TOTAL + server] -= 1

    put(Index, 'give_back', untold)


@mutant('long')
def index_not_told_of_a_gift() -> None:
    """The pump gives a slot and the server's leaf stays as it was."""
    give = Pump.give

    def untold(self: Pump, cells: Any, entry: int, server: int) -> None:
        right = put(Index, '_follow', lambda *_: None)
        give(self, cells, entry, server)
        put(Index, '_follow', right)

    put(Pump, 'give', untold)


@mutant('kill')
def index_trusted_after_a_death() -> None:
    """A rebuild leaves the index for whole as it was found."""
    rebuild = repair.rebuild

    def trusting(cells: Any, at: Any, beat: Any = None) -> None:
        rebuild(cells, at, beat)
        cells[at.STALE] = 0

    put(repair, 'rebuild', trusting)


@mutant('least-kill')
def index_trusted_while_it_is_made() -> None:
    """A newcomer chooses by an index of which only a slice has been made."""
    whole = Plane._is_whole

    def hasty(self: Plane, backend: int) -> bool:
        whole(self, backend)
        return True

    put(Plane, '_is_whole', hasty)


@mutant('pump-up')
def index_not_told_of_a_commit() -> None:
    """A commit changes a server and its leaf stays as it was."""
    put(Index, 'look', lambda self, cells, server: None)


@mutant('map-off')
def tied_only_while_it_lasts() -> None:
    """Whose server left goes to the backend's queue, for anybody, instead of being tied to another."""
    move = Pump.move

    def loose(self: Pump, cells: Any, entry: int) -> None:
        right = put(Index, 'target', lambda *_: NOBODY)
        move(self, cells, entry)
        put(Index, 'target', right)

    put(Pump, 'move', loose)


@mutant('ring')
def tied_to_who_left() -> None:
    """The points of a ring count whether their server is in rotation or not."""
    put(Ring, 'holder', lambda self, cells, shape, slot: slot >> POINT_BITS & 3)


@mutant('ring-room')
def tied_to_the_full() -> None:
    """Who is tied to a server is served at once, whoever waits for it."""
    decide = Plane._decide

    def pushing(self: Plane, stream: Any, backend: int) -> Any:
        room = self.room
        if stream.wish <= HASHED:
            self.room = lambda server: True  # type: ignore[method-assign]
        outcome = decide(self, stream, backend)
        self.room = room  # type: ignore[method-assign]
        return outcome

    put(Plane, '_decide', pushing)


@mutant('bound-kill')
def sums_kept_after_a_death() -> None:
    """What bounds go by is not counted anew after a death."""

    def forgetful(self: Any, cells: Any, at: Any, backend: int, members: Any) -> None:
        StaticRoundRobin.forget(self, cells, at, backend, members)

    put(Bounded, 'forget', forgetful)


# -- rows in use ----------------------------------------------------------------------------------------------------------


@mutant('hire')
def row_used_before_it_counts() -> None:
    """A worker is started whose row is not among those in use: whoever repairs does not count what it has."""
    put(rows, 'may_start', lambda x, worker: True)


@mutant('hire')
def row_given_up_before_it_is_cleared() -> None:
    """The row of the last worker is in use no more once that is dead, its slots not given back yet."""
    put(rows, 'may_lower', lambda x, worker: x.alive[worker] in (DEAD, CLEARED))
