"""Rules: how words of the file are refused. Whoever walks over the lines knows file and line and adds them.

The configuration room uses these as its own (`dataplane.config.problems`); they stand here because this room imports nothing.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_SHOWN: Final = 80


class Rejected(ValueError):
    """A line, or a part of one, that cannot be accepted; the text says why and names the word."""


class Missing(Rejected):
    """A file that cannot be opened."""


def shown(word: str) -> str:
    """How a word of the file is quoted in a message: printable, never longer than a line of a terminal."""
    cut = word if len(word) <= _SHOWN else word[: _SHOWN - 3] + '...'
    return ''.join(char if char.isprintable() else '?' for char in cut)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """HAProxy's hint at a misspelt keyword, or ''."""
    close = get_close_matches(word, known, n=1, cutoff=0.7) if 1 < len(word) <= _SHOWN else []
    return f"; did you mean '{close[0]}' maybe ?" if close else ''
