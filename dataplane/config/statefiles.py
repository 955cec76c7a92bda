"""config: what is read at the start of servers' states and of counters (configuration manual 3.1 and 4.2, server-state-file and its kin)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dataplane.config.draft import Side
from dataplane.config.problems import Rejected, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dataplane.config.draft import GlobalDraft, ProxyDraft
    from dataplane.config.problems import Report
    from dataplane.config.reader import Line

_SOURCES: Final = ('global', 'local', 'none')
_BY_NAME: Final = 'use-backend-name'
_GLOBAL: Final = {'server-state-base': 'state_base', 'server-state-file': 'state_file', 'stats-file': 'stats_file'}


def parse_global(line: Line, draft: GlobalDraft) -> None:
    """`server-state-base DIR`, `server-state-file FILE` and `stats-file FILE`. Raises Rejected."""
    keyword, value = line.words[0], line.word(1)
    line.at_most(1)
    what = 'one argument: a directory path' if keyword == 'server-state-base' else 'one argument: a file path'
    if not value:
        msg = f"'{keyword}' expects {what}."
        raise Rejected(msg)
    name = _GLOBAL[keyword]
    if getattr(draft, name):
        msg = f"'{keyword}' already specified. Continuing."
        raise Rejected(msg)
    setattr(draft, name, value)


def _parse_load(line: Line, proxy: ProxyDraft) -> None:
    """`load-server-state-from-file global|local|none`. Raises Rejected."""
    line.at_most(1)
    if line.word(1) not in _SOURCES:
        msg = f"'{line.words[0]}' expects 'global', 'local' or 'none' (got '{shown(line.word(1))}')."
        raise Rejected(msg)
    proxy.load_states = line.word(1)


def _parse_name(line: Line, proxy: ProxyDraft) -> None:
    """`server-state-file-name [FILE|use-backend-name]`. Raises Rejected."""
    line.at_most(1)
    proxy.state_file_name = '' if line.word(1) == _BY_NAME else line.word(1)


def state_file(proxy: ProxyDraft, general: GlobalDraft) -> str:
    """The file that the states of a backend's servers are read from; '' for none."""
    if proxy.load_states == 'local':
        return _under(general.state_base, proxy.state_file_name or proxy.name)
    return _under(general.state_base, general.state_file) if proxy.load_states == 'global' else ''


def check_state_files(proxies: Sequence[ProxyDraft], general: GlobalDraft, report: Report) -> None:
    """Who wants to load states from the global section's file has nothing to load where it names none."""
    for proxy in proxies:
        wants = proxy.load_states == 'global' and not general.state_file
        if wants and proxy.side & Side.BACKEND and not proxy.disabled and not proxy.serves_stats:
            text = (
                f"backend '{proxy.name}' configured to load server state file from global section 'server-state-file' "
                "directive. Unfortunately, 'server-state-file' is not set!"
            )
            report.warning(proxy.file, proxy.line, text)


def _under(base: str, name: str) -> str:
    if not base or not name or name.startswith('/'):
        return name
    return f'{base.removesuffix("/")}/{name}'


HANDLERS: Final = {'load-server-state-from-file': _parse_load, 'server-state-file-name': _parse_name}
"""Lines of proxies."""
