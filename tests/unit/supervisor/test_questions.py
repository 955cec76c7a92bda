"""Questions to workers: answers in parts, deaths, and those who say nothing."""

from __future__ import annotations

import asyncio

import pytest

from dataplane.supervisor.questions import Answers, Questions, unanswered
from dataplane.wire.framing import Message


class Desk:
    """Who is asked: what was sent, and the questions that it was sent by."""

    def __init__(self) -> None:
        self.sent: list[tuple[int, Message]] = []
        self.questions = Questions(
            asyncio.get_running_loop(), lambda worker, message: self.sent.append((worker, message))
        )

    def number(self, worker: int) -> int:
        return next(int(message['question']) for to, message in self.sent if to == worker)

    def says(self, worker: int, op: str, **fields: object) -> None:
        self.questions.heard({'op': op, 'question': self.number(worker), **fields})


@pytest.fixture
async def desk() -> Desk:
    return Desk()


async def asked(desk: Desk, *workers: int, patience: float = 5) -> asyncio.Task[Answers]:
    task = asyncio.create_task(desk.questions.ask(workers, {'op': 'sessions'}, patience=patience))
    await asyncio.sleep(0)
    assert [to for to, _ in desk.sent] == list(workers)
    return task


async def test_rows_come_in_parts_and_are_joined(desk: Desk) -> None:
    task = await asked(desk, 0, 1)
    desk.says(0, 'rows', rows=[{'id': 'a'}])
    desk.says(1, 'rows', rows=[{'id': 'b'}])
    desk.says(0, 'rows', rows=[{'id': 'c'}])
    desk.says(0, 'answer')
    assert not task.done()
    desk.says(1, 'answer', found=True)
    answers = await task
    assert [row['id'] for row in answers.rows] == ['a', 'b', 'c']
    assert [answer.get('found') for answer in answers.said] == [None, True]
    assert answers.silent == ()


async def test_who_does_not_answer_is_named_and_comes_too_late(desk: Desk) -> None:
    task = await asked(desk, 0, 3, patience=0.02)
    desk.says(3, 'rows', rows=[{'id': 'a'}])
    desk.says(0, 'answer')
    answers = await task
    desk.says(3, 'rows', rows=[{'id': 'b'}])
    desk.says(3, 'answer')
    assert (answers.rows, len(answers.said), answers.silent) == ([{'id': 'a'}], 1, (3,))


async def test_the_dead_are_not_waited_for(desk: Desk) -> None:
    task = await asked(desk, 0, 1)
    desk.questions.left(1)
    desk.says(1, 'rows', rows=[{'id': 'a'}])
    desk.says(0, 'answer')
    answers = await task
    assert (answers.rows, answers.silent) == ([], ())


async def test_nobody_to_ask(desk: Desk) -> None:
    assert await desk.questions.ask((), {'op': 'sessions'}) == Answers()


def test_how_the_silent_are_named() -> None:
    assert unanswered(()) == ''
    assert unanswered((1, 3)) == 'Not answered by worker 1, 3.'
