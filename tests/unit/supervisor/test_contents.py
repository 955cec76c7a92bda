"""The supervisor's side of what workers share, with the workers' own side at the other end of packets as they travel."""

from __future__ import annotations

import asyncio
import json
import os
import random
import resource
from collections.abc import Sequence
from dataclasses import replace

import pytest

from dataplane.core.model import Snapshot
from dataplane.rules.changes import Change, Kind
from dataplane.rules.model import Entry, Match, Reference, Use
from dataplane.supervisor import contents as room
from dataplane.supervisor.contents import Contents
from dataplane.wire.framing import Message
from dataplane.worker.contents import Contents as Shared

MAP = Reference('m', 0, '', maps=True, acls=False, uses=(Use(Match.STR, gives='str'),), entries=(Entry('k', 'v'),))
OWN = Reference('', 1, '', maps=False, acls=True, uses=(Use(Match.STR),), entries=(Entry('/x'),))
FILE = Snapshot(references=(MAP, OWN), variables=(('x', 5),), load=0)


class Plane:
    """A supervisor and workers in one loop. `held` workers get no packets until they are let go."""

    def __init__(self, workers: int) -> None:
        self.log: list[tuple[str, str]] = []
        self.sent: list[tuple[int, Message]] = []
        self.held: dict[int, list[tuple[Message, tuple[int, ...]]]] = {}
        self.loop = asyncio.get_running_loop()
        self.contents = Contents(self.loop, self.send, log=lambda *line: self.log.append(line), failed=self.failed)
        self.contents.adopt(FILE)
        self.workers: dict[int, Shared] = {}
        self.tasks: set[asyncio.Task[None]] = set()
        self.snapshot = FILE
        for number in range(workers):
            self.start(number)

    def failed(self, name: str, error: BaseException) -> None:
        raise AssertionError(name) from error

    def start(self, number: int) -> None:
        """A worker begins with what the files say."""
        worker = self.workers[number] = Shared(self.loop)
        for _ in worker.prepare(1, self.snapshot):
            pass
        worker.adopt(1, self.snapshot)
        worker.send = lambda message: self.hear(number, worker, message)
        self.contents.join(number)

    def hear(self, number: int, worker: Shared, message: Message) -> None:
        text = json.dumps(message)

        def take() -> None:
            if self.workers.get(number) is worker:
                assert self.contents.heard(number, json.loads(text))

        self.loop.call_soon(take)

    def send(self, number: int, message: Message, fds: Sequence[int]) -> None:
        mine = tuple(os.dup(fd) for fd in fds)
        packet = json.loads(json.dumps(message)), mine
        self.sent.append((number, message))
        if number in self.held:
            self.held[number].append(packet)
        else:
            self.loop.call_soon(self.deliver, number, self.workers[number], packet)

    def deliver(self, number: int, worker: Shared, packet: tuple[Message, tuple[int, ...]]) -> None:
        message, fds = packet
        if self.workers.get(number) is not worker:
            for fd in fds:
                os.close(fd)
        elif fds:
            task = self.loop.create_task(worker.hear(message, fds))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
        else:
            worker.follow(message, [])

    def let_go(self, number: int) -> None:
        for packet in self.held.pop(number):
            self.deliver(number, self.workers[number], packet)

    def kill(self, number: int) -> None:
        del self.workers[number]
        self.contents.left(number)

    async def quiet(self) -> None:
        """Return when nothing changes any more."""
        async with asyncio.timeout(10):
            while True:
                if not any(worker._replica._base or worker._replica._unsent for worker in self.workers.values()):
                    await self.contents.settled()
                    return
                await asyncio.sleep(0)

    def all(self, name: str = 'm') -> list[list[tuple[int, bytes, object]]]:
        """What the book and every worker have."""
        known = self.contents.book.set_of(name)
        assert known is not None
        return [known.rows(), *(worker.store[name].rows() for worker in self.workers.values())]


def put(plane: Plane, *pairs: tuple[str, str]) -> None:
    plane.contents.book.add(plane.contents.book.chapters['m'], pairs, None)


async def test_a_change_is_everywhere_when_it_is_settled() -> None:
    plane = Plane(3)
    put(plane, ('a', '1'), ('a', '2'))
    assert await plane.contents.settled() == ()
    rows = [(1, b'k', b'v'), (2, b'a', b'1'), (3, b'a', b'2')]
    assert plane.all() == [rows] * 4
    assert await plane.contents.settled() == ()
    assert len(plane.sent) == 3


async def test_a_rule_is_seen_at_once_and_told_to_the_others() -> None:
    plane = Plane(2)
    first, second = plane.workers.values()
    assert first.store.change('m', b'k', Change(Kind.SET, b'mine'))
    first.store.set_variable('x', True)
    assert first.store['m'].held[b'k'] == ((1, b'mine'),)
    assert first.store.variable('x') is True
    assert second.store.variable('x') == 5
    await plane.quiet()
    assert plane.all() == [[(1, b'k', b'mine')]] * 3
    assert second.store.variable('x') is True


async def test_who_is_slow_gets_one_packet_with_all_it_missed() -> None:
    plane = Plane(2)
    plane.held[1] = []
    put(plane, ('first', '1'))
    waiting = asyncio.create_task(plane.contents.settled())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    for number in range(500):
        put(plane, (f'k{number % 50}', '1'))
        await asyncio.sleep(0)
    assert len(plane.held[1]) == 1
    assert not waiting.done()
    plane.let_go(1)
    await waiting
    await plane.contents.settled()
    assert len([number for number, _ in plane.sent if number == 1]) == 2
    assert plane.all()[0] == plane.all()[1] == plane.all()[2]


async def test_a_commit_changes_over_at_once() -> None:
    plane = Plane(1)
    book, worker = plane.contents.book, plane.workers[0]
    chapter = book.chapters['m']
    version = book.prepare(chapter)
    book.add(chapter, ((f'k{number}', 'new') for number in range(3_000)), version)
    looking = worker.store['m'].looking(Use(Match.STR, gives='str'))
    book.commit(chapter, version)
    settled = asyncio.create_task(plane.contents.settled())
    seen = set()
    while not settled.done():
        seen.add((worker.store['m'].count, looking.find(b'k') is not None, looking.find(b'k2999') is not None))
        await asyncio.sleep(0)
    assert seen <= {(1, True, False), (3_000, False, True)}
    assert looking.find(b'k2999') is not None
    assert plane.all()[0] == plane.all()[1]


async def test_a_packet_is_never_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, '_MOST_ROWS', 10)
    plane = Plane(2)
    plane.contents.book.set_variable('y', b'1')
    put(plane, *((f'k{number}', 'x') for number in range(11)))
    await plane.contents.settled()
    assert plane.all()[0] == plane.all()[1] == plane.all()[2]
    assert [one[0] for _, message in plane.sent for one in message['told']] == ['\0proc'] * 2


async def test_what_a_worker_would_take_long_for_comes_in_several_packets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, '_ROWS', 10)
    plane = Plane(2)
    worker = plane.workers[0]
    for number in range(15):
        worker.store.change('m', b'own %d' % number, Change(Kind.SET, b'1'))
    put(plane, *((f'k{number}', 'x') for number in range(35)))
    waiting = asyncio.create_task(plane.contents.settled())
    await asyncio.sleep(0)
    plane.contents.book.set_variable('y', b'1')
    await waiting
    await plane.quiet()
    await plane.contents.settled()
    assert plane.all()[0] == plane.all()[1] == plane.all()[2]
    assert {worker.store.variable('y') for worker in plane.workers.values()} == {b'1'}
    sizes = [sum(len(rows) for _, rows in message['told']) for _, message in plane.sent]
    assert max(sizes) == 10
    assert sum(sizes) == 2 * 51, 'nothing is told twice'
    unfinished = [message for _, message in plane.sent if message['sequence'] < 0]
    assert len(unfinished) >= 6
    assert {message['taken'] for message in unfinished} == {None}
    assert [message['taken'] for number, message in plane.sent if message['taken'] is not None] == [1]


async def test_a_successor_begins_with_what_all_know() -> None:
    plane = Plane(2)
    put(plane, ('a', '1'))
    plane.contents.book.set_variable('y', b'1')
    await plane.contents.settled()
    plane.kill(1)
    put(plane, ('b', '2'))
    await plane.contents.settled()
    plane.start(1)
    await plane.contents.settled(1)
    assert plane.all()[0] == plane.all()[2]
    assert plane.workers[1].store.variable('y') == b'1'
    assert [key for _, key, _ in plane.all()[0]] == [b'k', b'a', b'b']


async def test_the_dead_are_named_and_not_waited_for() -> None:
    plane = Plane(2)
    plane.held[1] = []
    put(plane, ('a', '1'))
    waiting = asyncio.create_task(plane.contents.settled())
    await asyncio.sleep(0)
    plane.kill(1)
    assert await waiting == (1,)


async def test_another_reading_begins_anew() -> None:
    plane = Plane(1)
    worker = plane.workers[0]
    put(plane, ('a', '1'))
    await plane.contents.settled()
    plane.held[0] = []
    worker.store.change('m', b'lost', Change(Kind.SET, b'1'))
    put(plane, ('b', '1'))
    waiting = asyncio.create_task(plane.contents.settled())
    await asyncio.sleep(0)
    again = Snapshot(references=(MAP,), load=1)
    plane.contents.adopt(again)
    assert await waiting == ()
    for _ in worker.prepare(2, again):
        pass
    worker.adopt(2, again)
    plane.let_go(0)
    await plane.quiet()
    assert plane.all() == [[(1, b'k', b'v')]] * 2
    put(plane, ('c', '1'))
    await plane.contents.settled()
    assert [key for _, key, _ in plane.all()[1]] == [b'k', b'c']
    plane.contents.adopt(again)
    assert plane.contents.book.touched() == ['m']


async def test_the_first_change_of_an_acl_of_a_line_makes_rules_anew() -> None:
    plane = Plane(1)
    made = []
    plane.workers[0].remake = lambda: made.append(1)
    for pattern in ('/y', '/z'):
        plane.contents.book.add(plane.contents.book.chapters[OWN.key], [(pattern, None)], None)
        await plane.contents.settled()
    assert made == [1]
    assert plane.all(OWN.key) == [[(1, b'/x', None), (2, b'/y', None), (3, b'/z', None)]] * 2
    own = plane.workers[0].store.own(2)
    assert own is plane.workers[0].store[OWN.key]


async def test_refusals_are_told_now_and_then() -> None:
    plane = Plane(1)
    for number in range(10):
        message = {'op': 'changes', 'load': 0, 'number': number, 'changes': [['nowhere', 'k', 'set', 'v']]}
        plane.contents.heard(0, message)
    assert len(plane.log) == 4
    assert plane.contents.heard(0, {'op': 'other'}) is False


@pytest.mark.parametrize('seed', range(20))
async def test_concurrent_changes_end_the_same(seed: int) -> None:
    rng = random.Random(seed)
    plane = Plane(3)
    kinds = (Change(Kind.SET, b'1'), Change(Kind.SET, b'2'), Change(Kind.DEL), Change(Kind.SET, b'3'))
    for step in range(300):
        worker = plane.workers[rng.randrange(3)]
        worker.store.change('m', b'k%d' % rng.randrange(6), rng.choice(kinds))
        book, what = plane.contents.book, rng.random()
        if what < 0.05:
            put(plane, (f'k{rng.randrange(6)}', f'cli{step}'))
        elif what < 0.07:
            book.clear(book.chapters['m'], None)
        elif what < 0.09:
            version = book.prepare(book.chapters['m'])
            book.add(book.chapters['m'], [('k1', 'c'), ('k9', 'c')], version)
            book.commit(book.chapters['m'], version)
        elif what < 0.10:
            number = rng.randrange(3)
            plane.kill(number)
            plane.start(number)
        for _ in range(rng.randrange(3)):
            await asyncio.sleep(0)
    await plane.quiet()
    rows = plane.all()
    assert all(one == rows[0] for one in rows), rows


async def test_many_expressions_are_no_packet_that_a_worker_must_take_in_one_turn() -> None:
    plane = Plane(2)
    expressions = Reference('r', 2, '', maps=False, acls=True, uses=(Use(Match.REG),), entries=())
    again = Snapshot(references=(MAP, expressions), load=1)
    plane.contents.adopt(again)
    for worker in plane.workers.values():
        for _ in worker.prepare(2, again):
            pass
        worker.adopt(2, again)
    book = plane.contents.book
    chapter = book.chapters['r']
    for first, count in ((0, 200), (200, 201)):
        plane.sent.clear()
        book.add(chapter, ((f'^/{number}$', None) for number in range(first, first + count)), None)
        await plane.contents.settled()
        told = sorted(len(rows) for _, message in plane.sent for _, rows in message['told'])
        assert told == ([50] * 8 if count == 200 else [])
        assert plane.all('r')[0] == plane.all('r')[1] == plane.all('r')[2]
    assert all(worker.store['r'].looking(Use(Match.REG)).holds(b'/400') for worker in plane.workers.values())


async def test_what_there_is_no_descriptor_for_is_sent_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, '_LATER', 0.01)
    plane = Plane(2)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
    try:
        plane.contents.book.clear(plane.contents.book.chapters['m'], None)
        plane.workers[0].store.change('m', b'own', Change(Kind.SET, b'1'))
        while not plane.log:  # noqa: ASYNC110 - the log is a list
            await asyncio.sleep(0)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    put(plane, ('a', '1'))
    await plane.contents.settled()
    await plane.quiet()
    assert plane.all() == [plane.all()[0]] * 3
    assert [key for _, key, _ in plane.all()[0]] == [b'own', b'a']
    assert {level for level, _ in plane.log} == {'err'}


async def test_another_reading_is_made_a_part_per_turn_before_it_is_in_force() -> None:
    plane, turns = Plane(1), 0
    entries = tuple(Entry(f'k{number}', 'v') for number in range(10_000))
    larger = Snapshot(references=(replace(MAP, entries=entries), OWN), load=1)

    async def count() -> None:
        nonlocal turns
        while plane.contents.book.load == 0:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    await plane.contents.prepare(larger)
    assert plane.contents.book.load == 0
    made = plane.contents._ready
    plane.contents.adopt(larger)
    assert plane.contents.book is made
    await counting
    assert turns >= 10
    found = plane.contents.book.set_of('m')
    assert found is not None
    assert found.count == plane.contents.book.count - 1 == 10_000
    await plane.contents.prepare(larger)
    assert plane.contents._ready is None, 'it is in force already'
