"""Clients and servers that mean harm: the right status, the right flags, and a worker that does not grow by what they send.

The figures are what the kernel says of a real worker (proportional set size), before and at most during the attack.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.integration.safe_http.answering import START
from tests.integration.safe_http.asking import CHUNKED, CLOSE, END, GET, HOST, LAST, POST
from tests.integration.safe_http.plane import OK, Plane, heads, resident, rest, running, until

MIB = 1 << 20
MOST = 8 * MIB
PIECE = b'a' * (1 << 18)
SECTIONS = {
    'plain': 'server s {server}',
    'patient': """
        timeout http-request 500ms
        timeout client 500ms
        server s {server}
    """,
    'waiting': """
        timeout server 500ms
        server s {server}
    """,
}


@pytest.fixture(scope='module')
def running_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plane]:
    with running(tmp_path_factory.mktemp('attacks'), SECTIONS) as made:
        assert made.tell(GET + CLOSE).endswith(b'ok')  # what is loaded by the first request is loaded now
        assert made.tell(POST + CHUNKED + CLOSE + b'1\r\nx\r\n' + LAST).endswith(b'ok')
        yield made


@pytest.fixture
def plane(running_plane: Plane) -> Plane:
    running_plane.begin()
    return running_plane


class Watch:
    """By how much a worker grew at most while it was looked at."""

    def __init__(self, plane: Plane) -> None:
        self._pid = plane.worker()
        self._before = resident(self._pid)
        self._most = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def _look(self) -> None:
        while not self._over.wait(0.03):
            self._most = max(self._most, resident(self._pid) - self._before)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._over.set()
        self._thread.join()

    @property
    def growth(self) -> int:
        """Bytes."""
        return max(self._most, resident(self._pid) - self._before)


def pour(sock: socket.socket, piece: bytes, size: int) -> int:
    """Send so many bytes, or as many as are taken before the other end has had enough. How many those were."""
    sent = 0
    try:
        while sent < size:
            sock.sendall(piece)
            sent += len(piece)
    except OSError:
        pass  # reset, or it does not read any more
    return sent


def endless(server_start: bytes, piece: bytes, size: int) -> Callable[[Plane], None]:
    """Let the server begin an answer so, and then send the same piece until it is told to stop."""

    def serve(plane: Plane) -> None:
        plane.server.script(server_start, more=piece * max(1, size // len(piece)))
        plane.server.gate.set()

    return serve


REQUESTS = {
    'a_head_of_100_mib': (GET + b'X: ', PIECE, 100 * MIB, 400, 'PR--'),
    'a_target_of_100_mib': (b'GET /', PIECE, 100 * MIB, 400, 'PR--'),
    'a_name_of_100_mib': (GET, PIECE, 100 * MIB, 400, 'PR--'),
    'a_method_of_100_mib': (b'', b'A' * len(PIECE), 100 * MIB, 400, 'PR--'),
    'many_header_lines': (GET, b'X: a\r\n' * 1_024, 64 * 1_024 * 6, 400, 'PR--'),
    'a_chunk_extension_without_end': (POST + CHUNKED + b'\r\n1;', PIECE, 100 * MIB, 400, 'PR--'),
    'trailers_without_end': (POST + CHUNKED + b'\r\n0\r\n', b'T: aaaaaaaaaa\r\n' * 10_000, 100 * MIB, 400, 'PR--'),
    'a_chunk_size_without_end': (POST + CHUNKED + b'\r\n', b'0' * len(PIECE), 100 * MIB, 400, 'PR--'),
}  # fmt: skip


@pytest.mark.parametrize('attack', REQUESTS)
def test_a_client_without_measure(attack: str, plane: Plane) -> None:
    start, piece, size, status, flags = REQUESTS[attack]
    with Watch(plane) as watch, plane.connect() as sock:
        sock.sendall(start)
        answers: list[bytes] = []
        reading = threading.Thread(target=lambda: answers.append(rest(sock)))
        reading.start()
        pour(sock, piece, size)
        line = plane.log()
        reading.join()
    assert f' {status} ' in line
    assert f' {flags} ' in line
    assert answers[0].startswith(b'HTTP/1.1 %d ' % status) or not answers[0]  # a reset may overtake it
    assert watch.growth < MOST, f'{watch.growth / MIB:.1f} MiB'
    assert plane.server.seen == []


ANSWERS = {
    'a_head_without_end': (START + b'X: ', PIECE, 100 * MIB, 502, 'PH--'),
    'many_header_lines': (START, b'X: a\r\n' * 1_024, 64 * 1_024 * 6, 502, 'PH--'),
    'a_status_line_without_end': (b'HTTP/1.1 200 ', PIECE, 100 * MIB, 502, 'PH--'),
    'a_chunk_extension_without_end': (START + CHUNKED + b'\r\n1;', PIECE, 100 * MIB, 200, 'PD--'),
    'trailers_without_end': (START + CHUNKED + b'\r\n0\r\n', b'T: aaaaaaaaaa\r\n' * 10_000, 100 * MIB, 200, 'PD--'),
    'a_chunk_size_without_end': (START + CHUNKED + b'\r\n', b'0' * len(PIECE), 100 * MIB, 200, 'PD--'),
    'more_than_the_answer': (OK, PIECE, 100 * MIB, 200, '----'),
}  # fmt: skip


@pytest.mark.parametrize('attack', ANSWERS)
def test_a_server_without_measure(attack: str, plane: Plane) -> None:
    start, piece, size, status, flags = ANSWERS[attack]
    endless(start, piece, size)(plane)
    with Watch(plane) as watch:
        answer = plane.tell(GET + CLOSE)
        until(lambda: not plane.server.open, 'its connection is closed')
    line = plane.log()
    assert f' {status} ' in line
    assert f' {flags} ' in line
    assert answer.startswith(b'HTTP/1.1 %d ' % status)
    assert answer.endswith(b'\r\n\r\nok') is (flags == '----')
    assert not answer.endswith(LAST)
    assert watch.growth < MOST, f'{watch.growth / MIB:.1f} MiB'
    plane.server.script()
    assert plane.tell(GET + CLOSE).endswith(b'ok')


def test_a_million_chunks_to_the_server(plane: Plane) -> None:
    with Watch(plane) as watch, plane.connect() as sock:
        sock.sendall(POST + CHUNKED + CLOSE)
        assert pour(sock, b'1\r\nx\r\n' * 10_000, 6_000_000) == 6_000_000
        sock.sendall(LAST)
        assert rest(sock).endswith(b'\r\n\r\nok')
    [got] = plane.server.seen
    assert got.count(b'x') == 1_000_000
    assert len(got) < 2_000_000  # sent on as they were read, not one by one
    assert watch.growth < MOST, f'{watch.growth / MIB:.1f} MiB'


def test_a_million_chunks_to_the_client(plane: Plane) -> None:
    plane.server.script(START + CHUNKED + END + b'1\r\nx\r\n' * 1_000_000 + LAST)
    with Watch(plane) as watch:
        assert plane.tell(b'GET / HTTP/1.0\r\n\r\n')[-1_000:] == b'x' * 1_000
    assert '---- ' in plane.log()
    assert watch.growth < MOST, f'{watch.growth / MIB:.1f} MiB'


def test_interim_answers_without_end(plane: Plane) -> None:
    plane.server.script(b'HTTP/1.1 103 E\r\n\r\n', more=b'HTTP/1.1 103 E\r\n\r\n' * 1_000_000)
    plane.server.gate.set()
    with Watch(plane) as watch:
        answer = plane.tell(GET + CLOSE)
        until(lambda: not plane.server.open, 'its connection is closed')
    assert answer.count(b'HTTP/1.1 103 E\r\n\r\n') == 1_000
    assert answer.partition(b'HTTP/1.1 502 ')[2]
    line = plane.log()
    assert ' 502 ' in line
    assert ' PH-- ' in line
    assert watch.growth < MOST, f'{watch.growth / MIB:.1f} MiB'


def test_empty_lines_without_end(plane: Plane) -> None:
    with Watch(plane) as watch, plane.connect('patient') as sock:
        pour(sock, b'\r\n' * 10_000, 20 * MIB)
        assert rest(sock)[:13] in (b'HTTP/1.1 408 ', b'')
    assert watch.growth < MOST, f'{watch.growth / MIB:.1f} MiB'


def test_heads_that_come_a_byte_now_and_then(plane: Plane) -> None:
    """Slow-loris: each has its time from the connection on, however often something comes of it."""
    count = 200
    with ExitStack() as stack, Watch(plane) as watch:
        socks = [stack.enter_context(plane.connect('patient')) for _ in range(count)]
        began = time.monotonic()
        raw = iter(GET + b'X: ' + b'a' * 10_000)
        ended = 0
        while ended < count and time.monotonic() - began < 20:
            byte = bytes((next(raw),))
            for sock in socks:
                try:
                    sock.sendall(byte)
                except OSError:
                    pass  # it is over already
            lines = 0
            plane.log_socket.settimeout(0.05)
            try:
                while True:
                    assert ' 408 ' in (line := plane.log())
                    assert ' cR-- ' in line
                    lines += 1
            except (TimeoutError, BlockingIOError):
                ended += lines
            finally:
                plane.log_socket.settimeout(30)
        assert ended == count
        for sock in socks:
            assert rest(sock)[:13] in (b'HTTP/1.1 408 ', b'')
    assert watch.growth < MOST, f'{watch.growth / MIB:.1f} MiB'
    assert plane.server.seen == []


def test_a_server_that_never_ends_its_head(plane: Plane) -> None:
    """The whole head must be there within `timeout server`."""
    plane.server.script(START + b'X: ' + b'a' * 100, 'hold')
    answer = plane.tell(GET + CLOSE, 'waiting')
    assert answer.startswith(b'HTTP/1.1 504 ')
    line = plane.log()
    assert ' 504 ' in line
    assert ' sH-- ' in line


def test_a_client_that_goes_on_sending_what_was_refused(plane: Plane) -> None:
    """Who refuses reads on a while, so that the answer arrives; not for ever, and without keeping it."""
    with Watch(plane) as watch, plane.connect('patient') as sock:
        sock.sendall(b'BAD\r\n\r\n')
        assert heads(b'', 1, sock).startswith(b'HTTP/1.1 400 ')
        began = time.monotonic()
        while time.monotonic() - began < 20:
            if pour(sock, PIECE, len(PIECE)) < len(PIECE):
                break
        assert time.monotonic() - began < 20
    assert ' PR-- ' in plane.log()
    assert watch.growth < MOST, f'{watch.growth / MIB:.1f} MiB'


def test_early_answers_to_uploads_without_end(plane: Plane) -> None:
    plane.server.script(early=True, then='hold')
    with Watch(plane) as watch, plane.connect('patient') as sock:
        sock.sendall(b'POST / HTTP/1.1\r\n' + HOST + b'Content-Length: 1000000000\r\n\r\n')
        assert heads(b'', 1, sock).startswith(START)
        pour(sock, PIECE, 1_000 * MIB)
    assert ' 200 ' in plane.log()
    until(lambda: not plane.server.open, 'its connection is closed')
    assert watch.growth < MOST, f'{watch.growth / MIB:.1f} MiB'
