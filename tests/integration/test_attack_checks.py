"""Servers that answer their checks with whatever costs most: the supervisor, which checks for everybody, goes on."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.integration.harness.planes import listen, stage
from tests.integration.harness.raw import Call, RawServer
from tests.integration.harness.waiting import until
from tests.integration.test_health import Site
from tests.unit.health.servers import refusing

SLASHES = b'/' * 12_000
MANY = r'^(.*)/(.*)/(.*)/(.*)/(.*)x$'
"""Takes hours for that; what can take exponentially long is taken in checks, too."""


def whole(body: bytes, fields: bytes = b'') -> bytes:
    return b'HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\n\r\n%b' % (fields, len(body), body)


async def checked(tmp_path: Path, script: object, lines: str, status: str) -> None:
    """With a server like that its check ends with that status, and the stats socket answers meanwhile."""
    async with AsyncExitStack() as stack:
        up = await stack.enter_async_context(RawServer(script))  # type: ignore[arg-type]
        site = Site(tmp_path)
        site.port = refusing()
        await site.start(stack, f' server s 127.0.0.1:{up.port} check\n', f'option httpchk GET /\n {lines}')
        await until(lambda: site.is_down('s'), within=30, what='the check has failed')
        assert (await site.cli.stat())['px', 's']['check_status'] == status
        assert all([await site.cli.ready() for _ in range(20)])


@pytest.mark.parametrize(
    'expect, answer',
    [
        (f'rstring {MANY}', whole(SLASHES)),
        ('rstring ^(a+)+$', whole(b'a' * 5_000 + b'!')),
        (f'hdr name -m reg {MANY.replace("/", "-")}', whole(b'', SLASHES.replace(b'/', b'-') + b': 1\r\n')),
        ('hdr name x-long value -m reg ^(a+)+$', whole(b'', b'X-Long: ' + b'a' * 5_000 + b'!\r\n')),
    ],
)
async def test_what_takes_hours_to_search_is_given_up(tmp_path: Path, expect: str, answer: bytes) -> None:
    async def script(call: Call) -> None:
        call.send(answer)

    status = 'L7RSP' if expect.startswith('rstring') else 'L7STS'
    await checked(tmp_path, script, f'http-check expect {expect}', status)


@pytest.mark.parametrize(
    'answer, status',
    [
        (b'HTTP/1.1 200 OK\r\nContent-Length: ' + b'9' * 5_000 + b'\r\n\r\nx', 'L7RSP'),
        (b'HTTP/1.1 100 Continue\r\n\r\n' * 5_000, 'L7RSP'),
        (b'HTTP/1.1 200 OK\r\n' + b'a: b\r\n' * 50_000, 'L7RSP'),
        (b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n' + b'1\r\nx\r\n' * 50_000, 'L7RSP'),
        (b'\0' * 100_000, 'L7RSP'),
    ],
)
async def test_answers_without_sense_or_end(tmp_path: Path, answer: bytes, status: str) -> None:
    async def script(call: Call) -> None:
        call.send(answer)
        await asyncio.Event().wait()

    await checked(tmp_path, script, 'http-check expect string never', status)


async def test_a_word_that_takes_hours_to_find_in_a_map_is_given_up() -> None:
    async with stage() as on:
        server = await on.upstream('u')
        port, path = on.ports.take(), on.directory / 'm'
        path.write_text(f'{MANY} found\n')
        line = f'    http-request set-header x %[path,map_reg({path},none)]\n'
        sections = listen(port, f'u 127.0.0.1:{server.port}').replace('    server', f'{line}    server', 1)
        plane = await on.data_plane(sections, port=port, workers=1)
        assert 'found=no' in await plane.cli(f'get map {path} {SLASHES.decode()}')
        said = await plane.cli(
            f'experimental-mode on; set var proc.x str({SLASHES.decode()}),regsub("{MANY}",y)', within=20
        )
        assert await plane.cli.ready(), said
