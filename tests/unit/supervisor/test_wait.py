from __future__ import annotations

import asyncio

import pytest

from dataplane.cli.session import Answer, Complaint, Severity
from dataplane.supervisor.wait import USAGE, Patience, wait_for

ATTACHED = 'Server still has connections attached to it, cannot remove it.'


def free(_condition: str, _name: str) -> str:
    return ''


def busy(_condition: str, _name: str) -> str:
    return ATTACHED


async def test_without_a_condition_it_sleeps() -> None:
    assert await wait_for(('5',), Patience(), busy) == Answer('Done.', Severity.INFO)


async def test_done_at_once_when_removable() -> None:
    answer = await asyncio.wait_for(wait_for(('1h', 'srv-removable', 'px/s1'), Patience(), free), 30)
    assert answer == Answer('Done.', Severity.INFO)


@pytest.mark.parametrize('word', ['srv-removable', 'server-removable'])
async def test_the_delay_expires(word: str) -> None:
    answer = await wait_for(('20ms', word, 'px/s1'), Patience(), busy)
    assert answer == Answer(f'Wait delay expired. {ATTACHED}', Severity.ERROR)


async def test_it_ends_when_the_condition_comes_true() -> None:
    looks = []

    def later(condition: str, name: str) -> str:
        looks.append((condition, name))
        return ATTACHED if len(looks) < 4 else ''

    assert (await wait_for(('10s', 'srv-removable', 'px/s1'), Patience(), later)).text == 'Done.'
    assert looks == [('srv-removable', 'px/s1')] * 4


async def test_what_will_never_be_is_not_waited_for() -> None:
    def never(_condition: str, _name: str) -> str:
        raise Complaint('No such server.')

    answer = await wait_for(('1h', 'srv-removable', 'px/x'), Patience(), never)
    assert answer == Answer('Failed. No such server.', Severity.ERROR)


@pytest.mark.parametrize(
    'words,text', [(('1h', 'srv-removable', 'px/s1'), f'Interrupted. {ATTACHED}'), (('1h',), 'Interrupted.')]
)
async def test_a_client_that_left_is_not_waited_for(words: tuple[str, ...], text: str) -> None:
    patience = Patience()
    waiting = asyncio.create_task(wait_for(words, patience, busy))
    await asyncio.sleep(0)
    patience.closed.set()
    assert (await asyncio.wait_for(waiting, 30)) == Answer(text, Severity.ERROR)


async def test_input_still_to_be_done_keeps_it_waiting() -> None:
    patience = Patience(more=lambda: True)
    patience.closed.set()
    answer = await wait_for(('20', 'srv-removable', 'px/s1'), patience, busy)
    assert answer.text == f'Wait delay expired. {ATTACHED}'


@pytest.mark.parametrize(
    'words,expected',
    [
        (('-h',), Answer(USAGE, Severity.INFO)),
        (('5', '-h'), Answer(USAGE, Severity.INFO)),
        (('5', 'be-gone', 'x'), Answer(USAGE, Severity.ERROR)),
    ],
)
async def test_usage(words: tuple[str, ...], expected: Answer) -> None:
    assert await wait_for(words, Patience(), busy) == expected


@pytest.mark.parametrize(
    'words,text',
    [
        ((), 'Expects a duration in milliseconds.'),
        (('x',), 'Invalid duration.'),
        (('5', 'srv-removable'), 'Missing server name (<backend>/<server>).'),
        (('5', 'be-removable'), 'Missing backend name.'),
    ],
)
async def test_malformed(words: tuple[str, ...], text: str) -> None:
    with pytest.raises(Complaint) as complaint:
        await wait_for(words, Patience(), busy)
    assert complaint.value.answer.text == text


async def test_until_something_happens_or_the_client_speaks() -> None:
    done, arrived, pending = asyncio.Event(), asyncio.Event(), [False]
    patience = Patience(more=lambda: pending[0], arrived=arrived)

    async def happens() -> None:
        await done.wait()

    waiting = asyncio.create_task(patience.until(happens()))
    await asyncio.sleep(0)
    arrived.set()  # what came was no whole line, or was taken already
    await asyncio.sleep(0)
    done.set()
    assert await asyncio.wait_for(waiting, 10) is True
    done.clear()
    waiting = asyncio.create_task(patience.until(happens()))
    await asyncio.sleep(0)
    pending[0] = True
    arrived.set()
    assert await asyncio.wait_for(waiting, 10) is False
    patience.closed.set()
    pending[0] = False
    assert await asyncio.wait_for(patience.until(happens()), 10) is False


async def test_nobody_is_written_to() -> None:
    await Patience().write('into the air')
