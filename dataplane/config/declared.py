"""config: `set-var` and `set-var-fmt` of the global section: what variables of the process begin with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dataplane.config.problems import Rejected, shown
from dataplane.rules.actions import SetVar
from dataplane.rules.arguments import variable_of
from dataplane.rules.expressions import check_phase, parse_expression
from dataplane.rules.formats import parse_format
from dataplane.rules.phases import Phase
from dataplane.rules.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dataplane.config.reader import Line

_WHAT: Final = {'set-var': 'an expression', 'set-var-fmt': 'a format string'}


def parse_declared(line: Line, env: Mapping[str, str]) -> SetVar:
    """A line `set-var proc.NAME EXPRESSION` or `set-var-fmt proc.NAME FORMAT`. Raises Rejected."""
    keyword, name = line.words[0], line.word(1)
    if not name or not line.word(2):
        msg = f"'{keyword}' requires a process-wide variable name ('proc.<name>') and {_WHAT[keyword]}."
        raise Rejected(msg)
    scope = Scope(phase=Phase.CONFIG, env=env)
    try:
        variable = variable_of(name)
        if variable.scope != 'proc':
            msg = f"cannot set variable '{shown(name)}', only scope 'proc' is permitted in the global section"
            raise Rejected(msg)
        if keyword == 'set-var-fmt':
            line.at_most(2)
            return SetVar(variable, parse_format(line.word(2), scope))
        expression, end = parse_expression(line.words, 2, scope)
        check_phase(expression, scope)
    except Rejected as problem:
        msg = f"'{keyword}' : {problem}"
        raise Rejected(msg) from None
    line.at_most(end - 1)
    return SetVar(variable, expression)
