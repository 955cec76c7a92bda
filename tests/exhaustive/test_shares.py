"""Every interleaving of every world of shares keeps the promises, and every mutant breaks one."""

from __future__ import annotations

from collections.abc import Callable
from multiprocessing import get_context

import pytest

from tests.exhaustive.mutants_shares import ENDS_IN, MUTANTS
from tests.exhaustive.reach import MOST, PATIENCE, looked_at, near_first
from tests.exhaustive.shares_explore import Explorer, Found
from tests.exhaustive.shares_world import WIDE, WORLDS

pytestmark = pytest.mark.timeout(PATIENCE)


@pytest.mark.parametrize('name', [*WORLDS, *WIDE])
def test_every_interleaving_keeps_the_limit(name: str, record_property: Callable[[str, object], None]) -> None:
    """Breadth first through all states of one world: late answers, deaths, partitions, restarts of either plane."""
    most = min(MOST, 30_000) if name in WIDE else MOST
    found = Explorer((WORLDS | WIDE)[name]).run(most)
    print(f'world {name}: {looked_at(found.states, most)} states, {found.steps} steps')
    assert found.broken is None, '\n'.join([found.broken, *found.trace])
    for what, many in (('worlds', 1), ('states', found.states), ('steps', found.steps)):
        record_property(what, many)


@pytest.mark.parametrize('name', MUTANTS)
def test_mutant_of_shares_is_stopped(name: str, record_property: Callable[[str, object], None]) -> None:
    """Without this rule, some world breaks a promise."""
    with get_context('fork').Pool(1) as pool:
        world, found = pool.apply(stop, (name,))
    assert world is not None, f'{name} was not stopped: {MUTANTS[name].__doc__}'
    print(f'mutant {name}: {world}: {found.broken}, after {len(found.trace)} steps')
    record_property('mutants', 1)


def stop(name: str) -> tuple[str | None, Found]:
    """The first world that stops a mutant. Runs in a process of its own, since it changes the books in place."""
    rules = MUTANTS[name]()
    found = Found(0, 0)
    for world, most in near_first(sorted(WORLDS | WIDE, key=lambda world: world != ENDS_IN[name]), 6_000):
        found = Explorer((WORLDS | WIDE)[world], rules).run(most)
        if found.broken:
            return world, found
    return None, found
