"""Variables of `proc` where there is no request: in the global section and on the CLI."""

from __future__ import annotations

from dataclasses import replace

from dataplane.core.model import Snapshot
from dataplane.rules.expressions import parse_expression
from dataplane.rules.formats import parse_format
from dataplane.rules.phases import Phase
from dataplane.rules.samples import Sample
from dataplane.rules.scope import Scope
from dataplane.supervisor.variables import Nobody, began, value_of
from tests.unit.config.loading import load_text


class Kept:
    """The variables there are."""

    def __init__(self) -> None:
        self.values: dict[str, Sample | None] = {'x': b'known'}
        self.view = Nobody(self.values.get, self.values.__setitem__)


def value(text: str, kept: Kept) -> Sample | None:
    expression, _ = parse_expression([text], 0, Scope(phase=Phase.CLI))
    return value_of(expression, kept.view)


def test_constants_variables_and_what_follows_from_them() -> None:
    kept = Kept()
    assert value('str(a),upper', kept) == b'A'
    assert value('var(proc.x)', kept) == b'known'
    assert value('var(proc.y)', kept) is None
    assert value_of(parse_format('%[var(proc.x)]-%[int(7)]', Scope(phase=Phase.CLI)), kept.view) == b'known-7'


def test_the_clock_and_chance_are_there() -> None:
    view = Kept().view
    assert view.now_us > 1_700_000_000_000_000
    assert 0 <= view.random() < 1 << 32


def test_variables_of_the_process_are_changed_and_no_others() -> None:
    kept = Kept()
    assert value('str(new),set-var(proc.y)', kept) == b'new'
    assert kept.values['y'] == b'new'
    kept.view.set_variable('txn', 'z', b'1')
    assert 'z' not in kept.values
    assert kept.view.variable('txn', 'x') is None
    kept.view.set_variable('proc', 'x', None)
    assert kept.values['x'] is None


def test_nobody_has_nothing() -> None:
    view = Kept().view
    view.capture('req', 0, b'x')
    assert view.captured('req', 0) is None
    assert (view.fact('x'), view.figure('nbsrv', 'b', '')) == (None, None)
    assert (view.method, view.request, view.src, view.status) == (b'', (), None, 0)


def test_what_the_file_declares_is_made_once_and_in_order() -> None:
    text = 'global\n set-var proc.a int(5)\n set-var proc.b var(proc.a),add(1)\n set-var-fmt proc.c "%[var(proc.b)]!"\n'
    found = began(load_text(text).snapshot)
    assert dict(found.variables) == {'a': 5, 'b': 6, 'c': b'6!'}


def test_a_declaration_without_a_value_declares_nothing() -> None:
    text = 'global\n set-var proc.a var(proc.none)\n set-var proc.b str(x),unset-var(proc.b)\n'
    assert dict(began(load_text(text).snapshot).variables) == {'b': b'x'}


def test_a_snapshot_without_declarations_is_itself() -> None:
    snapshot = Snapshot()
    assert began(snapshot) is snapshot
    assert began(replace(snapshot, variables=(('kept', 1),))).variables == (('kept', 1),)
