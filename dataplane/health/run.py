r"""One check as a conversation: what came in, what is to be done next. Pure; a socket is somebody else's business.

`begin` and every event return the next thing to do: dial, say something, hear something, or the result, which is the end.
What is kept of an answer is bounded by `bufsize`: when it is full, a check is decided as if the server had ended there. Searches
with regular expressions are watched over, since a server decides what is searched: what takes too long has not matched.

    begin -> Dial -- connected --> Say -- said --> Hear -- heard | ended --> ... -> Result
              \ unreachable, timed_out -> Result         \ broken, timed_out -> Result
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Protocol

from dataplane.core.checks import (
    Assign,
    Comment,
    Connect,
    Expect,
    Match,
    Probe,
    ProbeKind,
    Request,
    Send,
    Step,
    Text,
    Understand,
)
from dataplane.health.http import Answer, BadAnswer, read_answer, request_bytes
from dataplane.health.protocols import FAILURE, LATENESS, Heard, understood
from dataplane.health.result import Outcome, Result, Status
from dataplane.health.wording import Wording
from dataplane.rules.patience import Patience, patient

_BINARY: Final = (Match.BINARY, Match.RBINARY)
_REGEX: Final = (Match.RSTRING, Match.RBINARY)
_REFERENCE: Final = re.compile(r'\\([0-9])')
_KIND_OF: Final = {
    Match.STRING: '', Match.BINARY: '(binary)', Match.RSTRING: '(regex)', Match.RBINARY: '(binary regex)',
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Dial:
    """Open a connection; '' and 0: to where the check goes. `linger`: it is not to end by a reset."""

    addr: str
    port: int
    linger: bool = False


@dataclass(frozen=True, slots=True)
class Say:
    """Send all of this."""

    data: bytes


class Hear:
    """Wait for what the server says."""


HEAR: Final = Hear()
Action = Dial | Say | Hear | Result


class Conversation(Protocol):
    """What a socket is driven by: each event returns the next action."""

    def begin(self) -> Action:
        """The first action."""

    def connected(self) -> Action:
        """The connection is there."""

    def unreachable(self, error: str) -> Result:
        """It could not be made."""

    def said(self) -> Action:
        """Everything was sent."""

    def heard(self, data: bytes) -> Action:
        """The server said something."""

    def ended(self) -> Action:
        """The server says no more."""

    def broken(self, error: str) -> Action:
        """The connection broke."""

    def timed_out(self) -> Result:
        """Time is up."""


class Run:
    """One check of the kind its `probe` says. `wording`: what format strings come to; `state`: for send-state; `running`: a 404 may mean that
    it stops softly.
    """

    def __init__(self, probe: Probe, wording: Wording, *, state: str, running: bool, bufsize: int) -> None:
        self._probe = probe
        self._wording = wording
        self._patience = wording.patience
        self._state = state
        self._running = running
        self._bufsize = bufsize
        self._at = -1
        self._buffer = b''
        self._last = False
        self._connecting = False
        self._comment = ''
        self._code = 0
        self._heard = Heard()

    # -- events -----------------------------------------------------------------------------------------------------

    def begin(self) -> Action:
        """The first action."""
        return self._next()

    def connected(self) -> Action:
        """The connection is there."""
        self._connecting = False
        return self._next()

    def unreachable(self, error: str) -> Result:
        """It could not be made."""
        return Result(Status.L4CON, info=error + self._where())

    def said(self) -> Action:
        """Everything was sent."""
        return self._next()

    def heard(self, data: bytes) -> Action:
        """The server said something; what is beyond the buffer is not looked at."""
        self._buffer += data[: self._bufsize - len(self._buffer)]
        self._last = self._last or len(self._buffer) >= self._bufsize
        return self._look()

    def ended(self) -> Action:
        """The server says no more."""
        self._last = True
        return self._look()

    def broken(self, error: str) -> Action:
        """The connection broke: behind an answer that is how it ended."""
        if self._buffer:
            return self.ended()
        return Result(Status.SOCKERR, info=error + self._where())

    def timed_out(self) -> Result:
        """Time is up."""
        step = self._step()
        usual = Status.L4TOUT if self._connecting else Status.L7TOUT
        status = Status[step.tout_status] if isinstance(step, Expect) and step.tout_status else usual
        if isinstance(step, Understand):
            status = LATENESS.get(step.reply, usual)
        return Result(status, info=self._where())

    # -- steps ------------------------------------------------------------------------------------------------------

    def _step(self) -> Step:
        return self._probe.steps[self._at]

    def _next(self) -> Action:
        """Do the next step, or say that all went well."""
        steps = self._probe.steps
        self._at += 1
        self._comment = ''
        while self._at < len(steps) and isinstance(step := steps[self._at], Comment | Assign):
            if isinstance(step, Assign):
                self._wording.obey(step)
            else:
                self._comment = step.comment
            self._at += 1
        if self._at == len(steps):
            return self._passed()
        match steps[self._at]:
            case Connect() as connect:
                self._connecting, self._buffer, self._last = True, b'', False
                return Dial(connect.addr, connect.port, connect.linger)
            case Send() as send:
                return self._send(send)
            case Request() as request:
                self._buffer, self._last = b'', False
                return Say(request_bytes(request, self._state, self._wording))
            case _:
                return self._look() if self._buffer or self._last else HEAR

    def _send(self, step: Send) -> Action:
        """Say what the step says; a format that comes to nothing is passed over."""
        self._buffer, self._last = b'', False
        data = self._wording.data(step)
        if data is None:
            return Result(Status.L7RSP, info=f'TCPCHK failed to build log-format string at step {self._number()}')
        return Say(data) if data else self._next()

    def _passed(self) -> Result:
        last = next((step for step in reversed(self._probe.steps) if not isinstance(step, Comment)), None)
        if isinstance(last, Expect) and last.ok_status:
            return Result(
                Status[last.ok_status], self._code, '(tcp-check)' if self._probe.kind is ProbeKind.TCP else ''
            )
        if self._probe.kind is ProbeKind.HTTP:
            return Result(Status.L7OK, self._code)
        if self._probe.kind is ProbeKind.PROTOCOL:
            return Result(self._heard.status, self._heard.code, self._heard.info)
        implicit = not isinstance(last, Connect) or last.implicit
        if self._probe.kind is ProbeKind.TCP and not isinstance(last, Connect):
            return Result(Status.L7OK, info='(tcp-check)')
        return Result(Status.L4OK, info='' if implicit else '(tcp-check)')

    # -- what was heard ---------------------------------------------------------------------------------------------

    def _look(self) -> Action:
        step = self._step()
        if isinstance(step, Understand):
            return self._understand(step)
        assert isinstance(step, Expect)
        if self._probe.kind is ProbeKind.HTTP:
            return self._look_at_http(step)
        if not self._buffer:
            info = f'TCPCHK got an empty response at step {self._number()}'
            return self._mismatch(step, info, comment=f" comment: '{self._said(step)}'" if self._said(step) else '')
        if not self._last and len(self._buffer) < self._needed(step):
            return HEAR
        found = self._contains(step, self._buffer)
        if not found and not self._last and step.min_recv == -1:
            return HEAR
        if found is not step.negated:
            return self._next()
        what = _KIND_OF[step.match] or f"'{_shown(step.pattern)}'"
        did = 'matched unwanted content' if found else 'did not match content'
        return self._mismatch(step, f'TCPCHK {did} {what} at step {self._number()}')

    def _understand(self, step: Understand) -> Action:
        heard = understood(step.reply, self._buffer, ended=self._last) if self._buffer else None
        if heard is None and not self._last:
            return HEAR
        if heard is None:
            heard = Heard(
                FAILURE.get(step.reply, Status.L7RSP), f'TCPCHK got an empty response at step {self._number()}'
            )
        self._heard = heard
        if heard.status.outcome is Outcome.PASSED:
            return self._next()
        return Result(heard.status, heard.code, heard.info)

    def _needed(self, step: Expect) -> int:
        literal = len(step.pattern) if step.match in (Match.STRING, Match.BINARY) else 0
        return max(literal, step.min_recv)

    def _look_at_http(self, step: Expect) -> Action:
        try:
            answer = read_answer(self._buffer, ended=self._last)
        except BadAnswer:
            return self._mismatch(step, '')
        if answer is None:
            return HEAR
        self._code = answer.status
        if answer.status == 404 and self._probe.disable_on_404 and self._running:
            return Result(Status.L7OKC, 404)
        if step.match in (Match.STRING, Match.RSTRING):
            return self._look_at_body(step, answer)
        found = (
            self._in_codes(step, answer.status)
            if step.match in (Match.STATUS, Match.RSTATUS)
            else self._in_head(step, answer)
        )
        if found is not step.negated:
            return self._next()
        return self._mismatch(step, answer.reason, Status.L7STS)

    def _look_at_body(self, step: Expect, answer: Answer) -> Action:
        final = answer.complete or self._last
        if not final and len(answer.body) < self._needed(step):
            return HEAR
        if final and not answer.body:
            return self._mismatch(step, 'HTTP content check could not find a response body')
        found = self._contains(step, answer.body)
        if not found and not final and step.min_recv == -1:
            return HEAR
        if found is not step.negated:
            return self._next()
        did = 'HTTP check matched unwanted content' if found else 'HTTP content check did not match'
        return self._mismatch(step, did)

    def _mismatch(
        self, step: Expect, info: str, status: Status = Status.L7RSP, *, comment: str | None = None
    ) -> Result:
        if comment is None:
            said = self._said(step)
            if self._probe.kind is ProbeKind.TCP:
                said = self._referring(step, self._buffer, said)
            comment = f' comment: {said}' if said else ''
        code = self._code if self._probe.kind is ProbeKind.HTTP else 0
        return Result(Status[step.error_status] if step.error_status else status, code, info + comment)

    # -- what is looked for ------------------------------------------------------------------------------------------

    def _contains(self, step: Expect, data: bytes) -> bool:
        return self._searched(step, data) is not None if step.match in _REGEX else step.pattern in data

    def _searched(self, step: Expect, data: bytes) -> re.Match[bytes] | None:
        """Where the expression of a step matches; a binary one is compared with hexadecimal digits."""
        subject = data.hex().upper().encode() if step.match is Match.RBINARY else data
        return _search(step.pattern, subject, self._patience)

    def _referring(self, step: Expect, data: bytes, comment: str) -> str:
        """A comment with what the groups of the expression found, where it refers to them by a backslash and their number."""
        found = self._searched(step, data) if step.match in _REGEX and '\\' in comment else None
        if found is None:
            return comment
        digits = 2 if step.match is Match.RBINARY else 1
        groups = [_shown(data[start // digits : end // digits]) for start, end in found.regs]
        return _REFERENCE.sub(lambda reference: dict(enumerate(groups)).get(int(reference[1]), ''), comment)

    def _in_codes(self, step: Expect, status: int) -> bool:
        if step.match is Match.RSTATUS:
            return _search(step.pattern, str(status).encode(), self._patience) is not None
        return any(low <= status <= high for low, high in step.codes)

    def _in_head(self, step: Expect, answer: Answer) -> bool:
        """Is there a header of the name wanted, with a value wanted? `hdr` looks at the parts between commas."""
        assert step.name is not None
        for name, value in answer.fields:
            if not _compares(step.name, name, self._patience, fold=True):
                continue
            parts = value.split(b',') if step.match is Match.HDR else [value]
            if step.value is None or any(_compares(step.value, part.strip(), self._patience) for part in parts):
                return True
        return False

    # -- words ------------------------------------------------------------------------------------------------------

    def _said(self, step: Step) -> str:
        """The comment that belongs to a step: its own, or that of a line just before it."""
        return step.comment if not isinstance(step, Comment | Assign | Understand) and step.comment else self._comment

    def _number(self) -> int:
        """The step's number as people count: lines, those nobody wrote left out."""
        implicit = any(isinstance(step, Connect) and step.implicit for step in self._probe.steps[: self._at + 1])
        return self._at + 1 - implicit

    def _where(self) -> str:
        """At which step of a script something went wrong."""
        if self._probe.kind is not ProbeKind.TCP:
            return ''
        step = self._step()
        if isinstance(step, Connect) and step.implicit:
            return ' at initial connection step of tcp-check'
        comment = f" comment: '{self._said(step)}'" if self._said(step) else ''
        return f' at step {self._number()} of tcp-check ({_words(step)}){comment}'


def _words(step: Step) -> str:
    """A step as its line has it."""
    match step:
        case Connect():
            return f'connect port {step.port}' if step.port else 'connect'
        case Expect():
            what = 'regex' if step.match is Match.RSTRING else step.match.value
            return f"expect {what} '{_shown(step.pattern)}'" if step.match not in _REGEX else f'expect {what}'
        case _:
            return 'send'


def _shown(pattern: bytes) -> str:
    """As it is printed in a line: what is no printable ASCII is a dot."""
    return ''.join(chr(byte) if 32 <= byte < 127 else '.' for byte in pattern)


def _search(source: bytes, subject: bytes, patience: Patience, *, fold: bool = False) -> re.Match[bytes] | None:
    """Where an expression matches; nowhere when that takes too long."""
    search = patient(re.compile(source, re.IGNORECASE if fold else 0).search, source, patience)
    found: re.Match[bytes] | None = search(subject)
    return found


def _compares(wanted: Text, text: bytes, patience: Patience, *, fold: bool = False) -> bool:
    want = wanted.text.encode('utf-8', 'surrogateescape')
    if wanted.method == 'reg':
        return _search(want, text, patience, fold=fold) is not None
    want = want.lower() if fold else want
    match wanted.method:
        case 'beg':
            return text.startswith(want)
        case 'end':
            return text.endswith(want)
        case 'sub':
            return want in text
        case _:
            return text == want
