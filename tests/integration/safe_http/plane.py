"""A data plane as a process, a client that sends exactly these bytes, and a server that answers exactly those.

Plain blocking sockets: what is sent and received can be read off the page. One data plane serves all tests of a module.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.integration.harness.ports import Ports
from tests.integration.harness.procs import ROOT, _die_with_parent, children_of, python

OK = b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
PATIENCE = 30.0
_PIECE = 1 << 16
_MARK = b'GET /mark HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'
_MOST_KEPT = 1 << 20


@dataclass
class Server:
    """A server that keeps what it was sent, and answers each request with `answer`; then it does what `then` says:
    `keep` the connection, `close` it, or `hold` it, reading no more, until the test is over.

    `early`: it answers when the head is there, without waiting for the body. `more` is sent behind the answer once `gate` is set.
    """

    answer: bytes = OK
    then: str = 'keep'
    early: bool = False
    more: bytes = b''
    seen: list[bytes] = field(default_factory=list)
    connections: int = 0
    open: int = 0
    gate: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._listening = socket.create_server(('127.0.0.1', 0))
        self.port: int = self._listening.getsockname()[1]
        self._taken: list[socket.socket] = []

    def start(self) -> None:
        """Accept connections."""
        threading.Thread(target=self._accept, daemon=True).start()

    def script(self, answer: bytes = OK, then: str = 'keep', *, early: bool = False, more: bytes = b'') -> None:
        """Answer like this from now on; what was seen before is forgotten, and so are connections."""
        for sock in self._taken:
            try:
                sock.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # its other end was faster
        self._taken.clear()
        until(lambda: not self.open, 'connections of the last test end')
        self.answer, self.then, self.early, self.more = answer, then, early, more
        self.seen.clear()
        self.gate.clear()
        self.connections = 0

    def close(self) -> None:
        """Listen no more."""
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            self.open += 1
            self._taken.append(sock)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        data = b''
        try:
            while request := _request(sock, data, whole=not self.early):
                data = request[1]
                self.seen.append(request[0])
                # what is to follow is decided before the answer: whoever has it may already prepare the next request
                more, then = self.more, self.then
                sock.sendall(self.answer)
                if more:
                    self.gate.wait(PATIENCE)
                    sock.sendall(more)
                if then == 'close':
                    break
                if then == 'hold':
                    while sock.recv(_PIECE):
                        pass
                    break
        except OSError:
            pass  # the proxy has had enough, which is what many of these tests are about
        finally:
            sock.close()
            self.open -= 1


def _request(sock: socket.socket, data: bytes, *, whole: bool) -> tuple[bytes, bytes] | None:
    """The bytes of the next request as they came, and what follows it; None when there is none."""
    while (end := data.find(b'\r\n\r\n')) < 0:
        piece = sock.recv(_PIECE)
        if not piece:
            return None
        data += piece
    end += 4
    head = data[:end].lower()
    if not whole:
        return data[:end], data[end:]
    length = re.search(rb'\r\ncontent-length: (\d+)\r\n', head)
    size, chunked = end + int(length[1]) if length else end, b'chunked\r\n' in head
    whole_data = bytearray(data)
    while len(whole_data) < size or (chunked and not whole_data.endswith(b'0\r\n\r\n')):
        piece = sock.recv(_PIECE)
        if not piece:
            return None
        whole_data += piece
    data = bytes(whole_data)
    return (data, b'') if chunked else (data[:size], data[size:])


@dataclass
class Plane:
    """The running data plane. `ports`: its sections' by name."""

    process: subprocess.Popen[bytes]
    server: Server
    ports: Mapping[str, int]
    log_socket: socket.socket
    printed: Path

    def connect(self, section: str = 'plain') -> socket.socket:
        """A client's connection."""
        sock = socket.create_connection(('127.0.0.1', self.ports[section]))
        sock.settimeout(PATIENCE)
        return sock

    def tell(self, raw: bytes, section: str = 'plain', *, end: bool = False) -> bytes:
        """Send bytes on a new connection; everything that comes back until it ends. `end`: and say that no more will come."""
        with self.connect(section) as sock:
            sock.sendall(raw)
            if end:
                sock.shutdown(socket.SHUT_WR)
            return rest(sock)

    def log(self) -> str:
        """The next line of the log, from the connection's address on."""
        return self.log_socket.recv(_PIECE).decode(errors='replace').partition(']: ')[2]

    def begin(self) -> None:
        """Forget the last test: what its server was to say, and what is logged of it, however late."""
        self.server.script()
        self.tell(_MARK)
        while '/mark' not in self.log():
            pass
        self.server.script()

    def worker(self) -> int:
        """The process id of its one worker."""
        [pid] = children_of(self.process.pid)
        return pid


def rest(sock: socket.socket) -> bytes:
    """Everything until the connection ends, by a reset as well; of very much its beginning."""
    out = bytearray()
    try:
        while piece := sock.recv(_PIECE):
            out += piece if len(out) < _MOST_KEPT else b''
    except ConnectionError:
        pass  # a reset: what is tested is what came before it
    return bytes(out)


def heads(data: bytes, count: int, sock: socket.socket) -> bytes:
    """Read on until that many heads are there."""
    while data.count(b'\r\n\r\n') < count:
        piece = sock.recv(_PIECE)
        assert piece, f'it ended after {data!r}'
        data += piece
    return data


def reset(sock: socket.socket) -> None:
    """Cut a connection."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    sock.close()


def until(condition: object, what: str) -> None:
    """Wait until `condition()` holds."""
    assert callable(condition)
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f'it never came to be that {what}'
        time.sleep(0.005)


def resident(pid: int) -> int:
    """Bytes of memory that are this process's own, shared ones by their share."""
    found = re.search(r'^Pss:\s+(\d+) kB', Path(f'/proc/{pid}/smaps_rollup').read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


@contextmanager
def running(directory: Path, sections: Mapping[str, str], settings: str = '') -> Iterator[Plane]:
    """A data plane with one worker. Each section is the lines of a `listen` but its `bind`, `mode` and log; `{server}` stands for
    the address of the server.
    """
    server = Server()
    with Ports() as taken, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as log:
        log.bind(('127.0.0.1', 0))
        log.settimeout(PATIENCE)
        ports = {name: taken.take() for name in sections}
        text = _HEAD.format(log=log.getsockname()[1], directory=directory, settings=settings)
        for name, lines in sections.items():
            text += f'listen {name}\n    bind 127.0.0.1:{ports[name]}\n'
            text += '\n'.join(f'    {line.strip()}' for line in lines.strip().splitlines()) + '\n'
        path = directory / 'safe.cfg'
        path.write_text(text.replace('{server}', f'127.0.0.1:{server.port}'))
        printed = directory / 'printed'
        with printed.open('wb') as sink:
            process = subprocess.Popen(
                python('dataplane.supervisor.main', '-f', str(path)), stdin=subprocess.DEVNULL, stdout=sink, stderr=sink,
                env={**os.environ, 'PYTHONPATH': str(ROOT)}, cwd=directory, start_new_session=True,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - no other thread has been started yet
            )  # fmt: skip
        server.start()
        plane = Plane(process, server, ports, log, printed)
        try:
            until(lambda: _is_up(plane), f'the data plane is up: {printed.read_text(errors="replace")}')
            worker = plane.worker()
            yield plane
            assert process.poll() is None, printed.read_text(errors='replace')
            assert plane.worker() == worker, 'its worker was replaced'
            assert 'Traceback' not in printed.read_text(errors='replace'), printed.read_text(errors='replace')
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            server.close()


def _is_up(plane: Plane) -> bool:
    assert plane.process.poll() is None, plane.printed.read_text(errors='replace')
    try:
        plane.connect(next(iter(plane.ports))).close()
    except ConnectionRefusedError:
        return False
    return bool(children_of(plane.process.pid))


_HEAD = """global
    nbthread 1
    stats socket {directory}/socket level admin
    log 127.0.0.1:{log} local0
    {settings}
defaults
    mode http
    log global
    option httplog
    option dontlognull
    retries 0
    timeout client 20s
    timeout server 20s
    timeout connect 5s
"""
