"""Rules as plain data, continued: actions that wait, that tell the client something on the way, or that concern the request's target
and addresses (configuration manual 4.3). Everything else is in actions.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from dataplane.rules.model import Expression, Format


@dataclass(frozen=True, slots=True)
class WaitBody:
    """Wait until `at_least` bytes of the message's body are here - 0: all of it, or what a buffer holds -, at most `time` ms (None: no limit)."""

    time: int | None
    at_least: int = 0


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait for as many ms as are given or as an expression yields."""

    time: int | Expression


@dataclass(frozen=True, slots=True)
class Auth:
    """Ask for a user and a password. `realm` empty: the proxy's name."""

    realm: str = ''


@dataclass(frozen=True, slots=True)
class EarlyHint:
    """A field of the answer 103 that the client gets before any other (RFC 8297)."""

    name: str
    value: Format


class Normalizer(StrEnum):
    """What becomes of a request's target."""

    FRAGMENT_ENCODE = 'fragment-encode'
    FRAGMENT_STRIP = 'fragment-strip'
    MERGE_SLASHES = 'path-merge-slashes'
    STRIP_DOT = 'path-strip-dot'
    STRIP_DOTDOT = 'path-strip-dotdot'
    DECODE_UNRESERVED = 'percent-decode-unreserved'
    TO_UPPERCASE = 'percent-to-uppercase'
    SORT_QUERY = 'query-sort-by-name'


@dataclass(frozen=True, slots=True)
class NormalizeUri:
    """Write the target in one of the ways in which it means the same. `option`: `full` of `path-strip-dotdot`, `strict` of the others."""

    normalizer: Normalizer
    option: bool = False


@dataclass(frozen=True, slots=True)
class StrictMode:
    """Does a rule behind this one that cannot be carried out end the request, or is it passed over?"""

    on: bool


class End(StrEnum):
    """Which address of the client's connection is replaced for the request."""

    SRC = 'src'
    SRC_PORT = 'src-port'
    DST = 'dst'
    DST_PORT = 'dst-port'


@dataclass(frozen=True, slots=True)
class SetAddress:
    """From here on the request comes from, or was made to, another address or port."""

    end: End
    value: Expression


@dataclass(frozen=True, slots=True)
class ExpectProxy:
    """Before anything else the client says, by the PROXY protocol, for whom it connects."""


@dataclass(frozen=True, slots=True)
class SetTos:
    """The type of service (DSCP and ECN, one byte) of the packets that the client is sent."""

    value: int | Expression


@dataclass(frozen=True, slots=True)
class Nothing:
    """An action that is known and changes nothing here."""


@dataclass(frozen=True, slots=True)
class Forwarded:
    """`option forwarded`: what stands in the field. True: what the connection says; an expression: its value; else not at all."""

    proto: bool = False
    host: bool | Expression = False
    by: bool | Expression = False
    by_port: bool | Expression = False
    for_: bool | Expression = False
    for_port: bool | Expression = False


Step = WaitBody | Pause | EarlyHint | NormalizeUri | StrictMode | SetAddress | ExpectProxy | SetTos | Nothing
