"""config: addresses as `bind`, `server`, `log` and `stats socket` lines write them (configuration manual 11.1).

Nothing is resolved here, this room is pure: a host name stays the name it is, but for those of `bind` and `log` lines, which whoever
has the configuration read looks up (`LookUp`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final

from dataplane.config.problems import Rejected, shown
from dataplane.core.rings import PREFIX
from dataplane.wire.unixhost import is_unix

_MAX_PORT: Final = 65_535
_MAX_PATH: Final = 107
_LONGEST_INTERFACE: Final = 15
_PREFIXES: Final = ('ipv4@', 'ipv6@', 'unix@', 'abns@', 'abnsz@', 'fd@')
_UNSUPPORTED: Final = {
    'sockpair@': 'socket pairs are not supported',
    'rhttp@': 'reverse HTTP is not supported',
    'quic4@': 'QUIC is not supported',
    'quic6@': 'QUIC is not supported',
    'quic+ipv4@': 'QUIC is not supported',
    'quic+ipv6@': 'QUIC is not supported',
    'udp@': 'dgram-type address not acceptable',
    'udp4@': 'dgram-type address not acceptable',
    'udp6@': 'dgram-type address not acceptable',
    'uxdg@': 'dgram-type address not acceptable',
    'uxst@': 'write unix@ instead',
    'stream+': 'write the address without stream+',
    'dgram+': 'dgram-type address not acceptable',
    'mptcp': 'MPTCP is not supported',
}
_HOST: Final = re.compile(r'[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252}[A-Za-z0-9_.])?', re.ASCII)
_PORT: Final = re.compile(r'[0-9]{1,5}', re.ASCII)
_RANGE: Final = re.compile(r'([0-9]{1,5})(?:-([0-9]{1,5}))?', re.ASCII)

LookUp = Callable[[str], str]
"""The address, in numbers, that a host name has now. Raises OSError."""


def no_names(host: str) -> str:
    """For whoever compiles texts that name no hosts."""
    msg = f'{host} cannot be looked up here'
    raise OSError(msg)


@dataclass(frozen=True, slots=True)
class Address:
    """One address: `path` (unix; abstract ones begin with NUL), or `fd`, or `host` and the ports `low` to `high`.

    Ports are 0 where none was written.
    """

    host: str = ''
    low: int = 0
    high: int = 0
    path: str | None = None
    fd: int | None = None


def parse_bind(text: str, look_up: LookUp | None = None) -> list[Address]:
    """The comma-separated addresses of a `bind` line. `look_up` says what a host name means; without it the name stays."""
    parts = text.split(',')
    if parts[-1] == '' and len(parts) > 1:
        parts.pop()
    return [_listening(part, look_up) for part in parts]


def _listening(text: str, look_up: LookUp | None) -> Address:
    if not text:
        msg = "'bind' : '' resolves to an empty address (environment variable missing?)"
        raise Rejected(msg)
    special = _special(text, 'bind')
    if special is not None:
        return special
    family, host, port = _split(text, 'bind')
    found = _RANGE.fullmatch(port)
    if not port and ':' not in text.rpartition('@')[2]:
        msg = f"'bind' : missing port specification in '{shown(text)}'"
        raise Rejected(msg)
    if found is None or not 0 < int(found[1]) <= _MAX_PORT:
        msg = f"'bind' : invalid port '{shown(port)}' in '{shown(text)}'"
        raise Rejected(msg)
    low, high = int(found[1]), int(found[2] or found[1])
    if not low <= high <= _MAX_PORT:
        msg = f"'bind' : invalid port range '{shown(port)}' in '{shown(text)}'"
        raise Rejected(msg)
    checked = _check_host(host, family, 'bind', text)
    if look_up is not None and _is_name(checked):
        checked = _looked_up(checked, look_up, "'bind'", text)
    return Address(checked or ('::' if family == 'ipv6@' else '0.0.0.0'), low, high)


def parse_server(text: str, *, anywhere: bool = False) -> Address:
    """Where a server is reached. Without a port, or with port 0, `low` is 0: the port the client connected to. `anywhere`: it may lack
    an address, too, or have `*`, and then has the one of no host at all: where the client connected to.

    A unix socket is its host, as `wire.unixhost` has it.
    """
    special = _special(text, 'server')
    if special is not None and special.fd is not None:
        msg = f"a file descriptor is not supported as a server's address in '{shown(text)}'"
        raise Rejected(msg)
    if special is not None:
        return Address(text if is_unix(text) else f'unix@{text}')
    family, host, port = _split(text, 'server')
    if port[:1] in ('+', '-'):
        msg = f"port offsets are not supported in '{shown(text)}'"
        raise Rejected(msg)
    if '-' in port:
        msg = f"port range not permitted here in '{shown(text)}'"
        raise Rejected(msg)
    if port and (not _PORT.fullmatch(port) or int(port) > _MAX_PORT):
        msg = f"invalid port '{shown(port)}' in '{shown(text)}'"
        raise Rejected(msg)
    checked = _check_host(host, family, 'server', text)
    if not checked and not anywhere:
        msg = f"an address is missing in '{shown(text)}'"
        raise Rejected(msg)
    checked = checked or ('::' if family == 'ipv6@' else '0.0.0.0')
    number = int(port or 0)
    return Address(checked, number, number)


def parse_log(text: str, look_up: LookUp = no_names) -> str:
    """The canonical form of a `log` address: 'stdout', 'stderr', 'fd@N', 'ring@NAME', 'IP:PORT' or '/path'.

    Without a host it is any of this machine. A host name is looked up here and now, as HAProxy does: later it would hold up the
    loop that logs.
    """
    if text in ('stdout', 'stderr'):
        return text
    if text.startswith(PREFIX):
        if len(text) == len(PREFIX):
            raise Rejected('log : missing ring name')
        return text
    text = text.removeprefix('udp@')
    special = _special(text, 'log')
    if special is not None:
        if special.fd is not None:
            return f'fd@{special.fd}'
        if special.path is None or special.path.startswith('\0'):
            msg = f"log : abstract sockets are not supported in '{shown(text)}'"
            raise Rejected(msg)
        return special.path
    family, host, port = _split(text, 'log')
    if port and (not _PORT.fullmatch(port) or not 0 < int(port) <= _MAX_PORT):
        msg = f"log : invalid port '{shown(port)}'"
        raise Rejected(msg)
    if not text:
        msg = "log : invalid address: ''"
        raise Rejected(msg)
    checked = _check_host(host, family, 'log', text) or ('::' if family == 'ipv6@' else '0.0.0.0')
    if _is_name(checked):
        checked = _looked_up(checked, look_up, 'log', text)
    return f'[{checked}]:{port or 514}' if ':' in checked else f'{checked}:{port or 514}'


def _is_name(host: str) -> bool:
    return bool(host) and ':' not in host and not host.replace('.', '').isdecimal()


def _looked_up(host: str, look_up: LookUp, keyword: str, text: str) -> str:
    try:
        return look_up(host)
    except OSError as error:
        msg = f"{keyword} : could not resolve address '{shown(host)}' ({error.strerror or error}) in '{shown(text)}'"
        raise Rejected(msg) from error


def _special(text: str, keyword: str) -> Address | None:
    """A unix socket or an inherited descriptor; None for internet addresses."""
    for prefix, reason in _UNSUPPORTED.items():
        if text.startswith(prefix):
            msg = f"'{keyword}' : {reason} in '{shown(text)}'"
            raise Rejected(msg)
    if text.startswith('fd@'):
        number = text.removeprefix('fd@')
        if not _PORT.fullmatch(number):
            msg = f"'{keyword}' : file descriptor '{shown(number)}' is not a valid integer in '{shown(text)}'"
            raise Rejected(msg)
        return Address(fd=int(number))
    for prefix in ('unix@', 'abns@', 'abnsz@'):
        if text.startswith(prefix):
            return Address(path=_path(text.removeprefix(prefix), prefix, keyword))
    return Address(path=_path(text, '', keyword)) if text.startswith('/') else None


def _path(name: str, prefix: str, keyword: str) -> str:
    """A unix path; an abstract name is NUL and the name, for abns@ padded to the full length as HAProxy does."""
    if not name or '\0' in name or len(name.encode()) > _MAX_PATH:
        msg = f"'{keyword}' : socket path '{shown(name)}' is empty or too long (max {_MAX_PATH})"
        raise Rejected(msg)
    if prefix == 'abns@':
        return '\0' + name + '\0' * (_MAX_PATH - len(name.encode()))
    return '\0' + name if prefix == 'abnsz@' else name


def _split(text: str, keyword: str) -> tuple[str, str, str]:
    """Family prefix ('ipv4@', 'ipv6@' or ''), host and port, as HAProxy cuts them: the last colon outside brackets."""
    family = next((prefix for prefix in ('ipv4@', 'ipv6@') if text.startswith(prefix)), '')
    rest = text.removeprefix(family)
    if '@' in rest:
        msg = f"'{keyword}' : invalid address: '{shown(text)}', known prefixes are {', '.join(_PREFIXES)}"
        raise Rejected(msg)
    if rest.startswith('['):
        host, bracket, tail = rest[1:].partition(']')
        if not bracket or (tail and not tail.startswith(':')) or not host:
            msg = f"'{keyword}' : invalid address: '{shown(text)}'"
            raise Rejected(msg)
        return 'ipv6@', host, tail[1:]
    host, _, port = rest.rpartition(':') if ':' in rest else (rest, '', '')
    return family or ('ipv6@' if ':' in host else ''), host, port


def _check_host(host: str, family: str, keyword: str, text: str) -> str:
    """The host in canonical form; '' for '*' and for no host at all."""
    if host in ('', '*'):
        return ''
    if family == 'ipv6@':
        try:
            return '' if not IPv6Address(host).packed.strip(b'\0') and keyword == 'server' else str(IPv6Address(host))
        except AddressValueError:
            msg = f"'{keyword}' : invalid address: '{shown(host)}' in '{shown(text)}'"
            raise Rejected(msg) from None
    if host.replace('.', '').isdecimal():
        try:
            return '' if host == '0.0.0.0' and keyword == 'server' else str(IPv4Address(host))
        except AddressValueError:
            msg = f"'{keyword}' : invalid address: '{shown(host)}' in '{shown(text)}'"
            raise Rejected(msg) from None
    if not _HOST.fullmatch(host):
        msg = f"'{keyword}' : invalid address: '{shown(host)}' in '{shown(text)}'"
        raise Rejected(msg)
    return host


def parse_interface(value: str) -> str:
    """The name of a network interface, at most as long as the kernel has room for (IFNAMSIZ). Raises Rejected."""
    if not 0 < len(value) <= _LONGEST_INTERFACE:
        msg = f"'interface' expects the name of an interface (got '{shown(value)}')."
        raise Rejected(msg)
    return value
