"""HTTP as a check speaks it: one request, and as much of the answer as is asked about, of bounded size. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from dataplane.core.checks import Request
    from dataplane.health.wording import Wording

_STATUS_LINE: Final = re.compile(rb'HTTP/(\d)\.(\d) ([0-9]{3})(?: ([^\r\n]*))?\r?\n')
_FIELD: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n]*?)[ \t]*")
_END: Final = re.compile(rb'\r?\n\r?\n')
_LENGTH: Final = re.compile(rb'[0-9]{1,19}')
_SIZE: Final = re.compile(rb'([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?\r?\n')


def request_bytes(request: Request, state: str, wording: Wording) -> bytes:
    """What is sent. `state`: the server's, for `http-check send-state`; `wording`: what formats come to."""
    headers = [(name.lower(), wording.text(value)) for name, value in request.headers if not _is_framing(name)]
    target = _target(wording.text(request.uri) or '/', dict(headers).get('host', ''))
    lines = [f'{request.method} {target} {request.version}']
    lines += [f'{name}: {value}' for name, value in headers]
    if request.state:
        lines.append(f'x-haproxy-server-state: {state}')
    body = wording.body(request.body).encode('utf-8', 'surrogateescape')
    if body:
        lines.append(f'content-length: {len(body)}')
    if request.version != 'HTTP/1.0' and all(name != 'connection' for name, _ in headers):
        lines.append('connection: close')
    return '\r\n'.join(lines).encode('utf-8', 'surrogateescape') + b'\r\n\r\n' + body


def _is_framing(name: str) -> bool:
    """Fields that are the check's own business."""
    return name.lower() in ('content-length', 'transfer-encoding')


def _target(uri: str, host: str) -> str:
    """The target of a request: that of an absolute URI has the authority that `host` names."""
    scheme, slashes, rest = uri.partition('://')
    if not host or not slashes or '/' in scheme:
        return uri
    end = min((rest.find(mark) for mark in '/?#' if mark in rest), default=len(rest))
    return f'{scheme}://{host}{rest[end:]}'


@dataclass(slots=True)
class Answer:
    """An answer as far as it came. `complete`: its body ends here."""

    status: int
    reason: str
    fields: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b''
    complete: bool = False


class BadAnswer(Exception):
    """What came is no HTTP."""


def read_answer(data: bytes, *, ended: bool) -> Answer | None:
    """The answer in `data`, None while its head is incomplete. `ended`: nothing more comes. Raises BadAnswer."""
    while True:
        # interim answers are passed over, as a client would; 101 is none: what was asked for begins
        found = _END.search(data)
        if found is None:
            if ended or not _may_begin(data):
                raise BadAnswer
            return None
        answer = _head(data[: found.start()] + b'\r\n')
        data = data[found.end() :]
        if answer.status == 101 or not 100 <= answer.status < 200:
            break
    _body(answer, data, ended=ended)
    return answer


def _may_begin(data: bytes) -> bool:
    """May these bytes be the beginning of an answer?"""
    start = b'HTTP/'
    return data[: len(start)] == start[: len(data)] or not data


def _head(head: bytes) -> Answer:
    found = _STATUS_LINE.match(head)
    if found is None or found[1] != b'1':
        raise BadAnswer
    answer = Answer(int(found[3]), (found[4] or b'').decode('latin-1'))
    for line in head[found.end() :].splitlines():
        one = _FIELD.fullmatch(line)
        if one is None:
            raise BadAnswer
        answer.fields.append((one[1].lower(), one[2]))
    return answer


def _body(answer: Answer, data: bytes, *, ended: bool) -> None:
    values = dict(answer.fields)
    length = values.get(b'content-length', b'')
    if answer.status in (101, 204, 304):
        answer.complete = True
    elif values.get(b'transfer-encoding', b'').lower().endswith(b'chunked'):
        answer.body, answer.complete = _unchunked(data)
        answer.complete = answer.complete or ended
    elif length:
        if not _LENGTH.fullmatch(length):
            raise BadAnswer
        answer.body = data[: int(length)]
        answer.complete = ended or len(data) >= int(length)
    else:
        answer.body, answer.complete = data, ended


def _unchunked(data: bytes) -> tuple[bytes, bool]:
    """The payload so far, and whether the last chunk was there."""
    parts: list[bytes] = []
    at = 0
    while True:
        found = _SIZE.match(data, at)
        if found is None:
            if len(data) - at > 256 or (b'\n' in data[at:]):
                raise BadAnswer
            return b''.join(parts), False
        size = int(found[1], 16)
        if not size:
            return b''.join(parts), True
        parts.append(data[found.end() : found.end() + size])
        at = found.end() + size
        if len(data) < at + 2:
            return b''.join(parts), False
        if data[at : at + 2] == b'\r\n':
            at += 2
        elif data[at : at + 1] == b'\n':
            at += 1
        else:
            raise BadAnswer
