"""What an agent says, and the conversation with it. Pure.

One line, ended by a line feed: words between blanks, tabs and commas, in any case.

    ready drain maint        the administrative state it wishes
    50%, weight:50%          weight, of the one the file declares;  weight:20 as it is
    maxconn:30               maxconn
    up                       the server is up as far as the agent is concerned
    down fail stopped        it is down; `#` and the rest of the line say why

Admin, weight and maxconn come first, then health. A word that is none of these is reported and ignored. An agent that cannot
be reached, says nothing, or does not end its line has said nothing about the server.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from dataplane.core import weight
from dataplane.core.model import AdminState
from dataplane.health.result import Result, Status
from dataplane.health.run import HEAR, Action, Dial, Say

_MOST: Final = 1_024
_SEPARATORS: Final = re.compile(r'[ \t,]+')
_UP: Final = 'up'
_DOWN: Final = ('down', 'fail', 'stopped')


@dataclass(frozen=True, slots=True)
class Words:
    """What one line said. `weight`: (value, is it a percentage)."""

    result: Result
    admin: AdminState | None = None
    weight: tuple[int, bool] | None = None
    maxconn: int | None = None


def parse(line: str) -> Words:
    """Read an agent's line."""
    said, _, why = line.partition('#')
    why = why.strip()
    admin: AdminState | None = None
    weighed: tuple[int, bool] | None = None
    maxconn: int | None = None
    health = problem = warning = ''
    for word in filter(None, _SEPARATORS.split(said.strip())):
        low = word.lower()
        if low in (_UP, *_DOWN):
            health = low
        elif low in ('ready', 'drain', 'maint'):
            admin = AdminState(low)
        elif low.endswith('%') or low.startswith('weight:'):
            try:
                weighed = weight.parse(low.removeprefix('weight:'))
            except ValueError as wrong:
                warning = str(wrong)
        elif low.startswith('maxconn:'):
            number = low.removeprefix('maxconn:')
            if number.isascii() and number.isdecimal() and len(number) < 10:
                maxconn = int(number)
            else:
                warning = 'Require <maxconn>.' if not number else 'Trailing garbage in maxconn string'
        else:
            problem = word
    return Words(_result(health, why, problem, warning), admin, weighed, maxconn)


def _result(health: str, why: str, problem: str, warning: str) -> Result:
    if health:
        status = Status.L7OK if health == _UP else Status.L7STS
        particulars = why or problem or warning
        return Result(status, info=f'via agent : {health}{f" ({particulars})" if particulars else ""}')
    if problem:
        return Result(Status.CHECKED, info=f'agent reports an error : {problem}{f" ({why})" if why else ""}')
    return Result(Status.CHECKED, info=f'agent warns : {warning}' if warning else '')


class AgentRun:
    """One question to an agent; afterwards `words` is what it said, None if nothing."""

    def __init__(self, send: bytes) -> None:
        self._send = send
        self._buffer = b''
        self._connecting = True
        self.words: Words | None = None

    def begin(self) -> Action:
        """The first action."""
        return Dial('', 0)

    def connected(self) -> Action:
        """The connection is there."""
        self._connecting = False
        return Say(self._send) if self._send else HEAR

    def unreachable(self, error: str) -> Result:
        """It could not be made."""
        return Result(Status.L4CON, info=error)

    def said(self) -> Action:
        """The question was sent."""
        return HEAR

    def heard(self, data: bytes) -> Action:
        """Part of its line, or all of it."""
        self._buffer = (self._buffer + data).lstrip(b'\r\n')
        ends = [at for end in (b'\n', b'\r') if (at := self._buffer.find(end)) >= 0]
        if ends:
            self.words = parse(self._buffer[: min(ends)].decode('utf-8', 'replace'))
            return self.words.result
        return self.ended() if len(self._buffer) > _MOST else HEAR

    def ended(self) -> Result:
        """It says no more, and has not ended its line."""
        if self._buffer:
            return Result(Status.L7TOUT, info='Ignoring incomplete line from agent')
        return Result(Status.L7RSP, info='TCPCHK got an empty response at step 2')

    def broken(self, error: str) -> Result:
        """The connection broke: behind part of a line that is how it ended."""
        if self._buffer:
            return self.ended()
        return Result(Status.SOCKERR, info=error)

    def timed_out(self) -> Result:
        """Time is up."""
        return Result(Status.L4TOUT if self._connecting else Status.L7TOUT)
