"""config: `option forwarded` (configuration manual 4.2; RFC 7239): what the server is told of who asked, and how."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from dataplane.config.problems import Rejected, shown
from dataplane.config.reader import Modifier
from dataplane.config.rules import request_phase
from dataplane.rules.expressions import parse_expression
from dataplane.rules.steps import Forwarded

if TYPE_CHECKING:
    from dataplane.config.draft import ProxyDraft
    from dataplane.config.problems import Report
    from dataplane.config.reader import Line
    from dataplane.config.ruling import Ruling
    from dataplane.rules.model import Expression
    from dataplane.rules.scope import Scope

_PARTS: Final = {'host': 'host', 'by': 'by', 'by_port': 'by_port', 'for': 'for_', 'for_port': 'for_port'}


def parse_forwarded(line: Line, proxy: ProxyDraft, ruling: Ruling, report: Report) -> None:
    """`option forwarded [proto] [host|host-expr E] [by|by-expr E] [by_port|...] [for|...] [for_port|...]`. Raises Rejected."""
    if line.modifier is not Modifier.NONE:
        proxy.forwarded = None
        return
    scope = ruling.scope(request_phase(proxy), proxy)
    words, at, option = line.words, 2, Forwarded()
    while at < len(words):
        word = words[at]
        part = word.removesuffix('-expr')
        if word == 'proto':
            option = replace(option, proto=True)
        elif part not in _PARTS:
            known = "'proto', 'host', 'host-expr', 'by', 'by-expr', 'by_port', 'by_port-expr', 'for', 'for-expr', 'for_port' and 'for_port-expr'"
            msg = f"'option forwarded' only supports optional values: {known} (got '{shown(word)}')."
            raise Rejected(msg)
        elif part == word:
            option = _with(option, part, value=True)
        else:
            at += 1
            option = _with(option, part, value=_expression(line, at, scope))
        at += 1
    if option == Forwarded():
        option = Forwarded(proto=True, for_=True)
    for node, port in (('by', 'by_port'), ('for', 'for_port')):
        if getattr(option, port) and not getattr(option, _PARTS[node]):
            text = f"'option forwarded' : '{port}' will be ignored because both '{node}' and '{node}-expr' are unset."
            report.warning(line.file, line.number, text)
            option = _with(option, port, value=False)
    ruling.warn(line, scope)
    proxy.forwarded = option


def _with(option: Forwarded, part: str, *, value: bool | Expression) -> Forwarded:
    return replace(option, **{_PARTS[part]: value})  # type: ignore[arg-type]  # all parts but `proto` may be both


def _expression(line: Line, at: int, scope: Scope) -> Expression:
    try:
        expression, _ = parse_expression([line.word(at)], 0, scope)
    except Rejected as problem:
        msg = f"'option forwarded' : '{shown(line.word(at - 1))}' : {problem}."
        raise Rejected(msg) from None
    return expression
