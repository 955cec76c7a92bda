"""Questions to workers, and what they say.

    question number -> (rows number)* -> answer number

An answer that may be long comes in parts, so that neither side's loop is held up by it. Nobody is waited for longer than
`PATIENCE`: who has not answered by then is named, and what had come in parts until then counts. Who dies has answered: there
is nothing left that could be asked about.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

from dataplane.wire.framing import Message

PATIENCE: Final = 2.0


@dataclass(slots=True)
class Answers:
    """`rows` of all workers, `said`: their answers, `silent`: numbers of the workers that did not answer in time."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    said: list[Message] = field(default_factory=list)
    silent: tuple[int, ...] = ()


@dataclass(eq=False, slots=True)
class _Asked:
    worker: int
    answers: Answers
    done: asyncio.Future[None]


class Questions:
    """One per supervisor. `send(worker, message)` sends; `heard` and `left` are told what comes back."""

    def __init__(self, loop: asyncio.AbstractEventLoop, send: Callable[[int, Message], None]) -> None:
        self._loop = loop
        self._send = send
        self._open: dict[int, _Asked] = {}
        self._numbers = count(1)

    async def ask(self, workers: Sequence[int], message: Message, *, patience: float = PATIENCE) -> Answers:
        """Ask these workers. Returns when all have answered, at the latest after `patience` seconds."""
        answers = Answers()
        asked: dict[int, _Asked] = {}
        for worker in workers:
            number = next(self._numbers)
            asked[number] = self._open[number] = _Asked(worker, answers, self._loop.create_future())
            self._send(worker, {**message, 'question': number})
        try:
            if asked:
                await asyncio.wait([one.done for one in asked.values()], timeout=patience)
        finally:
            for number in asked:
                self._open.pop(number, None)
        answers.silent = tuple(one.worker for one in asked.values() if not one.done.done())
        return answers

    def heard(self, message: Message) -> None:
        """A worker said `rows` or `answer`; to a question that is not waited for any more, too."""
        asked = self._open.get(message['question'])
        if asked is None or asked.done.done():
            return
        if message['op'] == 'rows':
            asked.answers.rows.extend(message['rows'])
        else:
            asked.answers.said.append(message)
            asked.done.set_result(None)

    def left(self, worker: int) -> None:
        """A worker died."""
        for asked in self._open.values():
            if asked.worker == worker and not asked.done.done():
                asked.done.set_result(None)


def unanswered(silent: Sequence[int]) -> str:
    """How workers that did not answer are named; '' when all did."""
    return f'Not answered by worker {", ".join(map(str, silent))}.' if silent else ''
