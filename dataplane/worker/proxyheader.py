"""What a client that is a proxy itself says first: the PROXY protocol (haproxy.org, proxy-protocol.txt, 2.1 and 2.2).

Pure: bytes to what they say. A header that cannot be relied on is refused with the words of HAProxy's log.
"""

from __future__ import annotations

import re
from struct import unpack_from
from typing import TYPE_CHECKING, Final, NamedTuple

from dataplane.rules.hashes import crc32c
from dataplane.rules.samples import IPv4, IPv6, address_text, parse_address
from dataplane.worker.ends import Ends

if TYPE_CHECKING:
    from dataplane.rules.samples import Address

_SIGNATURE: Final = b'\r\n\r\n\x00\r\nQUIT\n'
_FIRST_WORD: Final = b'PROXY '
_LONGEST_LINE: Final = 107
_HEAD: Final = 16
_LINE: Final = re.compile(rb'TCP([46]) ([0-9A-Fa-f.:]+) ([0-9A-Fa-f.:]+) ([0-9]{1,5}) ([0-9]{1,5})')
_MOST_PORT: Final = 65_535
_VERSION: Final = 0xF0
_LOCAL: Final = 0x20
_PROXIED: Final = 0x21
_FAMILIES: Final = {0x11: 4, 0x21: 16}
"""Bytes of an address, by family and transport; of other kinds of connections no address is taken."""
_CRC32C: Final = 3
_LIMITS: Final = {2: 255, 5: 128}
"""Most bytes of the values of TLVs: of the authority, and of the unique id."""

NOT_A_HEADER: Final = 'Received something which does not look like a PROXY protocol header'
INVALID: Final = 'Received an invalid PROXY protocol header'
UNHANDLED: Final = 'Received an unhandled protocol in the PROXY protocol header'
TRUNCATED: Final = 'Truncated PROXY protocol header received'
CLOSED: Final = 'Connection closed while waiting for PROXY protocol header'
FAILED: Final = 'Connection error while waiting for PROXY protocol header'
LATE: Final = 'Timeout while waiting for PROXY protocol header'
CODES: Final = {CLOSED: 11, FAILED: 12, LATE: 13, TRUNCATED: 14, NOT_A_HEADER: 15, INVALID: 16, UNHANDLED: 17}
"""HAProxy's numbers of these (`fc_err`)."""


class BadHeader(Exception):
    """The client says nothing that can be relied on; the text is that of the log, and `ends` what was understood of it before that."""

    def __init__(self, why: str, ends: Ends | None = None) -> None:
        super().__init__(why)
        self.ends = ends


class ProxyHeader(NamedTuple):
    """What was said: `ends` None: nothing about where it comes from; `tlvs` as they came; `size` in bytes."""

    ends: Ends | None
    tlvs: bytes
    size: int


def read_header(data: bytes, most: int) -> ProxyHeader | None:
    """The header that `data` begins with, None while more of it is to come, at most `most` bytes. Raises BadHeader."""
    if data[: len(_SIGNATURE)] == _SIGNATURE[: len(data)]:
        return _second(data, most)
    if data[: len(_FIRST_WORD)] == _FIRST_WORD[: len(data)]:
        return _first(data)
    raise BadHeader(NOT_A_HEADER)


def _first(data: bytes) -> ProxyHeader | None:
    """Version 1, a line of text."""
    end = data.find(b'\r\n', 0, _LONGEST_LINE)
    if end < 0:
        if len(data) >= _LONGEST_LINE:
            raise BadHeader(INVALID)
        return None
    line = data[len(_FIRST_WORD) : end]
    if line == b'UNKNOWN' or line.startswith(b'UNKNOWN '):
        return ProxyHeader(None, b'', end + 2)
    if line[:5] not in (b'TCP4 ', b'TCP6 '):
        raise BadHeader(UNHANDLED)
    found = _LINE.fullmatch(line)
    if found is None:
        raise BadHeader(INVALID)
    kind = IPv4 if found[1] == b'4' else IPv6
    one, other = parse_address(found[2].decode()), parse_address(found[3].decode())
    ports = int(found[4]), int(found[5])
    if one is None or other is None or type(one) is not kind or type(other) is not kind or max(ports) > _MOST_PORT:
        raise BadHeader(INVALID)
    return ProxyHeader(Ends(_text(one), ports[0], _text(other), ports[1]), b'', end + 2)


def _second(data: bytes, most: int) -> ProxyHeader | None:
    """Version 2, in binary."""
    if len(data) < _HEAD:
        return None
    command, family, length = unpack_from('!BBH', data, len(_SIGNATURE))
    size = _HEAD + length
    if command & _VERSION != _LOCAL:
        raise BadHeader(NOT_A_HEADER)
    if command not in (_LOCAL, _PROXIED) or size > most:
        raise BadHeader(INVALID)
    if len(data) < size:
        return None
    width = _FAMILIES.get(family, 0)
    if command == _LOCAL or not width:
        return ProxyHeader(None, b'', size)
    start = _HEAD + 2 * width + 4
    if start > size:
        raise BadHeader(INVALID)
    kind = IPv4 if width == 4 else IPv6
    one, other = (kind(int.from_bytes(data[at : at + width])) for at in (_HEAD, _HEAD + width))
    source_port, target_port = unpack_from('!HH', data, start - 4)
    ends = Ends(_text(one), source_port, _text(other), target_port)
    if not _is_sound(data[:size], start):
        raise BadHeader(INVALID, ends)
    return ProxyHeader(ends, data[start:size], size)


def _text(address: Address) -> str:
    return address_text(address).decode()


def _is_sound(header: bytes, at: int) -> bool:
    """Do the TLVs from `at` on end where the header ends, and is its checksum right, if it has one?"""
    while at < len(header):
        if at + 3 > len(header):
            return False
        kind, length = unpack_from('!BH', header, at)
        value, at = at + 3, at + 3 + length
        if at > len(header) or length > _LIMITS.get(kind, length):
            return False
        if kind == _CRC32C:
            said = header[value:at]
            if length != 4 or crc32c(header[:value] + bytes(4) + header[at:]) != int.from_bytes(said):
                return False
    return True
