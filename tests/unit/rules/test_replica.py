"""Replicas and the book over every interleaving of small worlds: own changes are seen at once, and all end with the same.

A world has a book, workers with what they are still to do, and packets on their way. Each step is one of: a worker's rule acts;
its batch leaves; the supervisor takes it; a packet for a worker is made; it arrives. Worlds that look alike are looked at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product

import pytest

from dataplane.rules.book import Book
from dataplane.rules.changes import Change, Kind
from dataplane.rules.indexes import Held
from dataplane.rules.model import Entry, Match, Reference, Use
from dataplane.rules.replica import MOST, MOST_BYTES, PROVISIONAL, Limits, Replica, Where
from dataplane.rules.stores import VARIABLES, PatternSet, Store

MAP = Reference('m', 0, '', maps=True, acls=False, uses=(Use(Match.STR, gives='str'),), entries=(Entry('k', 'v'),))
ROOM = Limits(100, 10_000)
Script = tuple[str, bytes, Change]
SET_A, SET_B = ('m', b'k', Change(Kind.SET, b'a')), ('m', b'k', Change(Kind.SET, b'b'))
DEL, OTHER = ('m', b'k', Change(Kind.DEL)), ('m', b'q', Change(Kind.SET, b'c'))
ADD = ('m', b'n', Change(Kind.ADD))


@dataclass
class Link:
    """A worker as the supervisor sees it."""

    touched: set[Where] = field(default_factory=set)
    whole: set[str] = field(default_factory=set)
    taken: int | None = None
    packet: (
        tuple[list[tuple[str, list[tuple[bytes, tuple[Held, ...]]]]], list[tuple[str, PatternSet]], int | None] | None
    ) = None
    truth: object = None


class World:
    """`scripts`: what the rules of each worker do, in order; `cli`: what the CLI does at some time, `commit` or `clear`."""

    def __init__(self, scripts: tuple[tuple[Script, ...], ...], cli: tuple[str, ...], limits: Limits = ROOM) -> None:
        self.book = Book.made((MAP,), (), 0, self._watch, limits)
        self.scripts = [list(script) for script in scripts]
        self.cli = list(cli)
        self.replicas = []
        for _ in scripts:
            store = Store(references=(MAP,))
            for _ in store.fill():
                pass
            self.replicas.append(Replica(store, ROOM))
        self.up: list[list[tuple[int, dict[Where, Change]]]] = [[] for _ in scripts]
        self.links = [Link() for _ in scripts]

    def _watch(self, name: str, key: bytes | None) -> None:
        for link in getattr(self, 'links', ()):
            if key is None:
                link.whole.add(name)
            else:
                link.touched.add((name, key))

    def choices(self) -> Iterator[tuple[str, int]]:
        """What can happen now."""
        if self.cli:
            yield 'cli', 0
        for at, (replica, link) in enumerate(zip(self.replicas, self.links, strict=True)):
            if self.scripts[at]:
                yield 'act', at
            if replica.waiting:
                yield 'send', at
            if self.up[at]:
                yield 'take', at
            if link.packet is None and (link.touched or link.whole or link.taken is not None):
                yield 'make', at
            if link.packet is not None:
                yield 'hear', at

    def do(self, choice: tuple[str, int]) -> None:
        """Let it happen."""
        what, at = choice
        replica, link = self.replicas[at], self.links[at]
        if what == 'cli':
            self._cli(self.cli.pop(0))
        elif what == 'act':
            name, key, change = self.scripts[at].pop(0)
            if replica.act(name, key, change):
                held = replica.store[name].held.get(key)
                assert (held is None) if change.kind is Kind.DEL else held is not None
                assert change.kind is not Kind.SET or (
                    held is not None and {value for _, value in held} == {change.value}
                )
        elif what == 'send':
            batch = replica.batch()
            self.up[at].append((replica.number, dict(batch)))
        elif what == 'take':
            number, batch = self.up[at].pop(0)
            self.book.take(batch.items())
            link.taken = number
        elif what == 'make':
            self._make(link)
        else:
            assert link.packet is not None
            told, whole, taken = link.packet
            replica.hear(told, whole, taken)
            link.packet = None
            assert confirmed(replica) == link.truth  # a moment of the book, whole

    def _make(self, link: Link) -> None:
        whole = []
        for name in link.whole:
            patterns = PatternSet()
            for key, held in self.book.set_of(name).held.items():  # type: ignore[union-attr]
                patterns.put(key, held)
            whole.append((name, patterns))
        told = [
            (name, [(key, self.book.set_of(name).held.get(key, ()))])  # type: ignore[union-attr]
            for name, key in sorted(link.touched) if name not in link.whole
        ]  # fmt: skip
        link.packet, link.truth = (told, whole, link.taken), truth(self.book)
        link.touched, link.whole, link.taken = set(), set(), None

    def _cli(self, what: str) -> None:
        chapter = self.book.chapters['m']
        if what == 'clear':
            self.book.clear(chapter, None)
        elif what == 'add':
            self.book.add(chapter, [('k', 'cli')], None)
        else:
            version = self.book.prepare(chapter)
            self.book.add(chapter, [('new', '1'), ('k', '2')], version)
            self.book.commit(chapter, version)

    def fingerprint(self) -> object:
        """Worlds of the same have the same future, but for the numbers of places."""
        return repr((
            truth(self.book), self.scripts, self.cli, self.up,
            [(seen(replica), confirmed(replica), replica._sent, replica._unsent, replica._under_way) for replica in self.replicas],
            [(link.touched, link.whole, link.taken, link.truth, link.packet is None) for link in self.links],
        ))  # fmt: skip


def truth(book: Book) -> object:
    return sorted(book.chapters['m'].now.held.items()), sorted(book.variables.now.held.items())


def confirmed(replica: Replica) -> object:
    """What the supervisor had at one moment, as far as this worker knows."""
    sets = []
    for name in ('m', VARIABLES):
        held = dict(replica.store[name].held)
        for (of, key), base in replica._base.items():
            if of == name:
                held[key] = base
        sets.append(sorted((key, entries) for key, entries in held.items() if entries))
    return tuple(sets)


def seen(replica: Replica) -> object:
    rows = [replica.store[name].rows() for name in ('m', VARIABLES)]
    return [[(min(place, PROVISIONAL), key, value) for place, key, value in one] for one in rows]


def waits(replica: Replica) -> bool:
    return replica.waiting


def explore(scripts: tuple[tuple[Script, ...], ...], cli: tuple[str, ...] = (), limits: Limits = ROOM) -> int:
    """Go through every interleaving; returns how many worlds there were. Where nothing can happen any more all see the same."""
    known: set[object] = set()
    open_: list[tuple[tuple[str, int], ...]] = [()]
    ends = 0
    while open_:
        path = open_.pop()
        world = World(scripts, cli, limits)
        for choice in path:
            world.do(choice)
        mark = world.fingerprint()
        if mark in known:
            continue
        known.add(mark)
        choices = list(world.choices())
        for choice in choices:
            open_.append((*path, choice))
        if not choices:
            ends += 1
            rows = world.book.chapters['m'].now.rows()
            for replica in world.replicas:
                assert replica.store['m'].rows() == rows, path
                assert replica.store.variables.rows() == world.book.variables.now.rows(), path
                assert [replica._base, replica._sent, replica._unsent] == [{}, {}, {}]
    assert ends
    return len(known)


@pytest.mark.parametrize(
    'scripts, cli',
    [
        (((SET_A,), (SET_B,)), ()), (((SET_A,), (DEL,)), ()), (((DEL, SET_A), (SET_B,)), ()), (((ADD,), (ADD,)), ()),
        (((OTHER,), (SET_B,)), ('clear',)), (((SET_A,), (DEL,)), ('commit',)), (((OTHER, SET_A),), ('clear', 'commit')),
        (((SET_A,),), ('add', 'clear')), (((SET_A, DEL, SET_B),), ('add',)),
    ],
)  # fmt: skip
def test_all_end_with_the_same_whatever_comes_when(
    scripts: tuple[tuple[Script, ...], ...], cli: tuple[str, ...]
) -> None:
    assert explore(scripts, cli) > 10


def test_what_is_refused_is_taken_back() -> None:
    """There is room for one more entry and both workers add one: one of them is told that it has none."""
    explore((((OTHER),), (ADD,)), limits=Limits(2, 10_000))


def test_variables() -> None:
    values = (True, 1, b'1')
    for one, other in product(values, values):
        first, second = (((VARIABLES, b'x', Change(Kind.SET, value)),) for value in (one, other))
        explore((first, second))


def test_a_worker_refuses_what_nobody_could_take() -> None:
    store = Store(references=(Reference('n', 0, '', maps=True, acls=False, uses=(Use(Match.IP, gives='int'),)),))
    for _ in store.fill():
        pass
    replica = Replica(store, Limits(1, 100))
    assert not replica.act('n', b'x', Change(Kind.SET, b'1'))
    assert not replica.act('n', b'1.2.3.4', Change(Kind.SET, b'x'))
    assert replica.act('n', b'1.2.3.4', Change(Kind.SET, b'1'))
    assert not replica.act('n', b'1.2.3.5', Change(Kind.SET, b'1'))  # no room
    assert replica.act('n', b'1.2.3.4', Change(Kind.SET, b'2'))
    assert replica.refused == 3
    assert dict(replica.batch()) == {('n', b'1.2.3.4'): Change(Kind.SET, b'2')}
    assert not replica.waiting
    assert replica.act('n', b'1.2.3.4', Change(Kind.SET, b'2'))  # nothing new: nothing to tell
    assert not replica._unsent
    with pytest.raises(RuntimeError, match='under way'):
        replica.batch()


def test_own_changes_are_kept_per_pattern() -> None:
    store = Store(references=(MAP,))
    for _ in store.fill():
        pass
    replica = Replica(store, ROOM)
    replica.act('m', b'k', Change(Kind.SET, b'0'))
    replica.batch()
    for number in range(1_000):
        replica.act('m', b'k', Change(Kind.SET, b'%d' % number))
    assert replica._unsent == {('m', b'k'): Change(Kind.SET, b'999')}
    assert not waits(replica)
    replica.hear([('m', [(b'k', ((1, b'0'),))])], taken=1)
    assert waits(replica)
    assert store['m'].held[b'k'] == ((1, b'999'),)


def test_what_does_not_fit_into_a_batch_is_in_the_next() -> None:
    store = Store(references=(MAP,))
    for _ in store.fill():
        pass
    replica = Replica(store, Limits(100_000, 1 << 40))
    for number in range(MOST + 10):
        assert replica.act('m', b'%d' % number, Change(Kind.SET, b'v'))
    large = b'x' * (MOST_BYTES // 2)
    for number in range(3):
        assert replica.act('m', b'large %d' % number, Change(Kind.SET, large))
    told = []
    while replica.waiting:
        batch = dict(replica.batch())
        told += [list(batch)]
        seen = {key: replica.store['m'].held[key] for _, key in batch}
        replica.hear([('m', seen.items())], taken=replica.number)
    assert [len(keys) for keys in told] == [MOST, 11, 1, 1]
    assert [key for keys in told for _, key in keys] == [
        *(b'%d' % number for number in range(MOST + 10)), b'large 0', b'large 1', b'large 2',
    ]  # fmt: skip
    assert [replica._base, replica._sent, replica._unsent] == [{}, {}, {}]
    huge = Change(Kind.SET, b'x' * 2 * MOST_BYTES)
    assert replica.act('m', b'k', huge)
    assert dict(replica.batch()) == {('m', b'k'): huge}
