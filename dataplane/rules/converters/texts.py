"""Rules: converters that cut and change strings."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, cast

from dataplane.rules.arguments import operand_of
from dataplane.rules.converters.numbers import operand
from dataplane.rules.fetches.constants import encoded
from dataplane.rules.patience import patient
from dataplane.rules.problems import Rejected, shown
from dataplane.rules.regexes import compile_regex
from dataplane.rules.replacing import replacement
from dataplane.rules.samples import Binary, Sample, Type
from dataplane.rules.table import Arguments, Converter, Step, plain

if TYPE_CHECKING:
    from dataplane.rules.scope import Scope
    from dataplane.rules.stores import Store
    from dataplane.rules.view import View

_LINE_END: Final = re.compile(rb'[\r\n]')
_HOST: Final = re.compile(rb'(\[[^]]*\]?|[^:]*)(?::(.*))?', re.DOTALL)


def _trimming(strip: Callable[[bytes, bytes], bytes]) -> Converter:
    def build(arguments: Arguments, _: Store) -> Step:
        chars = encoded(arguments[0]) if arguments else b''
        return lambda sample, _view: strip(sample, chars) if chars else sample

    return Converter(Type.STR, Type.STR, build, 'str?')


def _index_checked(arguments: Arguments, _: Scope) -> Arguments:
    if arguments[0] == 0:
        msg = 'Unexpected value 0 for index'
        raise Rejected(msg)
    if not arguments[1]:
        msg = 'Empty separators list'
        raise Rejected(msg)
    return arguments


def _cutting(*, words: bool) -> Converter:
    """`field` counts every piece between delimiters, `word` those that are not empty; both keep what stands between."""

    def build(arguments: Arguments, _: Store) -> Step:
        index, count = cast('int', arguments[0]), 1
        if len(arguments) > 2 and arguments[2] is not None:
            count = cast('int', arguments[2])
        chars = re.escape(encoded(arguments[1]))
        if count == 1:
            return _piece(re.compile(b'[' + chars + b']'), index, words=words)
        piece = re.compile(b'[^' + chars + b']+' if words else b'[^' + chars + b']*')

        def step(sample: bytes, _view: View) -> Sample | None:
            spans = [found.span() for found in piece.finditer(sample)] if words else _fields(piece, sample)
            if not -len(spans) <= (index if index < 0 else index - 1) < len(spans):
                return b'' if words else None
            if index > 0:
                first = index - 1
                last = len(spans) - 1 if count <= 0 else min(first + count, len(spans)) - 1
            else:
                last = len(spans) + index
                first = 0 if count <= 0 else max(0, last - count + 1)
            return sample[spans[first][0] : spans[last][1]]

        return step

    return Converter(Type.STR, Type.STR, build, 'int,str,int?', _index_checked)


def _piece(cut: re.Pattern[bytes], index: int, *, words: bool) -> Step:
    """One piece, what nearly everybody asks for."""
    place = index - 1 if index > 0 else index

    def step(sample: bytes, _view: View) -> Sample | None:
        pieces = cut.split(sample)
        if words:
            pieces = [piece for piece in pieces if piece]
        if -len(pieces) <= place < len(pieces):
            return pieces[place]
        return b'' if words else None

    return step


def _fields(piece: re.Pattern[bytes], sample: bytes) -> list[tuple[int, int]]:
    spans, at = [], 0
    while at <= len(sample):
        end = cast('re.Match[bytes]', piece.match(sample, at)).end()
        spans.append((at, end))
        at = end + 1
    return spans


def _regsub_checked(arguments: Arguments, _: Scope) -> Arguments:
    flags = str(arguments[2]) if len(arguments) > 2 else ''
    for flag in flags:
        if flag not in 'ig':
            msg = f"invalid regex flag '{shown(flag)}', only 'i' and 'g' are supported"
            raise Rejected(msg)
    if not arguments[0]:
        msg = 'missing regex'
        raise Rejected(msg)
    compile_regex(str(arguments[0]), fold='i' in flags)
    return arguments


def _regsub(arguments: Arguments, store: Store) -> Step:
    flags = str(arguments[2]) if len(arguments) > 2 else ''
    regex = compile_regex(str(arguments[0]), fold='i' in flags)
    replace = replacement(encoded(arguments[1]))
    count = 0 if 'g' in flags else 1
    substitute = patient(lambda sample: regex.sub(replace, sample, count), regex.pattern, store.patience)

    def step(sample: bytes, _view: View) -> Sample | None:
        changed: bytes | None = substitute(sample)
        return sample if changed is None else changed

    return step


def _bytes(arguments: Arguments, _: Store) -> Step:
    start_of = operand(arguments[:1])
    length_of = operand(arguments[1:]) if len(arguments) > 1 else None

    def step(sample: bytes, view: View) -> Sample | None:
        start = start_of(view)
        length = len(sample) if length_of is None else length_of(view)
        if start is None or length is None or length < 0 or not 0 <= start < len(sample):
            return None
        return Binary(sample[start : start + length])

    return step


def _bytes_checked(arguments: Arguments, _: Scope) -> Arguments:
    """Numbers or variables that hold them: where the piece begins, and how long it is."""
    if not arguments[0]:
        msg = 'a start index is expected'
        raise Rejected(msg)
    start, *lengths = (operand_of(str(word)) for word in arguments if word)
    if isinstance(start, int) and start < 0:
        msg = f'a start index of at least 0 is expected (got {start})'
        raise Rejected(msg)
    if lengths and isinstance(lengths[0], int) and lengths[0] <= 0:
        msg = f'a length above 0 is expected (got {lengths[0]})'
        raise Rejected(msg)
    return (start, *lengths)


def _param(arguments: Arguments, _: Store) -> Step:
    wanted = encoded(arguments[0])
    delimiter = encoded(arguments[1])[:1] if len(arguments) > 1 and arguments[1] else b'&'

    def step(sample: bytes, _view: View) -> Sample | None:
        for piece in sample.split(delimiter):
            name, _, value = piece.partition(b'=')
            if name == wanted:
                return value
        return None

    return step


def _iif(arguments: Arguments, _: Store) -> Step:
    yes, no = encoded(arguments[0]), encoded(arguments[1])
    return lambda sample, _view: yes if sample else no


def _host_only(sample: bytes) -> Sample | None:
    found = _HOST.match(sample)
    return found[1].lower() if found else None


def _reverse_dom(sample: bytes) -> Sample | None:
    """The labels of a host's name from the last to the first; None where one is empty. A dot behind the last counts for nothing."""
    labels = sample.removesuffix(b'.').split(b'.')
    return b'.'.join(reversed(labels)) if all(labels) else None


def _port_only(sample: bytes) -> Sample | None:
    found = _HOST.match(sample)
    port = found[2] if found else None
    return int(port) if port and port.isdigit() and len(port) <= 5 and int(port) <= 65_535 else 0


def _best_language(accepted: list[bytes], sample: bytes) -> bytes | None:
    """The accepted language the client likes best; the first of those it likes the same."""
    best, weight = None, 0.0
    for part in sample.split(b','):
        tag, _, rest = part.partition(b';')
        tag = tag.strip(b' \t').lower()
        quality = rest.replace(b' ', b'').partition(b'q=')[2] or b'1'
        try:
            value = float(quality)
        except ValueError:
            continue
        if tag not in accepted:
            tag = tag.partition(b'-')[0]  # a variant of an accepted language
        if tag in accepted and value > weight:
            best, weight = tag, value
    return best


def _language(arguments: Arguments, _: Store) -> Step:
    accepted = [word.lower() for word in encoded(arguments[0]).split(b';')]
    default = encoded(arguments[1]) if len(arguments) > 1 else None

    def step(sample: bytes, _view: View) -> Sample | None:
        best = _best_language(accepted, sample)
        return default if best is None else best

    return step


TEXTS: Final[dict[str, Converter]] = {
    'lower': plain(Type.STR, Type.STR, lambda sample: sample.lower()),
    'upper': plain(Type.STR, Type.STR, lambda sample: sample.upper()),
    'length': plain(Type.STR, Type.INT, len),
    'reverse': plain(Type.STR, Type.STR, lambda sample: sample[::-1]),
    'reverse_dom': plain(Type.STR, Type.STR, _reverse_dom),
    'cut_crlf': plain(Type.STR, Type.STR, lambda sample: _LINE_END.split(sample, 1)[0]),
    'host_only': plain(Type.STR, Type.STR, _host_only),
    'port_only': plain(Type.STR, Type.INT, _port_only),
    'ltrim': _trimming(bytes.lstrip),
    'rtrim': _trimming(bytes.rstrip),
    'field': _cutting(words=False),
    'word': _cutting(words=True),
    'regsub': Converter(Type.STR, Type.STR, _regsub, 'regex,str,str?', _regsub_checked),
    'bytes': Converter(Type.BIN, Type.BIN, _bytes, 'str,str?', _bytes_checked),
    'param': Converter(Type.STR, Type.STR, _param, 'str,str?'),
    'iif': Converter(Type.BOOL, Type.STR, _iif, 'str,str'),
    'language': Converter(Type.STR, Type.STR, _language, 'str,str?'),
}
