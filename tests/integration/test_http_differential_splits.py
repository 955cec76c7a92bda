"""However bytes are cut on their way, the same messages arrive: generated ones and every known fault, split at every byte.

The worker's own protocols with their connections in memory (harness/memory.py), so that each piece is surely seen alone; the
same over real sockets, for some, is in test_http_differential.py. SLUICE_SPLITS: cases per shard (default 20;
60 in `make explore`).
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterable, Sequence

import pytest

from tests.exhaustive.reach import TO_THE_END
from tests.integration.harness.memory import Memory
from tests.integration.harness.proxy import Proxy, limited, server, snapshot
from tests.integration.harness.raw import RawClient, RawServer, ok
from tests.oracle.faults import REQUEST_FAULTS, RESPONSE_FAULTS
from tests.oracle.messages import SMUGGLED, Exchange, exchanges, wrong_answer, wrong_request

SPLITS = int(os.environ.get('SLUICE_SPLITS', '60' if TO_THE_END else '20'))
SEED = int(os.environ.get('SLUICE_SEED', '1'))
SHARDS = 4
SMALL = 700
LARGE = 6_000
Case = Sequence[Exchange]


def size(case: Case) -> int:
    """Bytes the client sends."""
    return sum(len(exchange.raw) for exchange in case)


def small(shard: int, *, answers: bool) -> Iterable[tuple[str, Case]]:
    """Generated cases of one request each that are short enough, and whose answer is."""
    found, number = 0, shard
    while found < SPLITS:
        case = exchanges(SEED, number)
        length = len(case[0].answer.raw) if answers else size(case)
        if len(case) == 1 and 1 < length <= SMALL and size(case) <= LARGE:
            found += 1
            yield f'SLUICE_SEED={SEED}, case {number}', case
        number += SHARDS


def wrong(shard: int, *, answers: bool) -> Iterable[tuple[str, Case]]:
    """Every fault that is short enough, once."""
    rng = random.Random(SEED)
    faults, make = (RESPONSE_FAULTS, wrong_answer) if answers else (REQUEST_FAULTS, wrong_request)
    for name in sorted(faults)[shard::SHARDS]:
        case = [make(rng, name)]
        if max(size(case), len(case[0].answer.raw)) <= SMALL:
            yield name, case


async def same(memory: Memory, name: str, case: Case, *ways: tuple[Sequence[int], Sequence[int]]) -> None:
    """A case in pieces, cut in each of these ways, leads to what it must and to the very heads it leads to in one piece."""
    _, wanted = await memory.run(case)
    # What this hop answers itself is worded by how much it has read (pages.py), and of what is broken more or less arrives.
    exact = all(exchange.heard.whole and not exchange.heard.own for exchange in case)
    for cuts, answer_cuts in ways:
        outcome, heads = await memory.run(case, cuts, answer_cuts)
        wrongs = outcome.differences(case)
        if exact and heads != wanted:
            wrongs.append(f'heads {heads}\n    instead of {wanted}')
        where = f'{name}, cut at {cuts} and {answer_cuts}: {[exchange.raw[:2_000] for exchange in case]}'
        assert not wrongs, '\n  '.join((where, *wrongs))


@pytest.mark.parametrize('shard', range(SHARDS))
async def test_requests_split_at_every_byte(shard: int) -> None:
    async with Memory() as memory:
        for name, case in (*small(shard, answers=False), *wrong(shard, answers=False)):
            await same(memory, name, case, *(([at], ()) for at in range(1, size(case))))
        assert memory.served() == 0


@pytest.mark.parametrize('shard', range(SHARDS))
async def test_answers_split_at_every_byte(shard: int) -> None:
    async with Memory() as memory:
        for name, case in (*small(shard, answers=True), *wrong(shard, answers=True)):
            await same(memory, name, case, *(((), [at]) for at in range(1, len(case[0].answer.raw))))
        assert memory.served() == 0


async def test_byte_by_byte() -> None:
    async with Memory() as memory:
        for name, case in (
            *small(0, answers=False),
            *wrong(1, answers=False),
            *small(2, answers=True),
            *wrong(3, answers=True),
        ):
            if max(size(case), len(case[0].answer.raw)) <= 2 * SMALL:
                await same(memory, name, case, (range(1, size(case)), range(1, len(case[0].answer.raw))))
        assert memory.served() == 0


async def test_pipelined_and_large_ones_in_random_pieces() -> None:
    rng = random.Random(SEED)
    async with Memory() as memory:
        for number in range(5 * SPLITS):
            case = exchanges(SEED, number)
            for _ in range(4):
                cuts = sorted(rng.randint(1, size(case) - 1) for _ in range(rng.randint(1, 6)))
                answer_cuts = sorted(rng.randint(1, 400) for _ in range(rng.randint(0, 3)))
                await same(memory, f'SLUICE_SEED={SEED}, case {number}', case, (cuts, answer_cuts))
        assert memory.served() == 0


async def test_limits_hold_however_the_bytes_come() -> None:
    rng = random.Random(SEED)
    large = [name for name in REQUEST_FAULTS if len(wrong_request(rng, name).raw) > SMALL]
    async with Memory() as memory:
        for name in large:
            case = [wrong_request(rng, name)]
            for step in (1_000, 4_096, 15_359, 15_360, 15_361):
                await same(memory, name, case, (range(step, size(case), step), ()))
        assert {'head-too-large', 'too-many-fields', 'target-too-long'} <= set(large)


async def test_what_follows_the_last_request_is_never_one() -> None:
    async with Memory() as memory:
        for number in range(SPLITS * 10):
            case = exchanges(SEED, number)
            behind = case[-1].raw.endswith(SMUGGLED)
            if behind and case[-1].asked is not None and case[-1].asked.target != b'/smuggled':
                await same(memory, f'SLUICE_SEED={SEED}, case {number}', case, ([size(case) - len(SMUGGLED)], ()))


async def test_bytes_that_come_before_the_turn_of_pipelined_ones_wait_behind_them() -> None:
    rng = random.Random(SEED)
    async with Memory() as memory:
        for number in range(20 * SPLITS):
            case = exchanges(SEED, number)
            if len(case) > 1:
                cuts = sorted(rng.randint(1, size(case) - 1) for _ in range(4))
                outcome, _ = await memory.run(case, cuts, eager=True)
                wrongs = outcome.differences(case)
                assert not wrongs, '\n  '.join((f'SLUICE_SEED={SEED}, case {number}, cut at {cuts}', *wrongs))


async def test_what_was_written_before_a_connection_is_cut_is_sent() -> None:
    async with Memory() as memory:
        outcome, _ = await memory.run([wrong_answer(random.Random(SEED), 'answer-chunk-not-hex')])
        assert [(answer.status, answer.whole) for answer in outcome.heard] == [(200, False)]


async def test_what_is_pipelined_behind_an_answer_of_this_hop_is_served() -> None:
    get = b'GET /%d HTTP/1.1\r\nHost: a\r\n\r\n'
    options = b'OPTIONS * HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n'
    async with (
        RawServer(ok) as up,
        Proxy(snapshot([server('s1', up.port)], frontend=limited(http_keep_alive=200))) as proxy,
    ):
        client = await RawClient.to(proxy.port)
        client.send(get % 1 + options + get % 2 + b'GET /3 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
        try:
            assert (await client.rest()).count(b'HTTP/1.1 200 OK') == 4
        finally:
            client.reset()


@pytest.mark.parametrize('version, option', [(b'1.1', b'close'), (b'1.0', b'close'), (b'1.0', b'keep-alive')])
async def test_an_answer_of_this_hop_says_whether_the_connection_stays(version: bytes, option: bytes) -> None:
    raw = b'OPTIONS * HTTP/%b\r\nHost: a\r\nMax-Forwards: 0\r\nConnection: %b\r\n\r\n' % (version, option)
    async with RawServer(ok) as up, Proxy(snapshot([server('s1', up.port)])) as proxy:
        client = await RawClient.to(proxy.port)
        client.send(raw)
        try:
            assert b'\r\nconnection: ' + option in (await client.head()).lower()
        finally:
            client.close()
