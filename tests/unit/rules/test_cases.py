"""What HAProxy answers, for every fetch, converter and way of matching it shares with us (tests/integration asks it)."""

from __future__ import annotations

import pickle

import pytest

from dataplane.config.lexer import split_words
from dataplane.rules.acls import parse_condition
from dataplane.rules.closures import compiled, compiled_format
from dataplane.rules.formats import parse_format
from dataplane.rules.model import Flags
from dataplane.rules.problems import Rejected
from dataplane.rules.scope import Scope
from tests.unit.rules.cases import FORMATS, REQUEST
from tests.unit.rules.conditions import BAD_CONDITIONS, BAD_FORMATS, CONDITIONS
from tests.unit.rules.conversions import CONVERSIONS
from tests.unit.rules.transaction import transaction


def words(text: str) -> list[str]:
    return split_words(f'if {text}', lambda _: None)


@pytest.mark.parametrize('text, expected', [*FORMATS, *CONVERSIONS])
def test_formats(text: str, expected: str) -> None:
    parsed = pickle.loads(pickle.dumps(parse_format(text, Scope(), base=Flags.ENCODED)))
    view = transaction(REQUEST)
    view.facts['%s'] = b'<NOSRV>'
    view.figures['nbsrv', 'b', ''] = 2
    write = compiled_format(parsed)
    assert write(view).decode('latin-1') == expected
    assert write(view).decode('latin-1') == expected


@pytest.mark.parametrize('text, expected', CONDITIONS)
def test_conditions(text: str, expected: bool) -> None:
    condition = pickle.loads(pickle.dumps(parse_condition(words(text), {}, Scope())))
    view = transaction(REQUEST)
    assert compiled(condition)(view) is expected
    opposite = parse_condition(['unless', *words(text)[1:]], {}, Scope())
    assert compiled(opposite)(view) is not expected


@pytest.mark.parametrize('text, complaint', BAD_CONDITIONS)
def test_bad_conditions(text: str, complaint: str) -> None:
    with pytest.raises(Rejected) as found:
        parse_condition(words(text), {}, Scope())
    assert str(found.value).rstrip('.') == complaint


@pytest.mark.parametrize('text, complaint', BAD_FORMATS)
def test_bad_formats(text: str, complaint: str) -> None:
    with pytest.raises(Rejected) as found:
        parse_format(f'<{text}>', Scope())
    assert complaint in str(found.value)
