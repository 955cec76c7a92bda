r"""Rules: what a match is replaced by (`regsub`, `replace-*`, `map_regm`): `\0` to `\9` stand for its groups.

`\xNN` stands for a byte, a backslash before anything else is left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

_ESCAPE: Final = re.compile(rb'\\(?:([0-9])|x([0-9A-Fa-f]{2})|(.)|$)', re.DOTALL)


def replacement(template: bytes) -> Callable[[re.Match[bytes]], bytes]:
    """The function that expands the template for a match. A group that matched nothing, or is not there, is empty."""
    parts: list[bytes | int] = []
    at = 0
    for found in _ESCAPE.finditer(template):
        parts.append(template[at : found.start()])
        if found[1]:
            parts.append(int(found[1]))
        elif found[2]:
            parts.append(bytes((int(found[2], 16),)))
        elif found[3]:
            parts.append(found[3])
        at = found.end()
    parts.append(template[at:])
    if not any(isinstance(part, int) for part in parts):
        fixed = b''.join(part for part in parts if isinstance(part, bytes))
        return lambda _: fixed

    def expand(match: re.Match[bytes]) -> bytes:
        return b''.join([part if isinstance(part, bytes) else _group(match, part) for part in parts])

    return expand


def _group(match: re.Match[bytes], number: int) -> bytes:
    return (match[number] or b'') if number <= match.re.groups else b''
