"""Rules: words -> expressions: a fetch, its arguments and the converters behind it (configuration manual 7.3).

    fetch(args),converter(args),converter

Converters may also stand as words of their own behind it. Messages are HAProxy's, without a full stop: whoever knows the
rule adds which one it is. Raises Rejected.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from dataplane.rules import absent
from dataplane.rules.arguments import BadArgument, parse_arguments
from dataplane.rules.converters import CONVERTERS
from dataplane.rules.fetches import FETCHES
from dataplane.rules.model import Call, Condition, Expression, Named
from dataplane.rules.phases import AVAILABLE
from dataplane.rules.problems import Rejected, did_you_mean, shown
from dataplane.rules.samples import Type, may_cast
from dataplane.rules.scope import Scope
from dataplane.rules.table import Check

_NAME: Final = re.compile(r'[A-Za-z0-9._+-]*', re.ASCII)


def parse_expression(words: Sequence[str], at: int, scope: Scope) -> tuple[Expression, int]:
    """The expression that begins with `words[at]`, and the index of the word after it.

    Refused is also what cannot be fetched in `scope.phase`.
    """
    text = words[at] if at < len(words) else ''
    expression, end = read_expression(text, 0, scope)
    check_phase(expression, scope)
    while True:
        if end < len(text):
            last = expression.converters[-1].name if expression.converters else ''
            what = f"converter '{last}'" if last else f"fetch keyword '{expression.fetch.name}'"
            msg = f'missing comma after {what}'
            raise Rejected(msg)
        at += 1
        text = words[at] if at < len(words) else ''
        if _name(text, 0) not in CONVERTERS:
            return expression, at
        expression, end = _converters(expression, text, 0, scope)


def read_expression(text: str, at: int, scope: Scope) -> tuple[Expression, int]:
    """The expression that begins at `at` in one word, and where what follows it begins. The phase is not looked at."""
    name = _name(text, at)
    if not name:
        msg = 'missing fetch method'
        raise Rejected(msg)
    if name not in FETCHES:
        msg = f"unknown fetch method '{shown(name)}'{did_you_mean(name, FETCHES)}"
        if name in absent.FETCHES:
            msg = f"fetch method '{name}' is not supported: {absent.FETCHES[name]}"
        raise Rejected(msg)
    call, end = read_fetch(name, text, at + len(name), scope)
    return _converters(Expression(call), text, end, scope, comma=True)


def read_fetch(name: str, text: str, at: int, scope: Scope, written: str = '') -> tuple[Call, int]:
    """A fetch whose arguments begin at `at`; `written` is its name in the file where that is another."""
    if name in scope.without:
        msg = f"fetch method '{name}' is not supported yet"
        raise Rejected(msg)
    spec = FETCHES[name]
    shown_name = written or name
    try:
        arguments, end = parse_arguments(text, at, spec.arguments)
    except Rejected as problem:
        msg = f"fetch method '{shown_name}' : {problem}"
        raise Rejected(msg) from None
    if spec.check is not None:
        try:
            arguments = spec.check(arguments, scope)
        except Rejected as problem:
            msg = f"invalid args in fetch method '{shown_name}' : {problem}"
            raise Rejected(msg) from None
    return Call(name, arguments), end


def _converters(
    expression: Expression, text: str, at: int, scope: Scope, *, comma: bool = False
) -> tuple[Expression, int]:
    """The expression with the converters that begin at `at`; `comma`: there is one before the first."""
    calls = list(expression.converters)
    kind = output_type(expression)
    while True:
        if comma:
            if not text.startswith(',', at):
                break
            while text.startswith(',', at):
                at += 1
        name = _name(text, at)
        if name not in CONVERTERS:
            msg = f"unknown converter '{shown(name)}'{did_you_mean(name, CONVERTERS)}"
            if name in absent.CONVERTERS:
                msg = f"converter '{name}' is not supported: {absent.CONVERTERS[name]}"
            raise Rejected(msg)
        call, at = _converter(name, text, at + len(name), scope)
        spec = CONVERTERS[name]
        if not may_cast(kind, spec.takes):
            msg = f"converter '{name}' cannot be applied"
            raise Rejected(msg)
        calls.append(call)
        kind, comma = spec.gives, True
    return Expression(expression.fetch, tuple(calls)), at


def _converter(name: str, text: str, at: int, scope: Scope) -> tuple[Call, int]:
    spec = CONVERTERS[name]
    try:
        arguments, end = parse_arguments(text, at, spec.arguments)
    except BadArgument as problem:
        msg = f"invalid arg {problem.place} in converter '{name}' : {problem}"
        raise Rejected(msg) from None
    check: Check | None = spec.check
    if check is not None:
        try:
            arguments = check(arguments, scope)
        except Rejected as problem:
            msg = f"invalid args in converter '{name}' : {problem}"
            raise Rejected(msg) from None
    return Call(name, arguments), end


def _name(text: str, at: int) -> str:
    found = _NAME.match(text, at)
    return found[0] if found else ''


def output_type(expression: Expression) -> Type:
    """The type of what an expression yields, as far as it is known before it is evaluated."""
    if expression.converters:
        return CONVERTERS[expression.converters[-1].name].gives
    return FETCHES[expression.fetch.name].gives


def check_phase(expression: Expression, scope: Scope) -> None:
    """Raises Rejected where the fetch has nothing to take its value from when the rule is evaluated."""
    use = FETCHES[expression.fetch.name].use
    if scope.phase not in AVAILABLE[use]:
        text = f"fetch method '{expression.fetch.name}' extracts information from '{use.value}'"
        msg = f'{text}, none of which is available here'
        raise Rejected(msg)


def names_in(expression: Expression) -> list[Named]:
    """Everything an expression names that has to be looked for elsewhere: backends, frontends, servers."""
    given = [argument for call in (expression.fetch, *expression.converters) for argument in call.arguments]
    inner = [argument for argument in given if isinstance(argument, Condition)]
    tests = (test for one in inner for group in one.groups for term in group for test in term.acl.tests)
    found = [argument for argument in given if isinstance(argument, Named)]
    return found + [name for test in tests for name in names_in(test.expression)]
