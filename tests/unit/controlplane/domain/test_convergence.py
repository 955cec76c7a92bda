from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from controlplane.domain.convergence import KEPT_TARGETS, Convergence
from controlplane.domain.desired import Desired, Key, Write
from controlplane.domain.operations import Goal, Operation, Progressed, Target
from controlplane.domain.planes import Plane
from controlplane.domain.quarantine import extended
from controlplane.domain.refusals import Conflict, NotFound
from controlplane.domain.store import KEPT_OPERATIONS
from controlplane.domain.version import NOTHING, Version
from dataplane.wire import state as wire
from dataplane.wire.events import Ack, Drained, Hello, Nack, Status
from tests.unit.controlplane.domain.specs import S1, SERVER, app

NAMED = st.sampled_from(('a', 'b', 'c'))
SEQ = st.integers(1, 4)


def hello(name: str, on_partition: str = 'continue') -> Hello:
    return Hello(dp_id=name, term=0, seq=0, term_seen=0, state_hash='', workers=1, on_partition=on_partition)


def drain(at: Version, name: str = 'o', goal: Goal = Goal.ACKED) -> Operation:
    return Operation(name, 'drain', 'me', at, goal, (Target(S1, {'adminState': 'drain'}),), 0)


def with_state(state: str, seq: int) -> Desired:
    return app(S1).after([Write(S1, {**SERVER, 'adminState': state})], Version(1, seq))


def ack(at: Version) -> Ack:
    return Ack(term=at.term, seq=at.seq, state_hash='')


def nack(at: Version) -> Nack:
    return Nack(term=at.term, seq=at.seq, code='INVALID', detail='', applied_term=0, applied_seq=0)


DRAINED = with_state('drain', 3)
KEPT_BACK = extended({}, ['app'], DRAINED.state, wire.empty())
V3 = Version(1, 3)


def test_with_nobody_known_it_is_done() -> None:
    convergence = Convergence()
    convergence.begin(drain(V3), DRAINED, ())
    assert convergence.operation('o').state is Progressed.DONE


def test_a_lease_ends_only_for_who_promised_to_stop() -> None:
    convergence = Convergence()
    for name, promise in (('a', 'stop'), ('b', 'continue')):
        convergence.connected(hello(name, promise), NOTHING, DRAINED, 0)
        convergence.disconnected(name, 100, 50)
    assert convergence.expired(149) == []
    assert convergence.expired(150) == ['a']
    convergence.disconnected('nobody', 1, 1)


def test_refused_can_still_become_done_or_superseded() -> None:
    convergence = Convergence()
    convergence.connected(hello('a'), Version(1, 2), DRAINED, 0)
    convergence.begin(drain(V3), DRAINED, ())
    convergence.nacked('a', nack(V3), KEPT_BACK, DRAINED, 1)
    convergence.acked('a', ack(V3), DRAINED, 1)
    assert convergence.operation('o').state is Progressed.REFUSED
    assert convergence.refusing(convergence.operation('o'), DRAINED) == ['a']
    convergence.nacked('a', nack(V3), {}, DRAINED, 2)
    assert convergence.operation('o').state is Progressed.DONE


def test_a_known_plane_of_an_earlier_life_is_waited_for() -> None:
    convergence = Convergence([Plane('a')], [drain(V3)])
    convergence.changed(DRAINED)
    assert convergence.missing(convergence.operation('o')) == ([], ['a'])


def test_statements_about_servers_that_are_gone_are_not_kept() -> None:
    convergence = Convergence()
    plane = convergence.connected(hello('a'), V3, app(), 0)
    removal = Operation('o', 'delete', 'me', V3, Goal.DRAINED, (Target(S1, None),), 0)
    convergence.begin(removal, app(), ())
    for number in range(3):
        other = Drained(term=1, seq=3, servers=((S1.backend, f'old{number}', 'gone'),))
        convergence.stated('a', other, app(), 1)
    assert plane.statements == set()
    assert removal.open
    convergence.connected(hello('b'), V3, app(), 0)
    convergence.stated('a', Drained(term=1, seq=3, servers=((S1.backend, S1.name, 'gone'),)), app(), 1)
    assert set(plane.statements) == {S1}  # somebody waits for it
    convergence.stated('b', Drained(term=1, seq=3, servers=((S1.backend, S1.name, 'gone'),)), app(), 1)
    assert removal.state is Progressed.DONE
    assert convergence.planes['b'].statements == set()


def test_a_status_in_several_frames_is_one_status() -> None:
    convergence = Convergence()
    plane = convergence.connected(hello('a'), V3, app(), 0)

    def told(server: str, chunk: int, chunks: int) -> None:
        rows = (('app', server, 1, 2, 'UP'),)
        convergence.reported('a', Status(term=1, seq=3, servers=rows, chunk=chunk, chunks=chunks), 1)

    told('s1', 0, 2)
    assert plane.load == {}  # half of it is not how things stand
    told('s2', 1, 2)
    assert {key.name for key in plane.load} == {'s1', 's2'}
    told('s3', 0, 1)
    assert {key.name for key in plane.load} == {'s3'}
    for number in range(20_000):
        told(f'x{number}', 1, 3)  # never the last frame: what is half told does not grow without end
    assert len(plane.half_told) < 17_000


def test_a_backends_own_queue_is_known_until_a_status_says_otherwise() -> None:
    convergence = Convergence()
    plane = convergence.connected(hello('a'), V3, app(), 0)

    def told(chunk: int, *queues: tuple[str, int]) -> None:
        convergence.reported('a', Status(term=1, seq=3, servers=(), chunk=chunk, chunks=2, queues=queues or None), 1)

    told(0, ('app', 7))
    told(1)
    assert plane.queues == {'app': 7}
    told(0)
    assert plane.queues == {}
    told(0, ('app', 7))
    convergence.connected(hello('a'), V3, app(), 0)
    assert plane.queues == {}, 'what it said before its hello is not known to be true'


def test_what_was_set_on_a_socket_is_known_until_a_whole_status_says_otherwise() -> None:
    convergence = Convergence()
    plane = convergence.connected(hello('a'), V3, app(), 0)

    def told(chunk: int, chunks: int, *local: tuple[str, str, str, str]) -> None:
        rows = (('app', f's{chunk + 1}', 0, 0, 'UP'),)
        status = Status(term=1, seq=3, servers=rows, chunk=chunk, chunks=chunks, local=local or None)
        convergence.reported('a', status, 1)

    told(0, 2, ('app', 's1', 'state', 'drain'), ('app', 's1', 'weight', '3'), ('app', 'stranger', 'weight', '3'))
    assert plane.local == {}
    told(1, 2, ('app', 's2', 'state', 'maint'))
    assert {key.name: found for key, found in plane.local.items()} == {
        's1': {'state': 'drain', 'weight': '3'}, 's2': {'state': 'maint'},
    }  # fmt: skip
    told(0, 1)
    assert plane.local == {}
    told(0, 1, ('app', 's1', 'state', 'drain'))
    convergence.connected(hello('a'), V3, app(), 0)
    assert plane.local == {}


def test_who_comes_back_having_done_it_is_not_waited_for() -> None:
    convergence = Convergence()
    convergence.connected(hello('a'), Version(1, 2), DRAINED, 0)
    convergence.begin(drain(V3), DRAINED, ())
    heard: list[str] = []
    stop = convergence.watch(convergence.operation('o'), lambda: heard.append('moved'))
    convergence.disconnected('a', 1, 1)  # its ack was lost with the link
    convergence.connected(hello('a'), V3, DRAINED, 2)
    assert convergence.operation('o').state is Progressed.DONE
    assert heard == ['moved']
    stop()


def test_many_targets_push_old_operations_out() -> None:
    convergence = Convergence()
    targets = tuple(Target(S1, {'weight': 1}) for _ in range(KEPT_TARGETS // 2))
    for number in range(4):
        convergence.begin(Operation(f'o{number}', 'bulk', 'me', V3, Goal.ACKED, targets, 0), app(S1), ())
    assert list(convergence.operations) == ['o2', 'o3']


def test_forgetting() -> None:
    convergence = Convergence()
    with pytest.raises(NotFound):
        convergence.may_forget('a')
    convergence.connected(hello('a'), NOTHING, DRAINED, 0)
    with pytest.raises(Conflict):
        convergence.may_forget('a')
    convergence.disconnected('a', 1, 1)
    convergence.may_forget('a')
    convergence.forget('a', DRAINED)
    convergence.forget('a', DRAINED)
    assert convergence.planes == {}


def test_a_statement_outlasts_versions_that_leave_its_server_as_it_was() -> None:
    """Of another server, or of labels only: the data plane has no reason to say again what it said."""
    convergence = Convergence()
    convergence.connected(hello('a'), V3, DRAINED, 0)
    convergence.stated('a', Drained(term=1, seq=3, servers=(('app', 's1', 'drain'),)), DRAINED, 1)
    convergence.acked('a', ack(Version(1, 5)), DRAINED, 1)
    later = drain(Version(1, 5), goal=Goal.DRAINED)
    convergence.begin(later, DRAINED, ())
    assert later.state is Progressed.DONE
    convergence.acked('a', ack(Version(1, 7)), DRAINED, 1, {S1})
    again = drain(Version(1, 7), 'again', Goal.DRAINED)
    convergence.begin(again, DRAINED, ())
    assert again.open, 'it was something else in between, and has to be stated anew'
    convergence.stated('a', Drained(term=1, seq=7, servers=(('app', 's1', 'drain'),)), DRAINED, 1)
    assert again.state is Progressed.DONE


def test_only_so_many_operations_are_remembered() -> None:
    convergence = Convergence()
    for number in range(KEPT_OPERATIONS + 1):
        convergence.begin(drain(V3, str(number)), DRAINED, ())
    with pytest.raises(NotFound):
        convergence.operation('0')
    assert convergence.operation('1').open is False


@dataclass
class Asked:
    """An operation as the test itself sees it: `did` are those who did their part by the words of the guarantee."""

    goal: Goal
    seq: int
    did: set[str]
    state: Progressed = Progressed.PENDING


class Waiting(RuleBasedStateMachine):
    """Data planes come, go, ack, refuse and state as they like; an operation must be done exactly when all known ones did it."""

    @initialize()
    def begin(self) -> None:
        self.convergence = Convergence()
        self.asked: list[Asked] = []
        self.at: dict[str, int] = {}
        self.refusing: set[str] = set()
        self.kept_back: set[str] = set()  # as of what it acknowledged
        self.stated: set[str] = set()

    @rule(name=NAMED, seq=SEQ)
    def arrive(self, name: str, seq: int) -> None:
        self.convergence.connected(hello(name), Version(1, seq), DRAINED, 0)
        self.at[name] = seq
        for asked in self.asked:
            if asked.state is not Progressed.DONE and seq < asked.seq:
                asked.did.discard(name)
        self.stated.discard(name)
        self._projected(name)
        self._note()

    def _projected(self, name: str) -> None:
        (self.kept_back.add if name in self.refusing else self.kept_back.discard)(name)

    @rule(name=NAMED, seq=SEQ, changed=st.sampled_from((None, (), (S1,))))
    def acknowledge(self, name: str, seq: int, changed: tuple[Key] | tuple[()] | None) -> None:
        if name in self.at:
            self.convergence.acked(name, ack(Version(1, seq)), DRAINED, 1, changed)
            if seq >= self.at[name]:
                self._projected(name)
            self.at[name] = max(self.at[name], seq)
            if changed != ():
                self.stated.discard(name)
            self._note()

    @rule(name=NAMED, seq=SEQ)
    def state(self, name: str, seq: int) -> None:
        if name in self.at:
            self.convergence.stated(name, Drained(term=1, seq=seq, servers=(('app', 's1', 'drain'),)), DRAINED, 1)
            if seq >= self.at[name]:
                self.stated.add(name)
            self._note()

    @rule(name=NAMED)
    def busy(self, name: str) -> None:
        if name in self.at:
            self.convergence.reported(name, Status(term=1, seq=1, servers=(('app', 's1', 1, 0, 'UP'),)), 1)
            self.stated.discard(name)

    @rule(name=NAMED, refuses=st.booleans())
    def refuse(self, name: str, refuses: bool) -> None:
        if name in self.at:
            self.convergence.nacked(name, nack(Version(1, self.at[name])), KEPT_BACK if refuses else {}, DRAINED, 1)
            (self.refusing.add if refuses else self.refusing.discard)(name)
            if not refuses:
                self.kept_back.discard(name)
            self._note()

    @rule(name=NAMED)
    def leave(self, name: str) -> None:
        self.convergence.forget(name, DRAINED)
        self.at.pop(name, None)
        self.stated.discard(name)
        self.kept_back.discard(name)
        self.refusing.discard(name)
        for asked in self.asked:
            if asked.state is not Progressed.DONE:
                asked.did.discard(name)
        self._note()

    @rule(name=NAMED)
    def cut(self, name: str) -> None:
        self.convergence.disconnected(name, 1, 1)

    @precondition(lambda self: len(self.asked) < 4)
    @rule(goal=st.sampled_from(list(Goal)), seq=SEQ)
    def ask(self, goal: Goal, seq: int) -> None:
        self.asked.append(Asked(goal, seq, set()))
        self.convergence.begin(drain(Version(1, seq), str(len(self.asked) - 1), goal), DRAINED, ())
        self._note()

    def _note(self) -> None:
        for asked in self.asked:
            if asked.state is Progressed.DONE:
                continue
            for name, at in self.at.items():
                drained = asked.goal is Goal.ACKED or name in self.stated
                if at >= asked.seq and drained and name not in self.kept_back:
                    asked.did.add(name)
            late = self.at.keys() - asked.did
            asked.state = Progressed.PENDING
            if late <= self.refusing:
                asked.state = Progressed.REFUSED if late else Progressed.DONE

    @invariant()
    def the_answer_is_true(self) -> None:
        for number, asked in enumerate(getattr(self, 'asked', ())):
            operation = self.convergence.operation(str(number))
            assert operation.state is asked.state
            assert self.convergence.parts(operation).keys() == asked.did
            if operation.open:
                missing = {name for names in self.convergence.missing(operation) for name in names}
                assert missing == self.at.keys() - asked.did


Waiting.TestCase.settings = hypothesis_settings(max_examples=150, stateful_step_count=40, deadline=None)
TestWaiting = Waiting.TestCase
