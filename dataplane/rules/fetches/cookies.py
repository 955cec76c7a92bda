"""Rules: fetches of cookies, the client's (`cook`, `req.cook`) and the server's (`scook`, `res.cook`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from dataplane.rules.fetches.constants import encoded
from dataplane.rules.fetches.headers import parts
from dataplane.rules.phases import Use
from dataplane.rules.samples import Sample, Type, leading_integer
from dataplane.rules.table import Arguments, Every, Fetch, Getter

if TYPE_CHECKING:
    from dataplane.rules.view import Fields, View

Pairs = Callable[['View'], list[tuple[bytes, bytes]]]


def _pieces(value: bytes) -> list[bytes]:
    """The parts between semicolons; one between double quotes separates nothing."""
    if b'"' not in value:
        return value.split(b';')
    found, start, quoted = [], 0, False
    for at, char in enumerate(value):
        if char == 0x22:
            quoted = not quoted
        elif char == 0x3B and not quoted:
            found.append(value[start:at])
            start = at + 1
    found.append(value[start:])
    return found


def _pairs(fields: Fields, header: bytes, *, first: bool) -> list[tuple[bytes, bytes]]:
    found = []
    for name, value in fields:
        if name != header:
            continue
        for part in parts(value):
            for piece in _pieces(part):
                key, equals, text = piece.partition(b'=')
                if equals:
                    found.append((key.strip(b' \t'), text.strip(b' \t')))
                if first:
                    break
    return found


def request_cookies(view: View) -> list[tuple[bytes, bytes]]:
    """Name and value of all cookies of the request, in order."""
    return _pairs(view.request, b'cookie', first=False)


def response_cookies(view: View) -> list[tuple[bytes, bytes]]:
    """Name and value of all cookies the response sets."""
    return _pairs(view.response, b'set-cookie', first=True)


def _wanted(arguments: Arguments) -> bytes:
    return encoded(arguments[0]) if arguments else b''


def _values(pairs: list[tuple[bytes, bytes]], wanted: bytes) -> list[bytes]:
    return [value for name, value in pairs if name == wanted or not wanted]


def _one(source: Pairs, parse: Callable[[bytes], Sample] | None) -> Callable[[Arguments], Getter]:
    """The last cookie of that name; the first of all where none is named."""

    def build(arguments: Arguments) -> Getter:
        wanted = _wanted(arguments)

        def fetch(view: View) -> Sample | None:
            found = _values(source(view), wanted)
            if not found:
                return None
            value = found[-1] if wanted else found[0]
            return parse(value) if parse else value

        return fetch

    return build


def _every(source: Pairs, parse: Callable[[bytes], Sample] | None) -> Callable[[Arguments], Every | None]:
    def build(arguments: Arguments) -> Every:
        wanted = _wanted(arguments)
        if parse is None:
            return lambda view: _values(source(view), wanted)
        return lambda view: [parse(value) for value in _values(source(view), wanted)]

    return build


def _count(source: Pairs) -> Callable[[Arguments], Getter]:
    def build(arguments: Arguments) -> Getter:
        wanted = _wanted(arguments)
        return lambda view: len(_values(source(view), wanted))

    return build


def _names(source: Pairs) -> Callable[[Arguments], Getter]:
    def build(arguments: Arguments) -> Getter:
        delimiter = encoded(arguments[0]) if arguments and arguments[0] else b','
        return lambda view: delimiter.join(name for name, _ in source(view))

    return build


def _of(source: Pairs, prefix: str, use: Use, names: dict[str, str]) -> dict[str, Fetch]:
    found = {
        f'{prefix}.cook': Fetch(Type.STR, use, _one(source, None), 'str?', every=_every(source, None)),
        f'{prefix}.cook_val': Fetch(
            Type.INT, use, _one(source, leading_integer), 'str?', every=_every(source, leading_integer)
        ),
        f'{prefix}.cook_cnt': Fetch(Type.INT, use, _count(source), 'str?'),
        f'{prefix}.cook_names': Fetch(Type.STR, use, _names(source), 'str?'),
    }
    return found | {old: found[new] for old, new in names.items()}


COOKIES: Final[dict[str, Fetch]] = {
    **_of(request_cookies, 'req', Use.REQUEST, {
        'cook': 'req.cook', 'cook_cnt': 'req.cook_cnt', 'cook_val': 'req.cook_val', 'cookie': 'req.cook',
    }),
    **_of(response_cookies, 'res', Use.RESPONSE, {
        'scook': 'res.cook', 'scook_cnt': 'res.cook_cnt', 'scook_val': 'res.cook_val', 'set-cookie': 'res.cook',
    }),
}  # fmt: skip
