"""The ring of events: dated, bounded, and followed."""

from __future__ import annotations

import asyncio
from datetime import datetime

from dataplane.supervisor.ring import Ring

NOW = 1_700_000_000.25


def ring(limit: int = 1_000) -> Ring:
    return Ring(lambda: NOW, limit=limit)


def test_lines_have_a_date_and_a_number() -> None:
    made = ring()
    made.add('notice', 'first')
    made.add('alert', 'of two\nlines')
    date = datetime.fromtimestamp(NOW).astimezone().isoformat(timespec='microseconds')
    assert list(made.since(0)) == [(1, f'<5>{date} first'), (2, f'<1>{date} of two lines')]
    assert list(made.since(1)) == [(2, f'<1>{date} of two lines')]
    assert (list(made.since(2)), made.last) == ([], 2)


def test_the_oldest_make_room() -> None:
    made = ring(limit=200)
    for number in range(50):
        made.add('info', f'{number:03} {"x" * 20}')
    kept = list(made.since(0))
    assert [number for number, _ in kept] == list(range(51 - len(kept), 51))
    assert sum(len(line) for _, line in kept) <= 200
    made.add('info', 'y' * 500)
    assert [len(line) for _, line in made.since(0)] == [200]


async def test_who_follows_hears_of_what_comes() -> None:
    made = ring()
    made.add('info', 'before')
    await asyncio.wait_for(made.news(0), 10)
    waiting = [asyncio.create_task(made.news(1)) for _ in range(2)]
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    made.add('info', 'after')
    await asyncio.wait_for(asyncio.gather(*waiting), 10)


def test_lines_are_kept_as_they_are_and_with_less_room_fewer() -> None:
    made = ring(limit=20)
    for line in ('one', 'two', 'three'):
        made.keep(line)
    assert list(made.since(0)) == [(1, 'one'), (2, 'two'), (3, 'three')]
    assert list(made.since(2)) == [(3, 'three')]
    made.resize(8)
    assert list(made.since(0)) == [(2, 'two'), (3, 'three')]
    made.resize(100)
    made.keep('four')
    assert [number for number, _ in made.since(0)] == [2, 3, 4]
