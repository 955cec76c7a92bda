"""Indexes that follow single changes find what indexes made anew find, and what looking at every entry finds."""

from __future__ import annotations

import random
from typing import Any

import pytest

from dataplane.rules.indexes import Held, Numbers, Row
from dataplane.rules.matching import made
from dataplane.rules.model import Match, Pattern, Use
from dataplane.rules.samples import IPv4, IPv6, to_v6
from dataplane.rules.stores import PatternSet, decoded

TEXTS = ['a', 'A', 'ab', 'aB', 'b', '/a', '/a/b', 'b.a', '', 'abc', 'c']
NETS = ['10.0.0.0/8', '10.1.0.0/16', '10.1.2.3', '10.1.2.3/32', '::/0', '2001:db8::/32', '0.0.0.0/0', '10.1.2.0/24']
NUMBERS = ['1', '01', '2', '1:3', ':2', '3:', '5:9', '4']
METHODS = ['GET', 'get', 'PUT', 'own']
PATTERNS: dict[Match, list[str]] = {
    Match.IP: NETS,
    Match.INT: NUMBERS,
    Match.LEN: NUMBERS,
    Match.METH: METHODS,
    Match.BIN: ['61', '6162', 'AB', 'ab'],
}
ADDRESSES = [
    IPv4(0x0A010203),
    IPv4(0x0A010204),
    IPv4(0x0B000000),
    IPv6(0x20010DB8 << 96),
    to_v6(IPv4(0x0A010203)),
    IPv6(1),
]
STRINGS: list[Any] = [b'a', b'A', b'ab', b'/a/b', b'x/a', b'b.a', b'', b'abcd', b'xabc']
SAMPLES: dict[Match, list[Any]] = {
    Match.IP: ADDRESSES, Match.INT: [0, 1, 2, 3, 4, 6, 20, -1], Match.METH: [b'GET', b'get', b'OWN', b'own'],
    Match.BIN: [b'a', b'ab', b'\xab'],
}  # fmt: skip
USES = [
    *(Use(match, fold) for match in Match for fold in (False, True) if match not in (Match.FOUND, Match.BOOL)),
    *(Use(match, gives='str') for match in (Match.STR, Match.BEG, Match.END, Match.SUB, Match.INT, Match.IP, Match.REG)),
    Use(Match.STR, gives='int'), Use(Match.STR, gives='key'),
]  # fmt: skip


def matching(use: Use, held: dict[bytes, tuple[Held, ...]], sample: object) -> list[Row]:
    """Every entry that matches, in order."""
    rows = sorted((place, key, value) for key, entries in held.items() for place, value in entries)
    return [row for row in rows if made(use.match, [Pattern(decoded(row[1]), use.fold)])(sample)]


@pytest.mark.parametrize('use', USES, ids=lambda use: f'{use.match.value}-{use.fold}-{use.gives}')
def test_an_index_follows(use: Use) -> None:
    rng = random.Random(7)
    patterns = PatternSet(uses=[use])
    looking = patterns.looking(use)
    for step in range(60):
        key = rng.choice(PATTERNS.get(use.match, TEXTS)).encode()
        places = rng.sample(range(1, 1_000), rng.choice((0, 0, 1, 1, 2)))
        patterns.put(key, tuple((place * 1_000 + step, b'%d' % place) for place in sorted(places)))
        fresh = PatternSet(uses=[use])
        for one, entries in patterns.held.items():
            fresh.put(one, entries)
        for sample in SAMPLES.get(use.match, STRINGS):
            found = looking.find(sample)
            assert found == fresh.looking(use).find(sample), (step, sample)
            every = matching(use, patterns.held, sample)
            assert looking.holds(sample) is bool(every)
            if found is None:
                continue
            assert (found[0], found[1]) in {(place, own) for place, own, _ in every}
            if use.match in (Match.BEG, Match.IP):  # the longest counts, and of what means the same the first
                assert found[0] == min(place for place, own, _ in every if mean_the_same(use, own, found[1]))
            else:
                assert found[0] == every[0][0]


def mean_the_same(use: Use, one: bytes, other: bytes) -> bool:
    if use.match is Match.BEG:
        return (one.lower() if use.fold else one) == (other.lower() if use.fold else other)
    return one.removesuffix(b'/32') == other.removesuffix(b'/32')


def test_the_longest_counts() -> None:
    patterns = PatternSet()
    for place, key in enumerate((b'/', b'/a/b', b'/a'), 1):
        patterns.put(key, ((place, key),))
    looking = patterns.looking(Use(Match.BEG, gives='str'))
    assert [looking.find(sample) for sample in (b'/a/b/c', b'/a/c', b'/c', b'c')] == [
        (2, b'/a/b', b'/a/b'), (3, b'/a', b'/a'), (1, b'/', b'/'), None,
    ]  # fmt: skip
    patterns.put(b'/a/b', ())
    assert looking.find(b'/a/b/c') == (3, b'/a', b'/a')


def test_values_have_the_type_of_the_map() -> None:
    patterns = PatternSet()
    patterns.put(b'a', ((1, b'17'),))
    patterns.put(b'b', ((2, b'x'),))
    patterns.put(b'c', ((3, b'1.2.3.4'),))
    finds = {gives: patterns.looking(Use(Match.STR, gives=gives)) for gives in ('int', 'ip', 'key', 'str')}
    assert finds['int'].find(b'a') == (1, b'a', 17)
    assert finds['int'].find(b'b') == (2, b'b', None)
    assert finds['ip'].find(b'c') == (3, b'c', IPv4(0x01020304))
    assert finds['key'].find(b'a') == (1, b'a', b'a')
    assert finds['str'].find(b'a') == (1, b'a', b'17')


def test_a_range_more_costs_no_look_at_those_there_are() -> None:
    index = Numbers(None)
    for place in range(1, 50):
        index.put(b'%d:%d' % (place, place + 5), ((place, place),))
    rows = index._ranges.rows
    index.put(b'7:9', ((50, 50),))
    index.put(b'3:8', ())
    assert index._ranges.rows is rows
    assert [row[0] for row in rows] == [1, 2, *range(4, 51)]
    assert index.find(8) == (4, b'4:9', 4)
