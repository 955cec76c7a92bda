r"""config: one line of text -> words (configuration manual 2.2 and 2.3).

Words are separated by blanks; `#` starts a comment. A backslash escapes a blank, `#`, `\`, both quotes, and inside
double quotes `$`; `\n \r \t \xNN` stand for the character; before anything else a backslash is itself. Nothing is
special between single quotes. Environment variables are expanded between double quotes only: `$NAME`, `${NAME}`,
`${NAME-default}`, and `${NAME[*]}` that becomes one word per word of its value.

Text that is not UTF-8 arrives as surrogates (`errors='surrogateescape'`) and is accepted in comments only.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from dataplane.config.problems import Rejected, shown

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_LINE: Final = 65_536
MAX_EXPANDED: Final = 2 * MAX_LINE
MAX_WORDS: Final = 64

_BLANK: Final = ' \t\n\v\f\r'
_ESCAPED: Final = {' ': ' ', '\\': '\\', '#': '#', "'": "'", '"': '"', 't': '\t', 'n': '\n', 'r': '\r'}
_WORD: Final = re.compile(r'[^ \t\n\v\f\r]+')
_PLAIN: Final = re.compile(r'[^ \t\n\v\f\r"\'\\#$]+')
_HEX: Final = re.compile(r'[0-9a-fA-F]{2}')
_NAME: Final = re.compile(r'[A-Za-z_][A-Za-z0-9_]*|\.(?:FILE|LINE|SECTION)(?![A-Za-z0-9_])')
_CLOSED: Final = 'unmatched brace in environment variable name'


class _Words:
    """The words found so far, and the one being put together."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.parts: list[str] = []
        self.open = False
        self.size = 0

    def add(self, text: str) -> None:
        """More of a word, which is one from here on, be it empty."""
        self.put(text)
        self.open = True

    def put(self, text: str) -> None:
        self.size += len(text)
        if self.size > MAX_EXPANDED:  # variables made of variables made of variables
            msg = f'line too long once its variables are expanded, limit is {MAX_EXPANDED} characters'
            raise Rejected(msg)
        self.parts.append(text)

    def close(self) -> None:
        if self.open:
            self.done.append(_valid(''.join(self.parts)))
            self.parts.clear()
            self.open = False


class _Cursor:
    """A line being read: the text, where the reader stands, and the variables it may ask for."""

    def __init__(self, text: str, variable: Callable[[str], str | None]) -> None:
        self.text, self.variable = text, variable
        self.at = 0
        self.words = _Words()
        self.quote = -1

    def fail(self, what: str, at: int) -> Rejected:
        return Rejected(f"{what} at position {at + 1}: '{shown(self.text[max(0, at - 30) :])}'")


def split_words(text: str, variable: Callable[[str], str | None], *, comments: bool = True) -> list[str]:
    """The words of one line (without its line feed); empty for a blank line or a comment. Without `comments` a `#` is like any character.

    `variable(name)` answers the value of an environment or pseudo-variable, None when it is not set. Raises Rejected.
    """
    if len(text) > MAX_LINE:
        msg = f'line too long, limit is {MAX_LINE} characters'
        raise Rejected(msg)
    if '"' not in text and "'" not in text and '\\' not in text:
        words = [_valid(word) for word in _WORD.findall(text.partition('#')[0] if comments else text)]
    else:
        words = _scan(text, variable, comments=comments)
    for name, char in (('NUL', '\0'), ('carriage return', '\r')):
        at = text.rstrip('\r').find(char)
        if at >= 0 and not text.lstrip().startswith('#'):
            msg = f'stray {name} character at position {at + 1}'
            raise Rejected(msg)
    if len(words) > MAX_WORDS:
        msg = f"too many words, limit is {MAX_WORDS} at '{shown(words[MAX_WORDS])}'"
        raise Rejected(msg)
    return words


def _scan(text: str, variable: Callable[[str], str | None], *, comments: bool) -> list[str]:
    cursor = _Cursor(text.rstrip('\r'), variable)
    while cursor.at < len(cursor.text):
        char = cursor.text[cursor.at]
        if char == '#' and comments:
            break
        if char == '"':
            _double_quoted(cursor)
        elif char == "'":
            _single_quoted(cursor)
        elif char == '\\':
            _escape(cursor, in_quotes=False)
        elif char in _BLANK:
            cursor.words.close()
            cursor.at += 1
        else:
            _plain(cursor)
    cursor.words.close()
    return cursor.words.done


def _plain(cursor: _Cursor) -> None:
    run = _PLAIN.match(cursor.text, cursor.at)
    piece = run.group() if run else cursor.text[cursor.at]
    cursor.words.add(piece)
    cursor.at += len(piece)


def _single_quoted(cursor: _Cursor) -> None:
    end = cursor.text.find("'", cursor.at + 1)
    if end < 0:
        raise cursor.fail('unmatched quote', cursor.at)
    cursor.words.add(cursor.text[cursor.at + 1 : end])
    cursor.at = end + 1


def _double_quoted(cursor: _Cursor) -> None:
    """Read up to the closing quote. A quoted variable that is not set leaves no word behind where it stands alone."""
    start = cursor.at
    cursor.at += 1
    missing = False
    if not cursor.words.open:
        cursor.words.open = True
        missing = True
    while cursor.at < len(cursor.text):
        char = cursor.text[cursor.at]
        if char == '"':
            cursor.at += 1
            if missing and not cursor.words.parts and cursor.at - start > 2:
                cursor.words.open = False
            return
        if char == '$':
            _variable(cursor)
        elif char == '\\':
            _escape(cursor, in_quotes=True)
        elif char in _BLANK or char in "'#":
            cursor.words.add(char)
            cursor.at += 1
        else:
            _plain(cursor)
    raise cursor.fail('unmatched quote', start)


def _escape(cursor: _Cursor, *, in_quotes: bool) -> None:
    following = cursor.text[cursor.at + 1 : cursor.at + 2]
    if following == 'x':
        digits = _HEX.match(cursor.text, cursor.at + 2)
        if digits is None:
            raise cursor.fail('truncated or invalid hexadecimal sequence', cursor.at)
        cursor.words.add(bytes((int(digits.group(), 16),)).decode('utf-8', 'surrogateescape'))
        cursor.at += 4
    elif following in _ESCAPED and following:
        cursor.words.add(_ESCAPED[following])
        cursor.at += 2
    elif following == '$' and in_quotes:
        cursor.words.add('$')
        cursor.at += 2
    else:
        cursor.words.add('\\')
        cursor.at += 1


def _variable(cursor: _Cursor) -> None:
    brace = cursor.at + 1 if cursor.text.startswith('{', cursor.at + 1) else -1
    start = cursor.at + (2 if brace >= 0 else 1)
    name = _NAME.match(cursor.text, start)
    if name is None:
        raise cursor.fail('forbidden first char in environment variable name', start)
    cursor.at = name.end()
    value = cursor.variable(name.group())
    spread = False
    if brace >= 0:
        spread = _spread(cursor)
        value = _default(cursor, value, brace)
    if value is None:
        return
    if not spread:
        cursor.words.put(value)
        return
    pieces = _WORD.findall(value) or ['']
    for piece in pieces[:-1]:
        cursor.words.add(piece)
        cursor.words.close()
    cursor.words.add(pieces[-1])


def _spread(cursor: _Cursor) -> bool:
    if not cursor.text.startswith('[', cursor.at):
        return False
    if not cursor.text.startswith('[*]', cursor.at):
        raise cursor.fail('truncated or invalid word expansion sequence', cursor.at)
    cursor.at += 3
    return True


def _default(cursor: _Cursor, value: str | None, brace: int) -> str | None:
    end = cursor.text.find('}', cursor.at)
    given = cursor.text.startswith('-', cursor.at)
    if end < 0 or (not given and end != cursor.at):
        raise cursor.fail(_CLOSED, brace)
    if given and value is None:
        value = cursor.text[cursor.at + 1 : end]
    cursor.at = end + 1
    return value


def _valid(word: str) -> str:
    r"""The word itself; bytes given one by one (`\xc3\xa9`) are joined to the characters they make."""
    if word.isascii():
        if '\0' in word:
            msg = f"NUL character in '{shown(word)}'"
            raise Rejected(msg)
        return word
    try:
        joined = word.encode('utf-8', 'surrogateescape').decode('utf-8')
    except UnicodeError:
        msg = f"'{shown(word)}' is not valid UTF-8"
        raise Rejected(msg) from None
    return joined
