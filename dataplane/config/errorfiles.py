"""config: `errorfile CODE FILE` (configuration manual 4.2): what a proxy answers with in place of a built-in page.

The file is read when the configuration is, by whoever was given to do so, since this room touches nothing. It holds a whole
HTTP/1 answer. As HAProxy does, its status line and fields are sent as they are, in lower case and without `connection`, which
is the proxy's own; a page without `content-length` ends with its connection, and an empty file means to close without a word.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from dataplane.config.problems import Rejected, shown
from dataplane.core.answers import ErrorPage

if TYPE_CHECKING:
    from dataplane.config.reader import Line

ReadFile = Callable[[str, int], bytes]
"""The first bytes of a file, at most as many as asked for. Raises OSError."""

CODES: Final = (
    200, 400, 401, 403, 404, 405, 407, 408, 410, 413, 421, 422, 425, 429, 500, 501, 502, 503, 504,
)  # fmt: skip
_START: Final = re.compile(rb'HTTP/([0-9])\.([0-9]) ([0-9]{3})(?: [^\r\n]*)?')
_FIELD: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\0\r\n]*?)[ \t]*")
_LENGTH: Final = re.compile(rb'[0-9]{1,18}')
_HTTP_11: Final = (b'1', b'1')


def no_files(path: str, size: int) -> bytes:
    """For whoever compiles texts that name no files."""
    raise FileNotFoundError(f'{path} ({size} bytes) cannot be read here')


class ErrorFiles:
    """Reads the files of `errorfile` lines, each once. `bufsize` gives the most bytes one may have."""

    def __init__(self, read: ReadFile, bufsize: Callable[[], int]) -> None:
        self._read, self._bufsize = read, bufsize
        self._pages: dict[tuple[int, str], ErrorPage] = {}

    def parse(self, line: Line) -> ErrorPage:
        """The page of an `errorfile` line. Raises Rejected."""
        code, path = line.word(1), line.word(2)
        if not code or not path:
            msg = 'errorfile : expects <status_code> and <file> as arguments.'
            raise Rejected(msg)
        line.at_most(2)
        return self.page(status_of(code, 'errorfile'), path)

    def page(self, status: int, path: str) -> ErrorPage:
        """What a file says for an answer of this status. Raises Rejected."""
        if (status, path) not in self._pages:
            self._pages[status, path] = self._page(status, path)
        return self._pages[status, path]

    def _page(self, status: int, path: str) -> ErrorPage:
        text = whole_file(self._read, path, self._bufsize(), 'errorfile', "'tune.bufsize'")
        try:
            return error_page(status, text)
        except Rejected as problem:
            msg = f"errorfile : '{shown(path)}': {problem}"
            raise Rejected(msg) from None


def whole_file(read: ReadFile, path: str, most: int, what: str, limit: str = '') -> bytes:
    """A file of at most so many bytes, which `limit` is the keyword for; `what` names the line. Raises Rejected."""
    try:
        data = read(path, most + 1)
    except OSError as error:
        msg = f"{what} : error opening file '{shown(path)}' ({error.strerror or error})."
        raise Rejected(msg) from error
    if len(data) > most:
        msg = f"{what} : '{shown(path)}' is larger than {most} bytes{f' ({limit})' if limit else ''}."
        raise Rejected(msg)
    return data


def status_of(code: str, what: str) -> int:
    """The status that has a page of its own; `what` names the line in the error."""
    status = int(code) if re.fullmatch('[0-9]{3}', code, re.ASCII) else 0
    if status not in CODES:
        msg = f"{what} : status code '{shown(code)}' not handled."
        raise Rejected(msg)
    return status


def error_page(status: int, text: bytes) -> ErrorPage:
    """What is sent for an answer of this status, given what the file holds. Raises Rejected."""
    if not text:
        return ErrorPage(status=status)
    lines, body = _split(text)
    start = _START.fullmatch(lines[0])
    if start is None:
        raise _unparsed(1)
    code = int(start[3])
    if code < 200 and code != 101:
        msg = f'invalid http status code for an error message ({code})'
        raise Rejected(msg)
    fields = _fields(lines[1:])
    has_length = _check_length(fields, body)
    # anything newer than 1.0 is spoken as 1.1; 1.0 has to say it when a connection goes on
    is_11 = (start[1], start[2]) >= _HTTP_11
    first = b'HTTP/1.1' + lines[0][8:] if is_11 else lines[0]
    head = first + b'\r\n' + b''.join(b'%b: %b\r\n' % field for field in fields if field[0] != b'connection')
    return ErrorPage(
        status=status,
        closing=head + (b'connection: close\r\n\r\n' if is_11 else b'\r\n') + body,
        keeping=head + (b'' if is_11 else b'connection: keep-alive\r\n') + b'\r\n' + body if has_length else None,
    )


def _split(text: bytes) -> tuple[list[bytes], bytes]:
    """The lines of the head, which may end with a line feed alone, and the body."""
    lines: list[bytes] = []
    at = 0
    while (end := text.find(b'\n', at)) >= 0:
        line = text[at:end].removesuffix(b'\r')
        at = end + 1
        if not line and lines:
            return lines, text[at:]
        lines.append(line)
    raise _unparsed(len(lines) + 1)


def _fields(lines: list[bytes]) -> list[tuple[bytes, bytes]]:
    fields = []
    for number, line in enumerate(lines, 2):
        found = _FIELD.fullmatch(line)
        if found is None:
            raise _unparsed(number)
        fields.append((found[1].lower(), found[2]))
    return fields


def _check_length(fields: list[tuple[bytes, bytes]], body: bytes) -> bool:
    """Does the head say how long the body is? Raises Rejected when what it says is not true."""
    if any(name == b'transfer-encoding' for name, _ in fields):
        msg = 'chunk-encoded payload not supported'
        raise Rejected(msg)
    lengths = {value for name, value in fields if name == b'content-length'}
    for length in lengths:
        if _LENGTH.fullmatch(length) is None or int(length) != len(body):
            said = shown(length.decode('latin-1'))
            msg = f'payload size does not match the announced content-length ({len(body)} != {said})'
            raise Rejected(msg)
    return bool(lengths)


def _unparsed(line: int) -> Rejected:
    return Rejected(f'unable to parse headers (error in line {line})')
