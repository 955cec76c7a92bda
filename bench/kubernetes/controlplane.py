"""The control plane of `bench.kubernetes`: the real one, which also prints when every data plane has acknowledged what.

Prints its address, then, once it leads and as many data planes as it was told are there, one line of JSON for each version that
all of them have: its servers, and in monotonic seconds when each object that it is made of was `heard`, when passing it on `began`
and it was `made`, when it was `sent` to the data plane that acknowledged it last, and when that had (`acked`), with what it
said that its wait for the board's lock and its `pause` took. A data plane acknowledges when all its workers have applied a version.
Ends when its standard input does.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from functools import partial
from typing import Any

import uvloop

from controlplane.app import Settings, open_socket
from controlplane.collector import collecting
from controlplane.domain.sequencer import Sequencer
from controlplane.domain.version import Version
from controlplane.incluster import authority_in, replicated
from controlplane.kube.access import found_here
from controlplane.kube.client import Api
from controlplane.kube.objects import Name
from controlplane.kube.source import Source
from controlplane.replica import ClusterSettings, Replica

START_S = 60.0


class Teller:
    """Says of each version when it was made and when everybody had it."""

    def __init__(self, sequencer: Sequencer, source: Source, planes: int) -> None:
        self._sequencer, self._source, self._planes = sequencer, source, planes
        self._told = sequencer.log.head
        self._heard: dict[str, float] = {}
        self._made: dict[Version, dict[str, Any]] = {}
        self._acked: dict[str, Version] = {}
        for informer in (source.informers.slices, source.informers.overrides):
            informer.listen(partial(self._hear, informer.resource.plural))
        sequencer.subscribe(self._changed)
        sequencer.convergence.listen(self._moved)

    def _hear(self, plural: str, key: Name, old: object, new: object) -> None:
        if old is not new:
            self._heard.setdefault(f'{plural}/{key[1]}', time.monotonic())

    def _changed(self, *, urgent: bool) -> None:
        said = {'heard': self._heard, 'began': self._source.flushes.began / 1e3, 'made': time.monotonic()}
        self._heard = {}
        for entry in self._sequencer.log.after(self._told):
            self._made.setdefault(entry.version, said)

    def _moved(self) -> None:
        planes = self._sequencer.convergence.planes.values()
        moved = [plane for plane in planes if self._acked.get(plane.id) != plane.acked]
        self._acked = {plane.id: plane.acked for plane in planes}
        everybody = min((plane.acked for plane in planes), default=self._told)
        if len(planes) < self._planes or everybody <= self._told:
            return
        last, now = moved[-1], time.monotonic()
        assert last.last_ack is not None
        acked = {
            'sent': now - last.took_ms / 1e3,
            'acked': now,
            'pause': (last.last_ack.wait_us + last.last_ack.pause_us) / 1e6,
        }
        for entry in self._sequencer.log.after(self._told):
            if entry.version > everybody:
                break
            servers = {one['name']: one['spec'] for one in entry.changes if one['kind'] == 'server'}
            sys.stdout.write(json.dumps({**self._made.pop(entry.version), **acked, 'servers': servers}) + '\n')
            self._told = entry.version
        sys.stdout.flush()


async def leads(replica: Replica) -> Sequencer:
    """The sequencer, once it leads."""
    moved = asyncio.Event()
    replica.listen(moved.set)
    async with asyncio.timeout(START_S):
        while replica.reign is None:
            moved.clear()
            await moved.wait()
    return replica.reign.sequencer


async def until_there(sequencer: Sequencer, planes: int) -> None:
    """Until so many data planes have what there is."""
    moved = asyncio.Event()
    stop = sequencer.convergence.listen(moved.set)
    async with asyncio.timeout(START_S):
        while sum(plane.acked == sequencer.log.head for plane in sequencer.convergence.planes.values()) < planes:
            moved.clear()
            await moved.wait()
    stop()


async def main(options: argparse.Namespace) -> None:
    with open_socket('127.0.0.1', 0, alone=True) as listener:
        host, port = listener.getsockname()[:2]
        settings = Settings(store='kubernetes', host=host, port=port)
        cluster = ClusterSettings(
            namespace=options.namespace, kubeconfig=options.kubeconfig, address=f'{host}:{port}', pod='bench'
        )
        async with Api(found_here(options.kubeconfig)) as api:
            authority = authority_in(settings, cluster, api)
            async with replicated(settings, cluster, api, authority) as (replica, server), collecting(replica.head):
                serving = asyncio.ensure_future(server.serve([listener]))
                try:
                    print(f'{host}:{port}', flush=True)
                    sequencer = await leads(replica)
                    await until_there(sequencer, options.planes)
                    Teller(sequencer, replica.source, options.planes)
                    print('there', flush=True)
                    await asyncio.to_thread(sys.stdin.read)
                finally:
                    server.should_exit = True
                    await serving


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--kubeconfig', required=True)
    parser.add_argument('--namespace', required=True)
    parser.add_argument('--planes', type=int, required=True)
    return parser.parse_args()


if __name__ == '__main__':
    uvloop.run(main(arguments()))
