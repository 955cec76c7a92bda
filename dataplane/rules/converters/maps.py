"""Rules: the converters `map` and `map_*`, which look a sample up in a file (configuration manual 7.3.1).

Exact strings are found at once, prefixes and networks by the longest that matches; of everything else the first entry in the
file that matches counts. What is made of a file is made anew when it has changed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from dataplane.rules.fetches.constants import encoded
from dataplane.rules.matching import WANTED, Matcher, matcher, network, parse_pattern
from dataplane.rules.model import Entry, Match, Named, Pattern
from dataplane.rules.problems import Rejected, shown
from dataplane.rules.regexes import compile_regex
from dataplane.rules.replacing import replacement
from dataplane.rules.samples import IPv4, Sample, Type, leading_integer, parse_address, to_v4, to_v6
from dataplane.rules.stores import Store, read_patterns
from dataplane.rules.table import Arguments, Check, Converter, Step

if TYPE_CHECKING:
    from dataplane.rules.scope import Scope
    from dataplane.rules.view import View

Find = Callable[[Any], 'Sample | None']
_BY: Final = ('str', 'beg', 'sub', 'dir', 'dom', 'end', 'reg', 'int', 'ip')
_GIVES: Final = {'str': Type.STR, 'int': Type.INT, 'ip': Type.ADDRESS, 'key': Type.STR}


def _value(text: str, gives: str) -> Sample | None:
    """The value of an entry as its type; None where it is none of it."""
    if gives == 'int':
        return leading_integer(encoded(text)) if text.lstrip('+-').isdigit() else None
    return parse_address(text) if gives == 'ip' else encoded(text)


def _given(entry: Entry, gives: str) -> Sample | None:
    return encoded(entry.pattern) if gives == 'key' else _value(entry.value or '', gives)


def _exact(entries: Sequence[Entry], gives: str) -> Find:
    found: dict[bytes, Sample | None] = {}
    for entry in entries:
        found.setdefault(encoded(entry.pattern), _given(entry, gives))
    return found.get


def _longest(entries: Sequence[Entry], gives: str) -> Find:
    """By the longest prefix. As many looks as there are lengths, not as there are entries."""
    found: dict[bytes, Sample | None] = {}
    for entry in entries:
        found.setdefault(encoded(entry.pattern), _given(entry, gives))
    lengths = sorted({len(prefix) for prefix in found}, reverse=True)

    def find(sample: bytes) -> Sample | None:
        for length in lengths:
            if length <= len(sample) and (head := sample[:length]) in found:
                return found[head]
        return None

    return find


def _narrowest(entries: Sequence[Entry], gives: str) -> Find:
    v4: dict[int, dict[int, Sample | None]] = {}
    v6: dict[int, dict[int, Sample | None]] = {}
    for entry in entries:
        kind, address, mask = network(entry.pattern)
        (v4 if kind is IPv4 else v6).setdefault(mask, {}).setdefault(address, _given(entry, gives))
    masks4, masks6 = sorted(v4.items(), reverse=True), sorted(v6.items(), reverse=True)

    def among(masks: list[tuple[int, dict[int, Sample | None]]], address: int | None) -> Sample | None:
        if address is not None:
            for mask, known in masks:
                if address & mask in known:
                    return known[address & mask]
        return None

    def find(sample: Any) -> Sample | None:
        if type(sample) is IPv4:
            answer = among(masks4, sample)
            return among(masks6, to_v6(sample)) if answer is None else answer
        answer = among(masks6, sample)
        return among(masks4, to_v4(sample)) if answer is None else answer

    return find


def _first(by: Match) -> Callable[[Sequence[Entry], str], Find]:
    def make(entries: Sequence[Entry], gives: str) -> Find:
        nothing = Store()
        rows: list[tuple[Matcher, Sample | None]] = [
            (matcher(by, [Pattern(parse_pattern(by, entry.pattern))], (), nothing), _given(entry, gives))
            for entry in entries
        ]

        def find(sample: Any) -> Sample | None:
            for matches, value in rows:
                if matches(sample):
                    return value
            return None

        return find

    return make


def _expanded(entries: Sequence[Entry], _: str) -> Find:
    rows = [(compile_regex(entry.pattern, fold=False), replacement(encoded(entry.value or ''))) for entry in entries]

    def find(sample: bytes) -> Sample | None:
        for regex, expand in rows:
            match = regex.search(sample)
            if match is not None:
                return expand(match)
        return None

    return find


_MAKERS: Final = {'str': _exact, 'beg': _longest, 'ip': _narrowest}


def _check(by: Match, gives: str) -> Check:
    """Reads the file, once for all that name it, and looks at its patterns and values."""

    def check(arguments: Arguments, scope: Scope) -> Arguments:
        name = str(arguments[0] or '')
        if not name:
            msg = 'map file name is missing'
            raise Rejected(msg)
        read_patterns(name, scope, pairs=True)
        for entry in scope.files[name]:
            try:
                parse_pattern(by, entry.pattern)
            except Rejected as problem:
                msg = f"'{problem}' at line {entry.line} of file '{shown(name)}'"
                raise Rejected(msg) from None
            if gives != 'key' and _value(entry.value or '', gives) is None:
                msg = f"'{shown(entry.value or '')}' is not a valid value at line {entry.line} of file '{shown(name)}'"
                raise Rejected(msg)
        if len(arguments) > 1 and gives != 'key' and _value(str(arguments[1]), gives) is None:
            msg = f"cannot parse default value '{shown(str(arguments[1]))}'"
            raise Rejected(msg)
        return (Named('map', name), *arguments[1:])

    return check


def _map(by: Match, gives: str, make: Callable[[Sequence[Entry], str], Find]) -> Converter:
    def build(arguments: Arguments, store: Store) -> Step:
        patterns = store[str(arguments[0])]
        patterns.used_by(by)
        default = _value(str(arguments[1]), 'str' if gives == 'key' else gives) if len(arguments) > 1 else None
        version = -1
        find: Find = _nothing

        def step(sample: Any, _view: View) -> Sample | None:
            nonlocal version, find
            if version != patterns.version:
                find, version = make(patterns.entries, gives), patterns.version
            answer = find(sample)
            return default if answer is None else answer

        return step

    return Converter(WANTED[by], _GIVES[gives], build, 'map,str?', _check(by, gives))


def _nothing(_: Any) -> Sample | None:
    return None


def _all() -> dict[str, Converter]:
    found = {}
    for word in _BY:
        by = Match(word)
        make = _MAKERS.get(word, _first(by))
        for gives in _GIVES:
            found[f'map_{word}_{gives}'] = _map(by, gives, make)
        found[f'map_{word}'] = found[f'map_{word}_str']
    found['map'] = found['map_str']
    found['map_regm'] = _map(Match.REG, 'str', _expanded)
    return found


MAPS: Final[dict[str, Converter]] = _all()
