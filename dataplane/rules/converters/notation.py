"""Rules: converters to and from JSON."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from dataplane.rules.problems import Rejected
from dataplane.rules.samples import Sample, Type, clamped
from dataplane.rules.table import Arguments, Converter, Step

if TYPE_CHECKING:
    from dataplane.rules.scope import Scope
    from dataplane.rules.stores import Store
    from dataplane.rules.view import View

_CODES: Final = ('ascii', 'utf8', 'utf8s', 'utf8p', 'utf8ps')
_ESCAPES: Final = {
    0x22: b'\\"', 0x5C: b'\\\\', 0x2F: b'\\/', 0x08: b'\\b', 0x0C: b'\\f', 0x0D: b'\\r', 0x0A: b'\\n', 0x09: b'\\t',
}  # fmt: skip
_STEP: Final = re.compile(r'\.([^.\[\]]+)|\[([0-9]{1,9})\]')
_LEAD: Final = ((0x80, 0x00, 1), (0xE0, 0xC0, 2), (0xF0, 0xE0, 3), (0xF8, 0xF0, 4), (0xFC, 0xF8, 5), (0xFE, 0xFC, 6))
_LEAST: Final = (0, 0, 0x80, 0x800, 0x10000, 0x200000, 0x4000000)


def _code(arguments: Arguments, _: Scope) -> Arguments:
    if arguments and arguments[0] not in _CODES and arguments[0] != '':
        msg = "Unexpected input code type. Allowed value are 'ascii', 'utf8', 'utf8s', 'utf8p' and 'utf8ps'"
        raise Rejected(msg)
    return arguments


def _json(arguments: Arguments, _: Store) -> Step:
    code = str(arguments[0]) if arguments and arguments[0] else 'ascii'
    skip, permissive = code.endswith('s'), 'p' in code

    def step(sample: bytes, _view: View) -> Sample | None:
        out = []
        for point in sample if code == 'ascii' else _points(sample, permissive=permissive):
            if point < 0:
                if not skip:
                    return None
                continue
            out.append(_escaped(point))
        return b''.join(out)

    return step


def _escaped(point: int) -> bytes:
    short = _ESCAPES.get(point)
    if short is not None:
        return short
    if 32 <= point < 127:
        return bytes((point,))
    if point > 0xFFFF:
        point = min(point, 0x10FFFF) - 0x10000
        return b'\\u%04x\\u%04x' % (0xD800 | point >> 10, 0xDC00 | point & 0x3FF)
    return b'\\u%04x' % point


def _points(text: bytes, *, permissive: bool) -> list[int]:
    """The characters of UTF-8 text; -1 for what is none. Permissive: overlong forms and surrogates count as characters."""
    points, at = [], 0
    while at < len(text):
        size, point = _head(text[at])
        tail = text[at + 1 : at + size]
        good = 0
        for byte in tail:
            if byte & 0xC0 != 0x80:
                break
            point, good = point << 6 | byte & 0x3F, good + 1
        at += 1 + good
        whole = size and good == size - 1
        usual = permissive or not (point < _LEAST[size] or 0xD800 <= point < 0xE000 or point > 0x10FFFF)
        points.append(point if whole and usual else -1)
    return points


def _head(byte: int) -> tuple[int, int]:
    for mask, lead, size in _LEAD:
        if byte & mask == lead:
            return size, byte & ~mask & 0xFF
    return 0, 0


def _query_checked(arguments: Arguments, _: Scope) -> Arguments:
    if len(arguments) > 1 and arguments[1] != 'int':
        msg = 'output_type only supports "int" as argument.'
        raise Rejected(msg)
    return arguments


def _path(text: str) -> list[str | int] | None:
    """The steps of `$.name[index]...`, None where it is no such path."""
    if not text.startswith('$'):
        return None
    steps: list[str | int] = []
    at = 1
    while at < len(text):
        found = _STEP.match(text, at)
        if found is None:
            return None
        steps.append(found[1] if found[1] is not None else int(found[2]))
        at = found.end()
    return steps


def _query(arguments: Arguments, _: Store) -> Step:
    steps = _path(str(arguments[0]))
    number = len(arguments) > 1

    def step(sample: bytes, _view: View) -> Sample | None:
        if steps is None:
            return None
        try:
            value = json.loads(sample, parse_float=_Number, parse_int=_Number, parse_constant=_Number)
        except (ValueError, RecursionError):
            return None
        for one in steps:
            value = _member(value, one)
        return _answer(value, number=number)

    return step


class _Number(str):
    """A number as it was written."""

    __slots__ = ()


def _member(value: Any, one: str | int) -> Any:
    if isinstance(one, int):
        return value[one] if isinstance(value, list) and one < len(value) else None
    return value.get(one) if isinstance(value, dict) else None


def _answer(value: Any, *, number: bool) -> Sample | None:
    if isinstance(value, bool):
        return value
    if isinstance(value, _Number):
        return _whole(value) if number else value.encode()
    if isinstance(value, str) and not number:
        return value.encode('utf-8', 'surrogatepass')
    if isinstance(value, list) and not number:
        return json.dumps(value, separators=(',', ':'), ensure_ascii=False).encode('utf-8', 'surrogatepass')
    return None


def _whole(text: str) -> int | None:
    try:
        return clamped(int(text[:400])) if text.lstrip('-').isdigit() else clamped(int(float(text)))
    except (ValueError, OverflowError):
        return None


NOTATION: Final[dict[str, Converter]] = {
    'json': Converter(Type.STR, Type.STR, _json, 'str?', _code),
    'json_query': Converter(Type.STR, Type.ANY, _query, 'str,str?', _query_checked),
}
