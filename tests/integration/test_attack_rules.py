"""Requests and commands that are made to keep a worker busy: it serves on, and nobody takes it for dead."""

from __future__ import annotations

import asyncio
import base64
import os
import signal
from collections.abc import Sequence
from functools import partial

from tests.integration.harness.planes import DataPlane, stage
from tests.integration.harness.waiting import until

SHA512 = (
    '$6$rounds=60000$saltsalt$H8s2Yc3b1WnH3xGk0yU6kq7aW9wq8pQy0m0cJ1rjQq5hYxgq3V2x8w7l1bq5mT9f1nKQe7mYyP1r0i5Xv8cZ1/'
)
"""Nobody's password: to find that out takes some hundredths of a second each time."""


async def asked(port: int, head: str) -> bytes:
    """One request on a connection of its own, and all that is answered."""
    reader, writer = await asyncio.open_connection('127.0.0.1', port)
    try:
        writer.write(f'{head}Host: x\r\nConnection: close\r\n\r\n'.encode())
        return await reader.read()
    finally:
        writer.close()


def status_of(answer: bytes) -> bytes:
    return answer.split(b' ', 2)[1] if answer else b'cut'


async def status(port: int, path: str) -> bytes:
    """What a GET is answered, `cut` where its connection is lost."""
    try:
        return status_of(await asked(port, f'GET {path} HTTP/1.1\r\n'))
    except OSError:
        return b'cut'


async def still_there(plane: DataPlane, before: Sequence[int]) -> None:
    """The workers are the ones that were there."""
    assert plane.worker_pids() == list(before)
    assert 'is killed' not in plane.printed()


def replaced(plane: DataPlane, before: Sequence[int]) -> bool:
    return len(plane.worker_pids()) == plane.workers and plane.worker_pids() != list(before)


async def test_an_expression_that_would_search_for_hours_is_given_up() -> None:
    """As PCRE does: what is given up has not matched."""
    async with stage() as on:
        port = on.ports.take()
        sections = f"""listen px
    bind 127.0.0.1:{port}
    http-request replace-path ^/(.*)/(.*)/(.*)/(.*)x$ /replaced
    http-request set-var(txn.all) path,regsub([a-z/]*/[a-z/]*/[a-z/]*/[a-z/]*x$,y)
    http-request return status 403 if {{ path -m reg [a-z/]*/[a-z/]*/[a-z/]*/[a-z/]*x$ }}
    http-request return status 200 content-type text/plain lf-string "%[path,length] %[var(txn.all),length]"
"""
        plane = await on.data_plane(sections, port=port, workers=2)
        before = plane.worker_pids()
        path = '/' * 12_000
        answers = await asyncio.gather(*(asked(port, f'GET {path} HTTP/1.1\r\n') for _ in range(8)))
        assert {status_of(answer) for answer in answers} == {b'200'}
        assert {answer.rpartition(b'\r\n\r\n')[2] for answer in answers} == {b'12000 12000'}
        assert await status(port, '/a/b/c/dx') == b'200'
        assert await status(port, '/a/b/c/d/ex') == b'200'
        await still_there(plane, before)
        assert 'took too long' in plane.printed()


async def test_wrong_passwords_by_the_hundred_are_answered_one_after_the_other() -> None:
    async with stage() as on:
        port = on.ports.take()
        sections = f"""userlist people
    user someone password {SHA512}
listen px
    bind 127.0.0.1:{port}
    http-request return status 204 if {{ path /free }}
    http-request auth unless {{ http_auth(people) }}
    http-request return status 200
"""
        plane = await on.data_plane(sections, port=port, workers=1)
        before = plane.worker_pids()

        def credentials(number: int) -> str:
            word = base64.b64encode(f'someone:wrong{number}'.encode()).decode()
            return f'GET / HTTP/1.1\r\nAuthorization: Basic {word}\r\n'

        guesses = asyncio.gather(*(asked(port, credentials(number)) for number in range(120)))
        assert await status(port, '/free') == b'204'
        assert {status_of(answer) for answer in await guesses} == {b'401'}
        await still_there(plane, before)


async def test_pipelined_guesses_are_answered_in_order() -> None:
    async with stage() as on:
        port = on.ports.take()
        sections = f"""userlist people
    user someone password {SHA512}
listen px
    bind 127.0.0.1:{port}
    http-request return status 200 content-type text/plain lf-string "%[path]\\n" if ! {{ http_auth(people) }}
"""
        plane = await on.data_plane(sections, port=port, workers=1)
        before = plane.worker_pids()
        requests = []
        for number in range(60):
            word = base64.b64encode(f'someone:wrong{number}'.encode()).decode()
            last = 'Connection: close\r\n' if number == 59 else ''
            requests.append(f'GET /{number} HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {word}\r\n{last}\r\n')
        reader, writer = await asyncio.open_connection('127.0.0.1', port)
        writer.write(''.join(requests).encode())
        answer = await reader.read()
        writer.close()
        paths = [line for line in answer.decode().splitlines() if line.startswith('/')]
        assert paths == [f'/{number}' for number in range(60)]
        await still_there(plane, before)


async def test_thousands_of_expressions_and_ranges_are_added_while_traffic_flows() -> None:
    async with stage() as on:
        port = on.ports.take()
        sections = f"""listen px
    bind 127.0.0.1:{port}
    acl bad path -m reg -f virt@bad
    acl odd path,length -m int -f virt@odd
    http-request return status 403 if bad
    http-request return status 404 if odd
    http-request return status 200
"""
        plane = await on.data_plane(sections, port=port, workers=2)
        before = plane.worker_pids()
        done = asyncio.Event()
        seen: set[bytes] = set()

        async def traffic() -> None:
            while not done.is_set():
                seen.add(await status(port, '/free'))

        clients = [asyncio.create_task(traffic()) for _ in range(4)]
        expressions = ''.join(f'^/bad[0-9]+x?y*{number}$\n' for number in range(5_000))
        said = await plane.cli(f'add acl virt@bad all <<\n{expressions}', within=100)
        assert said.strip() == ''
        ranges = ''.join(f'{number}:{number + 1}\n' for number in range(1_000, 11_000, 2))
        assert (await plane.cli(f'add acl virt@odd all <<\n{ranges}', within=100)).strip() == ''
        done.set()
        await asyncio.gather(*clients)
        assert seen == {b'200'}
        for path, wanted in (('/bad77x4999', b'403'), (f'/{"a" * 2_000}', b'404'), ('/x', b'200')):
            for _ in range(8):
                assert await status(port, path) == wanted
        assert (await plane.cli('show acl virt@bad', within=60)).count('\n') >= 5_000
        await still_there(plane, before)


async def test_a_worker_that_is_born_meanwhile_has_them_too() -> None:
    async with stage() as on:
        port = on.ports.take()
        sections = f"""listen px
    bind 127.0.0.1:{port}
    http-request return status 403 if {{ path -m reg -f virt@bad }}
    http-request return status 200
"""
        plane = await on.data_plane(sections, port=port, workers=1)
        expressions = ''.join(f'^/bad[0-9]+x?y*{number}$\n' for number in range(4_000))
        adding = asyncio.create_task(plane.cli(f'add acl virt@bad all <<\n{expressions}', within=100))
        for _ in range(2):
            before = plane.worker_pids()
            os.kill(before[0], signal.SIGKILL)
            await until(partial(replaced, plane, before), within=60, what='another is there')
        await adding
        await until(lambda: len(plane.worker_pids()) == 1, within=60, what='it is there')

        async def knows() -> bool:
            return await status(port, '/bad7x3999') == b'403'

        await until(knows, within=60, what='it has all expressions')
