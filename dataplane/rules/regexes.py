r"""Rules: regular expressions, which HAProxy gives to PCRE and which Python's `re` matches here.

What both write differently is translated: POSIX classes, `\h \H \R \N \z \Z \e`, `\x{..}`, `\Q..\E`, `(?<name>`, `\g`, `\k`.
What `re` has no word for (recursion, `\p{..}`, `\K`, `\G`, `\X`, verbs, branch reset, flags in the middle) is refused by name.
All match bytes, and `-i` is about ASCII letters, as in HAProxy.

A backtracking matcher may need exponentially long for what does not match. PCRE gives up after a number of steps, `re` does
not; so an expression in which a repeated part can itself be read in several ways is refused (docs/decisions/0024-rules.md).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from dataplane.rules.ambiguity import ambiguous
from dataplane.rules.problems import Rejected, shown

_POSIX: Final = {
    'alpha': 'A-Za-z', 'digit': '0-9', 'alnum': 'A-Za-z0-9', 'upper': 'A-Z', 'lower': 'a-z', 'space': r' \t\n\r\f\v',
    'blank': r' \t', 'punct': r'!-/:-@\[-`{-~', 'print': ' -~', 'graph': '!-~', 'cntrl': r'\x00-\x1f\x7f',
    'xdigit': '0-9A-Fa-f', 'word': r'\w', 'ascii': r'\x00-\x7f',
}  # fmt: skip
_ESCAPES: Final = {
    'h': r'[ \t\xa0]', 'H': r'[^ \t\xa0]', 'v': r'[\n\x0b\f\r\x85]', 'V': r'[^\n\x0b\f\r\x85]', 'z': r'\Z',
    'Z': r'(?=\n?\Z)', 'R': r'(?>\r\n|[\n\x0b\f\r\x85])', 'N': r'[^\n]', 'e': r'\x1b',
}  # fmt: skip
_IN_CLASS: Final = {
    'h': r' \t\xa0',
    'v': r'\n\x0b\f\r\x85',
    'e': r'\x1b',
    'b': r'\x08',
    'N': None,
    'R': None,
    'H': None,
    'V': None,
}
_REFUSED: Final = {
    'p': 'properties', 'P': 'properties', 'K': 'resetting the match', 'G': 'the start of the search', 'X': 'graphemes',
    'C': 'single units',
}  # fmt: skip
_HEX_BRACES: Final = re.compile(r'\\x\{([0-9A-Fa-f]{1,2})\}')
_REFERENCE: Final = re.compile(r'\\(?:g\{?(\d{1,2})\}?|[gk][{<\']([A-Za-z_]\w*)[}>\'])')
_NAMED: Final = re.compile(r"\(\?(?:P?<|')([A-Za-z_]\w*)[>']")
_GROUP: Final = re.compile(r'\(\?(?:[:=!>|]|<[=!]|P=|#|\(|[imsx]*(?:-[imsx]+)?:)')
_LEADING: Final = re.compile(r'\(\?[imsx]+\)')
_EMPTY_LOW: Final = re.compile(r'\{,\d*\}')


@lru_cache(maxsize=4096)
def compile_regex(text: str, *, fold: bool) -> re.Pattern[bytes]:
    """The expression, ready for use. Raises Rejected."""
    source = translated(text).encode('utf-8', 'surrogateescape')
    try:
        made = re.compile(source, re.IGNORECASE if fold else 0)
    except (re.error, RecursionError, OverflowError) as problem:
        msg = f"regex '{shown(text)}' is invalid (error={problem})"
        raise Rejected(msg) from None
    if ambiguous(source):
        msg = f"regex '{shown(text)}' is not supported: a repeated part of it can be read in several ways, which takes forever"
        raise Rejected(msg)
    return made


def _refused(text: str, what: str) -> Rejected:
    return Rejected(f"regex '{shown(text)}' is not supported: {what}")


class _Cursor:
    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0
        self.out: list[str] = []

    def put(self, piece: str, taken: int) -> None:
        self.out.append(piece)
        self.at += taken


def translated(text: str) -> str:
    """The expression as `re` writes it. Raises Rejected."""
    cursor = _Cursor(text)
    leading = _LEADING.match(text)
    if leading:
        cursor.put(leading[0], leading.end())
    while cursor.at < len(text):
        char = text[cursor.at]
        if char == '\\':
            _escape(cursor)
        elif char == '[':
            _class(cursor)
        elif char == '(':
            _open(cursor)
        elif char == '{' and _EMPTY_LOW.match(text, cursor.at):
            cursor.put(r'\{', 1)
        else:
            cursor.put(char, 1)
    return ''.join(cursor.out)


def _escape(cursor: _Cursor) -> None:
    text, at = cursor.text, cursor.at
    following = text[at + 1 : at + 2]
    if following == 'Q':
        end = text.find(r'\E', at + 2)
        literal = text[at + 2 : end if end >= 0 else len(text)]
        cursor.put(re.escape(literal), 2 + len(literal) + (2 if end >= 0 else 0))
        return
    if following == 'E':
        cursor.at += 2
        return
    if following in _REFUSED and following:
        raise _refused(text, f'\\{following} ({_REFUSED[following]})')
    braces = _HEX_BRACES.match(text, at)
    if braces:
        cursor.put(f'\\x{int(braces[1], 16):02x}', len(braces[0]))
        return
    reference = _REFERENCE.match(text, at)
    if reference:
        cursor.put(f'(?:\\{reference[1]})' if reference[1] else f'(?P={reference[2]})', len(reference[0]))
        return
    cursor.put(_ESCAPES.get(following, '\\' + following), 2)


def _class(cursor: _Cursor) -> None:
    """A `[...]`: POSIX classes become ranges, and what Python may read as an operation on sets is escaped."""
    text = cursor.text
    start = cursor.at
    head = '[^' if text.startswith('[^', start) else '['
    cursor.put(head, len(head))
    if text.startswith(']', cursor.at):
        cursor.put(r'\]', 1)
    while cursor.at < len(text):
        char = text[cursor.at]
        if char == ']':
            cursor.put(']', 1)
            return
        if char == '[':
            _posix(cursor)
        elif char == '\\':
            following = text[cursor.at + 1 : cursor.at + 2]
            braces = _HEX_BRACES.match(text, cursor.at)
            if braces:
                cursor.put(f'\\x{int(braces[1], 16):02x}', len(braces[0]))
                continue
            inside = _IN_CLASS.get(following, '\\' + following)
            if inside is None or following in _REFUSED:
                raise _refused(text, f'\\{following} within a class')
            cursor.put(inside, 2)
        else:
            cursor.put('\\' + char if char in '&~|' else char, 1)
    msg = f"regex '{shown(text)}' is invalid (error=missing terminating ] for character class, erroffset={start})"
    raise Rejected(msg)


def _posix(cursor: _Cursor) -> None:
    found = re.compile(r'\[:(\^?)([a-z]+):\]').match(cursor.text, cursor.at)
    if found is None:
        cursor.put(r'\[', 1)
        return
    if found[1] or found[2] not in _POSIX:
        raise _refused(cursor.text, found[0])
    cursor.put(_POSIX[found[2]], len(found[0]))


def _open(cursor: _Cursor) -> None:
    text, at = cursor.text, cursor.at
    if text.startswith('(*', at):
        raise _refused(text, 'verbs')
    if not text.startswith('(?', at):
        cursor.put('(', 1)
        return
    named = _NAMED.match(text, at)
    if named:
        cursor.put(f'(?P<{named[1]}>', len(named[0]))
        return
    group = _GROUP.match(text, at)
    if group is None or group[0] == '(?|':
        raise _refused(text, f"'{shown(text[at : at + 4])}'")
    if group[0] == '(?#':
        end = text.find(')', at)
        cursor.at = end + 1 if end >= 0 else len(text)
        return
    cursor.put(group[0], len(group[0]))
