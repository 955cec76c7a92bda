"""What the guard counts is really a request: served, logged, admitted, queued; and a defect is not taken for a figure."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from bench.guard.rig import Memory, Rig, Wrong
from bench.guard.stages import STAGES, Stage, stage
from dataplane.core.counters import C

Build = Callable[[Stage], Rig]


@pytest.fixture
async def build() -> AsyncIterator[Build]:
    rigs: list[Rig] = []

    def one(what: Stage) -> Rig:
        rigs.append(Rig(what))
        return rigs[-1]

    yield one
    for rig in rigs:
        rig.close()


def requests(rig: Rig) -> int:
    return rig._context.cells[rig._context.layout.backend_counters(0, 0) + C.REQ_TOT]


def longest_queue(rig: Rig) -> int:
    at = rig._context.layout
    return rig._context.cells[at.backend_counters(at.departed, 0) + C.QMAX]


@pytest.mark.parametrize('name', [one.name for one in STAGES])
async def test_every_round_is_a_request_of_each_client(build: Build, name: str) -> None:
    rig = build(stage(name))
    await rig.rounds(3)
    assert requests(rig) == 3 * 40
    rig.check_log()


async def test_waiting_is_what_the_queued_stage_does_and_no_other(build: Build) -> None:
    for one in STAGES:
        rig = build(one)
        await rig.rounds(2)
        assert longest_queue(rig) == (39 if one.name == 'queued' else 0), one.name


async def test_with_everything_on_the_log_is_looked_at(build: Build) -> None:
    with pytest.raises(Wrong, match='no access log line'):
        build(stage('everything-on')).check_log()


async def test_a_wrong_answer_is_no_figure(build: Build) -> None:
    rig = build(stage('everything-on'))
    rig._answer = rig._answer.replace(b'200', b'404')
    with pytest.raises(Wrong, match=r'a client was sent .*404'):
        await rig.rounds(1)


async def test_a_request_without_its_body_is_no_figure(build: Build) -> None:
    rig = build(stage('post'))
    rig._upload += b'?'
    with pytest.raises(Wrong, match=r'a server was sent .*POST'):
        await rig.rounds(1)


async def test_a_request_that_nobody_serves_is_no_figure(build: Build) -> None:
    rig = build(stage('tiny'))
    rig._requests[-1] = rig._requests[-1][:-2]
    with pytest.raises(Wrong, match='1 of 40 requests did not reach a server'):
        await rig.rounds(1)


async def test_a_connection_that_is_given_up_is_no_figure(build: Build) -> None:
    rig = build(replace(STAGES[1], case=replace(STAGES[1].case, keepalive=False)))
    with pytest.raises(Wrong, match='given up'):
        await rig.rounds(1)


def test_a_transport_tells_once_and_keeps_all() -> None:
    told: list[None] = []
    transport = Memory(lambda: told.append(None))
    transport.write(b'one ')
    transport.write(b'two')
    assert len(told) == 1
    assert transport.take() == b'one two'
    assert transport.take() == b''
