"""The composition root of a worker, for the supervisor and nobody else: `python -m dataplane.worker.main --fd N`, or forked into `run(N)`.

Descriptor N is the worker's end of the channel to the supervisor; everything else comes through it. The worker lives as long
as that channel: its end of file ends it, and so does the supervisor's death (PR_SET_PDEATHSIG). Signals meant for the whole
data plane are the supervisor's business and ignored here.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import gc
import os
import random
import signal
import socket
import time
from collections.abc import Sequence

import uvloop

from dataplane.alarm import Alarm
from dataplane.board import Bells, Board
from dataplane.core.layout import Layout
from dataplane.core.tables import Tables
from dataplane.wire.framing import Channel, Packet, unpack
from dataplane.worker.access_log import AccessLog
from dataplane.worker.contents import Contents
from dataplane.worker.desk import Desk
from dataplane.worker.mailbox import Mailbox
from dataplane.worker.traffic import Traffic

_IGNORED = (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until told to leave. Returns the exit status."""
    parser = argparse.ArgumentParser(prog='sluice-worker', description='One worker of a Sluice data plane.')
    parser.add_argument('--fd', type=int, required=True, help='descriptor of the channel to the supervisor')
    return run(parser.parse_args(arguments).fd)


def run(fd: int) -> int:
    """Serve until told to leave; `fd` is the channel. Returns the exit status."""
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _IGNORED)
    parent = os.getppid()
    process = ctypes.PyDLL(None)
    process.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # a forked one has its parent's command line: by this ps and top tell them apart
    process.prctl(_PR_SET_NAME, b'sluice-worker')
    if os.getppid() != parent:
        return 1
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(Channel(socket.socket(fileno=fd))))
    return 0


async def _serve(channel: Channel) -> None:
    """Say hello, wait for what there is to join, and serve."""
    loop = asyncio.get_running_loop()
    try:
        channel.send({'op': 'hello', 'pid': os.getpid()})
        packet = await _first(loop, channel)
    except (EOFError, OSError):
        # the supervisor changed its mind or is gone
        return
    mailbox = _join(loop, channel, packet)
    # what exists now lives as long as the worker: no collection need ever look at it
    gc.collect()
    gc.freeze()
    try:
        await mailbox.run()
    finally:
        mailbox.close()


async def _first(loop: asyncio.AbstractEventLoop, channel: Channel) -> Packet:
    arrived = asyncio.Event()
    loop.add_reader(channel.fileno(), arrived.set)
    try:
        while (packet := channel.receive()) is None:
            arrived.clear()
            await arrived.wait()
    finally:
        loop.remove_reader(channel.fileno())
    return packet


def _join(loop: asyncio.AbstractEventLoop, channel: Channel, packet: Packet) -> Mailbox:
    """Build the worker from the join message: descriptors are the board, the tables, the way to the rings, all bells and all stick tables."""
    layout = Layout(**packet.message['layout'])
    board_fd, tables_fd, rings, *others = packet.fds
    bell_fds, stick_fds = others[: layout.workers + 1], others[layout.workers + 1 :]
    worker = packet.message['worker']
    board = Board.attach(board_fd, layout)
    bells = Bells.from_fds(bell_fds)
    tables: object = None
    for part in unpack(tables_fd):
        tables = part
        beat(board, worker)
    if not isinstance(tables, Tables):
        raise TypeError(f'join: tables are a {type(tables).__name__}')
    alarm = Alarm(lambda: beat(board, worker))
    contents = Contents(loop, alarm.watched)
    for _ in contents.prepare(tables.number, tables.snapshot):
        beat(board, worker)
    desk = Desk(board, bells, worker, tables, loop=loop, rng=random.Random())
    log = AccessLog(loop, board.cells, layout, worker, socket.socket(fileno=rings))
    traffic = Traffic(
        loop=loop, desk=desk, board_cells=board.cells, layout=layout, worker=worker, log=log, contents=contents
    )
    traffic.bring(stick_fds)
    return Mailbox(loop, channel, board, bells, worker, desk=desk, traffic=traffic, log=log, contents=contents)


def beat(board: Board, worker: int) -> None:
    """Show that something moves, though no loop turns yet."""
    board.cells[board.layout.HEARTBEAT + worker] = time.monotonic_ns() // 1_000_000


if __name__ == '__main__':
    raise SystemExit(main())
