"""config: `guid` and `guid-prefix` (configuration manual 4.2, 5.1 and 5.2): what proxies, listeners and servers are called for ever.

A name may change, a guid may not: whoever has it goes on with the counters that were kept under it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from dataplane.config.problems import Rejected, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dataplane.config.draft import ProxyDraft
    from dataplane.config.problems import Report
    from dataplane.config.reader import Line

MOST: Final = 127
_FORBIDDEN: Final = re.compile(r'[^A-Za-z0-9_.:-]')


def checked_guid(value: str, what: str = 'guid') -> str:
    """The value, if it can be a guid. Raises Rejected."""
    if not value:
        msg = f"'{what}' expects an argument."
        raise Rejected(msg)
    if len(value) > MOST:
        msg = f"'{what}' : UID too big"
        raise Rejected(msg)
    if bad := _FORBIDDEN.search(value):
        msg = f"'{what}' : invalid character '{shown(bad[0])}'"
        raise Rejected(msg)
    return value


def parse_guid(line: Line, proxy: ProxyDraft) -> None:
    """`guid ID`. Raises Rejected."""
    line.at_most(1)
    proxy.guid, proxy.guid_line = checked_guid(line.word(1)), line.number


def check_guids(proxies: Sequence[ProxyDraft], report: Report) -> None:
    """Note everything that has a guid which something before it has."""
    seen: dict[str, str] = {}
    for guid, name, file, line in _given(proxies):
        if guid in seen:
            report.error(file, line, f"'guid' : duplicate entry with {seen[guid]}")
        else:
            seen[guid] = name


def _given(proxies: Sequence[ProxyDraft]) -> Iterator[tuple[str, str, str, int]]:
    """Each guid: what has it, as HAProxy names that, and the line that gives it."""
    for proxy in proxies:
        if proxy.guid:
            yield proxy.guid, f'{proxy.kind} {proxy.name}', proxy.file, proxy.guid_line
        for bind in proxy.binds:
            if bind.guid:
                file, _, line = bind.where.rpartition(':')
                yield bind.guid, f'listener {proxy.name} ({bind.where})', file, int(line)
        for server in proxy.servers:
            if server.guid:
                yield server.guid, f'server {proxy.name}/{server.name}', server.file, server.line
