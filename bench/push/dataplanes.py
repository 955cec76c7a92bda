"""Simulated data planes: real WebSockets, the real messages, and an ack as soon as a parcel is there.

They do not apply anything, so that one processor carries a hundred of them. The first of each process does check: it folds
what it gets as a real one does, and a hash that differs ends the run.
"""

from __future__ import annotations

import asyncio
import json
import sys

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from dataplane.supervisor.follower import Adopt, Answer, Follower
from dataplane.wire import codec
from dataplane.wire import state as wire
from dataplane.wire.events import Ack, Hello


async def simulated(address: str, name: str, *, checks: bool) -> None:
    link = await connect(f'ws://{address}/v1/push', max_size=codec.MAX_FRAME, compression=None)
    await link.send(
        codec.encode(
            Hello(
                dp_id=name,
                term=0,
                seq=0,
                term_seen=0,
                state_hash=wire.digest(wire.empty()),
                workers=2,
                software='bench',
            )
        )
    )
    try:
        await (_checking(link) if checks else _answering(link))
    except ConnectionClosed:
        return  # the control plane has measured enough


async def _answering(link: ClientConnection) -> None:
    async for frame in link:
        document = json.loads(frame)
        if document['type'] == 'event' or (
            document['type'] == 'snapshot' and document['chunk'] + 1 >= document['chunks']
        ):
            ack = Ack(term=document['term'], seq=document['seq'], state_hash=document['state_hash'], workers=(0, 1))
            await link.send(codec.encode(ack))


async def _checking(link: ClientConnection) -> None:
    follower = Follower(0, None)
    async for frame in link:
        step = follower.receive(codec.decode(frame, codec.FROM_CONTROLPLANE))
        if isinstance(step, Answer):
            raise SystemExit(f'the simulated data plane refused a frame: {step.message}')
        if isinstance(step, Adopt):
            follower.adopted(step)
            await link.send(codec.encode(follower.ack()))


async def main(address: str, first: int, count: int) -> None:
    await asyncio.gather(
        *(simulated(address, f'dp{number}', checks=number == first) for number in range(first, first + count))
    )


if __name__ == '__main__':
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
