"""config: `monitor fail` and `rate-limit sessions` (configuration manual 4.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataplane.config.problems import Rejected
from dataplane.config.values import MAX_INT, parse_int
from dataplane.rules.phases import Phase

if TYPE_CHECKING:
    from dataplane.config.draft import ProxyDraft
    from dataplane.config.reader import Line
    from dataplane.config.ruling import Ruling


def parse_monitor_fail(line: Line, proxy: ProxyDraft, ruling: Ruling) -> None:
    """`monitor fail if|unless CONDITION`: then `monitor-uri` answers 503."""
    if line.word(2) not in ('if', 'unless'):
        msg = "'monitor fail' requires either 'if' or 'unless' followed by a condition."
        raise Rejected(msg)
    scope = ruling.scope(Phase.REQUEST, proxy)
    condition = ruling.condition(line.words[2:], scope)
    ruling.warn(line, scope)
    if condition is not None:
        proxy.monitor_fail.append(condition)


def parse_rate_limit(line: Line, proxy: ProxyDraft) -> None:
    """`rate-limit sessions N`: connections accepted per second, 0 for any; what comes beyond waits in the system's backlog."""
    if len(line.words) > 3:
        msg = "'rate-limit sessions' expects one argument."
        raise Rejected(msg)
    proxy.rate_limit = parse_int(line.word(2), 'rate-limit sessions', 0, MAX_INT)
