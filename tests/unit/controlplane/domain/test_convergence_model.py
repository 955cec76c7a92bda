"""Convergence beside a naive model of it: after every event everything is worked out anew from the words of the guarantee.

Here the desired state changes, too, data planes refuse what they like, and the control plane begins anew from its store.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from controlplane.domain.convergence import Convergence
from controlplane.domain.desired import Desired, Key, Write
from controlplane.domain.operations import Goal, Operation, Progressed, Target
from controlplane.domain.planes import Plane
from controlplane.domain.quarantine import Quarantine, active, extended, project
from controlplane.domain.version import NOTHING, Version
from dataplane.wire import state as wire
from dataplane.wire.events import Ack, Drained, Hello, Nack, Status
from tests.unit.controlplane.domain.specs import APP, BACKEND, ROUTE, S1, S2, SERVER

OTHER, O1 = Key('backend', 'other'), Key('server', 's1', 'other')
SERVERS = (S1, S2, O1)
NAMED = st.sampled_from(('a', 'b'))
AGO = st.sampled_from((0, 0, 1, 3))  # so many versions before the newest one
BACKENDS = st.lists(st.sampled_from(('app', 'other')), min_size=1, unique=True)
GOALS = st.sampled_from(list(Goal))


@dataclass
class Known:
    """A data plane as the model sees it; `wanted` is what was desired at the version it is at, `kept` what of it it was not sent."""

    at: Version
    wanted: wire.State
    quarantine: Quarantine = field(default_factory=dict)
    kept: Quarantine = field(default_factory=dict)
    stated: set[Key] = field(default_factory=set)

    def go(self, at: Version, wanted: wire.State) -> None:
        """It is at this version now."""
        self.at, self.wanted, self.kept = at, wanted, active(self.quarantine, wanted)


@dataclass
class Asked:
    """An operation as the model sees it."""

    operation: Operation
    did: set[str] = field(default_factory=set)
    state: Progressed = Progressed.PENDING


class Everything(RuleBasedStateMachine):
    """All that can happen to a control plane's knowledge, in any order."""

    @initialize()
    def begin(self) -> None:
        self.convergence = Convergence()
        writes = [Write(APP, BACKEND), Write(OTHER, BACKEND), *(Write(key, SERVER) for key in SERVERS)]
        route = {'backend': 'app', 'pathPrefix': '/', 'host': ''}
        self.desired = Desired().after([*writes, Write(ROUTE, route)], Version(1, 1))
        self.states = {Version(1, 1): self.desired.state}
        self.planes: dict[str, Known] = {}
        self.asked: list[Asked] = []

    # what is desired

    @property
    def head(self) -> Version:
        return max(self.states)

    def _ago(self, ago: int) -> Version:
        return sorted(self.states)[max(0, len(self.states) - 1 - ago)]

    def _put(self, key: Key, spec: dict[str, Any] | None, verb: Goal | None, values: dict[str, Any] | None) -> None:
        """One turn of the sequencer; `verb` None: what is derived, of which no operation is made."""
        before, writes = self.desired, self.desired.effective([Write(key, spec)])
        written = before.within(key) if spec is None else [key]
        at = self.head
        if writes:
            at = self.head.following()
            self.desired = before.after(writes, at)
            self.states[at] = self.desired.state
        else:
            written, at = [], before.versions.get(key, at)
        if verb is None:
            self.convergence.rewritten(self.desired, written)
        else:
            operation = Operation(str(len(self.asked)), 'verb', 'me', at, verb, (Target(key, values),), 0)
            self.asked.append(Asked(operation))
            self.convergence.begin(operation, self.desired, written)
        self._note()

    @precondition(lambda self: len(self.asked) < 6)
    @rule(key=st.sampled_from(SERVERS), admin=st.sampled_from(('ready', 'drain')), goal=st.none() | GOALS)
    def set_state(self, key: Key, admin: str, goal: Goal | None) -> None:
        spec = self.desired.spec(key)
        if spec is not None:
            self._put(key, {**spec, 'adminState': admin}, goal, {'adminState': admin})

    @precondition(lambda self: len(self.asked) < 6)
    @rule(key=st.sampled_from(SERVERS), goal=st.none() | GOALS)
    def add_or_remove(self, key: Key, goal: Goal | None) -> None:
        spec = SERVER if self.desired.spec(key) is None else None
        self._put(key, spec, goal, spec)

    @precondition(lambda self: len(self.asked) < 6)
    @rule(backend=st.sampled_from(('app', 'other')), goal=st.none() | st.just(Goal.ACKED))
    def route(self, backend: str, goal: Goal | None) -> None:
        spec = self.desired.spec(ROUTE)
        assert spec is not None
        self._put(ROUTE, {**spec, 'backend': backend}, goal, {'backend': backend})

    @rule()
    def look_again(self) -> None:
        self.convergence.changed(self.desired)

    # data planes

    @rule(name=NAMED, ago=AGO, unknown=st.booleans())
    def arrive(self, name: str, ago: int, unknown: bool) -> None:
        at = NOTHING if unknown else self._ago(ago)
        wanted = self.states.get(at, wire.empty())
        hello = Hello(dp_id=name, term=0, seq=0, term_seen=0, state_hash='', workers=1)
        self.convergence.connected(hello, at, self.desired, 0, None if unknown else wanted)
        known = self.planes.setdefault(name, Known(at, wanted))
        known.stated = set()
        known.go(at, wanted)
        for asked in self._open():
            if at < asked.operation.version:
                asked.did.discard(name)
        self._note()

    @rule(name=NAMED, ago=AGO, changed=st.none() | st.sets(st.sampled_from(SERVERS)))
    def acknowledge(self, name: str, ago: int, changed: set[Key] | None) -> None:
        if name not in self.planes:
            return
        known, at = self.planes[name], self._ago(ago)
        ack = Ack(term=at.term, seq=at.seq, state_hash='')
        self.convergence.acked(name, ack, self.desired, 1, changed, self.states[at])
        known.stated -= known.stated if changed is None else changed
        if at >= known.at:
            known.go(at, self.states[at])
        self._note()

    @rule(name=NAMED, ago=AGO, backends=BACKENDS)
    def refuse(self, name: str, ago: int, backends: list[str]) -> None:
        if name not in self.planes:
            return
        known, at = self.planes[name], self._ago(ago)
        if at <= known.at:
            return
        had = project(known.wanted, known.quarantine)
        after = extended(known.quarantine, backends, self.states[at], had)
        nack = Nack(
            term=at.term, seq=at.seq, code='INVALID', detail='', applied_term=known.at.term, applied_seq=known.at.seq
        )
        self.convergence.nacked(name, nack, after, self.desired, 1)
        known.quarantine = after
        self._note()

    @rule(name=NAMED, key=st.sampled_from(SERVERS), ago=AGO)
    def state(self, name: str, key: Key, ago: int) -> None:
        if name not in self.planes:
            return
        known, at = self.planes[name], self._ago(ago)
        drained = Drained(term=at.term, seq=at.seq, servers=((key.backend, key.name, 'drain'),))
        self.convergence.stated(name, drained, self.desired, 1)
        if at >= known.at:
            known.stated.add(key)
        self._note()
        waited = {target.key for asked in self._open() for target in asked.operation.targets}
        known.stated = {key for key in known.stated if key in waited or self.desired.spec(key) is not None}

    @rule(name=NAMED, key=st.sampled_from(SERVERS))
    def busy(self, name: str, key: Key) -> None:
        if name not in self.planes:
            return
        self.convergence.reported(name, Status(term=1, seq=1, servers=((key.backend, key.name, 1, 0, 'UP'),)), 1)
        self.planes[name].stated.discard(key)

    @rule(name=NAMED)
    def cut(self, name: str) -> None:
        self.convergence.disconnected(name, 1, 1)

    @rule(name=NAMED)
    def leave(self, name: str) -> None:
        self.convergence.forget(name, self.desired)
        self.planes.pop(name, None)
        for asked in self._open():
            asked.did.discard(name)
        self._note()

    @rule()
    def begin_anew(self) -> None:
        """From what was made durable: who is known, what they refuse, and what was asked."""
        old = self.convergence
        self.convergence = Convergence(
            [Plane.from_record(plane.id, plane.record()) for plane in old.planes.values()],
            [Operation.from_record(operation.record()) for operation in old.operations.values()],
        )
        self.convergence.changed(self.desired)
        for known in self.planes.values():
            known.stated = set()
            known.go(NOTHING, wire.empty())
        for asked in self.asked:
            asked.state, asked.did = Progressed.PENDING, set()
        self._note()

    # the words of the guarantee

    def _open(self) -> list[Asked]:
        return [asked for asked in self.asked if asked.state in {Progressed.PENDING, Progressed.REFUSED}]

    def _does(self, known: Known, operation: Operation) -> bool:
        stated = operation.goal is Goal.ACKED or known.stated >= set(operation.servers)
        return known.at >= operation.version and stated and not self._concerns(known.kept, operation)

    def _refuses(self, name: str, operation: Operation) -> bool:
        return self._concerns(active(self.planes[name].quarantine, self.desired.state), operation)

    def _concerns(self, kept: Quarantine, operation: Operation) -> bool:
        for target in operation.targets:
            spec = self.desired.spec(target.key)
            if target.key.kind == 'route' and spec is not None:
                entry = kept.get(spec['backend'])
                if entry is not None and not entry.routed:
                    return True
            elif target.key.kind != 'route' and (target.key.backend or target.key.name) in kept:
                return True
        return False

    def _note(self) -> None:
        for asked in self._open():
            operation = asked.operation
            asked.did |= {name for name, known in self.planes.items() if self._does(known, operation)}
            late = self.planes.keys() - asked.did
            if any(target.contradicted(self.desired) for target in operation.targets):
                asked.state = Progressed.SUPERSEDED
            elif not late:
                asked.state = Progressed.DONE
            else:
                refused = all(self._refuses(name, operation) for name in late)
                asked.state = Progressed.REFUSED if refused else Progressed.PENDING

    @invariant()
    def the_answers_are_the_models(self) -> None:
        for asked in getattr(self, 'asked', ()):
            operation = self.convergence.operation(asked.operation.id)
            # a definition that is set back to what was refused is noticed when the data plane is heard of next
            late_news = operation.state is Progressed.PENDING and asked.state is Progressed.REFUSED
            assert late_news or operation.state is asked.state
            assert self.convergence.parts(operation).keys() == asked.did
            if operation.open:
                late = self.planes.keys() - asked.did
                assert {name for names in self.convergence.missing(operation) for name in names} == late
                refusing = {name for name in late if self._refuses(name, operation)}
                assert set(self.convergence.refusing(operation, self.desired)) == refusing

    @invariant()
    def the_indexes_hold_what_they_say(self) -> None:
        if not hasattr(self, 'asked'):
            return
        unfinished, still = self.convergence._unfinished, self._open()
        assert {operation.id for operation in unfinished} == {asked.operation.id for asked in still}
        for name, known in self.planes.items():
            by_name = {
                asked.operation.id
                for asked in still
                if name not in asked.did and (known.quarantine or asked.operation.goal is Goal.DRAINED)
            }
            waiting = unfinished._waiting.get(name)
            assert by_name == (set() if waiting is None else set(waiting.upto(self.head)))
        slowest = set(unfinished._for_slowest.upto(self.head))
        for asked in still:
            if asked.operation.goal is Goal.ACKED and any(
                known.at < asked.operation.version and not known.quarantine for known in self.planes.values()
            ):
                assert asked.operation.id in slowest


Everything.TestCase.settings = hypothesis_settings(max_examples=150, stateful_step_count=40, deadline=None)
TestEverything = Everything.TestCase


def _walk(machine: Everything, draw: random.Random) -> None:
    """A step, as likely as it comes to something: changes, refusals and acknowledgements more often than restarts."""
    name, key, ago = draw.choice('ab'), draw.choice(SERVERS), draw.choice((0, 0, 1, 3))
    goal = draw.choice((None, *Goal)) if len(machine.asked) < 6 else None
    steps: dict[Callable[[], None], float] = {
        lambda: machine.set_state(key, draw.choice(('ready', 'drain')), goal): 4,
        lambda: machine.add_or_remove(key, goal): 1,
        lambda: machine.route(draw.choice(('app', 'other')), goal and Goal.ACKED): 2,
        lambda: machine.arrive(name, ago, draw.random() < 0.3): 1,
        lambda: machine.acknowledge(name, ago, draw.choice((None, set(), {S1}))): 3,
        lambda: machine.refuse(name, ago, draw.choice((['app'], ['other'], ['app', 'other']))): 2,
        lambda: machine.state(name, key, ago): 2,
        lambda: machine.busy(name, key): 1,
        lambda: machine.cut(name): 1,
        lambda: machine.leave(name): 0.4,
        machine.begin_anew: 0.4,
    }
    draw.choices(list(steps), list(steps.values()))[0]()
    machine.the_answers_are_the_models()
    machine.the_indexes_hold_what_they_say()


def test_walks_that_come_to_something() -> None:
    """A search that shrinks what it finds rarely comes as far as a refusal that is acknowledged, changed and asked about."""
    for seed in range(80):
        machine, draw = Everything(), random.Random(seed)
        machine.begin()
        for _ in range(40):
            _walk(machine, draw)
