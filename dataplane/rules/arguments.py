r"""Rules: the arguments between the parentheses of a fetch or converter (configuration manual 7.3).

They are separated by commas. Between single quotes nothing is special, between double quotes a comma and a parenthesis are
not; a backslash stands before a quote, a blank, itself, or before `n`, `r`, `t` - before anything else it is itself.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from dataplane.rules.model import Argument, Named, Variable
from dataplane.rules.problems import Rejected, shown
from dataplane.rules.samples import IPv4, clamped, parse_address

if TYPE_CHECKING:
    from collections.abc import Callable

_ESCAPED: Final = {'n': '\n', 'r': '\r', 't': '\t', '\\': '\\', '"': '"', "'": "'", ' ': ' '}
_INTEGER: Final = re.compile(r'[+-]?[0-9]{1,30}', re.ASCII)
_VARIABLE: Final = re.compile(r'(proc|sess|txn|req|res|check)\.(.+)', re.DOTALL)
_NAME: Final = re.compile(r'[A-Za-z0-9_.]*', re.ASCII)
_TITLES: Final = {
    'int': 'integer', 'str': 'string', 'ipv4': 'IPv4 address', 'ipv6': 'IPv6 address', 'mask4': 'IPv4 mask',
    'mask6': 'IPv6 mask', 'backend': 'backend', 'frontend': 'frontend', 'server': 'server', 'map': 'map', 'regex': 'regex',
    'table': 'table', 'userlist': 'userlist',
}  # fmt: skip
SCOPES: Final = "The scope can be 'proc', 'sess', 'txn', 'req', 'res' or 'check'"


class BadArgument(Rejected):
    """An argument that cannot be taken; `place` counts from 1."""

    def __init__(self, text: str, place: int) -> None:
        super().__init__(text)
        self.place = place


def parse_arguments(text: str, at: int, kinds: str) -> tuple[tuple[Argument, ...], int]:
    """The arguments that begin at `at`, where a `(` may stand; `kinds` names their types. Answers where reading ended.

    Trailing optional arguments that are not there are left out. Raises Rejected without naming whose arguments they are.
    """
    wanted = kinds.split(',') if kinds else []
    needed = sum(not kind.endswith('?') for kind in wanted)
    raw: list[str] = []
    if text.startswith('(', at):
        raw, at = _split(text, at + 1, len(wanted))
        if raw == [''] and not needed and not wanted[0].startswith('str'):
            raw = []
    elif needed:
        raw = ['']
    if len(raw) < needed:
        kind = _TITLES[wanted[len(raw)].rstrip('?')]
        msg = f"missing arguments (got {len(raw)}/{needed}), type '{kind}' expected"
        raise BadArgument(msg, len(raw) + 1)
    found = [_typed(word, kind, place) for place, (word, kind) in enumerate(zip(raw, wanted, strict=False), 1)]
    return tuple(found), at


def _split(text: str, at: int, limit: int) -> tuple[list[str], int]:
    """The words up to the closing parenthesis, at most `limit` of them, and where what follows it begins."""
    words: list[str] = []
    parts: list[str] = []
    start, quote = at, ''
    while at < len(text):
        char = text[at]
        if char == '\\' and quote != "'" and text[at + 1 : at + 2] in _ESCAPED and at + 1 < len(text):
            parts.append(_ESCAPED[text[at + 1]])
            at += 2
            continue
        if char == quote:
            quote = ''
        elif not quote and char in '"\'':
            quote = char
        elif not quote and char in ',)':
            if not limit and at > start:
                break
            words.append(''.join(parts))
            if char == ')':
                return words if limit else [], at + 1
            if len(words) >= limit:
                break
            parts.clear()
        else:
            parts.append(char)
        at += 1
    if quote or at >= len(text):
        msg = "expected ')'"
        raise BadArgument(msg, len(words) + 1)
    msg = f"expected ')' before '{shown(text[at if limit else start :])}'"
    raise BadArgument(msg, max(len(words), 1))


def _typed(word: str, kind: str, place: int) -> Argument:
    kind, optional = kind.rstrip('?'), kind.endswith('?')
    if kind in ('str', 'regex'):
        return word
    if kind in ('backend', 'frontend', 'server', 'map', 'table', 'userlist'):
        return Named(kind, word) if word else None
    if not word:
        if optional:
            return None
        msg = f"expected type '{_TITLES[kind]}' at position {place}, but got nothing"
        raise BadArgument(msg, place)
    value = _READERS[kind](word)
    if value is None:
        msg = f"failed to parse '{shown(word)}' as type '{_TITLES[kind]}' at position {place}"
        raise BadArgument(msg, place)
    return value


def _integer(word: str) -> int | None:
    return clamped(int(word)) if _INTEGER.fullmatch(word) else None


def operand_of(word: str) -> Argument:
    """What arithmetic takes: a number, or a variable that holds one. Nothing is 0."""
    if not word:
        return 0
    if _INTEGER.fullmatch(word):
        return clamped(int(word))
    if _VARIABLE.fullmatch(word) is None:
        msg = 'expects an integer or a variable name'
        raise Rejected(msg)
    return variable_of(word)


def variable_of(word: str) -> Variable:
    """A variable by its name with its scope. Raises Rejected."""
    found = _VARIABLE.fullmatch(word)
    if found is None:
        msg = f"invalid variable name '{shown(word)}'. A variable name must be start by its scope. {SCOPES}."
        raise Rejected(msg)
    name = _NAME.match(found[2])
    end = name.end() if name else 0
    if end < len(found[2]):
        msg = f"invalid syntax at char '{shown(found[2][end:])}'"
        raise Rejected(msg)
    return Variable(found[1], found[2])


def _v4(word: str) -> int | None:
    address = parse_address(word)
    return int(address) if type(address) is IPv4 else None


def _v6(word: str) -> int | None:
    address = parse_address(word) if ':' in word else None
    return None if address is None else int(address)


def _mask4(word: str) -> int | None:
    if word.isascii() and word.isdigit() and len(word) <= 2:
        return prefix(int(word), 32) if int(word) <= 32 else None
    return _v4(word)


def _mask6(word: str) -> int | None:
    if word.isascii() and word.isdigit() and len(word) <= 3:
        return prefix(int(word), 128) if int(word) <= 128 else None
    return _v6(word)


def prefix(length: int, bits: int) -> int:
    """The mask of an address of `bits` that keeps its first `length`."""
    return ((1 << length) - 1) << (bits - length)


_READERS: Final[dict[str, Callable[[str], int | None]]] = {
    'int': _integer, 'ipv4': _v4, 'ipv6': _v6, 'mask4': _mask4, 'mask6': _mask6,
}  # fmt: skip
