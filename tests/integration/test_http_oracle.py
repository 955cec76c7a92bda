"""Generated messages through this proxy and through the naive one: the server and the client must see the same."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

from tests.integration.harness.proxy import Proxy, server, snapshot
from tests.integration.harness.raw import Call, RawClient, RawServer
from tests.oracle.naive_proxy import NaiveProxy

ROUNDS = 150
TOKENS = ('X-One', 'x-two', 'Accept', 'Cookie', 'If-None-Match', 'X-Three-Four', 'Range')
VALUES = ('1', 'a b', 'text/html, */*;q=0.1', '"etag"', 'x=y; z', 'W/"1"', 'bytes=0-1')
STATUSES = (200, 201, 204, 206, 301, 304, 400, 404, 500, 503)
OWN = {'connection', 'date', 'server', 'transfer-encoding', 'content-length', 'content-type', 'host'}


@dataclass(frozen=True)
class Message:
    start: bytes
    fields: tuple[tuple[str, str], ...]
    framing: str
    body: bytes

    def encode(self, rng: random.Random) -> bytes:
        lines = [f'{name}:{" " * rng.randint(0, 2)}{value}'.encode() for name, value in self.fields]
        if self.framing == 'length':
            lines.append(b'Content-Length: %d' % len(self.body))
        elif self.framing == 'chunked':
            lines.append(b'Transfer-Encoding: chunked')
        rng.shuffle(lines)
        return b'\r\n'.join((self.start, *lines, b'', b'')) + (
            chunks(self.body, rng) if self.framing == 'chunked' else self.body
        )


def chunks(body: bytes, rng: random.Random) -> bytes:
    out = b''
    while body:
        size = rng.randint(1, len(body))
        out += b'%x%b\r\n%b\r\n' % (size, rng.choice((b'', b';ext=1')), body[:size])
        body = body[size:]
    return out + b'0\r\n\r\n'


def some_fields(rng: random.Random) -> tuple[tuple[str, str], ...]:
    return tuple((rng.choice(TOKENS), rng.choice(VALUES)) for _ in range(rng.randint(0, 4)))


def some_request(rng: random.Random) -> Message:
    method = rng.choice(('GET', 'GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'))
    target = rng.choice(('/', '/a/b?c=d', '/%7Euser/x%2Fy', '/;p?q=%20&r', '/deep/' * 20))
    body = rng.randbytes(rng.choice((1, 10, 5_000, 70_000))) if method in ('POST', 'PUT', 'PATCH') else b''
    framing = rng.choice(('length', 'chunked')) if body else 'none'
    return Message(f'{method} {target} HTTP/1.1'.encode(), (('Host', 'a.example'), *some_fields(rng)), framing, body)


def some_response(rng: random.Random, method: bytes) -> Message:
    status = rng.choice(STATUSES)
    bodiless = method == b'HEAD' or status in (204, 304)
    body = b'' if bodiless else rng.randbytes(rng.choice((0, 1, 100, 70_000)))
    framing = 'none' if bodiless else rng.choice(('length', 'chunked'))
    return Message(f'HTTP/1.1 {status} Whatever'.encode(), some_fields(rng), framing, body)


def fields_of(head: bytes) -> list[tuple[str, str]]:
    """End-to-end fields in a form that survives what each implementation may choose."""
    pairs = (line.split(b':', 1) for line in head.split(b'\r\n')[1:] if line)
    named = [(name.decode().lower(), value.strip().decode()) for name, value in pairs]
    return sorted(pair for pair in named if pair[0] not in OWN)


async def read_answer(client: RawClient, method: bytes) -> tuple[bytes, bytes]:
    head = await client.head()
    status = int(head.split()[1])
    if method == b'HEAD' or status in (204, 304):
        return head, b''
    length = re.search(rb'(?i)\r\ncontent-length: *([0-9]+)', head)
    if length is not None:
        return head, await client.exactly(int(length[1]))
    assert b'transfer-encoding: chunked' in head.lower()
    body = b''
    while size := int(await client.reader.readuntil(b'\r\n'), 16):
        body += (await client.exactly(size + 2))[:-2]
    await client.exactly(2)
    return head, body


async def test_both_proxies_relay_generated_messages_alike() -> None:
    rng = random.Random(20)
    answers: list[bytes] = []
    seen: list[tuple[bytes, bytes]] = []

    async def script(call: Call) -> None:
        seen.append((call.head, await call.body()))
        call.send(answers[0])

    async with (
        RawServer(script) as up,
        Proxy(snapshot([server('s1', up.port)])) as proxy,
        NaiveProxy(up.port) as naive,
    ):
        ours, theirs = await RawClient.to(proxy.port), await RawClient.to(naive.port)
        for number in range(ROUNDS):
            request = some_request(rng)
            method = request.start.split()[0]
            answers[:] = [some_response(rng, method).encode(rng)]
            seen.clear()
            results = []
            raw = request.encode(rng)
            for client in (ours, theirs):
                cut = rng.randint(1, len(raw))
                client.send(raw[:cut])
                await client.writer.drain()
                client.send(raw[cut:])
                results.append(await read_answer(client, method))
            (our_head, our_body), (their_head, their_body) = results
            where = f'round {number}: {request.start!r}'
            assert our_head.split()[1] == their_head.split()[1], where
            assert our_body == their_body, where
            assert fields_of(our_head) == fields_of(their_head), where
            (at_ours, body_ours), (at_theirs, body_theirs) = seen
            assert at_ours.split(b'\r\n')[0] == at_theirs.split(b'\r\n')[0] == request.start, where
            assert body_ours == body_theirs == request.body, where
            assert fields_of(at_ours) == fields_of(at_theirs), where
        ours.close()
        theirs.close()
        assert proxy.served() == 0
