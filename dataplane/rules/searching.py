r"""Rules: regular expressions of which only counts whether they match (ACLs and maps), made to take no longer than they must.

Two things that PCRE does as well, and `re` does not:

- What begins with `.*` is tried where a line begins and nowhere else: further on it could find nothing new.
- Of `a.*b.*c` the first `b` behind an `a` will do, as the second `.*` reaches whatever a later one would: it becomes
  `a(?>.*?b).*c`, which is tried in one way only. With three words in 15 KB that is the difference between a tenth of a
  second and hours.

Both hold for subjects of one line, which requests consist of; a subject of several lines is searched as it is written.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from dataplane.rules.regexes import compile_regex, translated

Search = Callable[[bytes], object]

_LEADING: Final = re.compile(r'\(\?[imsx]+\)')
_REFERS: Final = re.compile(r'\\[1-9]|\(\?P=|\(\?\(|\(\?<[=!]|\(\?[imsx]*x')
_SKIPPED: Final = re.compile(r'\\.|\[\^?(?:\\.|[^\]\\])*\]', re.DOTALL)
_FIXED: Final = re.compile(r'(?:\\[^0-9bBAZ]|\[\^?(?:\\.|[^\]\\])*\]|[^\\\[\](){}?*+|^$])+', re.DOTALL)
"""Words of one length without alternatives: the first one found also ends first."""
_ANY: Final = re.compile(r'\.[*+]\??(?!\+)')


@lru_cache(maxsize=4096)
def compile_search(text: str, *, fold: bool) -> Search:
    """What says whether the expression matches somewhere: its answer is None where it does not. Raises Rejected."""
    plain = compile_regex(text, fold=fold)
    source = quicker(translated(text))
    if source is None:
        return plain.search
    quick = re.compile(source.encode('utf-8', 'surrogateescape'), re.IGNORECASE if fold else 0).search

    def search(subject: bytes) -> object:
        return quick(subject) if b'\n' not in subject else plain.search(subject)

    return search


def quicker(source: str) -> str | None:
    """The expression for subjects of one line, None where it is as quick as it can be."""
    flags = _LEADING.match(source)
    head, body = (flags[0], source[flags.end() :]) if flags else ('', source)
    cuts = [] if _REFERS.search(source) else _cuts(body)
    if not cuts:
        return None
    first = cuts[0].start()
    out = [head, r'\A' if first == 0 else '', body[:first]]
    for place, cut in enumerate(cuts):
        last = place == len(cuts) - 1
        end = len(body) if last else cuts[place + 1].start()
        inner = body[cut.end() : end]
        if last or not _FIXED.fullmatch(inner):
            out.append(cut[0] + inner)
        else:
            out.append(f'(?>{cut[0].rstrip("?")}?{inner})')
    made = ''.join(out)
    return None if made == source else made


def _cuts(body: str) -> list[re.Match[str]]:
    """The `.*` and `.+` outside of all groups; none where there are alternatives outside of them."""
    found: list[re.Match[str]] = []
    at = depth = 0
    while at < len(body):
        skipped = _SKIPPED.match(body, at)
        if skipped:
            at = skipped.end()
            continue
        char = body[at]
        if char == '|' and not depth:
            return []
        depth += (char == '(') - (char == ')')
        cut = _ANY.match(body, at) if not depth else None
        if cut:
            found.append(cut)
        at = cut.end() if cut else at + 1
    return found
