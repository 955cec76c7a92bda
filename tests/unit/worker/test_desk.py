"""The desk over a real board in shared memory, with the real ledger; two desks stand for two workers, in one process."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from functools import partial

import pytest
import pytest_asyncio

from dataplane.core.changes import AdoptFile, SetAddress, SetAdmin, SetMaxconn, ShutdownSessions
from dataplane.core.layout import NOBODY
from dataplane.core.model import AdminState
from dataplane.core.stream import Admission, Life
from dataplane.worker.desk import Effects
from tests.unit.worker.house import COMPILED, LAYOUT, House, Request

pytestmark = pytest.mark.skipif(
    COMPILED, reason='a compiled class has no heirs in Python, such as these streams; as written it is tested'
)


@pytest_asyncio.fixture
async def house() -> AsyncIterator[House]:
    made = House(1)
    yield made
    made.close()


@pytest_asyncio.fixture
async def pair() -> AsyncIterator[House]:
    made = House(1, 1)
    yield made
    made.close()


async def test_a_slot_passes_from_one_worker_to_the_other(house: House) -> None:
    one, two = Request(house.desks[0]), Request(house.desks[1])
    assert house.desks[0].admit(one) is Admission.SLOT
    assert house.desks[1].admit(two) is Admission.WAITING
    house.desks[0].leave(one)
    house.desks[0].leave(one)
    await house.until(two)
    assert two.told == ['slot']
    house.desks[1].leave(two)
    assert two.life is Life.ENDED
    assert repr(house.desks[1]) == '<Desk worker=1 waiting=0 holding=0>'


async def test_the_own_worker_is_told_in_a_later_turn(house: House) -> None:
    one, two = Request(house.desks[0]), Request(house.desks[0])
    house.desks[0].admit(one)
    house.desks[0].admit(two)
    house.desks[0].leave(one)
    assert two.told == []
    await house.until(two)
    assert two.life is Life.SLOT


async def test_a_lost_bell_is_made_good_by_the_heartbeat(house: House) -> None:
    one, two = Request(house.desks[0]), Request(house.desks[1])
    house.desks[0].admit(one)
    house.desks[1].admit(two)
    asyncio.get_running_loop().remove_reader(house.bells.fds[1])
    house.desks[0].leave(one)
    house.desks[1].heartbeat(77)
    assert two.told == ['slot']
    assert house.board.cells[LAYOUT.HEARTBEAT + 1] == 77


async def test_leaving_the_queue_gives_up_the_place(house: House) -> None:
    one, two, three = (Request(house.desks[0]) for _ in range(3))
    for request in (one, two, three):
        house.desks[0].admit(request)
    house.desks[0].leave(two)
    house.desks[0].leave(one)
    await house.until(three)
    assert two.told == []


async def test_waiters_are_refused_when_the_last_server_goes(house: House) -> None:
    one, two = Request(house.desks[0]), Request(house.desks[1])
    house.desks[0].admit(one)
    house.desks[1].admit(two)
    house.commit(SetAdmin('px', 's1', AdminState.MAINT))
    assert (await house.applied(1)).refused == 1
    assert two.told == ['NOSRV']
    assert house.desks[1].admit(Request(house.desks[1])) is Admission.NOSRV


async def test_effects_move_what_was_not_sent_and_leave_what_was(pair: House) -> None:
    connecting, sending = Request(pair.desks[0]), Request(pair.desks[0])
    pair.desks[0].admit(connecting)
    pair.desks[0].admit(sending)
    pair.desks[0].sent(sending)
    pair.commit(SetAdmin('px', pair.ledger.tables.servers[connecting.server].name, AdminState.MAINT))
    effects = await pair.applied(0)
    assert (effects.requeued, effects.killed) == (1, 0)
    assert connecting.told == ['left', 'WAITING']
    assert sending.told == []
    pair.desks[0].leave(sending)
    await pair.until(connecting, told=3)
    assert connecting.server == sending.server or sending.server == NOBODY


async def test_effects_end_older_sessions(house: House) -> None:
    one = Request(house.desks[0])
    house.desks[0].admit(one)
    house.desks[0].sent(one)
    house.commit(ShutdownSessions('px', 's1', 1234))
    effects = await house.applied(0)
    assert (effects.killed, one.told) == (1, ['shutdown'])
    again = Request(house.desks[0])
    assert house.desks[0].admit(again) is Admission.SLOT
    assert again.generation == 1234


async def test_revisions_may_overtake_each_other_and_each_is_answered(house: House) -> None:
    answers: list[int] = []

    def note(n: int, effects: Effects) -> None:
        answers.append(n)

    for n in range(3):
        house.commit(ShutdownSessions('px', 's1', n + 1))
        house.desks[0].effects(house.revision, partial(note, n))
    while len(answers) < 3:  # noqa: ASYNC110 - as above
        await asyncio.sleep(0)
    assert answers == [0, 1, 2]


async def test_many_streams_are_settled_in_slices(house: House) -> None:
    requests = [Request(house.desks[0]) for _ in range(250)]
    for request in requests:
        house.desks[0].admit(request)
    house.commit(SetAdmin('px', 's1', AdminState.MAINT))
    effects = await house.applied(0)
    assert effects.refused == 249
    assert effects.requeued == 1
    assert {request.told[-1] for request in requests} == {'NOSRV'}


async def test_a_slot_not_used_yet_follows_its_server_to_another_address(house: House) -> None:
    desk = house.desks[0]
    connecting, sending = Request(desk), Request(desk)
    house.commit(SetMaxconn('px', 's1', 2))
    desk.admit(connecting)
    desk.admit(sending)
    desk.sent(sending)
    proposal = house.ledger.propose(SetAddress('px', 's1', '10.0.0.9', None))
    desk.prepare(proposal.tables)
    house.ledger.adopt(proposal, 0)
    house.commit()
    assert (await house.applied(0)).requeued == 1
    assert connecting.told == ['left', 'SLOT']
    assert sending.told == []
    assert (await house.applied(0)).requeued == 0


def other_tables(house: House, extra: int = 1) -> None:
    """Prepare other tables on both desks and commit them."""
    proposal = house.ledger.propose(AdoptFile(house.snapshot(extra)))
    for desk in house.desks:
        desk.prepare(proposal.tables)
    house.ledger.adopt(proposal, 0)
    house.commit()


async def test_tables_come_into_force_before_anything_is_decided(house: House) -> None:
    seen: list[int] = []
    desk = house.desks[0]
    desk.on_tables = lambda tables: seen.append(tables.number)
    old = desk.tables.number
    desk.prepare(house.ledger.tables)
    desk.discard(house.ledger.tables.number)
    other_tables(house)
    assert desk.admit(Request(desk)) is Admission.ROUTE_AGAIN
    assert desk.tables.number == seen[0] != old
    assert desk.admit(Request(desk)) is Admission.SLOT


@pytest.mark.parametrize('route,told', [(0, []), (1, ['left', 'SLOT']), (NOBODY, ['NOSRV'])])
async def test_a_waiter_follows_its_route_into_new_tables(house: House, route: int, told: list[str]) -> None:
    desk = house.desks[0]
    one, two = Request(desk), Request(desk)
    desk.admit(one)
    desk.admit(two)
    other_tables(house)
    two.route_to = route
    await house.applied(0)
    assert two.told == told
    desk.leave(two)


async def test_tables_that_change_while_a_waiter_is_moved_make_it_choose_again(house: House) -> None:
    desk = house.desks[0]

    class Restless(Request):
        """The next tables come into force between the choice of its route and the hold."""

        def route(self) -> int:
            if self.told == ['left']:
                other_tables(house, 2)
            return 1

    one, two = Request(desk), Restless(desk)
    desk.admit(one)
    desk.admit(two)
    other_tables(house)
    await house.applied(0)
    assert two.told == ['left', 'ROUTE_AGAIN']
    assert desk.admit(two) is Admission.SLOT
    desk.leave(two)


async def test_a_slot_not_used_yet_follows_its_route_too(house: House) -> None:
    desk = house.desks[0]
    one, two = Request(desk), Request(desk)
    desk.admit(one)
    desk.admit(two)
    other_tables(house)
    one.route_to = 1
    two.route_to = NOBODY
    await house.applied(0)
    assert one.told == ['left', 'SLOT']
    assert one.backend == 1
    assert two.life is Life.ENDED


async def test_a_worker_set_aside_comes_back_with_its_heartbeat(house: House) -> None:
    one, two = Request(house.desks[0]), Request(house.desks[1])
    house.desks[0].admit(one)
    house.desks[1].admit(two)
    house.hold(lambda: house.plane.set_aside(1))
    house.desks[1].heartbeat(5)
    assert house.board.cells[LAYOUT.ASIDE + 1] == 0
    house.desks[0].leave(one)
    await house.until(two)


class Broken(Request):
    """A stream whose own logic fails."""

    def on_slot(self) -> None:
        raise LookupError('a defect')

    def on_shutdown(self) -> None:
        raise LookupError('a defect')


async def test_a_stream_that_fails_does_not_keep_others_from_hearing_of_their_slots(house: House) -> None:
    desk, reported = house.desks[0], []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context['exception']))
    first, broken, good = Request(desk), Broken(desk), Request(desk)
    for request in (first, broken, good):
        desk.admit(request)
    house.commit(SetMaxconn('px', 's1', 3))
    desk.settle()
    assert good.told == ['slot']
    assert [type(error) for error in reported] == [LookupError]
    for request in (first, broken, good):
        desk.leave(request)


def test_an_exception_inside_a_hold_is_a_death() -> None:
    status, said = _end_of(_break_a_hold)
    assert 'IndexError' in said
    assert os.WTERMSIG(status) == signal.SIGKILL


async def _break_a_hold() -> None:
    house = House(1)
    house.desks[0].admit(Request(house.desks[0], backend=10**9))


def test_effects_that_cannot_be_brought_to_their_end_are_a_death() -> None:
    status, said = _end_of(_break_effects)
    assert 'a defect' in said
    assert os.WEXITSTATUS(status) == 1


async def _break_effects() -> None:
    house = House(1)
    house.desks[0].admit(Broken(house.desks[0]))
    house.commit(ShutdownSessions('px', 's1', 5))
    await asyncio.wait_for(house.applied(0), 30)


def _end_of(act: Callable[[], Coroutine[None, None, None]]) -> tuple[int, str]:
    """Do something in a process of its own. Returns how it ended and what it said on stderr."""
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        os.dup2(writer, 2)
        sys.stderr = os.fdopen(2, 'w', buffering=1)
        asyncio.run(act())
        os._exit(0)
    os.close(writer)
    _, status = os.waitpid(pid, 0)
    with os.fdopen(reader) as said:
        return status, said.read()
