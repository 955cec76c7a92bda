"""Rules: converters to and from JSON."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from dataplane.rules.problems import Rejected
from dataplane.rules.samples import Sample, Type
from dataplane.rules.table import Arguments, Converter, Step

if TYPE_CHECKING:
    from dataplane.rules.scope import Scope
    from dataplane.rules.stores import Store
    from dataplane.rules.view import View

_CODES: Final = ('ascii', 'utf8', 'utf8s', 'utf8p', 'utf8ps')
_ESCAPES: Final = {
    0x22: b'\\"', 0x5C: b'\\\\', 0x2F: b'\\/', 0x08: b'\\b', 0x0C: b'\\f', 0x0D: b'\\r', 0x0A: b'\\n', 0x09: b'\\t',
}  # fmt: skip
_STEP: Final = re.compile(r'\.((?:\\.|[^.\[\]\\])+)|\[([0-9]{1,9})\]')
_ESCAPED: Final = re.compile(r'\\(.)')
_LEAD: Final = ((0x80, 0x00, 1), (0xE0, 0xC0, 2), (0xF0, 0xE0, 3), (0xF8, 0xF0, 4), (0xFC, 0xF8, 5), (0xFE, 0xFC, 6))
_DIGITS: Final = re.compile(r'-?[0-9]+', re.ASCII)
_SURE: Final = (1 << 53) - 1
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
    return b'\\u%04x' % point


def _points(text: bytes, *, permissive: bool) -> list[int]:
    """The characters of UTF-8 text; -1 for what is none, or none that four digits can say. Permissive: overlong ones count."""
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
        usual = (permissive or point >= _LEAST[size]) and not 0xD800 <= point < 0xE000 and point <= 0xFFFF
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
    """The steps of `$.name[index]...`, None where it is no such path; a backslash stands before a character of a name that is none of the path's own."""
    if not text.startswith('$'):
        return None
    steps: list[str | int] = []
    at = 1
    while at < len(text):
        found = _STEP.match(text, at)
        if found is None:
            return None
        steps.append(int(found[2]) if found[1] is None else _ESCAPED.sub(r'\1', found[1]))
        at = found.end()
    return steps


def _query(arguments: Arguments, _: Store) -> Step:
    steps = _path(str(arguments[0]))
    number = len(arguments) > 1

    def step(sample: bytes, _view: View) -> Sample | None:
        if steps is None:
            return None
        try:
            value = json.loads(sample, parse_float=_Number, parse_int=_Number, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            return None
        for one in steps:
            value = _member(value, one)
        return _answer(value, number=number)

    return step


def _no_constant(word: str) -> Any:
    """`NaN` and its kind are no JSON."""
    raise ValueError(word)


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
        return _number(value, whole=number)
    if isinstance(value, str):
        return value.encode('utf-8', 'surrogatepass')
    if isinstance(value, list):
        return json.dumps(_plain(value), separators=(',', ':'), ensure_ascii=False).encode('utf-8', 'surrogatepass')
    return None


def _number(text: str, *, whole: bool) -> Sample | None:
    """As an integer of those JSON is sure of, or in six digits, as C writes it."""
    digits = _DIGITS.match(text)
    if not whole:
        return f'{float(text):g}'.encode()
    value = int(digits[0][:20]) if digits else 0
    return value if -_SURE <= value <= _SURE else None


def _plain(value: Any) -> Any:
    """A value with its numbers as numbers."""
    if isinstance(value, _Number):
        return float(value) if set(value) & set('.eE') else int(value[:400])
    if isinstance(value, dict):
        return {name: _plain(member) for name, member in value.items()}
    return [_plain(member) for member in value] if isinstance(value, list) else value


NOTATION: Final[dict[str, Converter]] = {
    'json': Converter(Type.STR, Type.STR, _json, 'str?', _code),
    'json_query': Converter(Type.STR, Type.ANY, _query, 'str,str?', _query_checked),
}
