"""Rules: converters that hash."""

from __future__ import annotations

import hashlib
import hmac
import zlib
from binascii import Error, a2b_base64
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, cast

from dataplane.rules.arguments import variable_of
from dataplane.rules.hashes import avalanche, crc32c, djb2, sdbm, wt6
from dataplane.rules.model import Variable
from dataplane.rules.problems import Rejected
from dataplane.rules.samples import Binary, Sample, Type, wrapped
from dataplane.rules.table import Arguments, Converter, Step, plain
from dataplane.rules.xxhash import xxh3, xxh32, xxh64

if TYPE_CHECKING:
    from dataplane.rules.scope import Scope
    from dataplane.rules.stores import Store
    from dataplane.rules.view import View

_BITS: Final = (224, 256, 384, 512)


def _hashing(function: Callable[[bytes], int]) -> Converter:
    """A hash of 32 bits, with `avalanche` where the argument is 1."""

    def build(arguments: Arguments, _: Store) -> Step:
        if arguments and arguments[0]:
            return lambda sample, _view: avalanche(function(sample))
        return lambda sample, _view: function(sample)

    return Converter(Type.BIN, Type.INT, build, 'int?')


def _seeded(function: Callable[[bytes, int], int]) -> Converter:
    def build(arguments: Arguments, _: Store) -> Step:
        seed = cast('int', arguments[0] or 0) if arguments else 0
        return lambda sample, _view: wrapped(function(sample, seed))

    return Converter(Type.BIN, Type.INT, build, 'int?')


def _sha2_checked(arguments: Arguments, _: Scope) -> Arguments:
    if arguments and arguments[0] not in (None, *_BITS):
        msg = f"Unsupported number of bits: '{arguments[0]}'"
        raise Rejected(msg)
    return arguments


def _sha2(arguments: Arguments, _: Store) -> Step:
    name = f'sha{arguments[0] if arguments and arguments[0] else 256}'
    return lambda sample, _view: Binary(hashlib.new(name, sample, usedforsecurity=False).digest())


def _known(name: str) -> str:
    try:
        sized = hashlib.new(name, usedforsecurity=False).digest_size
    except ValueError:
        sized = 0
    if not sized:
        msg = 'algorithm must be a valid OpenSSL message digest name.'
        raise Rejected(msg)
    return name


def _digest_checked(arguments: Arguments, _: Scope) -> Arguments:
    return (_known(str(arguments[0])),)


def _digest(arguments: Arguments, _: Store) -> Step:
    name = str(arguments[0])
    return lambda sample, _view: Binary(hashlib.new(name, sample, usedforsecurity=False).digest())


def _hmac_checked(arguments: Arguments, _: Scope) -> Arguments:
    """The key is a variable that holds one in base64, or is written in base64."""
    name, key = _known(str(arguments[0])), str(arguments[1])
    try:
        return name, variable_of(key)
    except Rejected:
        if _decoded(key) is None:
            msg = 'failed to parse key : argument needs to be base64 encoded, and can either be a string or a variable'
            raise Rejected(msg) from None
        return name, key


def _decoded(text: str | bytes) -> bytes | None:
    try:
        return a2b_base64(text, strict_mode=True)
    except (Error, ValueError):
        return None


def _hmac(arguments: Arguments, _: Store) -> Step:
    name, key = str(arguments[0]), arguments[1]
    if not isinstance(key, Variable):
        fixed = _decoded(str(key)) or b''
        return lambda sample, _view: Binary(hmac.digest(fixed, sample, name))

    def step(sample: bytes, view: View) -> Sample | None:
        value = view.variable(key.scope, key.name)
        found = _decoded(value) if isinstance(value, bytes) else None
        return None if found is None else Binary(hmac.digest(found, sample, name))

    return step


DIGESTS: Final[dict[str, Converter]] = {
    'crc32': _hashing(zlib.crc32),
    'crc32c': _hashing(crc32c),
    'djb2': _hashing(djb2),
    'sdbm': _hashing(sdbm),
    'wt6': _hashing(wt6),
    'xxh32': _seeded(xxh32),
    'xxh64': _seeded(xxh64),
    'xxh3': _seeded(xxh3),
    'md5': plain(Type.BIN, Type.BIN, lambda sample: Binary(hashlib.md5(sample, usedforsecurity=False).digest())),
    'sha1': plain(Type.BIN, Type.BIN, lambda sample: Binary(hashlib.sha1(sample, usedforsecurity=False).digest())),
    'sha2': Converter(Type.BIN, Type.BIN, _sha2, 'int?', _sha2_checked),
    'digest': Converter(Type.BIN, Type.BIN, _digest, 'str', _digest_checked),
    'hmac': Converter(Type.BIN, Type.BIN, _hmac, 'str,str', _hmac_checked),
}
