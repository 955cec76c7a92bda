"""An agent's whole vocabulary, and every way its line may not come."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataplane.core.model import AdminState
from dataplane.health.agent import AgentRun, Words, parse
from dataplane.health.result import Result, Status
from dataplane.health.run import HEAR, Dial, Say


@pytest.mark.parametrize(
    'line, status, info',
    [
        ('up', Status.L7OK, 'via agent : up'),
        ('UP', Status.L7OK, 'via agent : up'),
        ('down #because', Status.L7STS, 'via agent : down (because)'),
        ('fail #x y', Status.L7STS, 'via agent : fail (x y)'),
        ('stopped', Status.L7STS, 'via agent : stopped'),
        ('drain', Status.CHECKED, ''),
        ('50%', Status.CHECKED, ''),
        ('', Status.CHECKED, ''),
        ('nonsense', Status.CHECKED, 'agent reports an error : nonsense'),
        ('up nonsense', Status.L7OK, 'via agent : up (nonsense)'),
        ('weight:x', Status.CHECKED, 'agent warns : Empty weight string empty or preceded by garbage'),
        ('maxconn:', Status.CHECKED, 'agent warns : Require <maxconn>.'),
    ],
)
def test_what_a_line_means_for_health(line: str, status: Status, info: str) -> None:
    assert parse(line).result == Result(status, info=info)


@pytest.mark.parametrize(
    'line, admin, weight, maxconn',
    [
        ('ready up 75%', AdminState.READY, (75, True), None),
        ('drain, 50%', AdminState.DRAIN, (50, True), None),
        ('maint', AdminState.MAINT, None, None),
        ('up\tmaxconn:30 weight:20', None, (20, False), 30),
        ('weight:20%', None, (20, True), None),
        ('weight:300', None, None, None),
        ('maxconn:3x', None, None, None),
        ('ready # drain 50% maxconn:3', AdminState.READY, None, None),
        ('ready maint drain', AdminState.DRAIN, None, None),
    ],
)
def test_what_a_line_sets(
    line: str, admin: AdminState | None, weight: tuple[int, bool] | None, maxconn: int | None
) -> None:
    words = parse(line)
    assert (words.admin, words.weight, words.maxconn) == (admin, weight, maxconn)


@given(st.text(max_size=80))
def test_no_line_is_too_strange(line: str) -> None:
    assert isinstance(parse(line), Words)


def test_the_conversation() -> None:
    run = AgentRun(b'state\n')
    assert run.begin() == Dial('', 0)
    assert run.connected() == Say(b'state\n')
    assert run.said() is HEAR
    assert run.heard(b'\r\nu') is HEAR
    assert run.heard(b'p\r\nmore') == Result(Status.L7OK, info='via agent : up')
    assert run.words is not None


@pytest.mark.parametrize(
    'send, data, result',
    [
        (b'', b'', Result(Status.L7RSP, info='TCPCHK got an empty response at step 2')),
        (b'x', b'', Result(Status.L7RSP, info='TCPCHK got an empty response at step 2')),
        (b'', b'up', Result(Status.L7TOUT, info='Ignoring incomplete line from agent')),
    ],
)
def test_a_line_that_does_not_come(send: bytes, data: bytes, result: Result) -> None:
    run = AgentRun(send)
    run.begin()
    run.connected()
    if data:
        assert run.heard(data) is HEAR
    assert run.ended() == result
    assert run.words is None


def test_a_line_without_an_end_is_not_kept_for_ever() -> None:
    run = AgentRun(b'')
    run.begin()
    assert run.connected() is HEAR
    heard = [run.heard(b'x' * 400) for _ in range(3)]
    assert heard[:2] == [HEAR, HEAR]
    assert isinstance(heard[2], Result)


def test_errors_on_the_way() -> None:
    run = AgentRun(b'')
    run.begin()
    assert run.timed_out().status is Status.L4TOUT
    assert run.unreachable('Connection refused') == Result(Status.L4CON, info='Connection refused')
    run.connected()
    assert run.timed_out().status is Status.L7TOUT
    assert run.broken('Connection reset by peer').status is Status.SOCKERR
