"""Simulated data planes: real WebSockets, the real messages, and an ack as soon as a parcel is there.

They do not apply anything, and read of a frame only what an ack must say, so that they take as little as they can of a
machine they share with what is measured. The first of each process does check: it folds what it gets as a real one does,
and a hash that differs ends the run.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import uvloop
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType

from dataplane.supervisor.follower import Adopt, Answer, Follower
from dataplane.wire import codec
from dataplane.wire import state as wire
from dataplane.wire.events import Ack, Hello


async def simulated(session: ClientSession, address: str, name: str, *, checks: bool) -> None:
    url = f'http://{address}/v1/push'
    async with session.ws_connect(url, max_msg_size=codec.MAX_FRAME, compress=0, autoping=True) as link:
        hello = Hello(
            dp_id=name,
            term=0,
            seq=0,
            term_seen=0,
            state_hash=wire.digest(wire.empty()),
            workers=2,
            software='bench',
        )
        await link.send_str(codec.encode(hello))
        await (_checking(link) if checks else _answering(link))


async def _answering(link: ClientWebSocketResponse) -> None:
    async for frame in link:
        if frame.type is not WSMsgType.TEXT:
            return  # the control plane has measured enough
        document = _envelope(frame.data)
        if document['type'] == 'event' or (
            document['type'] == 'snapshot' and document['chunk'] + 1 >= document['chunks']
        ):
            ack = Ack(term=document['term'], seq=document['seq'], state_hash=document['state_hash'], workers=(0, 1))
            await link.send_str(codec.encode(ack))


def _envelope(frame: str) -> dict[str, Any]:
    """A frame without its changes: canonical text begins with `chunk` or `changes`, and all else stands behind those."""
    head, found, tail = frame.rpartition(']')
    before, _, _ = head.partition('"changes":[')
    document: dict[str, Any] = json.loads(f'{before}{tail.lstrip(",")}' if found else frame)
    return document


async def _checking(link: ClientWebSocketResponse) -> None:
    follower = Follower(0, None)
    async for frame in link:
        if frame.type is not WSMsgType.TEXT:
            return
        step = follower.receive(codec.decode(frame.data, codec.FROM_CONTROLPLANE))
        if isinstance(step, Answer):
            raise SystemExit(f'the simulated data plane refused a frame: {step.message}')
        if isinstance(step, Adopt):
            follower.adopted(step)
            await link.send_str(codec.encode(follower.ack()))


async def main(address: str, first: int, count: int) -> None:
    async with ClientSession() as session:
        await asyncio.gather(
            *(
                simulated(session, address, f'dp{number}', checks=number == first)
                for number in range(first, first + count)
            )
        )


if __name__ == '__main__':
    uvloop.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
