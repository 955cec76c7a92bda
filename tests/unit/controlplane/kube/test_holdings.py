"""H1 to H4 of controlplane/kube/holdings.py."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.kube.holdings import Holdings, Key, Listing

Json = dict[str, Any]
Told = tuple[str, str | None, str | None]


def document(name: str, value: str = 'x', *, uid: str = 'u', version: str = '1', namespace: str = 'n') -> Json:
    meta = {'namespace': namespace, 'name': name, 'uid': uid, 'resourceVersion': version, 'managedFields': [{}]}
    return {'metadata': meta, 'value': value}


def compact(one: Json) -> str | None:
    if one['value'] == 'broken':
        raise ValueError('broken')
    return None if one['value'] == 'nothing' else str(one['value'])


class Kept(Holdings[str]):
    def __init__(self) -> None:
        super().__init__('things', compact)
        self.told: list[Told] = []
        self.listen(self._told)

    def _told(self, key: Key, old: str | None, new: str | None) -> None:
        self.told.append((key[1], old, new))

    def taken(self) -> list[Told]:
        told, self.told = self.told, []
        return told

    def list(self, *documents: Json, namespace: str = '') -> list[Told]:
        listing: Listing[str] = Listing(namespace)
        for one in documents:
            self.read(listing, [one])
        assert self.told == []
        self.adopt(listing)
        return self.taken()


def test_h1_only_what_is_different_is_told() -> None:
    kept = Kept()
    assert kept.list(document('a'), document('b')) == [('a', None, 'x'), ('b', None, 'x')]
    assert kept.list(document('a'), document('b')) == []
    assert kept.list(document('a', version='2'), document('b', 'y', version='2')) == [('b', 'x', 'y')]
    assert kept.list(document('b', 'y', version='2')) == [('a', 'x', None)]
    assert dict(kept.values) == {('n', 'b'): 'y'}


def test_h1_events() -> None:
    kept = Kept()
    kept.upsert(document('a'))
    kept.upsert(document('a'))
    kept.upsert(document('a', version='2'))
    kept.upsert(document('a', 'y', version='3'))
    kept.delete(document('a', 'y', version='4'))
    kept.delete(document('a', 'y', version='4'))
    assert kept.taken() == [('a', None, 'x'), ('a', 'x', 'y'), ('a', 'y', None)]


def test_h2_another_uid_is_another_object() -> None:
    kept = Kept()
    kept.list(document('a'))
    assert kept.list(document('a', uid='v', version='2')) == [('a', 'x', None), ('a', None, 'x')]
    kept.upsert(document('a', uid='w', version='3'))
    assert kept.taken() == [('a', 'x', None), ('a', None, 'x')]


def test_h2_the_end_of_an_earlier_object_is_not_the_end_of_this_one() -> None:
    kept = Kept()
    kept.upsert(document('a', uid='v', version='5'))
    kept.taken()
    kept.delete(document('a', uid='u', version='4'))
    assert kept.taken() == []
    assert ('n', 'a') in kept.values


def test_h3_a_list_is_of_its_namespace() -> None:
    kept = Kept()
    kept.list(document('a', namespace='m'), namespace='m')
    kept.list(document('b', namespace='n'), namespace='n')
    assert kept.list(namespace='n') == [('b', 'x', None)]
    assert dict(kept.values) == {('m', 'a'): 'x'}


def test_h4_what_cannot_be_understood_stays_as_it_was(caplog: pytest.LogCaptureFixture) -> None:
    kept = Kept()
    kept.list(document('a'), document('b'))
    with caplog.at_level(logging.CRITICAL):
        assert kept.list(document('a', 'broken', version='2'), {'metadata': 1}, {}, document('b')) == []
        kept.upsert(document('a', 'broken', version='3'))
        kept.upsert({'metadata': {}})
        kept.delete({'kind': 'Thing'})
    assert kept.taken() == []
    assert kept.malformed == 6
    assert dict(kept.values) == {('n', 'a'): 'x', ('n', 'b'): 'x'}
    kept.upsert(document('a', 'y', version='4'))
    assert kept.taken() == [('a', 'x', 'y')]


def test_what_is_nothing_is_as_if_it_were_not_there() -> None:
    kept = Kept()
    assert kept.list(document('a', 'nothing')) == []
    kept.upsert(document('a', 'x', version='2'))
    kept.upsert(document('a', 'nothing', version='3'))
    kept.delete(document('a', 'nothing', version='4'))
    assert kept.taken() == [('a', None, 'x'), ('a', 'x', None)]


def test_a_replay_tells_of_everything_as_unchanged() -> None:
    kept = Kept()
    kept.list(document('a'), document('b', 'y'))
    kept.replay()
    assert kept.taken() == [('a', 'x', 'x'), ('b', 'y', 'y')]


def test_nobody_writes_into_what_is_held() -> None:
    with pytest.raises(TypeError):
        Kept().values['n', 'a'] = 'x'  # type: ignore[index]


STATES = st.dictionaries(
    st.sampled_from('abc'), st.tuples(st.sampled_from('uv'), st.sampled_from(['x', 'y', 'nothing']))
)


@given(st.lists(st.tuples(st.booleans(), STATES), max_size=12))
def test_what_is_told_adds_up_to_what_is_held(worlds: list[tuple[bool, dict[str, tuple[str, str]]]]) -> None:
    """Every world after the other, by list or by events; listeners who only add up what they hear know the same."""
    kept, heard, present = Kept(), dict[str, str](), dict[str, tuple[str, str]]()
    for version, (by_list, world) in enumerate(worlds):
        made = {name: document(name, value, uid=uid, version=f'{version}') for name, (uid, value) in world.items()}
        if by_list:
            told = kept.list(*made.values())
        else:
            for name in present.keys() - world.keys():
                kept.delete(document(name, uid=present[name][0]))
            for one in made.values():
                kept.upsert(one)
            told = kept.taken()
        for name, old, new in told:
            assert heard.get(name) == old
            assert old != new
            heard.pop(name, None) if new is None else heard.update({name: new})
        present = world
        held = {name: value for name, (_, value) in world.items() if value != 'nothing'}
        assert heard == {key[1]: value for key, value in kept.values.items()} == held
