"""Connections to servers: where they come from, and what is said on them first (configuration manual 5.2, `source`, `send-proxy`); and
the one to the control plane.

The PROXY protocol is that of its specification (haproxy.org, proxy-protocol.txt, 2.1 and 2.2); the order of TLVs is HAProxy's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from ipaddress import ip_address
from struct import pack
from typing import Final

from dataplane.rules.hashes import crc32c

End = tuple[str, int]
"""Address and port; '' where the connection has none, as over a unix socket."""

NOWHERE: Final[End] = ('', 0)
_SIGNATURE: Final = b'\r\n\r\n\x00\r\nQUIT\n'
_CRC32C, _UNIQUE_ID, _SSL = 3, 5, 0x20
_LONGEST_ID: Final = 128


@dataclass(frozen=True, slots=True)
class Source:
    """`source HOST[:PORT] [interface NAME]`: host '' and port 0 are the system's choice, interface '' is any."""

    host: str = ''
    port: int = 0
    interface: str = ''


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyProtocol:
    """`send-proxy` (version 1) or `send-proxy-v2` with its options. `ssl`: what is known of TLS is told, which is that there is none."""

    version: int
    ssl: bool = False
    unique_id: bool = False
    crc32c: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlPlane:
    """`control-plane URL [token-file F] [ca-file F] [cert-file F [key-file F]]`: of PEM files but the first."""

    url: str
    token_file: str | None = None
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None


def header_of(settings: ProxyProtocol, source: End, target: End, unique_id: bytes = b'') -> bytes:
    """What is said first on a connection made for a client at `source`, who came to `target`."""
    one, other = (ip_address(end[0].partition('%')[0]) if end[0] else None for end in (source, target))
    if settings.version == 1:
        if one is None or other is None:
            return b'PROXY UNKNOWN\r\n'
        return f'PROXY TCP{one.version} {one} {other} {source[1]} {target[1]}\r\n'.encode()
    command, family, addresses = 0x20, 0, b''
    if one is not None and other is not None:
        command, family = 0x21, 0x11 if one.version == 4 else 0x21
        addresses = one.packed + other.packed + pack('!HH', source[1], target[1])
    before = _tlv(_CRC32C, bytes(4)) if settings.crc32c else b''
    after = _tlv(_UNIQUE_ID, unique_id[:_LONGEST_ID]) if settings.unique_id else b''
    if settings.ssl:
        after += _tlv(_SSL, bytes(5))
    start = _SIGNATURE + pack('!BBH', command, family, len(addresses) + len(before) + len(after)) + addresses
    if not before:
        return start + after
    return start + _tlv(_CRC32C, pack('!I', crc32c(start + before + after))) + after


def local_header(settings: ProxyProtocol, source: End, target: End) -> bytes:
    """The same of a connection of the proxy's own, between these ends: version 2 calls it local and tells no addresses."""
    if settings.version == 1:
        return header_of(settings, source, target)
    return header_of(replace(settings, unique_id=False), NOWHERE, NOWHERE)


def _tlv(kind: int, value: bytes) -> bytes:
    return pack('!BH', kind, len(value)) + value
