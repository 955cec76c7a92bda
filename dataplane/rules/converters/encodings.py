"""Rules: converters between strings and bytes: base64, hexadecimal, URLs."""

from __future__ import annotations

import binascii
import re
from typing import TYPE_CHECKING, Final, Literal, cast
from urllib.parse import quote_from_bytes

from dataplane.rules.fetches.constants import encoded
from dataplane.rules.problems import Rejected, shown
from dataplane.rules.samples import Binary, Sample, Type, wrapped
from dataplane.rules.table import Arguments, Check, Converter, Step, plain

if TYPE_CHECKING:
    from dataplane.rules.scope import Scope
    from dataplane.rules.stores import Store
    from dataplane.rules.view import View

_PERCENT: Final = re.compile(rb'%(..)', re.DOTALL)
_BAD_PERCENT: Final = re.compile(rb'%(?![0-9A-Fa-f]{2})')
_BASE64: Final = re.compile(rb'(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?')
_URL64: Final = re.compile(rb'[A-Za-z0-9_-]*')
_HEX: Final = re.compile(rb'[0-9A-Fa-f]*')
_DEL: Final = 127
_DEL_BIT: Final = 32
_CONTROLS: Final = (*range(_DEL_BIT), _DEL)
_MASK: Final = re.compile(r'0[xX][0-9A-Fa-f]{1,16}|[0-9]{1,20}', re.ASCII)
_MASKS: Final = {'': (1 << _DEL_BIT + 1) - 1 & ~(1 << 9), 'any': (1 << _DEL_BIT + 1) - 1, 'http': 1 | 1 << 10 | 1 << 13}
"""What `has_ctl` looks for by name; without one all but the tab."""


def _b64dec(sample: bytes) -> Sample | None:
    return Binary(binascii.a2b_base64(sample)) if _BASE64.fullmatch(sample) else None


def _ub64dec(sample: bytes) -> Sample | None:
    sample = sample.rstrip(b'=')
    if not _URL64.fullmatch(sample) or len(sample) % 4 == 1:
        return None
    return Binary(binascii.a2b_base64(sample.translate(_FROM_URL) + b'=' * (-len(sample) % 4)))


_TO_URL: Final = bytes.maketrans(b'+/', b'-_')
_FROM_URL: Final = bytes.maketrans(b'-_', b'+/')


def _ub64enc(sample: bytes) -> bytes:
    return binascii.b2a_base64(sample, newline=False).translate(_TO_URL).rstrip(b'=')


def _hex2i(sample: bytes) -> Sample | None:
    if not _HEX.fullmatch(sample):
        return None
    return wrapped(int(sample[-16:] or b'0', 16))


def _encoding_checked(arguments: Arguments, _: Scope) -> Arguments:
    if arguments and arguments[0] not in ('', 'query'):
        msg = "Unexpected encode type. Allowed value is 'query'"
        raise Rejected(msg)
    return arguments


def _url_enc(_: Arguments, __: Store) -> Step:
    return lambda sample, _view: quote_from_bytes(sample, safe='-._~').encode()


def _url_dec(arguments: Arguments, _: Store) -> Step:
    form = bool(arguments and arguments[0])

    def step(sample: bytes, _view: View) -> Sample | None:
        if _BAD_PERCENT.search(sample):
            return None
        if form:
            sample = sample.replace(b'+', b' ')
        elif b'+' in sample:
            path, mark, query = sample.partition(b'?')
            sample = path + mark + query.replace(b'+', b' ')
        return _PERCENT.sub(lambda found: bytes((int(found[1], 16),)), sample)

    return step


def _chunked(*, order: Literal['big', 'little'], hexadecimal: bool) -> Converter:
    """Numbers of so many bytes each, a separator between them; what is left at the end may be dropped."""

    def build(arguments: Arguments, _: Store) -> Step:
        separator = encoded(arguments[0]) if arguments and arguments[0] else b''
        size = cast('int', arguments[1] or 0) if len(arguments) > 1 else 0
        truncate = bool(arguments[2]) if len(arguments) > 2 else False

        def step(sample: bytes, _view: View) -> Sample | None:
            width = size or max(len(sample), 1)
            end = len(sample) - len(sample) % width if truncate else len(sample)
            pieces = (sample[at : min(at + width, end)] for at in range(0, end, width))
            if hexadecimal:
                return separator.join(piece.hex().upper().encode() for piece in pieces)
            return separator.join(b'%d' % int.from_bytes(piece, order) for piece in pieces)

        return step

    return Converter(
        Type.BIN,
        Type.STR,
        build,
        'str?,int?,int?' if hexadecimal else 'str,int,int?',
        _size_checked(hexadecimal=hexadecimal),
    )


def _size_checked(*, hexadecimal: bool) -> Check:
    def check(arguments: Arguments, _: Scope) -> Arguments:
        size = arguments[1] if len(arguments) > 1 else None
        if hexadecimal and arguments and arguments[0] and not size:
            msg = 'chunk_size needs to be positive (null)'
            raise Rejected(msg)
        if not hexadecimal and not (isinstance(size, int) and 1 <= size <= 8):
            msg = f'chunk_size out of [1..8] range ({size})'
            raise Rejected(msg)
        if isinstance(size, int) and size < 0:
            msg = f'chunk_size needs to be positive ({size})'
            raise Rejected(msg)
        return arguments

    return check


def _sorted(arguments: Arguments, _: Store) -> Step:
    """Numbers of so many bytes each, the least first; nothing where they do not come out even."""
    size = cast('int', arguments[0])

    def step(sample: bytes, _view: View) -> Sample | None:
        if len(sample) % size:
            return None
        return Binary(b''.join(sorted(sample[at : at + size] for at in range(0, len(sample), size))))

    return step


def _element_checked(arguments: Arguments, _: Scope) -> Arguments:
    size = arguments[0]
    if not (isinstance(size, int) and 1 <= size <= 8):
        msg = f'element size out of [1..8] range ({size})'
        raise Rejected(msg)
    return arguments


def _has_ctl(arguments: Arguments, _: Store) -> Step:
    mask = cast('int', arguments[0])
    wanted = frozenset(byte for byte in _CONTROLS if mask >> (_DEL_BIT if byte == _DEL else byte) & 1)
    return lambda sample, _view: not wanted.isdisjoint(sample)


def _mask_of(arguments: Arguments, _: Scope) -> Arguments:
    """One bit for each control character, in their order: 32 from NUL on, and DEL."""
    word = str(arguments[0] or '') if arguments else ''
    named = _MASKS.get(word)
    if named is not None:
        return (named,)
    mask = int(word, 16 if word[:2] in ('0x', '0X') else 10) if _MASK.fullmatch(word) else -1
    if not 0 <= mask < 1 << _DEL_BIT + 1:
        msg = f"expects 'any', 'http' or a mask of {_DEL_BIT + 1} bits, got '{shown(word)}'"
        raise Rejected(msg)
    return (mask,)


ENCODINGS: Final[dict[str, Converter]] = {
    'base64': plain(Type.BIN, Type.STR, lambda sample: binascii.b2a_base64(sample, newline=False)),
    'b64dec': plain(Type.STR, Type.BIN, _b64dec),
    'ub64enc': plain(Type.BIN, Type.STR, _ub64enc),
    'ub64dec': plain(Type.STR, Type.BIN, _ub64dec),
    'base2': plain(Type.BIN, Type.STR, lambda sample: b''.join(b'%b' % f'{byte:08b}'.encode() for byte in sample)),
    'hex': plain(Type.BIN, Type.STR, lambda sample: sample.hex().upper().encode()),
    'hex2i': plain(Type.STR, Type.INT, _hex2i),
    'url_enc': Converter(Type.STR, Type.STR, _url_enc, 'str?', _encoding_checked),
    'url_dec': Converter(Type.STR, Type.STR, _url_dec, 'int?'),
    'be2dec': _chunked(order='big', hexadecimal=False),
    'le2dec': _chunked(order='little', hexadecimal=False),
    'be2hex': _chunked(order='big', hexadecimal=True),
    'be_sort': Converter(Type.BIN, Type.BIN, _sorted, 'int', _element_checked),
    'has_ctl': Converter(Type.BIN, Type.BOOL, _has_ctl, 'str?', _mask_of),
}
