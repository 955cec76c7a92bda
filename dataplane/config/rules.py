"""config: the `http-request` rules that are supported (configuration manual 4.3): queue priorities and the exporter."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from dataplane.config.keywords import ACTIONS, Status
from dataplane.config.problems import Rejected, did_you_mean, shown
from dataplane.core.model import PriorityRule

if TYPE_CHECKING:
    from dataplane.config.draft import ProxyDraft
    from dataplane.config.reader import Line

PRIORITIES: Final = {'set-priority-class': ('class', 2_047), 'set-priority-offset': ('offset', 524_287)}
"""Actions that set a priority: the rule's kind, and the largest value either way (milliseconds for an offset)."""

DEFAULT_METRICS_PATH: Final = '/metrics'

_CALL: Final = re.compile(r'([a-z._]+)(?:\(([^()]*)\))?')
_INTEGER: Final = re.compile(r'[+-]?[0-9]{1,18}', re.ASCII)
_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", re.ASCII)


def parse_http_request(line: Line, proxy: ProxyDraft) -> None:
    """Add one rule to the proxy. Raises Rejected, naming the action, for all that are not supported."""
    action = line.word(1)
    if action in PRIORITIES:
        proxy.rules.append(_priority(line, action))
    elif action == 'use-service':
        _service(line, proxy)
    elif (known := ACTIONS.get(action.partition('(')[0])) and known.status is Status.REFUSED:
        msg = f"'http-request {shown(action)}' is not supported: {known.note}."
        raise Rejected(msg)
    else:
        hint = did_you_mean(action, ACTIONS)
        msg = f"'http-request' expects an action, but got '{shown(action)}'{hint or '.'}"
        raise Rejected(msg)


def _priority(line: Line, action: str) -> PriorityRule:
    what = f"'http-request {action}'"
    if line.word(3) in ('if', 'unless'):
        msg = f"{what} : conditions ('{line.word(3)}') are not supported yet."
        raise Rejected(msg)
    if len(line.words) > 3:
        msg = f"{what} expects either 'if' or 'unless' followed by a condition but found '{shown(line.word(3))}'."
        raise Rejected(msg)
    kind, bound = PRIORITIES[action]
    call = _CALL.fullmatch(line.word(2))
    function, argument = call.groups() if call else ('', None)
    if function == 'int' and argument is not None:
        if not _INTEGER.fullmatch(argument):
            msg = f"{what} : fetch method 'int' : failed to parse '{shown(argument)}' as type 'integer'."
            raise Rejected(msg)
        return PriorityRule(kind=kind, value=max(-bound, min(bound, int(argument))))
    if function in ('hdr', 'req.hdr') and argument is not None:
        if not _TOKEN.fullmatch(argument):
            msg = f"{what} : fetch method '{function}' expects one header name (got '{shown(argument)}')."
            raise Rejected(msg)
        return PriorityRule(kind=kind, header=argument)
    if not line.word(2):
        msg = f'{what} : missing fetch method.'
        raise Rejected(msg)
    msg = f"{what} : '{shown(line.word(2))}' is not supported, only int(N), hdr(NAME) and req.hdr(NAME) are."
    raise Rejected(msg)


def _service(line: Line, proxy: ProxyDraft) -> None:
    name = line.word(2)
    if name != 'prometheus-exporter':
        msg = f"'http-request use-service' : '{shown(name)}' is not supported, only 'prometheus-exporter' is."
        raise Rejected(msg)
    if proxy.kind == 'defaults':
        msg = (
            "'http-request use-service' is not supported in 'defaults' section: a proxy of its own serves the metrics."
        )
        raise Rejected(msg)
    path = DEFAULT_METRICS_PATH
    if len(line.words) > 3:
        condition = line.words[3:]
        if len(condition) != 5 or condition[:3] != ('if', '{', 'path') or condition[4] != '}':
            msg = "'http-request use-service' : the only condition supported is 'if { path PATH }'."
            raise Rejected(msg)
        path = condition[3]
    proxy.metrics, proxy.metrics_path = True, checked_path(path, "'http-request use-service'")


def checked_path(path: str, what: str) -> str:
    """A URL path as it may be compared with a request's; raises Rejected."""
    if not re.fullmatch(r'/[!-~]*', path):
        msg = f"{what} : a path begins with '/' and has printable characters only (got '{shown(path)}')."
        raise Rejected(msg)
    return path
