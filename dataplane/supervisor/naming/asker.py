"""One section: its questions, when each is due, the nameservers it is put to, and what their answers are.

All nameservers are asked at once, and the first valid answer counts (configuration manual, 5.3.2). An answer that was cut off is
asked for again over TCP, of who gave it. What comes in is believed if it bears the number of a run, from the address that
was asked, and repeats the question; everything else is counted and dropped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import partial
from random import SystemRandom
from typing import TYPE_CHECKING, Final

from dataplane.supervisor.naming.messages import Fault, question, read
from dataplane.supervisor.naming.question import Answer, Question, Status, Step
from dataplane.supervisor.naming.wires import TcpWire, UdpWire

if TYPE_CHECKING:
    from dataplane.core.lookup import Nameserver, Resolvers
    from dataplane.supervisor.naming.counts import Counts

Asked = tuple[str, str]
"""Name, in lower case, and kind of record."""
Heard = Callable[[str, Asked, str], None]
"""Told of a run that ended: section, what was asked, and the nameserver whose answer it was, '' of a run that failed."""

_AT_ONCE: Final = 32
"""Questions in one turn of the loop."""
_NUMBERS: Final = 65_536
_STATUSES: Final = {Fault.NX: Status.NX, Fault.REFUSED: Status.REFUSED}


class Asker:
    """One per section that servers ask. `counts`: of each nameserver, by its name; `clock`: ms."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        section: Resolvers,
        counts: Mapping[str, Counts],
        clock: Callable[[], int],
        heard: Heard,
    ) -> None:
        self.section, self.questions = section, dict[Asked, Question]()
        self._loop, self._counts, self._clock, self._heard = loop, counts, clock, heard
        self._numbers: dict[int, Question] = {}
        self._random = SystemRandom()
        self._timer: asyncio.TimerHandle | None = None
        self._written: dict[tuple[str, str], bytes] = {}
        self._wires: dict[str, UdpWire | TcpWire] = {}
        self._second: dict[str, TcpWire] = {}

    def adopt(self, section: Resolvers, counts: Mapping[str, Counts]) -> None:
        """The section is declared so from now on; what is known stays known."""
        self._counts = counts
        if section == self.section:
            return
        self.section = section
        self._close()
        self._written.clear()
        for one in self.questions.values():
            one.section = section

    def want(self, asked: Collection[Asked]) -> None:
        """These names are asked for from now on, and no others."""
        now = self._clock()
        for gone in self.questions.keys() - asked:
            number = self.questions.pop(gone).id
            if number is not None:
                self._numbers.pop(number, None)
        for new in asked:
            if new not in self.questions:
                self.questions[new] = Question(*new, self.section, now)
        names = {name for name, _ in self.questions}
        self._written = {key: wire for key, wire in self._written.items() if key[0] in names}
        self._wake()

    def close(self) -> None:
        """Ask no more."""
        if self._timer is not None:
            self._timer.cancel()
        self._close()
        self.questions.clear()

    def _close(self) -> None:
        for wire in (*self._wires.values(), *self._second.values()):
            wire.close()
        self._wires, self._second = {}, {}

    # -- when ---------------------------------------------------------------------------------------------------------

    def _wake(self) -> None:
        """Look at the questions when the first of them is due."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.questions:
            due = min(one.due for one in self.questions.values()) - self._clock()
            self._timer = self._loop.call_later(max(0, due) / 1_000, self._look)

    def _look(self) -> None:
        now = self._clock()
        due = sorted((one for one in self.questions.values() if one.due <= now), key=lambda one: one.due)
        for one in due[:_AT_ONCE]:
            if one.id is None:
                self._number(one, now)
                self._send(one)
            else:
                self._do(one, one.id, one.overdue(now), '')
        self._wake()

    def _number(self, one: Question, now: int) -> None:
        """There are more numbers than questions by far: names are those of servers, and of these there are some thousands."""
        number = self._random.randrange(_NUMBERS)
        while number in self._numbers and len(self._numbers) < _NUMBERS:
            number = self._random.randrange(_NUMBERS)
        self._numbers[number] = one
        one.start(number, now)

    def _do(self, one: Question, number: int, step: Step, nameserver: str) -> None:
        """What a run that bears the number asks for; one that is over needs it no more."""
        if step is Step.SEND:
            self._send(one)
        elif step is not Step.WAIT:
            self._numbers.pop(number, None)
            self._heard(self.section.name, (one.name, one.kind), nameserver)

    # -- out ----------------------------------------------------------------------------------------------------------

    def _send(self, one: Question) -> None:
        """Put it to all nameservers."""
        message = self._message(one)
        queries, fresh = 0, len(self._numbers) == 1
        for nameserver in self.section.nameservers:
            counts = self._counts[nameserver.name]
            if self._wire(nameserver).send(message, fresh=fresh):
                counts.sent += 1
                queries += 1
            else:
                counts.snd_error += 1
        one.sent(queries, self._clock())

    def _message(self, one: Question) -> bytes:
        assert one.id is not None
        key = one.name, one.asking
        if key not in self._written:
            self._written[key] = question(*key, self.section.payload)
        return one.id.to_bytes(2, 'big') + self._written[key]

    def _wire(self, to: Nameserver) -> UdpWire | TcpWire:
        if to.name not in self._wires:
            made = TcpWire if to.tcp else UdpWire
            came, failed = partial(self._received, to), partial(self._failed, to)
            self._wires[to.name] = made(self._loop, to, came, failed)
        return self._wires[to.name]

    def _failed(self, to: Nameserver) -> None:
        counts = self._counts.get(to.name)
        if counts is not None:
            counts.snd_error += 1

    def _ask_again(self, to: Nameserver, one: Question) -> bool:
        """Over TCP, what did not fit into a datagram."""
        if to.name not in self._second:
            came, failed = partial(self._received, replace(to, tcp=True)), partial(self._failed, to)
            self._second[to.name] = TcpWire(self._loop, to, came, failed)
        return self._second[to.name].send(self._message(one), fresh=False)

    # -- in -----------------------------------------------------------------------------------------------------------

    def _received(self, nameserver: Nameserver, message: bytes) -> None:
        counts = self._counts.get(nameserver.name)
        if counts is None:
            return
        if len(message) > self.section.payload and not nameserver.tcp:
            counts.too_big += 1
            return
        number = int.from_bytes(message[:2], 'big')
        one = self._numbers.get(number) if len(message) > 1 else None
        if one is None:
            if len(message) > 1:
                counts.outdated += 1
            else:
                counts.invalid += 1
            return
        # most answers are the one before, word for word; to read one costs 50 us a record
        same = one.last is not None and one.last[0] == message[2:] and one.kinds == {one.kind}
        found = one.last[1] if one.last is not None and same else read(message, one.name, one.kinds)
        if isinstance(found, Answer):
            one.last = (message[2:], found) if one.kinds == {one.kind} else None
            counts.valid += 1
            self._do(one, number, one.valid(found, self._clock()), nameserver.name)
            self._wake()
            return
        if found is Fault.FOREIGN:  # whoever sent that does not know what was asked
            counts.other += 1
            return
        setattr(counts, found, getattr(counts, found) + 1)
        if found is Fault.TRUNCATED and not nameserver.tcp and self._ask_again(nameserver, one):
            return
        self._do(one, number, one.wrong(_STATUSES.get(found, Status.OTHER), self._clock()), '')
        self._wake()
