"""Pattern files: how they are read, what changes them, and what maps make of them."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from dataplane.rules.closures import compiled_expression
from dataplane.rules.expressions import parse_expression
from dataplane.rules.model import Entry, Match, Use
from dataplane.rules.problems import Rejected
from dataplane.rules.samples import IPv4, Sample
from dataplane.rules.scope import Scope, no_files
from dataplane.rules.stores import PatternSet, Store, entries_of
from tests.unit.rules.transaction import transaction

FILES = {
    'words': '/a one\n/a/b two words  \n/a three\n/x\tfour\n\n#/y five\n  /z   six\nempty\n',
    'numbers': '5 fifty\n10:20 some\n:0 negative\n',
    'nets': '10.0.0.0/8 ten\n10.1.0.0/16 ten-one\n::/0 any\n2001:db8::/32 doc\n',
    'values': 'a 17\nb -3\n',
    'addresses': 'a 10.0.0.1\nb ::1\n',
    'regexes': '^/u/([a-z]+) user-\\1\n^/ rest\n',
    'bad': '(x y\n',
}


def store_and_value(text: str) -> tuple[Store, Sample | None]:
    scope = Scope(read=FILES.__getitem__)
    expression, _ = parse_expression([text], 0, scope)
    store = Store(scope.files)
    return store, compiled_expression(expression, store)(transaction())


def test_lines() -> None:
    assert entries_of(FILES['words'], pairs=True)[1:4] == (
        Entry('/a/b', 'two words', 2),
        Entry('/a', 'three', 3),
        Entry('/x', 'four', 4),
    )
    assert entries_of(FILES['words'], pairs=True)[-2:] == (Entry('/z', 'six', 7), Entry('empty', '', 8))
    assert entries_of('a b \r\n c\n#d\n', pairs=False) == (Entry('a b ', None, 1), Entry('c', None, 2))


def test_a_set_follows_patterns_in_the_order_of_entries() -> None:
    patterns = PatternSet(entries_of('a 1\nb 2\na 3\n', pairs=True))
    assert patterns.rows() == [(1, b'a', b'1'), (2, b'b', b'2'), (3, b'a', b'3')]
    assert (patterns.count, patterns.size, patterns.last) == (3, 6, 3)
    patterns.put(b'a', ((3, b'33'),))
    patterns.put(b'c', ((7, None),))
    assert patterns.rows() == [(2, b'b', b'2'), (3, b'a', b'33'), (7, b'c', None)]
    assert (patterns.count, patterns.size, patterns.last) == (3, 6, 7)
    patterns.put(b'c', ())
    patterns.put(b'c', ())
    assert (patterns.count, patterns.size, patterns.last) == (2, 5, 7)
    store = Store({'f': (Entry('x'),)})
    assert 'f' in store
    assert 'g' not in store
    assert store['g'].rows() == []
    assert store['f'].rows() == [(1, b'x', None)]


@pytest.mark.parametrize(
    'text, expected',
    [
        ('str(/a),map(words)', b'one'), ('str(/q),map(words)', None), ('str(/q),map(words,none)', b'none'), ('str(empty),map(words)', b''),
        ('str(/a/b/c),map_beg(words)', b'two words'), ('str(/a/c),map_beg(words)', b'one'), ('str(x/a),map_end(words)', b'one'),
        ('str(q/a/q),map_sub(words)', b'one'), ('str(q/x/q),map_dir(words)', b'four'), ('str(/u/joe),map_reg(regexes)', b'user-\\1'),
        ('str(/u/joe),map_regm(regexes)', b'user-joe'), ('str(/q),map_regm(regexes)', b'rest'), ('str(q),map_regm(regexes)', None),
        ('int(5),map_int(numbers)', b'fifty'), ('int(15),map_int(numbers)', b'some'), ('int(-4),map_int(numbers)', b'negative'),
        ('int(6),map_int(numbers)', None), ('ipv4(10.1.2.3),map_ip(nets)', b'ten-one'), ('ipv4(10.2.2.3),map_ip(nets)', b'ten'),
        ('ipv4(11.2.2.3),map_ip(nets)', b'any'), ('ipv6(2001:db8::1),map_ip(nets)', b'doc'), ('str(a),map_str_int(values)', 17),
        ('str(b),map_str_int(values,5)', -3), ('str(c),map_str_int(values,5)', 5), ('str(a),map_str_ip(addresses)', IPv4(0x0A000001)),
        ('str(/a/b/c),map_beg_key(words)', b'/a/b'), ('str(a.b),map_dom(values)', b'17'),
    ],
)  # fmt: skip
def test_maps(text: str, expected: Sample | None) -> None:
    assert store_and_value(text)[1] == expected


def test_a_map_that_changes_is_looked_at_anew() -> None:
    scope = Scope(read=FILES.__getitem__)
    expression, _ = parse_expression(['path,map_beg(words,none)'], 0, scope)
    store = Store(scope.files)
    get, view = compiled_expression(expression, store), transaction(b'GET /q/r HTTP/1.1\r\n\r\n')
    assert get(view) == b'none'
    store['words'].put(b'/q', ((9, b'new'),))
    assert get(view) == b'new'
    store['words'].put(b'/q', ((9, b'newer'),))
    assert get(view) == b'newer'
    other = store.like('words')
    other.put(b'/q/', ((1, b'other'),))
    store['words'].become(other)
    assert get(view) == b'other'
    store['words'].put(b'/q/', ())
    assert get(view) == b'none'


@pytest.mark.parametrize(
    'written, name, count',
    [('virt@v', 'virt@v', 0), ('opt@nowhere', 'nowhere', 0), ('opt@values', 'values', 2), ('file@values', 'values', 2)],
)
def test_a_name_says_whether_there_has_to_be_a_file(written: str, name: str, count: int) -> None:
    scope = Scope(read=read)
    expression, _ = parse_expression([f'str(a),map({written},none)'], 0, scope)
    assert {known: len(entries) for known, entries in scope.files.items()} == {name: count}
    assert compiled_expression(expression, Store(scope.files))(transaction()) == (b'17' if count else b'none')


def test_a_file_that_has_to_be_there() -> None:
    for written in ('nowhere', 'file@nowhere'):
        with pytest.raises(Rejected, match='failed to open'):
            parse_expression([f'str(a),map({written})'], 0, Scope(read=read))


def read(name: str) -> str:
    return FILES[name] if name in FILES else no_files(name)


@pytest.mark.parametrize(
    'text, complaint',
    [
        ('str(a),map_str_int(words)', "'one' is not a valid value at line 1 of file 'words'"), ('str(a),map_reg(bad)', 'at line 1'),
        ('int(1),map_int(words)', "'/a' is not a number"), ('str(a),map()', 'map file name is missing'), ('str(a),map', 'map file name'),
        ('str(a),map_str_int(values,x)', "cannot parse default value 'x'"), ('str(a),map_ip(words)', 'not a valid IPv4 or IPv6 address'),
    ],
)  # fmt: skip
def test_bad_maps(text: str, complaint: str) -> None:
    with pytest.raises(Rejected) as found:
        store_and_value(text)
    assert complaint in str(found.value)


USES = [Use(Match.STR, fold=True, gives='str'), Use(Match.BEG, gives='str'), Use(Match.SUB), Use(Match.REG)]


@pytest.mark.parametrize('use', USES)
def test_what_is_made_step_by_step_is_what_is_made_at_once(use: Use) -> None:
    text = ''.join(f'key{number} {number}\n' for number in range(60))
    patterns, other = (PatternSet(entries_of(text, pairs=True)) for _ in range(2))
    steps = patterns.prepare(use, part=25)
    assert [next(steps, 'done') for _ in range(4)] == [None, None, None, 'done']
    for sample in (b'key7', b'KEY59', b'key', b'other'):
        assert patterns.looking(use).find(sample) == other.looking(use).find(sample)
    assert list(patterns.prepare(use)) == [], 'it is there already'


@pytest.mark.parametrize('use', USES)
def test_meanwhile_patterns_come_change_and_go(use: Use) -> None:
    text = ''.join(f'key{number}x {number}\n' for number in range(60))
    patterns, other = (PatternSet(entries_of(text, pairs=True)) for _ in range(2))
    for step, _ in enumerate(patterns.prepare(use, part=20)):
        for changed in (patterns, other):
            if not step:
                changed.put(b'key1x', ())  # is there already
                changed.put(b'key2x', ((3, b'two'),))
                changed.put(b'key50x', ())  # is not there yet
                changed.put(b'key51x', ((52, b'late'), (99, b'later')))
                changed.put(b'new', ((100, b'new'),))
    for number in range(60):
        sample = b'key%dx' % number
        assert patterns.looking(use).find(sample) == other.looking(use).find(sample), sample
    assert patterns.looking(use).find(b'new') == other.looking(use).find(b'new')
    assert patterns.looking(use).find(b'key1x') is None


def test_who_gives_up_leaves_nothing_behind() -> None:
    use = Use(Match.BEG, gives='str')
    patterns = PatternSet(entries_of('a 1\nb 2\nc 3\n', pairs=True))
    steps = patterns.prepare(use, part=1)
    next(steps)
    assert isinstance(steps, Generator)
    steps.close()
    assert use not in patterns.uses
    assert patterns.looking(use).find(b'cc') == (3, b'c', b'3')
