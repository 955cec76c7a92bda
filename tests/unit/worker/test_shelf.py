"""The stick tables of one worker: mapped once however often their descriptors come, adopted with tables, let go with them."""

from __future__ import annotations

import gc
import os

import pytest

from dataplane.core.stick.definition import Data, Definition, KeyType
from dataplane.stick import StickTable
from dataplane.worker.shelf import Shelf
from dataplane.worker.tracking import Tracking


def made(name: str) -> StickTable:
    definition = Definition(
        name=name, key=KeyType.STRING, length=8, size=10, stores=(Data('conn_cur'), Data('http_req_cnt'))
    )
    return StickTable.create(definition, 2)


def bring(shelf: Shelf, number: int, *tables: StickTable) -> None:
    shelf.prepare(number, [table.definition for table in tables], [os.dup(table.fd) for table in tables])


def open_descriptors() -> int:
    return len(os.listdir('/proc/self/fd'))


def test_a_memory_that_is_mapped_is_not_mapped_again() -> None:
    first, second, shelf = made('a'), made('b'), Shelf(2, 1, lambda: None)
    before = open_descriptors()
    bring(shelf, 1, first)
    shelf.adopt(1)
    known = shelf.tables['a']
    bring(shelf, 2, first, second)
    assert list(shelf.tables) == ['a']
    shelf.adopt(2)
    assert (shelf.tables['a'], list(shelf.tables)) == (known, ['a', 'b'])
    assert open_descriptors() == before + 2  # a mapping keeps one of its own
    assert known.track(b'k')
    assert first.trackers(b'k') == 1


def test_what_was_prepared_and_refused_is_let_go() -> None:
    first, shelf = made('a'), Shelf(2, 1, lambda: None)
    bring(shelf, 1, first)
    shelf.discard(1)
    shelf.adopt(1)
    assert shelf.tables == {}
    bring(shelf, 2, first)
    bring(shelf, 3)
    shelf.adopt(3)
    assert shelf.tables == {}
    shelf.adopt(2)
    assert shelf.tables == {}


def test_tables_and_descriptors_have_to_agree() -> None:
    first, before = made('a'), open_descriptors()
    with pytest.raises(ValueError, match='1 stick tables were announced, 0 came'):
        Shelf(2, 1, lambda: None).prepare(1, [first.definition], [])
    with pytest.raises(ValueError, match='0 stick tables were announced, 1 came'):
        Shelf(2, 1, lambda: None).prepare(1, [], [os.dup(first.fd)])
    assert open_descriptors() == before


def test_what_is_tracked_is_counted_and_given_back_once() -> None:
    table = made('a')
    mine = StickTable(os.dup(table.fd), table.definition, 2, worker=1)
    tracking = Tracking()
    assert tracking.start(1, mine, b'k')
    assert tracking.get(1) == (mine, b'k')
    assert [tracking.get(number) for number in (0, 2, 3, -1)] == [None] * 4
    tracking.count(('http_req_cnt', 2), ('conn_rate', 1))
    assert (table.read(b'k', 'http_req_cnt'), table.read(b'k', 'conn_cur')) == (2, 1)
    tracking.release()
    tracking.release()
    assert table.read(b'k', 'conn_cur') == 0


def test_of_tables_of_which_one_cannot_be_had_nothing_is_left() -> None:
    first, shelf = made('a'), Shelf(2, 1, lambda: None)
    other = Definition(name='b', key=KeyType.STRING, length=8, size=20)
    gc.collect()  # what tests before this one have left
    before = open_descriptors()
    with pytest.raises(ValueError, match='table b on descriptor'):
        shelf.prepare(1, [first.definition, other, other], [os.dup(first.fd) for _ in range(3)])
    gc.collect()
    assert open_descriptors() == before
    shelf.adopt(1)
    assert shelf.tables == {}
