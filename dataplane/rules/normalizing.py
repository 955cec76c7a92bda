"""Rules: what `http-request normalize-uri` makes of a target (configuration manual 4.3; RFC 3986, 6.2.2).

Every function takes the part that it concerns - the path, the path with its query, or the query - and gives what takes its place.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from dataplane.rules.steps import Normalizer

_SLASHES: Final = re.compile(rb'/{2,}')
_PERCENT: Final = re.compile(rb'%([0-9A-Fa-f]{2})?')
_UNRESERVED: Final = frozenset(b'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~')


class BadTarget(Exception):
    """A percent sign without two hexadecimal digits behind it, where that is not taken."""


def fragment_encoded(text: bytes, option: bool) -> bytes:
    """A `#` is part of the path."""
    return text.replace(b'#', b'%23')


def fragment_stripped(text: bytes, option: bool) -> bytes:
    """What begins with a `#` was not meant for a server."""
    return text.partition(b'#')[0]


def slashes_merged(path: bytes, option: bool) -> bytes:
    """One slash in place of several."""
    return _SLASHES.sub(b'/', path)


def without_dot(path: bytes, option: bool) -> bytes:
    """No segment is `.`."""
    first, *segments = path.split(b'/')
    if segments and segments[-1] == b'.':
        segments[-1:] = [b'.', b'']
    return b'/'.join((first, *(segment for segment in segments if segment != b'.')))


def without_dotdot(path: bytes, option: bool) -> bytes:
    """Every `..` has taken away the segment before it; `option`: also one that has none before it goes."""
    first, *segments = path.split(b'/')
    kept: list[bytes] = []
    for segment in segments:
        if segment != b'..':
            kept.append(segment)
        elif kept and kept[-1] != b'..':
            kept.pop()
        elif not option:
            kept.append(segment)
    if segments and segments[-1] == b'..':
        kept.append(b'')
    return b'/'.join((first, *kept)) if kept else path


def unreserved_decoded(text: bytes, option: bool) -> bytes:
    """Characters that mean the same with and without encoding are not encoded. `option`: raises BadTarget."""

    def decoded(found: re.Match[bytes]) -> bytes:
        byte = _byte(found, strict=option)
        return bytes((byte,)) if byte in _UNRESERVED else found[0]

    return _PERCENT.sub(decoded, text)


def uppercased(text: bytes, option: bool) -> bytes:
    """The digits of what is percent-encoded are upper case. `option`: raises BadTarget."""

    def upper(found: re.Match[bytes]) -> bytes:
        _byte(found, strict=option)
        return found[0].upper()

    return _PERCENT.sub(upper, text)


def _byte(found: re.Match[bytes], *, strict: bool) -> int:
    """What is encoded, -1 for a percent sign that encodes nothing."""
    if found[1] is not None:
        return int(found[1], 16)
    if strict:
        raise BadTarget
    return -1


def _name_of(parameter: bytes) -> bytes:
    return parameter.partition(b'=')[0]


def query_sorted(query: bytes, option: bool) -> bytes:
    """Parameters in the order of their names; those of one name stay as they are."""
    parameters = sorted(query.split(b'&'), key=_name_of)
    return b'&'.join(parameters)


PATH: Final[dict[Normalizer, Callable[[bytes, bool], bytes]]] = {
    Normalizer.MERGE_SLASHES: slashes_merged,
    Normalizer.STRIP_DOT: without_dot,
    Normalizer.STRIP_DOTDOT: without_dotdot,
}
"""What concerns the path."""

PATH_AND_QUERY: Final[dict[Normalizer, Callable[[bytes, bool], bytes]]] = {
    Normalizer.FRAGMENT_ENCODE: fragment_encoded,
    Normalizer.FRAGMENT_STRIP: fragment_stripped,
    Normalizer.DECODE_UNRESERVED: unreserved_decoded,
    Normalizer.TO_UPPERCASE: uppercased,
}
"""What concerns the path and its query."""


def normalized(target: bytes, normalizer: Normalizer, *, option: bool) -> bytes:
    """A path with its query, written otherwise. Raises BadTarget."""
    whole = PATH_AND_QUERY.get(normalizer)
    if whole is not None:
        return whole(target, option)
    path, mark, query = target.partition(b'?')
    if normalizer is Normalizer.SORT_QUERY:
        return path + mark + query_sorted(query, option)
    return PATH[normalizer](path, option) + mark + query
