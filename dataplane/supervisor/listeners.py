"""Listening sockets: opened here, inherited by the workers, closed only when nobody can be waiting in them.

A TCP bind line has one socket per worker in one SO_REUSEPORT group, so that the kernel spreads connections evenly and a
worker that dies leaves its backlog to its successor. Unix sockets and `fd@` cannot be spread and are one socket for all.
While a worker is not back, a classic BPF program on each group steers new connections to the living; it needs no privilege.
A group grows when a reload wants more workers than there ever were, and does not shrink: nobody is steered any more to the socket of
who is not needed, which stays for what is on its way to it, a handshake that has begun there too, and for when it is needed again.
(Closing one socket of a group resets what is queued in it: measured, 100 of 100. So none is closed while it may hold some.)
"""

from __future__ import annotations

import errno
import logging
import select
import socket
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from dataplane.core.model import Bind, Frontend
from dataplane.supervisor import steering
from dataplane.supervisor.inherited import inherited
from dataplane.supervisor.tcpsocket import bound
from dataplane.supervisor.unixsocket import Place, listen_unix

_DEFAULT_BACKLOG: Final = 1_024


_log = logging.getLogger(__name__)


class CannotListen(Exception):
    """A bind line that cannot be served. The text names file, line, frontend, reason and address as HAProxy does."""


@dataclass(eq=False, slots=True)
class Listener:
    """A bind line that is listened on. `sockets`: one per worker that there ever was, or one for all when it is `shared`.

    `is_going`: it is about to be closed, and who comes to serve now has nothing to do with it.
    """

    key: str
    frontend: str
    bind: Bind
    backlog: int = _DEFAULT_BACKLOG
    sockets: list[socket.socket] = field(default_factory=list)
    place: Place | None = None
    steered: tuple[int, ...] | None = None
    sink: steering.Sink | None = None
    is_going: bool = False

    @property
    def shared(self) -> bool:
        """Whether all workers accept from one socket."""
        return self.bind.path is not None or self.bind.fd is not None

    def of(self, worker: int) -> socket.socket:
        """The socket that this worker accepts from."""
        return self.sockets[0 if self.shared else worker]

    def widen(self, workers: int) -> None:
        """Have a socket for each of so many workers. OSError: there are as many as could be had; `narrow` takes them away.

        The group must be steered before, else it spreads connections over sockets that nobody accepts from yet.
        """
        while not self.shared and len(self.sockets) < workers:
            first = self.sockets[0]
            sock = _bound(self.bind, first.getsockname()[1], shared=True)
            self.sockets.append(sock)
            sock.listen(self.backlog)
            sock.setblocking(False)  # noqa: FBT003 - socket's own signature

    def narrow(self, workers: int) -> None:
        """Take away the sockets above so many, the last first: who is steered by their place is steered as before."""
        while not self.shared and len(self.sockets) > workers:
            self.sockets.pop().close()

    def steer(self, workers: Sequence[int]) -> None:
        """Let new connections go to these workers' sockets only."""
        if self.shared or not workers or self.sink is not None:
            return
        steering.steer(self.sockets[0], workers)
        self.steered = tuple(workers)

    def spread(self) -> None:
        """Let new connections go to all workers' sockets again."""
        if self.shared or self.sink is not None:
            return
        self.steered = None
        try:
            steering.spread(self.sockets[0])
        except OSError as error:
            if error.errno != errno.ENOENT:  # there was no program
                raise

    def turn_away(self) -> None:
        """Let no new connection come to be, while those that wait already may be accepted: what goes before `close`.

        A TCP handshake that begins now is not answered; its client tries again after a second (RFC 6298), and is refused
        once the socket is closed. A unix socket loses its path. A socket that was inherited has other owners: it is left as it is.
        (Without it, 8 of 40 soft stops under load reset a connection made between the last accept and the close; with it, none.)
        There are kernels that let only who has CAP_NET_ADMIN attach the filter for it, which nobody has in a container: there new
        connections go to a `Sink`. Where that cannot be had either, what keeps them from coming at that moment is `grace`.
        """
        self.is_going = True
        if self.place is not None:
            self.place.leave()
        elif not self.shared and self.sink is None:
            try:
                for sock in self.sockets:
                    steering.refuse_more(sock)
            except PermissionError:
                self._send_away()

    def _send_away(self) -> None:
        try:
            self.sink = steering.Sink(self.sockets, self.steered or range(len(self.sockets)))
        except OSError as error:
            _log.info('%s: closed without turning anybody away before: %s', self.bind.address, error)

    def holds_backlog(self) -> bool:
        """Whether a connection waits in any of its sockets to be accepted."""
        poll = select.poll()
        for sock in self.sockets:
            poll.register(sock, select.POLLIN)
        return bool(poll.poll(0))

    def close(self) -> None:
        """Close its sockets; a unix socket's path goes too, unless somebody else has it by now. What is still queued is lost."""
        for sock in self.sockets:
            sock.close()
        self.sockets.clear()
        if self.sink is not None:
            self.sink.close()
        if self.place is not None:
            self.place.leave()


class Listeners:
    """All bind lines of the configuration in force, with sockets for `workers` workers."""

    def __init__(self, workers: int) -> None:
        self.closed: set[str] = set()
        """Names of frontends that are not listened for, whatever the configuration says (`supervisor.frontdoors`)."""
        self.stopped: set[str] = set()
        """Those of them that the next configuration opens again."""
        self._workers = workers
        self._open: dict[str, Listener] = {}
        self._steered: tuple[int, ...] | None = None

    @property
    def all(self) -> tuple[Listener, ...]:
        """Every bind line listened on."""
        return tuple(self._open.values())

    @property
    def workers(self) -> int:
        """For how many workers there are sockets."""
        return self._workers

    def widen(self, workers: int) -> None:
        """Have sockets for so many workers, and let nobody come to the new ones yet. CannotListen: all is as it was."""
        before = self._workers
        if workers <= before:
            return
        steered = self._steered or tuple(range(before))
        for listener in self.all:
            try:
                listener.steer(steered)
                listener.widen(workers)
            except OSError as error:
                self.narrow(before)
                raise CannotListen(_failure(listener.bind, listener.frontend, error)) from error
        self._workers, self._steered = workers, steered

    def narrow(self, workers: int) -> None:
        """Have sockets for so many workers only; of the others, to which nobody was steered, nothing is left."""
        for listener in self.all:
            listener.narrow(workers)
        steered, self._workers = self._steered, workers
        self.steer(steered or range(workers))

    def open_missing(self, frontends: Iterable[Frontend]) -> list[Listener]:
        """Open what is wanted and not open yet. Raises CannotListen with every failure, and then leaves all as it was."""
        opened: list[Listener] = []
        failures: list[str] = []
        for frontend, bind in self._wanted(frontends):
            if bind_key(bind) in self._open:
                continue
            try:
                opened.append(_open(frontend, bind, self._workers))
            except OSError as error:
                failures.append(_failure(bind, frontend.name, error, frontend.where))
        if failures:
            for listener in opened:
                listener.close()
            raise CannotListen('\n'.join(failures))
        for listener in opened:
            self._open[listener.key] = listener
            if self._steered is not None:
                listener.steer(self._steered)
        return opened

    def unwanted(self, frontends: Iterable[Frontend]) -> list[Listener]:
        """What is open and no frontend wants any more."""
        wanted = {bind_key(bind) for _, bind in self._wanted(frontends)}
        return [listener for key, listener in self._open.items() if key not in wanted]

    def claim(self, frontends: Iterable[Frontend]) -> list[Listener]:
        """Give every socket to the frontend that has its bind line now. Returns those that changed hands."""
        moved = []
        for frontend, bind in self._wanted(frontends):
            listener = self._open[bind_key(bind)]
            if listener.frontend != frontend.name:
                listener.frontend = frontend.name
                moved.append(listener)
        return moved

    def _wanted(self, frontends: Iterable[Frontend]) -> Iterator[tuple[Frontend, Bind]]:
        """The bind lines that are to be listened on, each with its frontend."""
        for frontend in frontends:
            if not frontend.disabled and frontend.name not in self.closed:
                for bind in frontend.binds:
                    yield frontend, bind

    def close(self, listener: Listener) -> None:
        """Close one, whose backlog is empty or lost anyway."""
        self._open.pop(listener.key, None)
        listener.close()

    def close_all(self) -> None:
        """The end: close everything."""
        for listener in self.all:
            self.close(listener)

    def steer(self, living: Sequence[int]) -> None:
        """New connections go to the living; to everybody when all are."""
        alive = tuple(sorted(living))
        self._steered = alive if alive and len(alive) < self._workers else None
        for listener in self.all:
            if self._steered is None:
                listener.spread()
            else:
                listener.steer(alive)


def bind_key(bind: Bind) -> str:
    """What makes two bind lines the same socket."""
    return f'{bind.address}%{bind.interface}' if bind.interface else bind.address


def _open(frontend: Frontend, bind: Bind, workers: int) -> Listener:
    backlog = bind.backlog or frontend.maxconn or _DEFAULT_BACKLOG
    listener = Listener(bind_key(bind), frontend.name, bind, backlog)
    try:
        if bind.fd is not None:
            listener.sockets.append(inherited(bind.fd))
            listener.sockets[0].listen(backlog)
        elif bind.path is not None:
            listener.sockets.append(listen_unix(bind.path, bind.mode, backlog))
            listener.place = Place.of(bind.path)
        else:
            listener.sockets.extend(_tcp(bind, workers, backlog))
    except OSError:
        for sock in listener.sockets:
            sock.close()
        raise
    for sock in listener.sockets:
        sock.setblocking(False)  # noqa: FBT003 - socket's own signature
    return listener


def _tcp(bind: Bind, workers: int, backlog: int) -> list[socket.socket]:
    # without SO_REUSEPORT: another group on this address would silently take a share of the connections
    with _bound(bind, bind.port, shared=False) as probe:
        port = probe.getsockname()[1]
    sockets: list[socket.socket] = []
    try:
        for _ in range(workers):
            sockets.append(_bound(bind, port, shared=True))
            sockets[-1].listen(backlog)
    except OSError:
        for sock in sockets:
            sock.close()
        raise
    return sockets


def _bound(bind: Bind, port: int, *, shared: bool) -> socket.socket:
    return bound(
        bind.host, port, v6only=bind.v6only, shared=shared, interface=bind.interface, transparent=bind.transparent
    )


def _failure(bind: Bind, frontend: str, error: OSError, where: str = '') -> str:
    reason = error.strerror or str(error)
    return (
        f'Binding [{bind.where or where}] for frontend {frontend}: cannot bind socket ({reason}) for [{bind.address}]'
    )
