"""Who uses which patterns, and the numbers they are known by."""

from __future__ import annotations

import pytest

from dataplane.rules.model import Entry, Match, Pattern, Use
from dataplane.rules.problems import Rejected
from dataplane.rules.references import References

STR, BEG = Use(Match.STR, gives='str'), Use(Match.BEG)


class Reading:
    """A configuration that is being read, line by line."""

    def __init__(self) -> None:
        self.line = 0
        self.references = References(self.where)

    def where(self) -> str:
        self.line += 1
        return f"file 'f' line {self.line}"


@pytest.fixture
def reading() -> Reading:
    return Reading()


def test_a_file_is_one_reference_however_often_it_is_named(reading: Reading) -> None:
    reading.references.map('m', STR)
    reading.references.acl('m', BEG)
    (found,) = reading.references.finished({'m': (Entry('a', '1', 1),)})
    assert (found.name, found.key, found.identity) == ('m', 'm', 0)
    assert (found.maps, found.acls, found.pairs) == (True, True, True)
    assert found.uses == (STR, BEG)
    assert found.entries == (Entry('a', '1', 1),)
    assert found.shown == ("pattern loaded from file 'm' used by map at file 'f' line 1, by acl at file 'f' line 2")


def test_what_stands_in_a_line_is_one_of_its_own(reading: Reading) -> None:
    patterns = (Pattern('/a', False), Pattern('/b', False))
    assert [reading.references.own('path', BEG, patterns, 0) for _ in range(2)] == [1, 2]
    first, second = reading.references.finished({})
    assert (first.identity, first.key, first.shown) == (0, '\x000', "acl 'path' file 'f' line 1")
    assert second.key == '\x001'
    assert (first.maps, first.acls, first.pairs) == (False, True, False)
    assert first.entries == (Entry('/a'), Entry('/b'))


def test_numbers_go_past_those_that_are_given(reading: Reading) -> None:
    reading.references.own('path', BEG, (), 1)
    reading.references.map('m', STR)
    reading.references.own('path', BEG, (), 2)
    reading.references.acl('n', BEG)
    reading.references.own('path', BEG, (), 0)
    assert [one.identity for one in reading.references.finished({'m': (), 'n': ()})] == [1, 0, 2, 3, 4]


def test_a_number_is_given_once(reading: Reading) -> None:
    reading.references.own('path', BEG, (), 7)
    with pytest.raises(Rejected, match='the id is already used'):
        reading.references.own('path', BEG, (), 7)


def test_a_file_without_entries_has_no_pairs_unless_it_is_a_map(reading: Reading) -> None:
    reading.references.acl('a', BEG)
    reading.references.map('m', STR)
    acl, a_map = reading.references.finished({'a': (), 'm': ()})
    assert not acl.pairs
    assert a_map.pairs
