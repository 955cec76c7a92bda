"""A worker process as its supervisor starts it: it says hello, joins, becomes ready, and ends when it is told to or left alone."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from dataplane.board import Bells, Board
from dataplane.core.changes import AdoptFile
from dataplane.core.layout import Layout
from dataplane.core.ledger import Ledger
from dataplane.core.model import Global, Snapshot
from dataplane.core.plane import Plane
from dataplane.wire.framing import Channel, Message, pack
from dataplane.wire.ringing import pair

SIZES = {'workers': 2, 'servers': 4, 'backends': 2, 'frontends': 1, 'entries': 8}
AT = Layout(**SIZES)


@dataclass
class Supervisor:
    """The other end of the channel, with a board that one revision was committed to."""

    board: Board = field(default_factory=lambda: Board.create(AT))
    bells: Bells = field(default_factory=lambda: Bells.create(2))
    ledger: Ledger = field(default_factory=lambda: Ledger(AT))

    def __post_init__(self) -> None:
        self.ledger.adopt(self.ledger.propose(AdoptFile(Snapshot(globals=Global(nbthread=2)))), 0)
        plane = Plane(self.board.cells, AT, -1, lambda: 0)
        self.board.lock()
        plane.enter(torn=False)
        plane.commit(self.ledger.commit(1))
        plane.leave()
        self.board.unlock()
        self.channel, theirs = Channel.pair()
        argv = [sys.executable, '-m', 'dataplane.worker.main', '--fd', str(theirs.fileno())]
        self.process = subprocess.Popen(argv, pass_fds=(theirs.fileno(),), stderr=subprocess.PIPE)
        theirs.close()

    def said(self) -> Message:
        poll = select.poll()
        poll.register(self.channel.fileno(), select.POLLIN)
        assert poll.poll(20_000), 'the worker says nothing'
        packet = self.channel.receive()
        assert packet is not None
        return packet.message

    def join(self, worker: int = 1, tables: object = None) -> None:
        fd = pack([tables or self.ledger.tables])
        message = {'op': 'join', 'worker': worker, 'layout': SIZES, 'revision': 1}
        rings, lines = pair()
        with rings, lines:
            self.channel.send(message, (self.board.fd, fd, lines.fileno(), *self.bells.fds))
        os.close(fd)

    def close(self) -> None:
        self.channel.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
        self.bells.close()
        self.board.close()


@pytest.fixture
def supervisor() -> Iterator[Supervisor]:
    made = Supervisor()
    yield made
    made.close()


def test_from_hello_to_leave_and_deaf_to_signals_of_the_group(supervisor: Supervisor) -> None:
    assert supervisor.said() == {'op': 'hello', 'pid': supervisor.process.pid}
    supervisor.join()
    supervisor.channel.send({'op': 'serve'})
    assert supervisor.said() == {'op': 'ready'}
    assert supervisor.board.cells[AT.HEARTBEAT + 1]
    assert not supervisor.board.cells[AT.HEARTBEAT]
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        supervisor.process.send_signal(number)
    supervisor.channel.send({'op': 'effects', 'revision': 1})
    assert supervisor.said()['op'] == 'applied'
    supervisor.channel.send({'op': 'leave'})
    assert supervisor.process.wait(30) == 0


@pytest.mark.parametrize('joined', [False, True])
def test_it_ends_with_its_channel(supervisor: Supervisor, *, joined: bool) -> None:
    supervisor.said()
    if joined:
        supervisor.join()
        supervisor.channel.send({'op': 'serve'})
        supervisor.said()
    supervisor.channel.close()
    assert supervisor.process.wait(30) == 0


def test_what_are_no_tables_end_it_loudly(supervisor: Supervisor) -> None:
    supervisor.said()
    supervisor.join(tables='nothing')
    _, said = supervisor.process.communicate(timeout=30)
    assert supervisor.process.returncode == 1
    assert b'TypeError: join: tables are a str' in said
