"""config: `bind` lines (configuration manual 5.1)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from dataplane.config.address import Address, LookUp, parse_bind, parse_interface
from dataplane.config.guids import checked_guid
from dataplane.config.keywords import BIND
from dataplane.config.problems import Rejected, Report, shown
from dataplane.config.protocols import check_proto
from dataplane.config.settings import read_settings
from dataplane.config.statssocket import parse_permissions
from dataplane.config.values import parse_int
from dataplane.core.model import Bind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dataplane.config.reader import Line

MAX_BINDS: Final = 4_096
"""Most addresses one proxy listens on: a range of ports typed wrongly must not open them all."""


@dataclass(slots=True)
class _Options:
    name: str = ''
    id: int = 0
    maxconn: int = 0
    backlog: int = 0
    v6only: bool = False
    mode: int | None = None
    guid_prefix: str = ''
    accept_proxy: bool = False
    interface: str = ''
    transparent: bool = False


def parse_bind_line(line: Line, section: str, number: int, report: Report, look_up: LookUp | None = None) -> list[Bind]:
    """The listeners of one line; `number` is that of its first one in the proxy."""
    if not line.word(1):
        msg = "'bind' expects {<path>|[addr1]:port1[-end1]}{,[addr]:port[-end]}... as arguments."
        raise Rejected(msg)
    addresses = parse_bind(line.word(1), look_up)
    options = _options(line, section, report)
    count = sum(address.high - address.low + 1 for address in addresses)
    if number + count - 1 > MAX_BINDS:
        msg = f"'bind' : more than {MAX_BINDS} listeners in one section"
        raise Rejected(msg)
    if options.id and count > 1:
        msg = f"'bind {shown(line.word(1))}' : 'id' can only be used with a single socket"
        raise Rejected(msg)
    return _binds(addresses, options, line.where)


def _binds(addresses: Sequence[Address], options: _Options, where: str) -> list[Bind]:
    binds: list[Bind] = []
    for address in addresses:
        for port in range(address.low, address.high + 1):
            binds.append(
                Bind(
                    name=options.name, id=options.id, host=address.host, port=port, path=address.path,
                    accept_proxy=options.accept_proxy, interface=options.interface, transparent=options.transparent,
                    fd=address.fd, maxconn=options.maxconn, backlog=options.backlog, mode=options.mode, where=where,
                    v6only=options.v6only and ':' in address.host,
                    guid=f'{options.guid_prefix}-{len(binds)}' if options.guid_prefix else '',
                )
            )  # fmt: skip
    return binds


def _options(line: Line, section: str, report: Report) -> _Options:
    """Read the words after the address."""
    options = _Options()
    prefix = f"'bind {shown(line.word(1))}' in section '{section}'"
    read_settings(line.words[2:], BIND, partial(_apply, options), prefix, line, report)
    return options


def _apply(options: _Options, name: str, value: str) -> None:
    if name == 'name':
        options.name = value
    elif name == 'id':
        options.id = parse_int(value, 'id', 1)
    elif name == 'accept-proxy':
        options.accept_proxy = True
    elif name == 'interface':
        options.interface = parse_interface(value)
    elif name == 'transparent':
        options.transparent = True
    elif name == 'maxconn':
        options.maxconn = parse_int(value, 'maxconn', 0)
    elif name == 'backlog':
        options.backlog = parse_int(value, 'backlog', 0)
    elif name == 'guid-prefix':
        checked_guid(f'{value}-{MAX_BINDS}', name)
        options.guid_prefix = value
    elif name == 'mode':
        options.mode = parse_permissions(value, 'bind')
    elif name == 'proto':
        check_proto(value)
    else:
        options.v6only = name == 'v6only'
