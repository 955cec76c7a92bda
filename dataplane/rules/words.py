"""Rules: words between delimiters, as `-m dir`, `-m dom` and the maps of the same names look for them."""

from __future__ import annotations


def has_word(text: bytes, word: bytes, delimiters: bytes) -> bool:
    """Does `word` stand in the text between delimiters, its beginning and its end? It has no delimiters at its own ends."""
    if not word:
        return not text or text[-1] in delimiters
    at = text.find(word)
    size = len(word)
    while at >= 0:
        after = at + size
        if (not at or text[at - 1] in delimiters) and (after == len(text) or text[after] in delimiters):
            return True
        at = text.find(word, at + 1)
    return False
