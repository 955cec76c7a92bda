"""The book: versions, what is refused, and who is told of what."""

from __future__ import annotations

import pytest

from dataplane.rules.book import Book, Chapter, place_of
from dataplane.rules.changes import Change, Kind
from dataplane.rules.model import Entry, Match, Reference, Use
from dataplane.rules.problems import Rejected
from dataplane.rules.replica import Limits
from dataplane.rules.stores import VARIABLES

MAP = Reference(
    'm', 0, 'a map', maps=True, acls=False, uses=(Use(Match.STR, gives='str'),), entries=(Entry('a', '1'), Entry('b', '2'), Entry('a', '3')),
)  # fmt: skip
NETS = Reference('nets', 1, '', maps=True, acls=True, uses=(Use(Match.IP, gives='int'),))
OWN = Reference(
    '', 7, "acl 'path' file 'f' line 1", maps=False, acls=True, uses=(Use(Match.STR),), entries=(Entry('/x'),)
)


ROOM = Limits(100, 1_000)


class Noted(Book):
    """A book that notes what it tells."""

    def __init__(self, limits: Limits = ROOM) -> None:
        self.told: list[tuple[str, bytes | None]] = []
        super().__init__((MAP, NETS, OWN), (('x', 5),), 3, lambda name, key: self.told.append((name, key)), limits)
        for _ in self.fill():
            pass

    @property
    def map(self) -> Chapter:
        found = self.find('m', maps=True)
        assert found is not None
        return found


def shown(chapter: Chapter, version: int | None = None) -> list[tuple[bytes, object]]:
    return [(key, value) for _, key, value in chapter.at(version).rows()]


def test_names() -> None:
    book = Noted()
    for word, maps, expected in (
        ('m', True, 'm'), ('#0', True, 'm'), ('file@m', True, 'm'), ('m', False, None), ('#1', False, 'nets'), ('#7', False, '\0' + '7'),
        ('#7', True, None), ('#9', True, None), ('#x', True, None), ('#', True, None), ('nope', True, None), ('\0' + '7', False, None),
    ):  # fmt: skip
        found = book.find(word, maps=maps)
        assert (None if found is None else found.key) == expected, word


def test_changes_of_the_cli() -> None:
    book = Noted()
    book.add(book.map, [('k', 'v'), ('a', '4')], None)
    assert shown(book.map) == [(b'a', b'1'), (b'b', b'2'), (b'a', b'3'), (b'k', b'v'), (b'a', b'4')]
    assert book.give(book.map, 'a', '9')
    assert not book.give(book.map, 'nope', '9')
    assert book.give(book.map, '#0x2', '8')
    assert not book.give(book.map, '#0x99', '8')
    assert shown(book.map) == [(b'a', b'9'), (b'b', b'8'), (b'a', b'9'), (b'k', b'v'), (b'a', b'9')]
    assert book.delete(book.map, '#0x3')
    assert not book.delete(book.map, '#0x3')
    assert not book.delete(book.map, '#zz')
    assert book.delete(book.map, 'b')
    assert not book.delete(book.map, 'b')
    assert shown(book.map) == [(b'a', b'9'), (b'k', b'v'), (b'a', b'9')]
    assert book.told == [('m', key) for key in (b'k', b'a', b'a', b'b', b'a', b'b')]
    assert book.touched() == ['m']
    assert (book.count, book.size) == (4, 2 * 3 + 2)


def test_versions() -> None:
    book = Noted()
    with pytest.raises(Rejected, match="in the future, please use 'prepare map' before"):
        book.add(book.map, [('k', 'v')], 1)
    assert [book.prepare(book.map) for _ in range(3)] == [1, 2, 3]
    book.add(book.map, [('one', '1')], 1)
    book.add(book.map, [('two', '1'), ('two', '2')], 2)
    book.add(book.map, [('three', '3')], 3)
    assert book.told == []
    assert shown(book.map, 2) == [(b'two', b'1'), (b'two', b'2')]
    assert shown(book.map, 9) == []
    assert book.map.count == 7
    book.commit(book.map, 2)
    assert book.told == [('m', None)]
    assert shown(book.map) == shown(book.map, 2) == [(b'two', b'1'), (b'two', b'2')]
    assert (book.map.version, book.map.newest, book.map.count) == (2, 3, 3)
    for version in (0, 1, 2, 4):
        with pytest.raises(Rejected, match='out of range'):
            book.commit(book.map, version)
    book.add(book.map, [('old', 'x')], 1)  # taken and forgotten
    assert book.map.count == 3
    book.clear(book.map, 3)
    assert book.map.count == 2
    book.clear(book.map, 3)
    book.clear(book.map, None)
    assert (book.map.count, book.count, book.size) == (0, 1, 2)
    book.commit(book.map, 3)
    assert shown(book.map) == []


def test_places_are_never_given_twice() -> None:
    book = Noted()
    version = book.prepare(book.map)
    book.add(book.map, [('p', '1')], version)
    book.take([(('m', b'q'), Change(Kind.SET, b'2'))])
    book.add(book.map, [('p', '3')], version)
    places = [place for place, _, _ in (*book.map.now.rows(), *book.map.at(version).rows())]
    assert sorted(places) == [1, 2, 3, 4, 5, 6]


def test_what_cannot_be_is_refused() -> None:
    book = Noted()
    nets = book.find('nets', maps=True)
    assert nets is not None
    with pytest.raises(Rejected, match="'bad' is not a valid IPv4 or IPv6 address"):
        book.add(nets, [('1.1.1.1', '1'), ('bad', '2'), ('3.3.3.3', '3')], None)
    assert shown(nets) == [(b'1.1.1.1', b'1')]
    with pytest.raises(Rejected, match="unable to parse 'x'"):
        book.add(nets, [('1.1.1.1', 'x')], None)
    with pytest.raises(Rejected, match="unable to parse 'x'"):
        book.give(nets, '1.1.1.1', 'x')
    changes = [
        (('nets', b'x'), Change(Kind.SET, b'1')),
        (('nope', b'x'), Change(Kind.SET, b'1')),
        (('nets', b'2.2.2.2'), Change(Kind.SET, b'2')),
    ]
    assert book.take(changes) == 2
    assert (book.refused, shown(nets)) == (2, [(b'1.1.1.1', b'1'), (b'2.2.2.2', b'2')])


def test_room() -> None:
    book = Noted(Limits(entries=6, size=20))
    book.add(book.map, [('k', 'v')], None)
    assert book.count == 5
    version = book.prepare(book.map)
    book.add(book.map, [('k', 'v')], version)
    with pytest.raises(Rejected, match='may have 6 entries'):
        book.add(book.map, [('k', 'v')], version)
    assert book.take([(('m', b'new'), Change(Kind.SET, b'1'))]) == 1
    assert book.take([(('m', b'k'), Change(Kind.SET, b'2'))]) == 0
    with pytest.raises(Rejected, match='20 bytes'):
        book.give(book.map, 'k', 'much too long')
    book.clear(book.map, version)
    assert book.take([(('m', b'new'), Change(Kind.SET, b'1'))]) == 0


def test_variables() -> None:
    book = Noted()
    book.set_variable('y', b'text')
    book.set_variable('x', None)
    assert book.variables.now.rows() == [(2, b'y', b'text')]
    assert book.touched() == [VARIABLES]
    assert book.told == [(VARIABLES, b'y'), (VARIABLES, b'x')]


@pytest.mark.parametrize('word, place', [('a', None), ('#0x1f', 31), ('#1f', 31), ('#', -1), ('#zz', -1), ('##', -1)])
def test_place_of(word: str, place: int | None) -> None:
    assert place_of(word) == place
