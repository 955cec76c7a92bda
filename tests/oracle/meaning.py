"""What of a message must arrive: the part that no proxy may change, in a form that can be compared.

`FREE` is everything two right proxies may do differently. What is not in it counts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from tests.oracle.wire import Fields, Request, Response

FREE: Final = {
    'case of field names': 'RFC 9110, 5.1: names are case-insensitive',
    'white space around values': 'RFC 9110, 5.5 and RFC 9112, 5.1: it is no part of the value',
    'order of fields of different names': 'RFC 9110, 5.3: only the order within one name means something',
    'Content-Length or chunked, and its pieces': 'RFC 9112, 6 and 7: framing is for one hop; the decoded body is compared',
    'chunk extensions and trailers': 'RFC 9112, 7.1.1 and 7.1.2: a recipient may discard them; both do',
    'Connection': 'RFC 9110, 7.6.1: each hop says its own; what it must mean is checked by itself',
    'minor version': 'RFC 9110, 2.5: each hop says its own, or stays with an older one',
    'reason phrase': 'RFC 9112, 4: a client should ignore it',
    'Content-Length in 304 and in answers to HEAD': 'RFC 9110, 8.6 and 9.3.2: it may be left out; we pass on what was sent',
    '100 (Continue)': 'RFC 9110, 10.1.1 and 15.2.1: any hop may send one, and need not pass on what nobody waits for',
    'how much of a broken answer arrives before its end': 'RFC 9112, 8 and 9.6: a reset may destroy even what was sent before',
    'Date, Server and Content-Type where the server sent none': 'RFC 9110, 6.6.1 and 8.3: a recipient may add them',
    'fields and body of the own error page': 'RFC 9110, 15: the status is what is meant',
    '500 or 502 for a broken server': 'RFC 9110, 15.6.3: 502 says it better, 500 is not wrong',
    '4xx or 5xx, or an end without an answer, for what is refused': 'RFC 9112, 2.2 and 6.3: the server must not see it',
}
_FRAMING: Final = frozenset((b'connection', b'content-length', b'transfer-encoding'))
_ADDED: Final = frozenset((b'date', b'server', b'content-type'))
_LENGTH: Final = b'content-length'
_CONTINUE: Final = 100
_BAD_GATEWAY: Final = 502
_REFUSED: Final = 400


@dataclass(frozen=True)
class Asked:
    """A request as the server must understand it."""

    method: bytes
    target: bytes
    fields: Fields
    body: bytes


@dataclass(frozen=True)
class Heard:
    """A final response as the client must understand it, and what was told before it. `own`: this hop's own answer."""

    status: int
    fields: Fields = ()
    body: bytes = b''
    whole: bool = True
    own: bool = False
    before: tuple[tuple[int, Fields], ...] = ()


def _by_name(pair: tuple[bytes, bytes]) -> bytes:
    return pair[0]


def comparable(fields: Fields, framing: frozenset[bytes] = _FRAMING) -> Fields:
    """Fields without what is for one hop, names in lower case, by name and within it in order."""
    named = [(name.lower(), value) for name, value in fields]
    return tuple(sorted((pair for pair in named if pair[0] not in framing), key=_by_name))


def asked(request: Request) -> Asked:
    """What a server has understood."""
    return Asked(request.method, request.target, comparable(request.fields), request.body)


def heard(responses: list[Response], method: bytes) -> Heard:
    """What a client has understood of one answer: interim responses and the final one."""
    *interim, final = responses
    before = tuple((one.status, comparable(one.fields)) for one in interim if one.status != _CONTINUE)
    # To HEAD, and in 304, a length is no framing but something said of the resource (RFC 9110, 8.6).
    bodiless = method == b'HEAD' or final.status == 304
    framing = _FRAMING - {b'content-length'} if bodiless else _FRAMING
    return Heard(final.status, comparable(final.fields, framing), final.body, final.whole, before=before)


def like(got: Heard, wanted: Heard, *, free: bool) -> Heard:
    """`got` with what may differ from `wanted` replaced; `free`: also what another proxy than ours may choose."""
    if wanted.own:
        right = got.status == wanted.status or (free and _as_good(got.status, wanted.status))
        return wanted if right else replace(wanted, status=got.status)
    if not wanted.whole and not got.status:
        return wanted
    fields = got.fields
    if free:
        named = {name for name, _ in wanted.fields}
        fields = tuple(pair for pair in got.fields if pair[0] in named or pair[0] not in _ADDED)
        if _LENGTH not in {name for name, _ in fields}:
            fields = tuple(sorted((*fields, *(pair for pair in wanted.fields if pair[0] == _LENGTH)), key=_by_name))
    if not wanted.whole and not got.whole:
        # How much of a body got through before the fault is chance; that it is a beginning is not.
        return replace(got, fields=fields, body=wanted.body if wanted.body.startswith(got.body) else got.body)
    return replace(got, fields=fields)


def _as_good(got: int, wanted: int) -> bool:
    """Another status that refuses as well."""
    return got == 500 if wanted == _BAD_GATEWAY else not got or got >= _REFUSED
