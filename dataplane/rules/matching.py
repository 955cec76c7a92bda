"""Rules: does a sample match one of the patterns? (configuration manual 7.1.1 - 7.1.6)

`parse_pattern` checks the text of one pattern and gives it the form in which a snapshot holds it; `matcher` makes one
function of all patterns of an ACL's line. A function of patterns that are written is made once; patterns that may change are
looked for in the sets of a store.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from dataplane.rules.arguments import prefix
from dataplane.rules.model import Match, Pattern, Use
from dataplane.rules.patience import Patience, Search, endless, patient
from dataplane.rules.problems import Rejected, shown
from dataplane.rules.regexes import compile_regex
from dataplane.rules.samples import Address, IPv4, IPv6, Type, clamped, parse_address, to_v4, to_v6
from dataplane.rules.searching import compile_search
from dataplane.rules.words import has_word

if TYPE_CHECKING:
    from dataplane.rules.model import PatternFile
    from dataplane.rules.stores import Store

Matcher = Callable[[Any], bool]

WANTED: Final = {
    Match.FOUND: Type.ANY, Match.BOOL: Type.BOOL, Match.INT: Type.INT, Match.IP: Type.ADDRESS, Match.BIN: Type.BIN,
    Match.LEN: Type.STR, Match.STR: Type.STR, Match.BEG: Type.STR, Match.SUB: Type.STR, Match.DIR: Type.STR,
    Match.DOM: Type.STR, Match.END: Type.STR, Match.REG: Type.STR, Match.METH: Type.METHOD,
    Match.AUTH: Type.STR,
}  # fmt: skip
"""The type a sample is cast to before it is compared."""

DEFAULT: Final = {
    Type.BOOL: Match.BOOL, Type.INT: Match.INT, Type.ADDRESS: Match.IP, Type.IPV4: Match.IP, Type.IPV6: Match.IP,
    Type.STR: Match.STR, Type.METHOD: Match.METH,
}  # fmt: skip
"""How a sample is compared where no `-m` says it. Blocks and samples of any type have no such way."""

OPERATORS: Final = frozenset(('eq', 'ge', 'gt', 'le', 'lt'))
_NUMBER: Final = re.compile(r'-?[0-9]{1,20}', re.ASCII)
_HEX: Final = re.compile(r'(?:[0-9A-Fa-f]{2})*', re.ASCII)
_SHORT: Final = re.compile(r'[0-9]{1,3}(?:\.[0-9]{1,3}){0,3}', re.ASCII)
_METHODS: Final = frozenset((b'OPTIONS', b'GET', b'HEAD', b'POST', b'PUT', b'DELETE', b'TRACE', b'CONNECT'))


def parse_pattern(match: Match, text: str, operator: str = 'eq') -> str:
    """The pattern in the form a snapshot holds. `operator` counts for integers and lengths only. Raises Rejected."""
    if match in (Match.INT, Match.LEN):
        return _range_text(text, operator)
    if match is Match.IP:
        network(text)
    elif match is Match.BIN:
        if _HEX.fullmatch(text) is None:
            what = 'an even number of hex digit is expected' if len(text) % 2 else 'an hex digit is expected'
            msg = f"{what} in '{shown(text)}'"
            raise Rejected(msg)
    elif match is Match.REG:
        compile_search(text, fold=False)
    return text


def _range_text(text: str, operator: str) -> str:
    low, colon, high = text.partition(':')
    if (low and not _NUMBER.fullmatch(low)) or (high and not _NUMBER.fullmatch(high)) or not (low or colon):
        msg = f"'{shown(text)}' is not a number"
        raise Rejected(msg)
    if colon:
        first, last = (clamped(int(low)) if low else None), (clamped(int(high)) if high else None)
        if (first is None and last is None) or (first is not None and last is not None and first > last):
            msg = f"'{shown(text)}' is not a valid number range"
            raise Rejected(msg)
        if operator == 'gt' and first is not None:
            first += 1
        if operator == 'lt' and last is not None:
            last -= 1
        return f'{"" if first is None else first}:{"" if last is None else last}'
    value = clamped(int(low))
    return {'eq': f'{value}', 'ge': f'{value}:', 'gt': f'{value + 1}:', 'le': f':{value}', 'lt': f':{value - 1}'}[
        operator
    ]


def range_of(text: str) -> tuple[int | None, int | None]:
    """The bounds of an integer pattern; None where it is open."""
    low, colon, high = text.partition(':')
    first = int(low) if low else None
    return (first, int(high) if high else None) if colon else (first, first)


def network(text: str) -> tuple[type[IPv4] | type[IPv6], int, int]:
    """The kind, the address and the mask of an address pattern. Raises Rejected."""
    word, slash, mask = text.partition('/')
    address = parse_address(word) if ':' in word else _short_v4(word)
    if address is None or (slash and not mask):
        raise _no_address(text)
    if type(address) is IPv6:
        if slash and not (mask.isascii() and mask.isdigit() and len(mask) <= 3 and int(mask) <= 128):
            raise _no_address(text)
        bits = prefix(int(mask), 128) if slash else prefix(128, 128)
        return IPv6, address & bits, bits
    bits = prefix(32, 32)
    if slash and mask.isascii() and mask.isdigit() and len(mask) <= 2 and int(mask) <= 32:
        bits = prefix(int(mask), 32)
    elif slash:
        dotted = parse_address(mask)
        if type(dotted) is not IPv4:
            raise _no_address(text)
        bits = int(dotted)
    return IPv4, address & bits, bits


def _short_v4(word: str) -> IPv4 | None:
    """An IPv4 address that may leave out its octets of zero: `127.1` is 127.0.0.1."""
    if _SHORT.fullmatch(word) is None:
        return None
    parts = [int(part) for part in word.split('.')]
    if max(parts) > 255:
        return None
    head, last = parts[:-1], parts[-1]
    value = last
    for place, part in enumerate(head):
        value |= part << (24 - 8 * place)
    return IPv4(value)


def _no_address(text: str) -> Rejected:
    return Rejected(f"'{shown(text)}' is not a valid IPv4 or IPv6 address")


def matcher(
    match: Match, patterns: Sequence[Pattern], files: Sequence[PatternFile], store: Store, reference: int = 0
) -> Matcher:
    """The function that says whether a sample of the wanted type matches. `reference`: see `Test`."""
    if match is Match.FOUND:
        return lambda _: True
    if match is Match.BOOL:
        return bool
    parts: list[Matcher] = [store[file.name].looking(Use(match, file.fold)).holds for file in files]
    own = store.own(reference)
    if own is not None:
        parts += [own.looking(use).holds for use in store.references[reference - 1].uses]
    elif patterns or not parts:
        parts.append(made(match, patterns, store.patience))
    if len(parts) == 1:
        return parts[0]

    def matches(sample: Any) -> bool:
        for part in parts:  # noqa: SIM110 - a generator costs 0.3 us each time
            if part(sample):
                return True
        return False

    return matches


def _never(_: Any) -> bool:
    return False


def made(match: Match, patterns: Sequence[Pattern], patience: Patience = endless) -> Matcher:
    """The function for patterns that never change."""
    if not patterns:
        return _never
    if match is Match.FOUND:
        return lambda _: True
    if match is Match.BOOL:
        return bool
    if match is Match.INT:
        return _of_ranges(patterns)
    if match is Match.LEN:
        inner = _of_ranges(patterns)
        return lambda sample: inner(len(sample))
    if match is Match.IP:
        return _of_networks(patterns)
    if match is Match.BIN:
        blocks = frozenset(bytes.fromhex(pattern.text) for pattern in patterns)
        return lambda sample: sample in blocks
    if match is Match.METH:
        return _of_methods(patterns)
    if match is Match.REG:
        return _of_regexes(patterns, patience)
    return _of_texts(match, patterns)


def _of_ranges(patterns: Sequence[Pattern]) -> Matcher:
    ranges = [range_of(pattern.text) for pattern in patterns]
    exact = frozenset(low for low, high in ranges if low is not None and low == high)
    open_low = max((high for low, high in ranges if low is None and high is not None), default=None)
    open_high = min((low for low, high in ranges if high is None and low is not None), default=None)
    inner = [(low, high) for low, high in ranges if low is not None and high is not None and low < high]
    if not inner and len(ranges) == 1:
        if open_high is not None:
            return lambda sample: sample >= open_high
        if open_low is not None:
            return lambda sample: sample <= open_low
        (only,) = exact or (None,)
        return lambda sample: sample == only

    def matches(sample: Any) -> bool:
        if sample in exact or (open_high is not None and sample >= open_high):
            return True
        if open_low is not None and sample <= open_low:
            return True
        return any(low <= sample <= high for low, high in inner)

    return matches


def _of_networks(patterns: Sequence[Pattern]) -> Matcher:
    v4: dict[int, set[int]] = {}
    v6: dict[int, set[int]] = {}
    for pattern in patterns:
        kind, address, mask = network(pattern.text)
        (v4 if kind is IPv4 else v6).setdefault(mask, set()).add(address)
    masks4, masks6 = list(v4.items()), list(v6.items())

    def matches(sample: Address) -> bool:
        if type(sample) is IPv4:
            for mask, addresses in masks4:
                if sample & mask in addresses:
                    return True
            if masks6:
                long = to_v6(sample)
                return any(long & mask in addresses for mask, addresses in masks6)
            return False
        for mask, addresses in masks6:
            if sample & mask in addresses:
                return True
        short = to_v4(sample) if masks4 else None
        return short is not None and any(short & mask in addresses for mask, addresses in masks4)

    return matches


def _of_methods(patterns: Sequence[Pattern]) -> Matcher:
    """Methods everybody knows are compared as they are, others regardless of case where `-i` says so."""
    exact = {pattern.text.encode() for pattern in patterns}
    folded = {
        pattern.text.lower().encode() for pattern in patterns if pattern.fold and pattern.text.encode() not in _METHODS
    }
    if not folded:
        return lambda sample: sample in exact
    return lambda sample: sample in exact or (sample not in _METHODS and sample.lower() in folded)


def _of_regexes(patterns: Sequence[Pattern], patience: Patience) -> Matcher:
    searches = [_searching(pattern, patience) for pattern in patterns]
    if len(searches) == 1:
        (only,) = searches
        return lambda sample: only(sample) is not None

    def matches(sample: Any) -> bool:
        for search in searches:  # noqa: SIM110 - a generator costs 0.3 us each time
            if search(sample) is not None:
                return True
        return False

    return matches


def _searching(pattern: Pattern, patience: Patience) -> Search:
    source: bytes = compile_regex(pattern.text, fold=pattern.fold).pattern
    return patient(compile_search(pattern.text, fold=pattern.fold), source, patience)


def _of_texts(match: Match, patterns: Sequence[Pattern]) -> Matcher:
    """Exact and partial matches of strings; patterns with and without `-i` may stand side by side."""
    exact = [_bytes(pattern.text) for pattern in patterns if not pattern.fold]
    folded = [_bytes(pattern.text).lower() for pattern in patterns if pattern.fold]
    make = _MAKERS[match]
    if not folded:
        return make(exact)
    inner = make(folded)
    if not exact:
        return lambda sample: inner(sample.lower())
    outer = make(exact)
    return lambda sample: outer(sample) or inner(sample.lower())


def _bytes(text: str) -> bytes:
    return text.encode('utf-8', 'surrogateescape')


def _equal(patterns: Iterable[bytes]) -> Matcher:
    known = frozenset(patterns)
    if len(known) == 1:
        (only,) = known
        return lambda sample: sample == only
    return known.__contains__


def _beginning(patterns: Iterable[bytes]) -> Matcher:
    known = tuple(patterns)
    return lambda sample: sample.startswith(known)


def _ending(patterns: Iterable[bytes]) -> Matcher:
    known = tuple(patterns)
    return lambda sample: sample.endswith(known)


def _inside(patterns: Iterable[bytes]) -> Matcher:
    known = tuple(patterns)
    if len(known) == 1:
        (only,) = known
        return lambda sample: only in sample
    return lambda sample: any(pattern in sample for pattern in known)


def _words(delimiters: bytes) -> Callable[[Iterable[bytes]], Matcher]:
    def make(patterns: Iterable[bytes]) -> Matcher:
        known = tuple(pattern.strip(delimiters) for pattern in patterns)
        return lambda sample: any(has_word(sample, pattern, delimiters) for pattern in known)

    return make


_MAKERS: Final[dict[Match, Callable[[Iterable[bytes]], Matcher]]] = {
    Match.STR: _equal, Match.BEG: _beginning, Match.END: _ending, Match.SUB: _inside, Match.DIR: _words(b'/?'),
    Match.DOM: _words(b'/?.:'), Match.AUTH: _equal,
}  # fmt: skip
