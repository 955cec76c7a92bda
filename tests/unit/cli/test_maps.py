"""Operands and texts of the commands on maps, ACLs and variables."""

from __future__ import annotations

import pytest

from dataplane.cli import maps
from dataplane.cli.maps import Kind, Words
from dataplane.cli.session import Complaint


def complaint(kind: Kind, words: Words, payload: str | None = None) -> str:
    with pytest.raises(Complaint) as caught:
        list(maps.added(kind, words, payload))
    return str(caught.value)


@pytest.mark.parametrize(
    'words, expected',
    [
        ((), (None, ())),
        (('m', 'k'), (None, ('m', 'k'))),
        (('@3', 'm'), (3, ('m',))),
        (('@', 'm'), (0, ('m',))),
        (('@3x', 'm'), (3, ('m',))),
        (('@x3', 'm'), (0, ('m',))),
        (('@99999999999', 'm'), (9_999_999_999, ('m',))),
        (('m', '@3'), (None, ('m', '@3'))),
    ],
)
def test_versions(words: Words, expected: tuple[int | None, Words]) -> None:
    assert maps.versioned(words) == expected


def test_who_is_unknown() -> None:
    assert str(Kind.MAP.unknown) == 'Unknown map identifier. Please use #<id> or <file>.'
    assert str(Kind.ACL.unknown) == 'Unknown ACL identifier. Please use #<id> or <file>.'


@pytest.mark.parametrize(
    'kind, words, payload, expected',
    [
        (Kind.MAP, ('k', 'v'), None, [('k', 'v')]),
        (Kind.MAP, ('k', 'v', 'more'), None, [('k', 'v')]),
        (Kind.MAP, (), 'a 1\nb\t 2 3\nc \n', [('a', '1'), ('b', '2 3'), ('c', '')]),
        (Kind.ACL, ('p',), None, [('p', None)]),
        (Kind.ACL, ('p',), 'a\nb c\nd\te\n', [('a', None), ('b', None), ('d', None)]),
    ],
)
def test_what_is_added(kind: Kind, words: Words, payload: str | None, expected: list[tuple[str, str | None]]) -> None:
    assert list(maps.added(kind, words, payload)) == expected


@pytest.mark.parametrize('words', [(), ('k',), ('', 'v'), ('k', '')])
def test_a_map_wants_a_key_and_a_value(words: Words) -> None:
    assert complaint(Kind.MAP, words) == maps.ADD_MAP


@pytest.mark.parametrize('words', [(), ('',)])
def test_an_acl_wants_a_pattern(words: Words) -> None:
    assert complaint(Kind.ACL, words) == maps.ADD_ACL


def test_of_a_payload_everything_before_a_line_that_is_wrong_is_added() -> None:
    pairs = maps.added(Kind.MAP, (), 'a 1\nb\nc 3\n')
    assert next(pairs) == ('a', '1')
    with pytest.raises(Complaint, match="Missing value for key 'b'"):
        next(pairs)


def test_entries_and_lists() -> None:
    assert maps.line_of(255, 'k', 'v w') == '0x0000000000ff k v w'
    assert maps.line_of(1, 'k', '') == '0x000000000001 k '
    assert maps.line_of(1, 'k', None) == '0x000000000001 k'
    assert maps.summary(3, 'm', 'shown', (1, 2), 4) == '3 (m) shown. curr_ver=1 next_ver=2 entry_cnt=4'
    assert maps.listed(['a', 'b']) == '# id (file) description\na\nb'
    assert maps.listed([]) == '# id (file) description'


@pytest.mark.parametrize(
    'kind, row, settings, expected',
    [
        (Kind.MAP, None, (False, True), 'type=str, case=sensitive, found=no'),
        (Kind.ACL, None, (True, False), 'type=str, case=insensitive, match=no'),
        (
            Kind.MAP,
            ('k', 'v', 'int'),
            (False, True),
            'type=str, case=sensitive, found=yes, idx=tree, key="k", value="v", type="int"',
        ),
        (Kind.MAP, ('k', None, 'str'), (False, False), 'type=str, case=sensitive, found=yes, idx=list, key="k"'),
        (Kind.ACL, ('k', 'v', 'str'), (False, True), 'type=str, case=sensitive, match=yes, idx=tree, pattern="k"'),
    ],
)
def test_what_was_found(
    kind: Kind, row: tuple[str, str | None, str] | None, settings: tuple[bool, bool], expected: str
) -> None:
    fold, tree = settings
    assert maps.found(kind, 'str', row, fold=fold, tree=tree) == expected


def test_a_variable() -> None:
    assert maps.variable('proc.x', 'str', b'a\x00\xff~') == 'proc.x: type=str value=<a..~>'
