"""Rules: fetches of header fields, of the request (`hdr`, `req.*`) and of the response (`shdr`, `res.*`).

`hdr` sees the values between commas, except within quotes, `fhdr` whole fields. A fetch without an occurrence takes the last
value; in an ACL it is tried with every value, in order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from dataplane.rules.fetches.constants import encoded
from dataplane.rules.phases import Use
from dataplane.rules.samples import Binary, Sample, Type, leading_integer, parse_address
from dataplane.rules.table import Arguments, Every, Fetch, Getter

if TYPE_CHECKING:
    from dataplane.rules.view import Fields, View

Values = Callable[['Fields', bytes], list[bytes]]
Parse = Callable[[bytes], 'Sample | None']


def parts(value: bytes, *, bare: bool = True) -> list[bytes]:
    """The values between commas, `bare`: without blanks around them; a comma between double quotes separates nothing."""
    if b',' not in value:
        return [value]
    if b'"' not in value:
        found = value.split(b',')
        return [part.strip(b' \t') for part in found] if bare else found
    found, start, quoted, at = [], 0, False, 0
    while at < len(value):
        char = value[at]
        if char == 0x22:
            quoted = not quoted
        elif char == 0x5C and quoted:
            at += 1
        elif char == 0x2C and not quoted:
            found.append(value[start:at])
            start = at + 1
        at += 1
    found.append(value[start:])
    return [part.strip(b' \t') for part in found] if bare else found


def split_values(fields: Fields, wanted: bytes) -> list[bytes]:
    """All values of a field, or of all fields where none is wanted in particular."""
    found = [value for name, value in fields if name == wanted] if wanted else [value for _, value in fields]
    for value in found:
        if b',' in value:
            return [part for value in found for part in parts(value)]
    return found


def whole_values(fields: Fields, wanted: bytes) -> list[bytes]:
    """The values of all fields of a name, commas and all."""
    return [value for name, value in fields if name == wanted] if wanted else [value for _, value in fields]


def _request(view: View) -> Fields:
    return view.request


def _response(view: View) -> Fields:
    return view.response


def _wanted(arguments: Arguments) -> bytes:
    return encoded(arguments[0]).lower() if arguments and arguments[0] is not None else b''


def _occurrence(arguments: Arguments) -> int:
    value = arguments[1] if len(arguments) > 1 else None
    return value if isinstance(value, int) else 0


def one_of(source: Callable[[View], Fields], values: Values, parse: Parse | None) -> Callable[[Arguments], Getter]:
    """The builder of a fetch of one occurrence: the last where none is given, from the end where it is negative."""

    def build(arguments: Arguments) -> Getter:
        wanted, occurrence = _wanted(arguments), _occurrence(arguments) or -1
        place = occurrence - 1 if occurrence > 0 else occurrence
        if not arguments:
            return lambda _: None

        def fetch(view: View) -> Sample | None:
            found = values(source(view), wanted)
            if not -len(found) <= place < len(found):
                return None
            value = found[place]
            return parse(value) if parse else value

        return fetch

    return build


def _every(
    source: Callable[[View], Fields], values: Values, parse: Parse | None
) -> Callable[[Arguments], Every | None]:
    """The builder for ACLs; none where an occurrence is given, which is the only one to look at."""

    def build(arguments: Arguments) -> Every | None:
        if not arguments or _occurrence(arguments):
            return None
        wanted = _wanted(arguments)
        if parse is None:
            return lambda view: values(source(view), wanted)

        def every(view: View) -> Iterable[Sample]:
            samples = [parse(value) for value in values(source(view), wanted)]
            return [sample for sample in samples if sample is not None]

        return every

    return build


def _count(source: Callable[[View], Fields], values: Values) -> Callable[[Arguments], Getter]:
    def build(arguments: Arguments) -> Getter:
        wanted = _wanted(arguments)
        return lambda view: len(values(source(view), wanted))

    return build


def _names(source: Callable[[View], Fields]) -> Callable[[Arguments], Getter]:
    def build(arguments: Arguments) -> Getter:
        delimiter = encoded(arguments[0]) if arguments and arguments[0] else b','
        return lambda view: delimiter.join(name for name, _ in source(view))

    return build


def _lines(source: Callable[[View], Fields]) -> Callable[[Arguments], Getter]:
    return lambda _: lambda view: b''.join(b'%b: %b\r\n' % field for field in source(view)) + b'\r\n'


def _block(source: Callable[[View], Fields]) -> Callable[[Arguments], Getter]:
    """Each name and value with its length before it; two empty strings at the end."""

    def fetch(view: View) -> Sample:
        pieces = [_sized(text) for field in source(view) for text in field]
        return Binary(b''.join(pieces) + b'\0\0')

    return lambda _: fetch


def _sized(text: bytes) -> bytes:
    length = len(text)
    if length < 240:
        return bytes((length,)) + text
    length -= 240
    out = bytearray((length & 15 | 240,))
    length >>= 4
    while length >= 128:
        out.append(length & 127 | 128)
        length = (length - 128) >> 7
    out.append(length)
    return bytes(out) + text


def address_in(value: bytes) -> Sample | None:
    """An address, or an IPv4 address with a port behind it."""
    text = value.decode('latin-1')
    address = parse_address(text)
    if address is None and text.count(':') == 1:
        host, _, port = text.partition(':')
        address = parse_address(host) if port.isdigit() else None
    return address


def _of(source: Callable[[View], Fields], prefix: str, use: Use, names: dict[str, str]) -> dict[str, Fetch]:
    """The fetches of one side. `names`: deprecated names by what they mean."""

    def fetch(gives: Type, values: Values, parse: Parse | None, kinds: str = 'str?,int?') -> Fetch:
        return Fetch(gives, use, one_of(source, values, parse), kinds, every=_every(source, values, parse))

    found = {
        f'{prefix}.hdr': fetch(Type.STR, split_values, None),
        f'{prefix}.fhdr': fetch(Type.STR, whole_values, None),
        f'{prefix}.hdr_val': fetch(Type.INT, split_values, leading_integer),
        f'{prefix}.hdr_ip': fetch(Type.ADDRESS, split_values, address_in),
        f'{prefix}.hdr_cnt': Fetch(Type.INT, use, _count(source, split_values), 'str?'),
        f'{prefix}.fhdr_cnt': Fetch(Type.INT, use, _count(source, whole_values), 'str?'),
        f'{prefix}.hdr_names': Fetch(Type.STR, use, _names(source), 'str?'),
        f'{prefix}.hdrs': Fetch(Type.STR, use, _lines(source)),
        f'{prefix}.hdrs_bin': Fetch(Type.BIN, use, _block(source)),
    }
    return found | {old: found[new] for old, new in names.items()}


HEADERS: Final[dict[str, Fetch]] = {
    **_of(_request, 'req', Use.REQUEST, {
        'hdr': 'req.hdr', 'hdr_cnt': 'req.hdr_cnt', 'hdr_ip': 'req.hdr_ip', 'hdr_val': 'req.hdr_val',
    }),
    **_of(_response, 'res', Use.RESPONSE, {
        'shdr': 'res.hdr', 'shdr_cnt': 'res.hdr_cnt', 'shdr_ip': 'res.hdr_ip', 'shdr_val': 'res.hdr_val',
    }),
}  # fmt: skip
