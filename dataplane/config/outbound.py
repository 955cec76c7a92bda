"""config: words of `server` lines about connections to it: `source`, `interface`, `send-proxy` and its kind (configuration manual 5.2)."""

from __future__ import annotations

import re
from dataclasses import replace
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from dataplane.config.address import parse_interface
from dataplane.config.draft import ServerDraft
from dataplane.config.problems import Rejected, shown
from dataplane.core.outbound import ProxyProtocol, Source

if TYPE_CHECKING:
    from dataplane.config.draft import ProxyDraft
    from dataplane.config.reader import Line

_MOST: Final = 65_535
_PLACE: Final = re.compile(r'(?:[0-9.*]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}', re.ASCII)
_SENDS: Final = {
    'send-proxy': (1, False), 'send-proxy-v2': (2, False), 'send-proxy-v2-ssl': (2, True), 'send-proxy-v2-ssl-cn': (2, True),
}  # fmt: skip
_OPTIONS: Final = {
    'ssl': 'ssl', 'cert-cn': 'ssl', 'ssl-cipher': 'ssl', 'cert-sig': 'ssl', 'cert-key': 'ssl', 'crc32c': 'crc32c',
    'unique-id': 'unique_id', 'authority': '',
}  # fmt: skip
"""Options of version 2, and what of it they ask for here: the authority is that of a TLS connection, so there is none."""
WORDS: Final = frozenset(
    ('source', 'interface', 'proxy-v2-options', 'check-send-proxy', 'no-check-send-proxy', *tuple(_SENDS), *tuple(f'no-{name}' for name in _SENDS))
)  # fmt: skip
"""Words of a server line that are read here."""


def apply(server: ServerDraft, name: str, value: str) -> None:
    """Take one of `WORDS` into the draft. Raises Rejected."""
    if name == 'source':
        host, port = _address(value)
        server.source = replace(server.source or Source(), host=host, port=port)
    elif name == 'interface':
        server.source = replace(server.source or Source(), interface=parse_interface(value))
    elif name.endswith('check-send-proxy'):
        server.checks = replace(server.checks, send_proxy=name == 'check-send-proxy')
    elif name == 'proxy-v2-options':
        server.proxy = replace(server.proxy or ProxyProtocol(version=0), **_options(value))
    elif name in _SENDS:
        version, ssl = _SENDS[name]
        before = server.proxy or ProxyProtocol(version=0)
        server.proxy = replace(before, version=max(version, before.version), ssl=ssl or before.ssl)
    else:
        server.proxy = None


def parse_source(line: Line, proxy: ProxyDraft) -> None:
    """`source ADDRESS[:PORT] [interface NAME]` of a proxy: of its servers without one of their own."""
    if not line.word(1):
        msg = "'source' expects <addr>[:<port>], and optionally 'interface' <name> as argument."
        raise Rejected(msg)
    if line.word(2) and line.word(2) != 'interface':
        msg = f"'source' only supports optional keyword 'interface' (got '{shown(line.word(2))}')."
        raise Rejected(msg)
    line.at_most(3)
    source = ServerDraft()
    apply(source, 'source', line.word(1))
    if line.word(2):
        apply(source, 'interface', line.word(3))
    proxy.source = source.source


def _address(value: str) -> tuple[str, int]:
    """The address, '' for any, and the port, 0 for any."""
    host, _, port = value.rpartition(':') if _PLACE.fullmatch(value) else (value, '', '0')
    host = '0.0.0.0' if host == '*' else host.removeprefix('[').removesuffix(']')
    try:
        address = ip_address(host)
    except ValueError:
        address = None
    if address is None or int(port) > _MOST:
        msg = f"'source' expects an address, perhaps with a port (got '{shown(value)}')."
        raise Rejected(msg) from None
    return '' if address.is_unspecified else str(address), int(port)


def _options(value: str) -> dict[str, bool]:
    found = {}
    for word in value.split(','):
        if word not in _OPTIONS:
            msg = f"'{shown(word)}' : proxy v2 option not implemented."
            raise Rejected(msg)
        if _OPTIONS[word]:
            found[_OPTIONS[word]] = True
    return found
