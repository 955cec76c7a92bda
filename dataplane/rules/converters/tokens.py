"""Rules: converters that look into JSON web tokens (configuration manual 7.3.1; RFC 7515, RFC 7519).

Signatures are checked that are made with a secret (HS256, HS384, HS512); those of certificates need a library of ciphers.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from typing import TYPE_CHECKING, Final

from dataplane.rules.arguments import variable_of
from dataplane.rules.converters.notation import NOTATION
from dataplane.rules.fetches.constants import encoded
from dataplane.rules.model import Variable
from dataplane.rules.problems import Rejected, shown
from dataplane.rules.samples import Type
from dataplane.rules.samples import cast as cast_to
from dataplane.rules.table import Arguments, Converter, Step

if TYPE_CHECKING:
    from collections.abc import Callable

    from dataplane.rules.samples import Sample
    from dataplane.rules.scope import Scope
    from dataplane.rules.stores import Store
    from dataplane.rules.view import View

_HASHES: Final = {b'HS256': 'sha256', b'HS384': 'sha384', b'HS512': 'sha512'}
_OTHERS: Final = frozenset(f'{kind}{bits}'.encode() for kind in ('RS', 'ES', 'PS') for bits in (256, 384, 512)) | {
    b'none'
}
_UNKNOWN, _UNMANAGED, _INVALID = -1, -2, -3
_PARTS: Final = (2, 3, 5)
"""Parts of a token that may be looked into: without its signature, signed, or encrypted."""
_BASE64URL: Final = re.compile(rb'[A-Za-z0-9_-]*')


def _decoded(part: bytes) -> bytes | None:
    """A part of a token without its coding; None of what is not coded like that."""
    if _BASE64URL.fullmatch(part) is None or len(part) % 4 == 1:
        return None
    try:
        return base64.urlsafe_b64decode(part + b'=' * (-len(part) % 4))
    except binascii.Error:
        return None


def _part(place: int) -> Converter:
    """The header (0) or the payload (1) of a token, or what a JSON path finds in it."""

    def build(arguments: Arguments, store: Store) -> Step:
        query = NOTATION['json_query'].build(arguments, store) if arguments and arguments[0] else None

        def step(sample: bytes, view: View) -> Sample | None:
            parts = sample.split(b'.')
            text = _decoded(parts[place]) if len(parts) in _PARTS else None
            if text is None or query is None:
                return text
            return query(text, view)

        return step

    def checked(arguments: Arguments, scope: Scope) -> Arguments:
        check = NOTATION['json_query'].check
        return check(arguments, scope) if arguments and arguments[0] and check is not None else arguments

    return Converter(Type.STR, Type.ANY, build, 'str?,str?', checked)


def _verify_checked(arguments: Arguments, _: Scope) -> Arguments:
    found: list[str | Variable] = []
    for argument in arguments:
        word = str(argument)
        try:
            found.append(variable_of(word))
        except Rejected:
            found.append(word)
    algorithm = found[0]
    if isinstance(algorithm, str) and algorithm.encode() not in _HASHES:
        known = 'is not supported' if algorithm.encode() in _OTHERS else 'is unknown'
        msg = f"algorithm '{shown(algorithm)}' {known}: one of {', '.join(name.decode() for name in _HASHES)}"
        raise Rejected(msg)
    return tuple(found)


def _told(argument: object) -> Callable[[View], bytes | None]:
    if isinstance(argument, Variable):
        scope, name = argument.scope, argument.name

        def read(view: View) -> bytes | None:
            value = view.variable(scope, name)
            text = None if value is None else cast_to(value, Type.STR)
            return bytes(text) if isinstance(text, bytes) else None

        return read
    fixed = encoded(str(argument))
    return lambda _: fixed


def _verify(arguments: Arguments, _: Store) -> Step:
    algorithm_of, key_of = _told(arguments[0]), _told(arguments[1])

    def step(sample: bytes, view: View) -> Sample | None:
        algorithm, key = algorithm_of(view), key_of(view)
        if algorithm is None or key is None:
            return None
        name = _HASHES.get(algorithm)
        if name is None:
            return _UNMANAGED if algorithm in _OTHERS else _UNKNOWN
        signed, _, signature = sample.rpartition(b'.')
        given = _decoded(signature)
        if signed.count(b'.') != 1 or not given:
            return _INVALID
        return int(hmac.compare_digest(hmac.new(key, signed, getattr(hashlib, name)).digest(), given))

    return step


TOKENS: Final[dict[str, Converter]] = {
    'jwt_header_query': _part(0),
    'jwt_payload_query': _part(1),
    'jwt_verify': Converter(Type.STR, Type.INT, _verify, 'str,str', _verify_checked),
}
