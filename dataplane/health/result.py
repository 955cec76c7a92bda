"""Results of checks: their names and numbers, what they mean for a server, and the lines that tell of them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum


class Outcome(IntEnum):
    """What a result means, with the number `show servers state` has for it. CONDITIONAL: up, but no new traffic."""

    UNKNOWN = 0
    NEUTRAL = 1
    FAILED = 2
    PASSED = 3
    CONDITIONAL = 4


class Status(Enum):
    """Names of results: number in the state file, name in `show stat`, words, and what they mean."""

    UNK = (0, 'UNK', 'Unknown', Outcome.UNKNOWN)
    INI = (1, 'INI', 'Initializing', Outcome.UNKNOWN)
    CHECKED = (3, 'CHECKED', 'No status change', Outcome.NEUTRAL)
    HANA = (4, 'HANA', 'Health analyze', Outcome.FAILED)
    SOCKERR = (5, 'SOCKERR', 'Socket error', Outcome.FAILED)
    L4OK = (6, 'L4OK', 'Layer4 check passed', Outcome.PASSED)
    L4TOUT = (7, 'L4TOUT', 'Layer4 timeout', Outcome.FAILED)
    L4CON = (8, 'L4CON', 'Layer4 connection problem', Outcome.FAILED)
    L6OK = (9, 'L6OK', 'Layer6 check passed', Outcome.PASSED)
    L6TOUT = (10, 'L6TOUT', 'Layer6 timeout', Outcome.FAILED)
    L6RSP = (11, 'L6RSP', 'Layer6 invalid response', Outcome.FAILED)
    L7TOUT = (12, 'L7TOUT', 'Layer7 timeout', Outcome.FAILED)
    L7RSP = (13, 'L7RSP', 'Layer7 invalid response', Outcome.FAILED)
    L7OK = (15, 'L7OK', 'Layer7 check passed', Outcome.PASSED)
    L7OKC = (16, 'L7OKC', 'Layer7 check conditionally passed', Outcome.CONDITIONAL)
    L7STS = (17, 'L7STS', 'Layer7 wrong status', Outcome.FAILED)

    def __init__(self, number: int, code: str, words: str, outcome: Outcome) -> None:
        self.number, self.code, self.words, self.outcome = number, code, words, outcome

    @property
    def has_code(self) -> bool:
        """Does a number of the answer belong to it?"""
        return self.number > 14

    @property
    def timed(self) -> bool:
        """Was there a check that took time?"""
        return self.number >= Status.CHECKED.number


@dataclass(frozen=True, slots=True)
class Result:
    """What one check found. `code`: the answer's status; `info`: what it was in particular; `duration` in ms."""

    status: Status
    code: int = 0
    info: str = ''
    duration: int = 0

    @property
    def outcome(self) -> Outcome:
        """What it means for the server."""
        return self.status.outcome

    def reason(self) -> str:
        """How it is appended to a line: status, code, particulars, duration."""
        code = f', code: {self.code}' if self.status.has_code else ''
        info = f', info: "{self.info}"' if self.info else ''
        return f', reason: {self.status.words}{code}{info}, check duration: {self.duration}ms'


NOTHING_YET = Result(Status.INI)
MOST_INFO = 127
"""Characters of `info`, as in HAProxy (HCHK_DESC_LEN)."""


def presentable(info: str) -> str:
    """As much of what a server or an agent says as is shown to people, in logs and on terminals: no control characters, and an end."""
    return ''.join(letter if letter.isprintable() else '.' for letter in info[:MOST_INFO])


def health_line(
    name: str, result: Result, shown: tuple[int, int], *, agent: bool, backup: bool, up: bool, weight: int
) -> str:
    """The line of `option log-health-checks`. `shown`: the counter's two numbers; `weight`: what people set."""
    kind, backup_word = ('Agent' if agent else 'Health'), ('backup ' if backup else '')
    passed = result.outcome in (Outcome.PASSED, Outcome.CONDITIONAL)
    said = 'succeeded' if passed else 'failed'
    conditionally = 'conditionally ' if result.outcome is Outcome.CONDITIONAL else ''
    state = ('UP' if weight else 'DRAIN') if up else 'DOWN'
    return (
        f'{kind} check for {backup_word}server {name} {conditionally}{said}{result.reason()}, '
        f'status: {shown[0]}/{shown[1]} {state}.'
    )
