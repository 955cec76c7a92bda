"""`retry-on`: a request that was sent in vain is sent again, whole, to a server that may be another; beside the real HAProxy."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.integration.harness.both import accepts, behind, listening, log_socket, running
from tests.integration.harness.haproxy import needs_haproxy
from tests.integration.harness.ports import Ports
from tests.integration.harness.proxy import Proxy
from tests.integration.harness.raw import OK, Call, RawClient, RawServer, Script, ask, until

CLOSE = b'Connection: close\r\n\r\n'
GET = b'GET /x HTTP/1.1\r\nHost: a\r\n' + CLOSE
POST = b'POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello'
CHUNKED = (
    b'POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nhello\r\n0\r\n\r\n'
)
LARGE = b'POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\nConnection: close\r\n\r\n' + b'x' * 20_000


async def closes(call: Call) -> None:
    await call.body()
    raise ConnectionError


async def hangs(call: Call) -> None:
    await call.body()
    await call.reader.read(1)
    raise ConnectionError


def says(text: bytes) -> Script:
    async def script(call: Call) -> None:
        await call.body()
        call.send(text)

    return script


BAD = says(b'HTTP/1.1 503 Later\r\nContent-Length: 3\r\n\r\nno!')
GONE = says(b'HTTP/1.1 404 Gone\r\nContent-Length: 3\r\n\r\nno!')
JUNK = says(b'garbage\r\n\r\n')


@dataclass
class Flaky:
    """Fails so many times, whichever server is asked, and answers 200 then. `bodies`: what came, in order."""

    failing: Script
    failures: int
    bodies: list[bytes] = field(default_factory=list)
    heads: list[bytes] = field(default_factory=list)

    def script(self, name: bytes) -> Script:
        async def script(call: Call) -> None:
            self.heads.append(name + b' ' + call.head.split(b'\r\n')[0])
            if len(self.heads) <= self.failures:
                await self.failing(call)
                return
            self.bodies.append(await call.body())
            call.send(OK)

        return script


def configuration(port: int, log: int, servers: list[int], lines: str) -> str:
    rows = '\n'.join(f'    server s{number} 127.0.0.1:{server}' for number, server in enumerate(servers, 1))
    return listening(port, log, lines, rows, server_timeout='300ms')


@asynccontextmanager
async def by(kind: str, tmp_path: Path, flaky: Flaky, lines: str) -> AsyncIterator[tuple[int, Callable[[], object]]]:
    """The port of a proxy of this kind in front of two servers, and how to wait for its next line of the log."""
    async with RawServer(flaky.script(b's1')) as one, RawServer(flaky.script(b's2')) as two:
        with Ports() as ports, log_socket() as log:
            port = ports.take()
            text = configuration(port, log.getsockname()[1], [one.port, two.port], lines)
            if kind == 'haproxy':
                file = tmp_path / 'haproxy.cfg'
                file.write_text(text)

                async def theirs() -> str:
                    return (await asyncio.wait_for(asyncio.get_running_loop().sock_recv(log, 65_535), 30)).decode()

                with running('haproxy', '-f', str(file)):
                    await until(lambda: accepts(port))
                    yield port, theirs
            else:
                async with Proxy(behind(text)) as proxy:

                    async def ours() -> str:
                        return (await proxy.log_lines())[0]

                    yield proxy.port, ours


KINDS = [
    'sluice',
    pytest.param('haproxy', marks=needs_haproxy),
]
TWICE = 'retry-on all-retryable-errors\n    retries 2'


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize(
    'lines, failing, failures, request_, status, tries, flags',
    [
        ('retry-on empty-response', closes, 1, GET, 200, 2, '--'),
        ('retry-on empty-response', closes, 1, POST, 200, 2, '--'),
        ('retry-on empty-response', closes, 1, CHUNKED, 200, 2, '--'),
        ('retry-on empty-response', closes, 1, LARGE, 502, 1, 'SH'),
        ('retry-on conn-failure', closes, 1, GET, 502, 1, 'SH'),
        ('retry-on none', closes, 1, GET, 502, 1, 'SH'),
        ('retry-on empty-response\n    retries 2', closes, 9, GET, 502, 3, 'SH'),
        ('retry-on empty-response\n    retries 0', closes, 9, GET, 502, 1, 'SH'),
        ('retry-on response-timeout', hangs, 1, POST, 200, 2, '--'),
        ('retry-on empty-response', hangs, 1, GET, 504, 1, 'sH'),
        ('retry-on junk-response', JUNK, 1, GET, 200, 2, '--'),
        ('retry-on empty-response', JUNK, 1, GET, 502, 1, 'PH'),
        ('retry-on 503', BAD, 1, POST, 200, 2, '--'),
        ('retry-on 503\n    retries 2', BAD, 9, GET, 503, 3, '--'),
        ('retry-on 404', GONE, 1, GET, 200, 2, '--'),
        ('retry-on 503', GONE, 1, GET, 404, 1, '--'),
        (TWICE, BAD, 2, GET, 200, 3, '--'),
        (TWICE, closes, 2, GET, 200, 3, '--'),
    ],
)
async def test_what_is_tried_again(
    kind: str, tmp_path: Path, lines: str, failing: Script, failures: int, request_: bytes, status: int, tries: int,
    flags: str,
) -> None:  # fmt: skip
    flaky = Flaky(failing, failures)
    async with by(kind, tmp_path, flaky, lines) as (port, line):
        answer = await ask(port, request_)
        logged = await line()  # type: ignore[misc]
    assert int(answer.split()[1]) == status
    assert len(flaky.heads) == tries
    found = re.search(r' (\d+) (\d+) - - (..)-- \d+/\d+/\d+/\d+/\+?(\d+) ', str(logged))
    assert found is not None, logged
    assert (int(found[1]), found[3], int(found[4])) == (status, flags, tries - 1)
    if status == 200:
        assert flaky.bodies == [b'' if request_ is GET else b'hello']


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('option, second', [('option redispatch', b's2'), ('', b's1')], ids=['redispatch', 'without'])
async def test_with_redispatch_another_server_is_asked(kind: str, tmp_path: Path, option: str, second: bytes) -> None:
    flaky = Flaky(BAD, 1)
    async with by(kind, tmp_path, flaky, f'retry-on 503\n    {option}') as (port, _):
        assert (await ask(port, GET)).split()[1] == b'200'
    assert [head[:2] for head in flaky.heads] == [b's1', second]


async def test_a_body_that_is_still_coming_is_kept_as_well(tmp_path: Path) -> None:
    """The server refuses while half the body is there; the other half goes to the next try only."""
    early = asyncio.Event()

    async def refuses(call: Call) -> None:
        await call.reader.readexactly(3)
        call.send(b'HTTP/1.1 503 Later\r\nContent-Length: 0\r\n\r\n')
        early.set()

    flaky = Flaky(refuses, 1)
    async with by('sluice', tmp_path, flaky, 'retry-on 503') as (port, _):
        client = await RawClient.to(port)
        client.send(b'POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\nConnection: close\r\n\r\nabc')
        await early.wait()
        await until(lambda: len(flaky.heads) == 2)
        client.send(b'def')
        assert (await client.answer())[0] == 200
        client.close()
    assert flaky.bodies == [b'abcdef']
