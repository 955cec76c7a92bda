"""Maps, ACLs and variables that change at run time, over two worker processes: what each of them sees, and when."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.integration.harness.planes import DataPlane, Stage, stage
from tests.integration.harness.waiting import until

KEYS = ('a', 'b', 'c', 'd', 'e')


class Seen(NamedTuple):
    """What a worker answered: who it is, and what it found."""

    pid: int
    found: str


async def ask(port: int, path: str) -> Seen:
    """One request on a connection of its own; its connection may be lost to a worker that dies."""
    reader, writer = await asyncio.open_connection('127.0.0.1', port)
    try:
        writer.write(f'GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'.encode())
        answer = await reader.read()
    finally:
        writer.close()
    pid, _, found = answer.partition(b'\r\n\r\n')[2].decode().partition(' ')
    return Seen(int(pid), found)


async def every(plane: DataPlane, path: str) -> dict[int, str]:
    """What each worker answers."""
    found: dict[int, str] = {}

    async def all_have() -> bool:
        found.update([await ask(plane.port, path)])
        return set(plane.worker_pids()) <= set(found) and len(plane.worker_pids()) == plane.workers

    await until(all_have, within=60, what='every worker has answered')
    return {pid: found[pid] for pid in plane.worker_pids()}


async def entries(plane: DataPlane, name: Path) -> list[list[str]]:
    """What `show map` says."""
    return [line.split()[1:] for line in (await plane.cli(f'show map {name}')).splitlines() if line]


async def shared(on: Stage, content: str = 'a file\nb file\n') -> tuple[DataPlane, Path]:
    """A plane of two workers whose rules change a map and a variable, and its file."""
    port, path = on.ports.take(), on.directory / 'm'
    path.write_text(content)
    sections = f"""listen px
    bind 127.0.0.1:{port}
    http-request set-map({path}) %[path,field(3,/)] %[path,field(4,/)] if {{ path_beg /set/ }}
    http-request del-map({path}) %[path,field(3,/)] if {{ path_beg /del/ }}
    http-request set-var(proc.x) path,field(3,/) if {{ path_beg /var/ }}
    http-request return status 200 content-type text/plain lf-string "%pid %[var(proc.x)]" if {{ path_beg /var }}
    http-request return status 200 content-type text/plain lf-string "%pid %[path,field(3,/),map({path},none)]"
"""
    return await on.data_plane(sections, port=port, workers=2), path


async def test_after_its_answer_every_worker_follows_the_cli() -> None:
    async with stage() as on:
        plane, path = await shared(on)
        assert set((await every(plane, '/get/a')).values()) == {'file'}
        for number in range(20):
            assert (await plane.cli(f'set map {path} a {number}')).strip() == ''
            seen = await asyncio.gather(*(ask(plane.port, '/get/a') for _ in range(8)))
            assert {one.found for one in seen} == {str(number)}
        await plane.cli('experimental-mode on; set var proc.x str(all)')
        assert set((await every(plane, '/var')).values()) == {'all'}


async def test_concurrent_changes_by_rules_and_the_cli_end_the_same_in_all_workers() -> None:
    """Also where a worker is killed in the middle of it."""
    async with stage() as on:
        plane, path = await shared(on)
        rng = random.Random(5)

        async def clients() -> None:
            for number in range(60):
                key = rng.choice(KEYS)
                what = f'/del/{key}' if rng.random() < 0.2 else f'/set/{key}/{number}-{rng.randrange(1000)}'
                try:
                    await ask(plane.port, what)
                    await ask(plane.port, f'/var/{number}')
                except (OSError, ValueError):
                    await asyncio.sleep(0)  # its worker was killed

        async def operator() -> None:
            for number in range(20):
                await plane.cli(f'add map {path} {rng.choice(KEYS)} cli{number}')
                if number % 5 == 4:
                    said = await plane.cli(f'prepare map {path}')
                    version = said.split(':')[1].strip()
                    await plane.cli(f'add map @{version} {path} a committed{number}; commit map @{version} {path}')
                if number == 10:
                    os.kill(plane.worker_pids()[0], signal.SIGKILL)

        await asyncio.gather(operator(), *(clients() for _ in range(6)))
        known: list[list[str]] = []

        async def same() -> bool:
            known[:] = await entries(plane, path)
            for key in KEYS:
                first = next((value for name, value in known if name == key), 'none')
                if set((await every(plane, f'/get/{key}')).values()) != {first}:
                    return False
            return len(set((await every(plane, '/var')).values())) == 1

        await until(same, within=60, what='all workers have what the supervisor has')
        assert known


async def test_a_commit_is_seen_whole_or_not_at_all() -> None:
    async with stage() as on:
        port, path = on.ports.take(), on.directory / 'm'
        path.write_text('first 0\nlast 0\n')
        plane = await on.data_plane(
            f"""listen px
    bind 127.0.0.1:{port}
    http-request return status 200 content-type text/plain lf-string "%pid %[str(first),map({path})] %[str(last),map({path})]"
""",
            port=port, workers=2,
        )  # fmt: skip
        over = asyncio.Event()
        seen: list[tuple[int, str]] = []

        async def watch() -> None:
            while not over.is_set():
                least = committed
                seen.append((least, (await ask(port, '/')).found))

        committed = 0
        watching = [asyncio.create_task(watch()) for _ in range(4)]
        for version in range(1, 9):
            await plane.cli('prepare map #0')
            rows = '\n'.join(['first ' + str(version), *(f'k{n} {version}' for n in range(2_000)), f'last {version}'])
            assert (await plane.cli(f'add map @{version} #0 <<\n{rows}\n')).strip() == ''
            assert (await plane.cli(f'commit map @{version} #0')).strip() == ''
            committed = version
        over.set()
        await asyncio.gather(*watching)
        for least, found in seen:
            first, last = found.split()
            assert first == last
            assert int(first) >= least
        assert len({found for _, found in seen}) > 1


async def test_a_successor_starts_with_what_is_true_and_a_reload_with_the_file() -> None:
    async with stage() as on:
        plane, path = await shared(on)
        await plane.cli(
            f'set map {path} a changed; add map {path} n new; experimental-mode on; set var proc.x str(kept)'
        )
        victim = plane.worker_pids()[0]
        os.kill(victim, signal.SIGKILL)
        await until(
            lambda: len(plane.worker_pids()) == 2 and victim not in plane.worker_pids(), within=60, what='a successor'
        )
        for path_, wanted in (('/get/a', 'changed'), ('/get/n', 'new'), ('/var', 'kept')):
            assert set((await every(plane, path_)).values()) == {wanted}
        path.write_text('a again\n')
        said = len(plane.printed())
        os.kill(plane.pid, signal.SIGUSR2)
        await until(lambda: 'Reloaded' in plane.printed()[said:], within=60, what='the reload is over')
        for path_, wanted in (('/get/a', 'again'), ('/get/n', 'none'), ('/get/b', 'none'), ('/var', '')):
            assert set((await every(plane, path_)).values()) == {wanted}
        assert await entries(plane, path) == [['a', 'again']]
        await ask(plane.port, '/set/a/later')
        await until(lambda: _all(plane, 'later'), within=60, what='changes go on')


async def _all(plane: DataPlane, wanted: str) -> bool:
    return set((await every(plane, '/get/a')).values()) == {wanted}


@pytest.mark.parametrize('pattern', ['/no', '/more'])
async def test_what_a_line_says_itself_changes_too(pattern: str) -> None:
    async with stage() as on:
        port = on.ports.take()
        text = f'listen px\n    bind 127.0.0.1:{port}\n    acl no path /no\n'
        text += '    http-request return status 200 content-type text/plain lf-string "%pid no" if no\n'
        text += '    http-request return status 200 content-type text/plain lf-string "%pid yes"\n'
        plane = await on.data_plane(text, port=port, workers=2)
        await plane.cli('add acl #0 /more')
        assert set((await every(plane, pattern)).values()) == {'no'}
        await plane.cli(f'del acl #0 {pattern}')
        assert set((await every(plane, pattern)).values()) == {'yes'}
