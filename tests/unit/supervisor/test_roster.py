"""Every interleaving of a small roster: workers start, learn, serve, leave and die while their number is changed to and fro."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from dataplane.supervisor.roster import Plan, Roster, State

MOST = 3
_NEXT = {State.STARTING: State.JOINED, State.JOINED: State.STANDBY, State.OPENING: State.READY}
_GOES = (State.LEAVING, State.ENDING)


@dataclass(frozen=True)
class World:
    """The roster's three numbers, what each worker does, and what the reload that is under way wants (0: there is none)."""

    size: int
    hired: int
    used: int
    states: tuple[State | None, ...] = (None,) * MOST
    wanted: int = 0

    def roster(self) -> Roster:
        made = Roster(self.size)
        made.hired, made.used = self.hired, self.used
        return made

    def now(self) -> dict[int, State]:
        return {number: state for number, state in enumerate(self.states) if state is not None}

    def having(self, number: int, state: State | None) -> World:
        states = list(self.states)
        states[number] = state
        return replace(self, states=tuple(states))

    def sized(self, roster: Roster, wanted: int) -> World:
        return replace(self, size=roster.size, hired=roster.hired, used=roster.used, wanted=wanted)


def by_itself(world: World) -> Iterator[World]:
    """What happens without anybody's doing."""
    roster = world.roster()
    for number, state in enumerate(world.states):
        if state is None:
            if roster.is_wanted(number):
                yield settled(world.having(number, State.STARTING))
        elif state in _NEXT:
            yield settled(world.having(number, _NEXT[state]))
        elif state in _GOES:
            yield settled(world.having(number, None))
    if world.wanted and not [n for n in roster.unready(world.now()) if n >= world.size]:
        roster.resize(world.wanted)
        yield settled(world.sized(roster, 0))


def befalls(world: World) -> Iterator[World]:
    """What somebody does: kill a worker, reload, refuse a reload."""
    for number, state in enumerate(world.states):
        if state is not None:
            yield settled(world.having(number, None))
    roster = world.roster()
    if world.wanted:
        roster.dismiss()
        yield settled(world.sized(roster, 0))
        return
    for count in range(1, MOST + 1):
        if count != world.size:
            roster = world.roster()
            roster.hire(count)
            yield world.sized(roster, count)


def settled(world: World) -> World:
    """What follows is done, and is right, whoever is in a pause before it is started again."""
    roster, states = world.roster(), world.now()
    for weak in ((), range(MOST)):
        plan = roster.plan(states, weak)
        assert_right(world, plan, weak)
    for numbers, state in ((plan.end, State.ENDING), (plan.open, State.OPENING), (plan.retire, State.LEAVING)):
        for number in numbers:
            world = world.having(number, state)
    return world


def assert_right(world: World, plan: Plan, weak: Collection[int]) -> None:
    states = world.now()
    serving = {number for number, state in states.items() if state is State.READY}
    assert all(number < world.size for number in plan.open), 'R1: who is not to serve is told to'
    assert all(states[n] not in (State.OPENING, State.READY, State.LEAVING) for n in plan.end), 'R1: with a loss'
    assert not plan.retire or any(number < world.size for number in serving), 'R2'
    assert set(plan.serving) == serving - set(plan.retire)
    if plan.serving:
        assert plan.steer == plan.serving, 'R4'
        assert not plan.lend & set(plan.serving)
        for number in range(world.used):
            soon = number < world.size and number not in weak
            assert number in plan.serving or number in plan.lend or soon, f'R3: nobody accepts in socket {number}'
    else:
        assert plan.steer == tuple(range(world.size)), 'R4'
    assert set(plan.steer) <= set(range(world.used)), 'R3: to a socket of which nobody knows'
    assert world.roster().rows(states) == max([world.hired, *(number + 1 for number in states)])


def rest(world: World, known: dict[World, World]) -> World:
    """Where it comes to when it is let alone: one way is followed, the others are other worlds' ways."""
    way = []
    while world not in known:
        way.append(world)
        assert len(way) < 100, f'it never comes to rest: {world}'
        following = next(by_itself(world), None)
        if following is None:
            known[world] = world
            break
        world = following
    for passed in way:
        known[passed] = known[world]
    return known[world]


def test_every_interleaving_serves_and_ends_with_as_many_as_are_wanted() -> None:
    known, seen = dict[World, World](), set[World]()
    todo = deque(World(size, size, size) for size in range(1, MOST + 1))
    while todo:
        world = todo.popleft()
        if world in seen:
            continue
        seen.add(world)
        last, wanted = rest(world, known), world.wanted or world.size
        expected = tuple(State.READY if number < wanted else None for number in range(MOST))
        assert (last.states, last.size, last.hired) == (expected, wanted, wanted), f'{world} ends as {last}'
        todo.extend(by_itself(world))
        todo.extend(befalls(world))
    assert len(seen) > 1_000


def test_what_it_says_of_itself() -> None:
    roster = Roster(2)
    roster.hire(3)
    assert repr(roster) == '<Roster size=2 hired=3 used=2>'
    assert roster.unready({0: State.READY, 1: State.JOINED}) == [1, 2]
    assert not roster.is_complete([0])
    assert roster.is_complete([0, 1])
    roster.hire(1)
    assert (roster.size, roster.hired) == (2, 2), 'fewer are wanted only once that is in force'
