"""How many workers there are to be, and what each is to do for that: the arithmetic of an `nbthread` that a reload changes. Pure.

    hire(n) -> all of them know everything -> (the commit) -> resize(n)
            -> one cannot be had, or the reload is refused -> dismiss()

What must hold:

R1. Numbers below `size` are to serve. Whom `hire` adds is a member of the barrier like all others, so that no commit is made without it,
    but accepts nothing before `resize`; so `dismiss` ends it without a loss.
R2. Who is not needed any more goes on serving until one of those that stay does, and is told to retire then.
R3. A socket that connections were ever steered to is accepted from while anybody serves: by its own worker or, where that does not serve
    and is not about to, by one of those who do. It is never closed for having no worker.
R4. New connections go to those who serve and stay; while there is none, to the others who serve; while there are none either, to
    sockets whose workers are to serve.
R5. A number that is needed again while its worker leaves is that worker's, called back: no two processes have one number.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class State(StrEnum):
    """What a worker process is doing. STANDBY: it knows all that is to be known, and was not told to serve. OPENING: it was.

    LEAVING: it was told to, and may be called back. ENDING: it never served and was killed.
    """

    STARTING = 'starting'
    JOINED = 'joined'
    STANDBY = 'standby'
    OPENING = 'opening'
    READY = 'ready'
    LEAVING = 'leaving'
    ENDING = 'ending'


_KNOWING: Final = frozenset({State.STANDBY, State.OPENING, State.READY, State.LEAVING})
_UNUSED: Final = frozenset({State.STARTING, State.JOINED, State.STANDBY})
_WAITING: Final = frozenset({State.STANDBY, State.LEAVING})


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done now. `steer`: whose sockets get new connections; `serving`: who accepts once it is done; `lend`: whose
    sockets one of them is to accept from, too; `open`: who is to be told to serve; `retire`, `end`: to leave, at once.
    """

    steer: tuple[int, ...]
    serving: tuple[int, ...]
    lend: frozenset[int]
    open: tuple[int, ...]
    retire: tuple[int, ...]
    end: tuple[int, ...]


class Roster:
    """One per supervisor. `size` workers are to serve, `hired` to run, and `used` is how many have ever been to serve."""

    __slots__ = ('hired', 'size', 'used')

    def __init__(self, size: int) -> None:
        self.size = self.hired = self.used = size

    def __repr__(self) -> str:
        return f'<Roster size={self.size} hired={self.hired} used={self.used}>'

    def hire(self, count: int) -> None:
        """So many are to run, though no more than before are to serve."""
        self.hired = max(self.size, count)

    def dismiss(self) -> None:
        """Who was hired is not needed after all."""
        self.hired = self.size

    def resize(self, count: int) -> None:
        """So many are to serve from now on."""
        self.size = self.hired = count
        self.used = max(self.used, count)

    def is_wanted(self, number: int) -> bool:
        """Is there to be a worker of this number?"""
        return number < self.hired

    def unready(self, states: Mapping[int, State]) -> list[int]:
        """Who is to run and does not know everything yet."""
        return [number for number in range(self.hired) if states.get(number) not in _KNOWING]

    def is_complete(self, serving: Collection[int]) -> bool:
        """Do all serve who are to?"""
        return all(number in serving for number in range(self.size))

    def rows(self, numbers: Iterable[int]) -> int:
        """How many rows of the board are in use when processes of these numbers live, or are not cleared away yet."""
        return max(self.hired, *(number + 1 for number in numbers), 1)

    def plan(self, states: Mapping[int, State], weak: Collection[int]) -> Plan:
        """What follows from what they do; a successor of those in `weak` is not about to be there."""
        serving = tuple(sorted(number for number, state in states.items() if state is State.READY))
        staying = tuple(number for number in serving if number < self.size)
        accepting = staying or serving
        return Plan(
            steer=accepting or tuple(range(self.size)),
            serving=accepting,
            lend=frozenset(
                number
                for number in range(self.used)
                if number not in accepting and (number >= self.size or number in weak)
            ),
            open=tuple(n for n, state in sorted(states.items()) if state in _WAITING and n < self.size),
            retire=tuple(number for number in serving if number not in accepting),
            end=tuple(n for n, state in sorted(states.items()) if state in _UNUSED and not self.is_wanted(n)),
        )
