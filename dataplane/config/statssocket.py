"""config: `stats socket` lines (configuration manual 3.1), and the address of the master CLI on the command line (`-S`)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from dataplane.config.address import LookUp, parse_bind
from dataplane.config.problems import Rejected, Report, shown
from dataplane.config.reader import Line
from dataplane.core.model import Level, StatsSocket

if TYPE_CHECKING:
    from collections.abc import Callable

_PAIRS: Final = (
    'mode',
    'level',
    'user',
    'group',
    'uid',
    'gid',
    'expose-fd',
    'name',
    'severity-output',
    'maxconn',
    'backlog',
    'id',
)
_NO_EFFECT: Final = ('user', 'group', 'uid', 'gid', 'expose-fd', 'severity-output', 'maxconn', 'backlog', 'id', 'name')


def parse_stats_socket(line: Line, report: Report, look_up: LookUp | None = None) -> StatsSocket:
    """`stats socket ADDRESS [words]`. Raises Rejected."""
    if not line.word(2):
        msg = "'stats socket' in global section expects an address or a path to a UNIX socket"
        raise Rejected(msg)

    def warn(text: str) -> None:
        report.warning(line.file, line.number, text)

    return _socket(line.words[2:], "'stats socket'", Level.OPERATOR, warn, look_up)


def parse_master_socket(text: str) -> tuple[StatsSocket, list[str]]:
    """`ADDRESS[,WORD,VALUE]...` behind `-S`, at level admin unless it says otherwise, and what is to be told. Raises Rejected."""
    warnings: list[str] = []
    return _socket(tuple(text.split(',')), "'-S'", Level.ADMIN, warnings.append), warnings


def _socket(
    words: tuple[str, ...], what: str, default: Level, warn: Callable[[str], None], look_up: LookUp | None = None
) -> StatsSocket:
    addresses = parse_bind(words[0], look_up)
    address = addresses[0]
    if len(addresses) > 1 or address.low != address.high or (address.path or '').startswith('\0'):
        msg = f"{what} : expects one address with one port or one path (got '{shown(words[0])}')"
        raise Rejected(msg)
    options = _options(words[1:], what, warn)
    mode = parse_permissions(options['mode'], what.strip("'")) if 'mode' in options else None
    level = options.get('level', default)
    if level not in tuple(Level):
        msg = f"{what} : 'level' only supports 'user', 'operator', and 'admin' (got '{shown(level)}')"
        raise Rejected(msg)
    return StatsSocket(
        path=address.path, host=address.host, port=address.low, fd=address.fd, mode=mode, level=Level(level)
    )


def _options(words: tuple[str, ...], what: str, warn: Callable[[str], None]) -> dict[str, str]:
    options: dict[str, str] = {}
    for at in range(0, len(words), 2):
        option, value = words[at], words[at + 1] if at + 1 < len(words) else ''
        if option not in _PAIRS:
            msg = f"{what} : unknown keyword '{shown(option)}'."
            raise Rejected(msg)
        if not value:
            msg = f"{what} : '{option}' : missing value"
            raise Rejected(msg)
        if option in _NO_EFFECT:
            warn(f"{what} : '{option}' has no effect.")
        options[option] = value
    return options


def parse_permissions(word: str, what: str) -> int:
    """Permissions of a unix socket: an octal number."""
    if not re.fullmatch('[0-7]{1,4}', word, re.ASCII):
        msg = f"'{what}' : 'mode' : missing or invalid mode '{shown(word)}' (octal integer expected)"
        raise Rejected(msg)
    return int(word, 8)
