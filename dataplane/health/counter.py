"""The counter of one check: how many results in a row change what it makes of its server. Pure.

`health` runs from 0 to rise + fall - 1. From `rise` on the check takes the server for up. A failure takes one away, and below
`rise` all: a server that is down begins at 0. A success adds one, and from `rise` on all: a server that is up begins with
everything it can lose.

    health      0 ... rise-1     rise ... rise+fall-2     rise+fall-1
                down, rising     up, falling              up

So it takes `fall` failures in a row to go down and `rise` successes in a row to come up. A server that was never checked, or
came back from maintenance, stands at `rise`: one failure takes it down.
"""

from __future__ import annotations

from dataplane.core.checks import InitState, Pace


def beginning(pace: Pace, state: InitState) -> int:
    """Where a counter begins by `init-state`."""
    match state:
        case InitState.FULLY_UP:
            return pace.rise + pace.fall - 1
        case InitState.DOWN:
            return pace.rise - 1
        case InitState.FULLY_DOWN:
            return 0
        case _:
            return pace.rise


class Counter:
    """One check's counter. `passed` and `failed` return whether the counter moved."""

    __slots__ = ('health', 'pace')

    def __init__(self, pace: Pace, begin: InitState = InitState.NONE) -> None:
        self.pace = pace
        self.health = beginning(pace, begin)

    def __repr__(self) -> str:
        return f'<Counter {self.health} of {self.top} {"up" if self.up else "down"}>'

    @property
    def top(self) -> int:
        """Full health."""
        return self.pace.rise + self.pace.fall - 1

    @property
    def up(self) -> bool:
        """Does the check take its server for up?"""
        return self.health >= self.pace.rise

    @property
    def settled(self) -> bool:
        """At one of the two ends: full health, or none."""
        return self.health in (0, self.top)

    def passed(self) -> bool:
        """A check passed."""
        if self.health >= self.top:
            return False
        self.health += 1
        if self.up:
            self.health = self.top
        return True

    def failed(self) -> bool:
        """A check failed."""
        if self.health <= 0:
            return False
        self.health -= 1
        if not self.up:
            self.health = 0
        return True

    def begin_anew(self) -> None:
        """It is taken for up, and one failure takes it down."""
        self.health = self.pace.rise

    def give_up(self) -> None:
        """It is taken for down, whatever it was."""
        self.health = 0

    def recover(self) -> None:
        """It is taken for wholly up."""
        self.health = self.top

    def weaken(self, to: int) -> None:
        """Full of health or not, it has no more than `to` from now on."""
        self.health = min(self.health, to)

    def follow(self, pace: Pace) -> None:
        """The file says other numbers: up stays up and down stays down, at the end it was at or else at its edge."""
        full, none, up = self.health == self.top, self.health == 0, self.up
        self.pace = pace
        if full:
            self.health = self.top
        elif none:
            self.health = 0
        else:
            self.health = pace.rise if up else min(self.health, pace.rise - 1)

    def interval(self) -> int:
        """Milliseconds to the next check."""
        pace = self.pace
        if self.health == self.top:
            return pace.inter
        if self.health == 0:
            return pace.downinter or pace.inter
        return pace.fastinter or pace.inter

    def shown(self, *, up: bool | None = None) -> tuple[int, int]:
        """(n, m) of `UP n/m` and `DOWN n/m`: failures it can still take, or successes it has, and how many it takes. `up`: which
        of them, where its server is not in the state it takes it for.
        """
        if self.up if up is None else up:
            return self.health - self.pace.rise + 1, self.pace.fall
        return self.health, self.pace.rise
