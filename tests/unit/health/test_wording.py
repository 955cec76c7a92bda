"""What checks say with format strings, and what their variables keep."""

from __future__ import annotations

import pytest

from dataplane.core.checks import Assign, Connect, Expect, Match, Probe, ProbeKind, Request, Send, Step
from dataplane.health.result import Result, Status
from dataplane.health.run import HEAR, Dial, Run, Say
from dataplane.rules.actions import SetVar, Unless, UnsetVar
from dataplane.rules.expressions import parse_expression
from dataplane.rules.formats import parse_format
from dataplane.rules.model import Format, Variable
from dataplane.rules.phases import Phase
from dataplane.rules.scope import Scope
from tests.unit.health.words import Process, wording

PORT = Variable('check', 'port')


def form(text: str) -> Format:
    return parse_format(text, Scope(phase=Phase.CHECK))


def given(variable: Variable, expression: str, *only: Unless) -> Assign:
    return Assign(action=SetVar(variable, parse_expression([expression], 0, Scope(phase=Phase.CHECK))[0], only))


def said(*steps: Step, kind: ProbeKind = ProbeKind.TCP, process: Process | None = None, **facts: bytes | int) -> object:
    """What a check that connects says first, or its result."""
    words = wording(process, **facts)
    run = Run(Probe(kind=kind, steps=(Connect(), *steps)), words, state='', running=True, bufsize=1_024)
    assert run.begin() == Dial('', 0)
    action = run.connected()
    return action.data if isinstance(action, Say) else action


def test_variables_are_said() -> None:
    name = Assign(action=SetVar(Variable('sess', 'name'), form('%[srv_name]@%[be_name]')))
    steps = given(PORT, 'int(1234)'), name, Send(data=form('%[var(check.port)] %[var(sess.name)]'))
    assert said(*steps, srv_name=b's1', be_name=b'b') == b'1234 s1@b'
    assert said(*steps[:2], Assign(action=UnsetVar(PORT)), steps[2], srv_name=b's1', be_name=b'b') == b' s1@b'
    assert said(given(PORT, 'int(1)'), given(PORT, 'int(2)', Unless.IF_NOT_SET), steps[2]) == b'1 '


def test_every_check_begins_without_variables() -> None:
    step = Send(data=form('<%[var(check.port)]>'))
    assert said(given(PORT, 'int(5)'), step) == b'<5>'
    assert said(step) == b'<>'


def test_variables_of_the_process_are_everybodys() -> None:
    process = Process()
    process.set_variable('a', b'x')
    assert said(Send(data=form('%[var(proc.a)]')), process=process) == b'x'
    said(given(Variable('proc', 'a'), 'int(7)'), Send(data=b'y'), process=process)
    assert process.variable('a') == 7
    said(Assign(action=UnsetVar(Variable('proc', 'a'))), Send(data=b'y'), process=process)
    assert process.variable('a') is None


@pytest.mark.parametrize('text, data', [('50494E47%[str(0d0a)]', b'PING\r\n'), ('%[str(00)]', b'\0')])
def test_digits_are_said_as_bytes(text: str, data: bytes) -> None:
    assert said(Send(data=form(text), hexadecimal=True)) == data


def test_what_are_no_digits_is_the_end() -> None:
    failed = Result(Status.L7RSP, info='TCPCHK failed to build log-format string at step 2')
    assert said(Send(data=form('0%[str(x)]'), hexadecimal=True)) == failed
    assert said(Send(data=form('%[str(123)]'), hexadecimal=True)) == failed


def test_a_format_that_comes_to_nothing_is_passed_over() -> None:
    nothing = Send(data=form('%[var(check.none)]'))
    assert said(nothing, Send(data=b'x')) == b'x'
    assert said(nothing, Expect(match=Match.STRING, pattern=b'x')) is HEAR


def test_a_request_is_made_of_formats() -> None:
    request = Request(
        method='POST', uri=form('/%[srv_name]?%[int(3)]'), headers=(('Host', form('%[be_name]')), ('X', 'y')), body=form('a%[int(1)]\r\n'),
    )  # fmt: skip
    assert said(request, kind=ProbeKind.HTTP, srv_name=b's', be_name=b'h\r\nx: y') == (
        b'POST /s?3 HTTP/1.0\r\nhost: h  x: y\r\nx: y\r\ncontent-length: 4\r\n\r\na1\r\n'
    )


def test_a_request_has_an_address() -> None:
    assert said(Request(uri=form('%[var(check.none)]')), kind=ProbeKind.HTTP) == b'OPTIONS / HTTP/1.0\r\n\r\n'


def test_the_clock_and_chance_are_asked() -> None:
    assert said(Send(data=form('%[date] %[rand(4)]'))) == b'1700000000 0'
