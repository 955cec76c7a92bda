"""Every interleaving of every world holds every invariant, and every mutant is stopped.

How many states and steps were visited stands at the end of the suite's summary (tests/conftest.py).
"""

from __future__ import annotations

from collections.abc import Callable
from multiprocessing import get_context

import pytest

from tests.exhaustive.explore import Explorer, Found
from tests.exhaustive.mutants_index import ENDS_IN, MUTANTS  # all of them: those of `mutants` and its own
from tests.exhaustive.reach import PATIENCE, looked_at, most_of, near_first
from tests.exhaustive.world import WORLDS

LARGE = ('kill-end', 'kill-dry', 'kills', 'stop-die', 'stops', 'sweep-kill', 'backup', 'storm', 'stop-off', 'kill-off')
"""The longest first, so that test processes that share the worlds out end together."""

pytestmark = pytest.mark.timeout(PATIENCE)


@pytest.mark.parametrize('name', sorted(WORLDS, key=lambda name: name not in LARGE))
def test_every_interleaving_holds(name: str, record_property: Callable[[str, object], None]) -> None:
    """Breadth first through the states of one world, death after every store included."""
    most = most_of(name)
    found = Explorer(WORLDS[name]).run(most)
    print(f'world {name}: {looked_at(found.states, most)} states, {found.steps} steps, settles in {found.settles}')
    assert found.broken is None, '\n'.join([found.broken, *found.trace])
    for what, many in (('worlds', 1), ('states', found.states), ('steps', found.steps)):
        record_property(what, many)


@pytest.mark.parametrize('name', MUTANTS)
def test_mutant_is_stopped(name: str, record_property: Callable[[str, object], None]) -> None:
    """Without this rule, some world breaks an invariant."""
    with get_context('fork').Pool(1) as pool:
        world, found = pool.apply(stop, (name,))
    assert world is not None, f'{name} was not stopped: {MUTANTS[name].__doc__}'
    print(f'mutant {name}: {world}: {found.broken}, after {len(found.trace)} steps')
    record_property('mutants', 1)


def stop(name: str) -> tuple[str | None, Found]:
    """The first world that stops a mutant. Runs in a process of its own, since it changes the core in place."""
    MUTANTS[name]()
    found = Found(0, 0)
    for world, most in near_first(sorted(WORLDS, key=lambda world: world != ENDS_IN[name]), 30_000):
        found = Explorer(WORLDS[world]).run(most)
        if found.broken:
            return world, found
    return None, found
