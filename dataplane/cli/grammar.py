"""From bytes to commands: lines, `;`, escapes and payloads (management manual, 9.3).

A line holds commands separated by `;`. A backslash takes away the meaning of the character after it. When the last word
of a line is `<<` or `<<PATTERN`, the lines that follow, up to an empty one or to PATTERN, are the payload of the line's last
command. Memory is bounded: a line by `line_limit` bytes, a payload by `payload_limit`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

MAX_WORDS: Final = 64
MAX_PATTERN: Final = 64
LINE_TOO_BIG: Final = 'The command line is too big for the buffer size. Please change tune.bufsize in the configuration to use a bigger command.'
PAYLOAD_TOO_BIG: Final = (
    'The payload is too big. Please change tune.cli.max-payload-size in the configuration to use a bigger payload.'
)
PATTERN_TOO_BIG: Final = 'The payload pattern is too big.'


class TooBig(Exception):
    """The client sent more than is kept for it; the text is the answer, and the connection cannot go on."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command: its words (at least one, '' for an empty command) and the payload given with it."""

    words: tuple[str, ...]
    payload: str | None = None

    def word(self, index: int) -> str:
        """The word at `index`, '' when there are fewer."""
        return self.words[index] if index < len(self.words) else ''


@dataclass(slots=True)
class Reader:
    """Collects bytes into lines of commands. Feed it, then take lines until there is none.

    `collecting` is true while the lines of a payload are awaited (the prompt is then `+ `).
    """

    line_limit: int = 16_384
    payload_limit: int = 128 * 1024
    _pending: bytearray = field(default_factory=bytearray)
    _head: str | None = None
    _pattern: str = ''
    _payload: list[str] = field(default_factory=list)
    _size: int = 0

    @property
    def collecting(self) -> bool:
        """Whether a payload is being collected."""
        return self._head is not None

    @property
    def pending(self) -> bool:
        """Whether something was sent that has not been taken yet."""
        return bool(self._pending) or self.collecting

    @property
    def full(self) -> bool:
        """Whether more is buffered than a line may have: stop reading until lines have been taken."""
        return len(self._pending) > self.line_limit

    def feed(self, data: bytes) -> None:
        """Add what arrived."""
        self._pending += data

    def finish(self) -> bool:
        """The client closed its side: what it sent of a line counts as a whole one. False: nothing is left to take."""
        if not self._pending:
            return False
        if not self._pending.endswith(b'\n'):
            self._pending += b'\n'
        return True

    def take(self) -> list[Command] | None:
        """The commands of the next complete line; [] for a line that went into a payload; None when there is none yet."""
        end = self._pending.find(b'\n')
        if end > self.line_limit or (end < 0 and len(self._pending) > self.line_limit):
            raise TooBig(PAYLOAD_TOO_BIG if self.collecting else LINE_TOO_BIG)
        if end < 0:
            return None
        text = bytes(self._pending[:end]).removesuffix(b'\r').decode(errors='surrogateescape')
        del self._pending[: end + 1]
        return self._payload_line(text) if self.collecting else self._command_line(text.partition('\0')[0])

    def _command_line(self, text: str) -> list[Command]:
        head, pattern = _payload_mark(text)
        if pattern is None:
            return [Command(words(part)) for part in split_commands(text)]
        if len(pattern) > MAX_PATTERN:
            raise TooBig(PATTERN_TOO_BIG)
        self._head, self._pattern = head, pattern
        return []

    def _payload_line(self, text: str) -> list[Command]:
        if text != self._pattern:
            self._size += len(text) + 1
            if self._size > self.payload_limit:
                raise TooBig(PAYLOAD_TOO_BIG)
            self._payload.append(text)
            return []
        commands = [Command(words(part)) for part in split_commands(self._head or '')]
        commands[-1] = Command(commands[-1].words, ''.join(f'{line}\n' for line in self._payload))
        self._head, self._size = None, 0
        self._payload.clear()
        return commands


def _payload_mark(text: str) -> tuple[str, str | None]:
    """The line without its `<<PATTERN`, and PATTERN ('' for a bare `<<`); (text, None) when the line announces no payload."""
    head, space, last = text.rstrip(' \t').rpartition(' ')
    return (head, last[2:]) if space and last.startswith('<<') else (text, None)


def split_commands(line: str) -> list[str]:
    """Cut a line at its unescaped `;`. Escapes stay as they are, for `words`. An empty line is one empty command."""
    parts, start, index = [], 0, 0
    while index < len(line):
        if line[index] == '\\':
            index += 2
            continue
        if line[index] == ';':
            parts.append(line[start:index])
            start = index + 1
        index += 1
    parts.append(line[start:])
    return parts


def words(command: str) -> tuple[str, ...]:
    """Cut a command at blanks and take the escapes away; words beyond MAX_WORDS are dropped, as HAProxy does."""
    found: list[str] = []
    word: list[str] | None = None
    characters = iter(command)
    for character in characters:
        if character in ' \t':
            if word is not None:
                found.append(''.join(word))
                word = None
            continue
        if word is None:
            word = []
        word.append(next(characters, '') if character == '\\' else character)
    if word is not None:
        found.append(''.join(word))
    return tuple(found[:MAX_WORDS]) or ('',)
