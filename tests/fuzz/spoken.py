"""What others say over connections that are not traffic's heads: bodies, lines on the stats socket, frames of the other plane."""

from __future__ import annotations

from collections.abc import Callable

from dataplane.cli import arguments
from dataplane.cli.grammar import Reader, TooBig
from dataplane.cli.session import Complaint
from dataplane.wire.codec import FROM_CONTROLPLANE, FROM_DATAPLANE, Assembler, decode, encode
from dataplane.wire.events import Snapshot
from dataplane.worker.framing import CHUNKED, LAST_CHUNK, BadBody, Body, body_of, chunk
from tests.oracle.wire import Incomplete, Malformed, Request, read_request

_HEAD = b'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n'
_LINE = 1_024
_MOST_KEPT = 2 * _LINE


def _fed(body: Body, pieces: list[bytes]) -> tuple[bytes, bool, bytes] | None:
    """Payload, whether it is complete, and what followed; None for what is malformed."""
    out = rest = b''
    try:
        for piece in pieces:
            if body.done:
                rest += piece
                continue
            out += body.feed(piece)
            while body.more:
                out += body.feed(b'')
            kept = len(getattr(body, '_kept', b''))
            assert kept <= _MOST_KEPT, f'{kept} bytes are kept of a line'
    except BadBody:
        return None
    return out, body.done, body.rest + rest


def bodies(data: bytes) -> None:
    """However it is cut, a chunked body says the same; what it says is what the letter of RFC 9112 says; and so is what it becomes."""
    if len(data) < 2:
        return
    step, data = data[0] % 16 + 1, data[1:]
    whole = _fed(body_of(CHUNKED), [data])
    cut = _fed(body_of(CHUNKED), [data[at : at + step] for at in range(0, len(data), step)])
    assert cut == whole, f'cut into {step} bytes it is {cut!r}, not {whole!r}'
    try:
        request, rest = read_request(_HEAD + data)
        strict: tuple[Request, bytes] | None = request, rest
    except (Malformed, Incomplete):
        strict = None
    if whole is not None and whole[1]:
        assert strict is not None, 'nobody else would take that body'
        assert (strict[0].body, strict[1]) == (whole[0], whole[2])
        again = (chunk(whole[0]) if whole[0] else b'') + LAST_CHUNK
        assert _fed(body_of(CHUNKED), [again]) == (whole[0], True, b'')
    length = len(data) // 2
    assert _fed(body_of(length), [data[:3], data[3:]]) == (data[:length], True, data[length:])


_OPERANDS: tuple[Callable[[str], object], ...] = (
    arguments.server_path, arguments.server_maxconn, arguments.frontend_maxconn, arguments.wait_delay, arguments.cli_timeout,
    arguments.session_pointer, lambda word: arguments.address((word, 'port', word)),
    lambda word: arguments.global_maxconn(word, most=100),
)  # fmt: skip


def commands(data: bytes) -> None:
    """Lines of the CLI: bounded, the same however they arrive, and operands raise nothing but complaints."""
    one, other = Reader(line_limit=256, payload_limit=512), Reader(line_limit=256, payload_limit=512)
    found = _taken(one, [data])
    assert _taken(other, [data[at : at + 7] for at in range(0, len(data), 7)]) == found
    for commands_of_line in found:
        for command in commands_of_line:
            assert command[0], 'a command has at least one word'
            for word in command[0]:
                for read in _OPERANDS:
                    try:
                        read(word)
                    except Complaint:
                        pass


def _taken(reader: Reader, pieces: list[bytes]) -> list[list[tuple[tuple[str, ...], str | None]]]:
    found: list[list[tuple[tuple[str, ...], str | None]]] = []
    try:
        for last, piece in [*((False, piece) for piece in pieces), (True, b'')]:
            reader.feed(piece)
            if last:
                reader.finish()
            while (line := reader.take()) is not None:
                found.append([(command.words, command.payload) for command in line])
    except TooBig as refusal:
        found.append([((str(refusal),), None)])
    return found


def frames(data: bytes) -> None:
    """Frames of the other plane: a message that says the same when it is sent on, or a ValueError."""
    for expected in (FROM_DATAPLANE, FROM_CONTROLPLANE):
        for frame in (data, data.decode('latin-1')):
            try:
                message = decode(frame, expected)
            except ValueError:
                continue
            assert decode(encode(message), expected) == message
            if isinstance(message, Snapshot):
                try:
                    Assembler().add(message)
                except ValueError:
                    pass
