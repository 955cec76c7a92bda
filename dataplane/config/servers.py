"""config: `server` and `default-server` lines (configuration manual 5.2)."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from dataplane.config import lookups, outbound, serverchecks
from dataplane.config.address import parse_server
from dataplane.config.cookies import checked_value
from dataplane.config.guids import checked_guid
from dataplane.config.keywords import SERVER
from dataplane.config.naming import check_name
from dataplane.config.problems import Rejected, Report, shown
from dataplane.config.protocols import check_proto, check_ws
from dataplane.config.settings import read_settings
from dataplane.config.values import parse_int, parse_time

if TYPE_CHECKING:
    from dataplane.config.draft import ServerDraft
    from dataplane.config.reader import Line

MAX_WEIGHT: Final = 256
_HASH_KEYS: Final = ('id', 'addr', 'addr-port')
_RANGE: Final = re.compile(r'(?:([0-9]{1,5})-)?([0-9]{1,5})', re.ASCII)
_MAX_TEMPLATE: Final = 16_384
_PREFIX: Final = re.compile('[!-~]+', re.ASCII)
_FLAGS: Final = {
    'backup': ('backup', True), 'no-backup': ('backup', False), 'disabled': ('disabled', True),
    'enabled': ('disabled', False), 'non-stick': ('non_stick', True), 'stick': ('non_stick', False),
}  # fmt: skip
_COUNTS: Final = {
    'maxconn': ('maxconn', 0), 'minconn': ('minconn', 0), 'maxqueue': ('maxqueue', 0), 'max-reuse': ('max_reuse', -1),
    'pool-max-conn': ('pool_max_conn', -1),
}  # fmt: skip

_CHECKED: Final = {'proto': check_proto, 'ws': check_ws}
"""Words that say what is so anyway, or are refused."""


def parse_server_line(line: Line, proxy: str, default: ServerDraft, report: Report) -> ServerDraft:
    """`server NAME ADDRESS[:PORT] [words]`, beginning with what `default-server` says."""
    name, address = line.word(1), line.word(2)
    if not name or not address:
        msg = "'server' expects <name> and <addr>[:<port>] as arguments."
        raise Rejected(msg)
    check_name(name, 'server')
    prefix = f"'server {proxy}/{shown(name)}'"
    try:
        place = parse_server(address, anywhere=True)
    except Rejected as problem:
        msg = f'{prefix} : {problem}.'
        raise Rejected(msg) from None
    server = replace(default, name=name, host=place.host, port=place.low, id=0, file=line.file, line=line.number)
    read_settings(line.words[3:], SERVER, partial(_apply, server), prefix, line, report)
    return server


def parse_server_template(line: Line, proxy: str, default: ServerDraft, report: Report) -> list[ServerDraft]:
    """`server-template PREFIX NUMBER|LOW-HIGH ADDRESS[:PORT] [words]`: as many servers as that, named by prefix and number.

    They differ in nothing else; `id N` is the id of the first alone, as it is for HAProxy, and so is `guid`.
    """
    prefix, numbers, address = line.word(1), line.word(2), line.word(3)
    if not prefix or not numbers or not address:
        msg = "'server-template' expects <prefix> <nb | range> <addr>[:<port>] as arguments."
        raise Rejected(msg)
    low, high = _range(numbers)
    template = replace(line, words=('server', f'{prefix}{low}', address, *line.words[4:]))
    first = parse_server_line(template, proxy, default, report)
    others = (replace(first, name=f'{prefix}{number}', id=0, guid='') for number in range(low + 1, high + 1))
    return [first, *others]


def _range(numbers: str) -> tuple[int, int]:
    found = _RANGE.fullmatch(numbers)
    low, high = (int(found[1] or 1), int(found[2])) if found else (1, 0)
    if high < low or high > _MAX_TEMPLATE:
        msg = f"Wrong server-template number or range arg '{shown(numbers)}'."
        raise Rejected(msg)
    return low, high


def parse_default_server(line: Line, default: ServerDraft, report: Report) -> ServerDraft:
    """What `default-server` lines add up to after this one; it counts for the servers that follow."""
    if len(line.words) < 2:
        msg = "'default-server' expects at least one setting."
        raise Rejected(msg)
    changed = replace(default)
    read_settings(line.words[1:], SERVER, partial(_apply, changed), "'default-server'", line, report)
    return changed


def _apply(server: ServerDraft, name: str, value: str) -> None:
    if name in serverchecks.WORDS:
        serverchecks.apply(server, name, value)
    elif name in _FLAGS:
        attribute, flag = _FLAGS[name]
        setattr(server, attribute, flag)
    elif name in _COUNTS:
        attribute, low = _COUNTS[name]
        setattr(server, attribute, parse_int(value, name, low))
    elif name == 'weight':
        server.weight = parse_int(value, 'weight', 0, MAX_WEIGHT)
    elif name == 'slowstart':
        # in whole seconds, as HAProxy keeps it: a part of one is one
        server.slowstart = -(-parse_time(value, 'slowstart') // 1_000) * 1_000
    elif name == 'hash-key':
        if value not in _HASH_KEYS:
            msg = f"'hash-key' only supports {', '.join(repr(key) for key in _HASH_KEYS)} (got '{shown(value)}')."
            raise Rejected(msg)
        server.hash_key = value
    elif name in ('id', 'guid') and not server.name:
        msg = f"'{name}' option is not accepted in default-server sections"
        raise Rejected(msg)
    elif name == 'id':
        server.id = parse_int(value, 'id', 1)
    elif name == 'guid':
        server.guid = checked_guid(value)
    elif name == 'from':
        msg = "'from' stands before all other settings"
        raise Rejected(msg)
    elif name in lookups.WORDS:
        lookups.apply(server, name, value)
    elif name in _CHECKED:
        _CHECKED[name](value)
    elif name in outbound.WORDS:
        outbound.apply(server, name, value)
    elif name == 'redir':
        if not _PREFIX.fullmatch(value):
            msg = f"'redir' expects a prefix of printable characters (got '{shown(value)}')."
            raise Rejected(msg)
        server.redir = value
    elif name == 'cookie':
        server.cookie = checked_value(value)
    else:
        server.pool_purge_delay = parse_time(value, 'pool-purge-delay')
