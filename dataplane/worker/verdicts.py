"""What a rule says about a message: it goes on, it is answered, or it waits. Made by acts (acting.py, steps.py), obeyed by exchanges."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Final, NamedTuple

from dataplane.core.termination import LOCAL_ANSWER, Termination

if TYPE_CHECKING:
    from dataplane.core.counters import C
    from dataplane.worker.replies import Answer
    from dataplane.worker.transaction import Transaction


class Then(Enum):
    """What follows from a verdict."""

    GO_ON = 'the list is over, the message goes on'
    ANSWER = 'the client is answered'
    WAIT = 'the client is answered after a while'
    CLOSE = 'the connection ends without a word'
    DROP = 'the connection ends, and the client is not even told'
    ASK = 'the supervisor is asked for the answer'
    BODY = 'the list goes on when enough of the body is here'
    PAUSE = 'the list goes on after a while'


WAITING: Final = (Then.BODY, Then.PAUSE)
"""After these a list goes on."""


class PageOf(NamedTuple):
    """Whose statistics page is asked for, and whether the client may change things there; `service`: it is that service instead."""

    proxy: str
    backend: bool
    granted: bool
    service: str = ''


class Verdict(NamedTuple):
    """The end of a list of rules, or a stop on its way. `counter` is what is counted where the termination says otherwise; `field`: one
    that a page is sent with, in place of its own of that name; `time` in ms (None: not limited) and `least` in bytes are what it waits for;
    `page`: what the supervisor is asked for.
    """

    then: Then
    end: Termination = LOCAL_ANSWER
    answer: Answer | None = None
    counter: C | None = None
    field: tuple[bytes, bytes] | None = None
    time: int | None = None
    least: int = 0
    page: PageOf | None = None


Act = Callable[..., Verdict | None]
"""On a `Transaction`; on an `Arrival` what only closes it or sets variables."""
Change = Callable[['Transaction'], None]
