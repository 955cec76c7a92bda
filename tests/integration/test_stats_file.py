"""Counters that outlast a restart, and a reload that calls everything otherwise."""

from __future__ import annotations

import signal

from tests.integration.harness.load import ask
from tests.integration.harness.planes import DataPlane, stage
from tests.integration.harness.waiting import until

REQUESTS = 5


def sections(port: int, server: int, *, name: str = 'px', guid: str = 'x') -> str:
    return (
        f'listen {name}\n    bind 127.0.0.1:{port} guid-prefix {guid}-l\n    option socket-stats\n    guid {guid}\n'
        f'    server {name}-u 127.0.0.1:{server} guid {guid}-s\n'
    )


async def requests_seen(plane: DataPlane, name: str, least: int = 0) -> list[int]:
    """Sessions of the frontend, its listener, the server and the backend, once the backend has seen `least`."""
    rows = await plane.cli.stat()
    found = [int(rows[name, row]['stot']) for row in ('FRONTEND', 'sock-1', f'{name}-u', 'BACKEND')]
    return found if found[-1] >= least else []


async def test_counters_go_on_after_a_restart() -> None:
    async with stage() as on:
        server = await on.upstream('u')
        port, path = on.ports.take(), on.directory / 'stats'
        text, extra = sections(port, server.port), (f'stats-file {path}',)
        plane = await on.data_plane(text, port=port, extra=extra)
        for _ in range(REQUESTS):
            assert (await ask(port)).status == 200
        seen = await until(lambda: requests_seen(plane, 'px', REQUESTS), within=60, what='requests are counted')
        path.write_text(await plane.cli('dump stats-file'))
        await plane.stop()
        assert "Can't load stats-file" in plane.printed(), 'there was none at the first start'
        await plane.start()
        assert await requests_seen(plane, 'px') == seen
        assert (await ask(port)).status == 200
        later = await until(lambda: requests_seen(plane, 'px', seen[-1] + 1), within=60, what='they go on')
        assert [now - then for now, then in zip(later, seen, strict=True)] == [1, 1, 1, 1]


async def test_counters_follow_their_guid_in_a_reload() -> None:
    async with stage() as on:
        server = await on.upstream('u')
        port = on.ports.take()
        plane = await on.data_plane(sections(port, server.port), port=port)
        for _ in range(REQUESTS):
            assert (await ask(port)).status == 200
        seen = await until(lambda: requests_seen(plane, 'px', REQUESTS), within=60, what='requests are counted')
        for name, guid, expected in (('other', 'x', seen), ('fresh', 'y', [0, 0, 0, 0])):
            plane.sections = sections(port, server.port, name=name, guid=guid)
            plane.write()
            assert plane.child is not None
            plane.child.signal(signal.SIGUSR2)

            async def is_there(name: str = name) -> bool:
                return (name, 'BACKEND') in await plane.cli.stat()

            await until(is_there, within=60, what='it is reloaded')
            assert await requests_seen(plane, name) == expected
