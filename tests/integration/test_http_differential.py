"""Generated messages through a real data plane and through the naive proxy: servers and clients must understand the same.

What must arrive is known from how a message was made; ours must do exactly that, the naive one too except where
tests/oracle/rules.py names the rule it breaks. Both differ freely in what tests/oracle/meaning.py lists.

SLUICE_DIFFERENTIAL  cases in all (default 2100, in which each fault comes; 4000 in `make explore`)         SLUICE_SEED  where they begin (default 1)
A failure names seed and number; `exchanges(seed, number)` makes that case again.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
from collections.abc import Sequence

import pytest

from tests.exhaustive.reach import TO_THE_END
from tests.integration.harness.lane import Lane, Origin
from tests.integration.harness.planes import listen, stage
from tests.oracle.messages import Exchange, exchanges
from tests.oracle.naive_proxy import NaiveProxy
from tests.oracle.rules import RULES

COUNT = int(os.environ.get('SLUICE_DIFFERENTIAL', '4000' if TO_THE_END else '2100'))
SEED = int(os.environ.get('SLUICE_SEED', '1'))
SHARDS = 4
EVERY = 20
TRIES = 15_000


@pytest.fixture(autouse=True)
def quiet() -> None:
    """The naive proxy logs a traceback for each server that breaks the rules, which is most of what is done here."""
    logging.getLogger('aiohttp').setLevel(logging.CRITICAL)


def traits(case: Sequence[Exchange]) -> set[str]:
    """Everything peculiar about a case."""
    return set[str]().union(*(exchange.traits for exchange in case))


def cuts(case: Sequence[Exchange], number: int) -> list[int]:
    """Some cases of one request go out in pieces: where to cut."""
    size = sum(len(exchange.raw) for exchange in case)
    rng = random.Random(number)
    return (
        sorted(rng.randint(1, size - 1) for _ in range(3)) if number // SHARDS % EVERY == 0 and len(case) == 1 else []
    )


def told(case: Sequence[Exchange], number: int, who: str, differences: list[str]) -> str:
    """What a person needs to see."""
    lines = [f'{who}, SLUICE_SEED={SEED}, case {number} ({", ".join(sorted(traits(case)))}):']
    for exchange in case:
        lines += [f'  request {exchange.raw[:1_000]!r}', f'  answer  {exchange.answer.raw[:1_000]!r}']
    return '\n'.join((*lines, *(f'  {difference[:2_000]}' for difference in differences)))


@pytest.mark.parametrize('shard', range(SHARDS))
async def test_generated_messages_arrive_as_they_must(shard: int) -> None:
    async with stage() as on, Origin() as behind_ours, Origin() as behind_naive, NaiveProxy(behind_naive.port) as naive:
        port = on.ports.take()
        await on.data_plane(listen(port, f's1 127.0.0.1:{behind_ours.port}'), port=port, workers=1)
        async with Lane(port, behind_ours) as ours, Lane(naive.port, behind_naive, patient=False) as theirs:
            for number in range(shard, COUNT, SHARDS):
                await compare(number, ours, theirs)


async def compare(number: int, ours: Lane, theirs: Lane) -> None:
    """One case through both; AssertionError where it did not arrive as it must."""
    case = exchanges(SEED, number)
    running = [ours.run(case, cuts(case, number))]
    if traits(case).isdisjoint(RULES):
        running.append(theirs.run(case))
    outcome, *others = await asyncio.gather(*running)
    wrong = outcome.differences(case)
    assert not wrong, told(case, number, 'ours', wrong)
    for other in others:
        wrong = other.differences(case, free=True)
        assert not wrong, told(case, number, 'the naive proxy', wrong)


async def test_every_rule_is_still_needed() -> None:
    """A rule that excuses the naive proxy from what it does right would hide what we do wrong."""
    needed: set[str] = set()
    async with (
        Origin() as behind,
        NaiveProxy(behind.port) as naive,
        Lane(naive.port, behind, patient=False, seconds=1) as lane,
    ):
        for number in range(TRIES):
            case = exchanges(1, number)
            broken = traits(case) & RULES.keys()
            if len(broken) == 1 and not broken <= needed:
                if (await lane.run(case)).differences(case, free=True):
                    needed |= broken
                await lane.close()
            if needed == RULES.keys():
                break
    assert needed == RULES.keys()
