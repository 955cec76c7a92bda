"""`timeout client` and `timeout server` while an upload and its answer flow at once; each story was told to HAProxy 2.6 too.

Each side is limited in what it is expected to do: to send (a silence), and to take (a stall). What is sent to a side renews
the limit of its silence (the manual: without `option independent-streams` both are refreshed), but what it sends does not
renew that of its stall: who sends and never reads is cut. Where both are silent HAProxy waits for `timeout server`; here the
client, who owes the rest of its request, may be the first.
"""

from __future__ import annotations

import asyncio

import pytest

from tests.integration.harness.proxy import Proxy, limited, server, snapshot
from tests.integration.harness.raw import HOST, Call, RawClient, RawServer

SHORT = 800
LONG = 20_000
PACE = SHORT / 4_000
ROUNDS = 12  # at that pace: three times the short timeout
PIECE = b'x' * 65_536
UPLOAD = b'POST / HTTP/1.1\r\n' + HOST + b'Content-Length: %d\r\n\r\n'
ANSWER = b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n'
ENDLESS = 1 << 40


class Flood:
    """Sends as much as is taken. `stuck` once nothing is taken any more."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._sent = 0

    async def run(self) -> None:
        try:
            while True:
                self._writer.write(PIECE)
                await self._writer.drain()
                self._sent += len(PIECE)
        except ConnectionError:
            pass  # cut, as it should be

    async def stuck(self) -> None:
        """Nothing moved between two looks."""
        before = -1
        while not self._sent or before != self._sent:
            before = self._sent
            await asyncio.sleep(SHORT / 4_000)


async def trickle(writer: asyncio.StreamWriter, rounds: int = 1 << 30) -> None:
    """A byte now and then."""
    for _ in range(rounds):
        if writer.transport.is_closing():
            return
        writer.write(b'y')
        await asyncio.sleep(PACE)


def proxy(up: RawServer, *, client: int, to_server: int) -> Proxy:
    """With these timeouts (ms)."""
    return Proxy(snapshot([server('s1', up.port)], frontend=limited(client=client), backend=limited(server=to_server)))


async def flags(through: Proxy) -> str:
    """How the request ended, by the log."""
    [line] = await through.log_lines()
    return line.split(' ')[next(n for n, word in enumerate(line.split(' ')) if len(word) == 4 and word.endswith('--'))]


class Story:
    """One upload and its answer, both held open: the server's script hands its end to the test."""

    def __init__(self) -> None:
        self.call: asyncio.Future[Call] = asyncio.get_running_loop().create_future()
        self.over = asyncio.Event()
        self.tasks: list[asyncio.Task[None]] = []

    async def script(self, call: Call) -> None:
        self.call.set_result(call)
        await self.over.wait()

    def start(self, *running: asyncio.Task[None]) -> None:
        self.tasks += running

    async def end(self, client: RawClient) -> None:
        self.over.set()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        client.reset()


async def begin(story: Story, through: Proxy, upload: int, answer: int) -> tuple[RawClient, Call]:
    """Both heads are there; of the bodies nothing yet."""
    client = await RawClient.to(through.port)
    client.send(UPLOAD % upload)
    call = await asyncio.wait_for(story.call, 30)
    call.send(ANSWER % answer)
    await client.head()
    return client, call


async def test_a_client_that_sends_but_never_reads_is_cut() -> None:
    story = Story()
    async with RawServer(story.script) as up, proxy(up, client=SHORT, to_server=LONG) as through:
        client, call = await begin(story, through, ENDLESS, ENDLESS)
        flood = Flood(call.writer)
        story.start(asyncio.create_task(flood.run()), asyncio.create_task(trickle(client.writer)))
        try:
            assert await flags(through) == 'cD--'
        finally:
            await story.end(client)


async def test_a_client_that_has_sent_all_and_never_reads_is_cut() -> None:
    story = Story()
    async with RawServer(story.script) as up, proxy(up, client=SHORT * 4, to_server=LONG) as through:
        client, call = await begin(story, through, 10, ENDLESS)
        flood = Flood(call.writer)
        story.start(asyncio.create_task(flood.run()))
        try:
            await flood.stuck()
            client.send(b'0123456789')
            assert await flags(through) == 'cD--'
        finally:
            await story.end(client)


async def test_a_silence_after_a_stall_is_limited() -> None:
    story = Story()
    async with RawServer(story.script) as up, proxy(up, client=SHORT * 4, to_server=SHORT * 4) as through:
        client, call = await begin(story, through, ENDLESS, ENDLESS)
        flood = Flood(call.writer)
        flooding = asyncio.create_task(flood.run())
        try:
            await flood.stuck()
            flooding.cancel()
            story.start(asyncio.create_task(drain(client)))
            assert await flags(through) in ('cD--', 'sD--')
        finally:
            await story.end(client)


async def drain(client: RawClient) -> None:
    while await client.reader.read(1 << 20):
        pass


async def test_a_server_that_sends_but_never_reads_is_cut() -> None:
    story = Story()
    async with RawServer(story.script) as up, proxy(up, client=LONG, to_server=SHORT) as through:
        client, call = await begin(story, through, ENDLESS, ENDLESS)
        call.reader._transport.pause_reading()  # type: ignore[attr-defined]
        flood = Flood(client.writer)
        story.start(
            asyncio.create_task(flood.run()),
            asyncio.create_task(trickle(call.writer)),
            asyncio.create_task(drain(client)),
        )
        try:
            assert await flags(through) == 'sD--'
        finally:
            await story.end(client)


@pytest.mark.parametrize('ways', ['both', 'up', 'down'])
async def test_who_sends_or_takes_now_and_then_is_left_alone(ways: str) -> None:
    """Whether both sides are active, or the one only sends and the other only takes."""
    story = Story()
    async with RawServer(story.script) as up, proxy(up, client=SHORT, to_server=SHORT) as through:
        uploads, answers = ROUNDS * (ways != 'down'), ROUNDS * (ways != 'up')
        client, call = await begin(story, through, uploads + 1, answers + 1)
        try:
            await asyncio.gather(trickle(client.writer, uploads), trickle(call.writer, answers))
            client.send(b'!')
            assert await call.reader.readexactly(uploads + 1) == b'y' * uploads + b'!'
            call.send(b'!')
            assert await client.exactly(answers + 1) == b'y' * answers + b'!'
            assert await flags(through) == '----'
        finally:
            await story.end(client)


async def test_silence_on_both_sides_ends_at_the_shorter_limit() -> None:
    story = Story()
    async with RawServer(story.script) as up, proxy(up, client=SHORT, to_server=LONG) as through:
        client, _ = await begin(story, through, ENDLESS, ENDLESS)
        try:
            assert await flags(through) == 'cD--'
        finally:
            await story.end(client)
