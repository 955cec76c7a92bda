"""What is written is what is parsed: expressions, conditions and formats drawn at random, and whatever else is written."""

from __future__ import annotations

import pickle
from contextlib import suppress
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dataplane.rules.acls import parse_acl, parse_condition
from dataplane.rules.closures import compiled, compiled_expression, compiled_format
from dataplane.rules.converters import CONVERTERS
from dataplane.rules.expressions import output_type, parse_expression
from dataplane.rules.fetches import FETCHES
from dataplane.rules.formats import parse_format
from dataplane.rules.model import Alias, Call, Computed, Condition, Expression, Flags, Format, Term
from dataplane.rules.phases import Phase
from dataplane.rules.problems import Rejected
from dataplane.rules.samples import Type, may_cast
from dataplane.rules.scope import Scope
from tests.unit.rules.transaction import transaction

REQUEST = b'GET /a/b?x=1 HTTP/1.1\r\nHost: h.com\r\nX: 1,2\r\nCookie: a=1\r\n\r\nbody'
WORDS = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_characters='\x7f'), max_size=8)
NUMBERS = st.integers(-(2**63), 2**63 - 1)
STRINGS = ('str', 'str?')


def quoted(word: str) -> str:
    """An argument so that it is read as it is: double quotes, and backslashes before those that count."""
    return '"' + word.replace('\\', '\\\\').replace('"', '\\"') + '"'


def simple(kinds: str) -> bool:
    return all(kind.rstrip('?') in ('str', 'int') for kind in kinds.split(',') if kinds)


PLAIN_FETCHES = sorted(name for name, spec in FETCHES.items() if simple(spec.arguments) and spec.check is None)
PLAIN_CONVERTERS = sorted(name for name, spec in CONVERTERS.items() if simple(spec.arguments) and spec.check is None)


@st.composite
def calls(draw: st.DrawFn, names: list[str], table: dict[str, Any]) -> Call:
    name = draw(st.sampled_from(names))
    kinds = table[name].arguments.split(',') if table[name].arguments else []
    needed = sum(not kind.endswith('?') for kind in kinds)
    count = draw(st.integers(needed, len(kinds)))
    arguments: list[str | int] = [draw(WORDS) if kind in STRINGS else draw(NUMBERS) for kind in kinds[:count]]
    return Call(name, tuple(arguments))


@st.composite
def expressions(draw: st.DrawFn) -> Expression:
    made = Expression(draw(calls(PLAIN_FETCHES, FETCHES)))
    for _ in range(draw(st.integers(0, 3))):
        fitting = [name for name in PLAIN_CONVERTERS if may_cast(output_type(made), CONVERTERS[name].takes)]
        if fitting:
            made = Expression(made.fetch, (*made.converters, draw(calls(fitting, CONVERTERS))))
    return made


def call_text(call: Call) -> str:
    if not call.arguments:
        return call.name
    return f'{call.name}({",".join(quoted(one) if isinstance(one, str) else str(one) for one in call.arguments)})'


def text_of(expression: Expression) -> str:
    return ','.join(call_text(call) for call in (expression.fetch, *expression.converters))


def anywhere(expression: Expression) -> Scope:
    from dataplane.rules.phases import AVAILABLE

    use = FETCHES[expression.fetch.name].use
    return Scope(next(phase for phase in Phase if phase in AVAILABLE[use]))


@given(expressions())
def test_expressions(expression: Expression) -> None:
    parsed, end = parse_expression([text_of(expression)], 0, anywhere(expression))
    assert (parsed, end) == (expression, 1)
    assert pickle.loads(pickle.dumps(parsed)) == parsed


@given(expressions())
def test_whatever_is_parsed_can_be_evaluated(expression: Expression) -> None:
    view = transaction(REQUEST, b'HTTP/1.1 200 OK\r\nVary: a, b\r\n\r\n')
    found = compiled_expression(expression)(view)
    wanted = output_type(expression)
    if found is not None and wanted is Type.INT:
        assert type(found) is int
        assert -(2**63) <= found < 2**63
    for kind in (Type.STR, Type.BIN, Type.INT):
        if may_cast(wanted, kind):
            cast = compiled_expression(expression, wanted=kind)(view)
            assert cast is None or isinstance(cast, int if kind is Type.INT else bytes)


PARTS = st.one_of(
    st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=5).map(lambda text: text.encode()),
    st.builds(Alias, st.sampled_from(['ci', 'HM', 'ST', 't', 'B']), st.sampled_from([Flags.NONE, Flags.QUOTED | Flags.HEXADECIMAL])),
    st.builds(Computed, expressions(), st.sampled_from([Flags.NONE, Flags.ESCAPED])),
)  # fmt: skip
LETTERS = {Flags.QUOTED: 'Q', Flags.ESCAPED: 'E', Flags.HEXADECIMAL: 'X'}


def part_text(part: bytes | Alias | Computed) -> str:
    if isinstance(part, bytes):
        return part.decode().replace('%', '%%')
    flags = ','.join('+' + letter for flag, letter in LETTERS.items() if flag in part.flags)
    inner = part.name if isinstance(part, Alias) else f'[{text_of(part.expression)}]'
    return f'%{{{flags}}}{inner}' if flags else f'%{inner}'


@given(st.lists(PARTS, max_size=5))
def test_formats(parts: list[bytes | Alias | Computed]) -> None:
    """Text beside text is one part; an alias ends where something else than a letter or digit begins."""
    kept: list[bytes | Alias | Computed] = []
    for part in parts:
        usable = not isinstance(part, Computed) or Phase.LOG in _phases(part.expression)
        after_alias = kept and isinstance(kept[-1], Alias) and isinstance(part, bytes)
        if usable and not after_alias and not (kept and isinstance(kept[-1], bytes) and isinstance(part, bytes)):
            kept.append(part)
    parsed = parse_format(''.join(part_text(part) for part in kept), Scope(Phase.LOG))
    assert parsed == Format(tuple(kept))
    assert isinstance(compiled_format(parsed)(transaction(REQUEST)), bytes)


def _phases(expression: Expression) -> frozenset[Phase]:
    from dataplane.rules.phases import AVAILABLE

    return AVAILABLE[FETCHES[expression.fetch.name].use]


GROUPS = st.lists(
    st.lists(st.tuples(st.sampled_from(['TRUE', 'FALSE', 'own']), st.booleans()), min_size=1, max_size=4),
    min_size=1,
    max_size=3,
)


@given(GROUPS, st.booleans())
def test_conditions(groups: list[list[tuple[str, bool]]], unless: bool) -> None:
    acls = {'own': parse_acl(['own', 'path_beg', '/a'], Scope())}
    text = ' or '.join(' '.join(('!' if negated else '') + name for name, negated in group) for group in groups)
    condition = parse_condition(['unless' if unless else 'if', *text.split()], acls, Scope())
    assert [[(term.acl.name, term.negated) for term in group] for group in condition.groups] == groups
    assert isinstance(condition, Condition)
    assert all(isinstance(term, Term) for group in condition.groups for term in group)
    expected = any(all((name != 'FALSE') != negated for name, negated in group) for group in groups)
    assert compiled(condition)(transaction(REQUEST)) is (expected != unless)


@given(st.text(max_size=40))
def test_nothing_but_a_refusal_is_raised_for_any_text(text: str) -> None:
    for parse in (
        lambda: parse_expression([text], 0, Scope()),
        lambda: parse_format(text, Scope()),
        lambda: parse_condition(['if', '{', *text.split(), '}'], {}, Scope()),
        lambda: parse_acl(['a', *text.split()], Scope()),
        lambda: parse_acl(['a', 'path', '-m', 'reg', text], Scope()),
        lambda: parse_acl(['a', 'src', text], Scope()),
        lambda: parse_acl(['a', 'int(1)', text], Scope()),
    ):
        with suppress(Rejected):
            parse()
