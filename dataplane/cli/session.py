"""What one connection to the stats socket has set, and how its answers are framed.

Non-interactive (the start): one line, then the connection closes after its last answer. Interactive: lines go on,
silently. Prompt: the same with `> ` after each line. Every answer ends with one line feed and is followed by an empty line.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum, StrEnum
from typing import Final

from dataplane.core.model import Level

RANK: Final = {Level.USER: 0, Level.OPERATOR: 1, Level.ADMIN: 2}


class Mode(StrEnum):
    """How the connection goes on after a line, under the letters that `prompt` takes."""

    NON_INTERACTIVE = 'n'
    INTERACTIVE = 'i'
    PROMPT = 'p'


class SeverityOutput(Enum):
    """What `set severity-output` puts in front of feedback messages."""

    NONE = 'none'
    NUMBER = 'number'
    STRING = 'string'


class Severity(IntEnum):
    """RFC 5424 levels used by the answers; `SILENT` marks a dump, which is never prefixed."""

    SILENT = -1
    ERROR = 3
    WARNING = 4
    NOTICE = 5
    INFO = 6


_NAMES: Final = {Severity.ERROR: 'err', Severity.WARNING: 'warning', Severity.NOTICE: 'notice', Severity.INFO: 'info'}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command says: a text without its trailing line feed ('' for silence), and how grave it is.

    `bare`: no empty line follows it.
    """

    text: str = ''
    severity: Severity = Severity.SILENT
    bare: bool = False


class Complaint(Exception):
    """A command that cannot be done as it was written or as things are; the text is HAProxy's."""

    def __init__(self, text: str, severity: Severity = Severity.ERROR) -> None:
        super().__init__(text)
        self.answer = Answer(text, severity)


@dataclass(slots=True)
class Session:
    """State of one connection. `timeout_ms` is how long it may be idle; `ended`: the client said `quit`; `parting`: the
    answer under way is the last one. `place`: whom its commands go to, as the prompt says, on the master CLI; `bound`: to
    nobody else any more.
    """

    level: Level
    timeout_ms: int
    mode: Mode = Mode.NON_INTERACTIVE
    timed: bool = False
    severity: SeverityOutput = SeverityOutput.NONE
    expert: bool = False
    experimental: bool = False
    ended: bool = False
    parting: bool = False
    place: str = ''
    bound: bool = False

    def may(self, level: Level) -> bool:
        """Whether the session has at least `level`."""
        return RANK[self.level] >= RANK[level]

    def lower(self, level: Level) -> None:
        """Give rights away; a level is never gained back on the same connection. Raises Complaint."""
        if not self.may(level):
            raise Complaint('Permission denied')
        self.level = level

    def frame(self, answer: Answer, *, last: bool, uptime_s: int) -> str:
        """The bytes of an answer with what follows it. `last`: no other command of the same line comes after it."""
        text = f'{self._prefix(answer.severity)}{answer.text}\n' if answer.text else ''
        end = '' if answer.bare else '\n'
        if self.mode is Mode.PROMPT and last:
            return f'{text}{end}{self.prompt(uptime_s)}'
        return f'{text}{end}'

    def prompt(self, uptime_s: int) -> str:
        """The prompt alone: `> `, with the time the process has been up when it was asked for."""
        if not self.timed:
            return f'{self.place}> '
        return f'{self.place}[{uptime_s // 86400}:{uptime_s // 3600 % 24:02}:{uptime_s // 60 % 60:02}:{uptime_s % 60:02}]> '

    def _prefix(self, severity: Severity) -> str:
        if severity is Severity.SILENT or self.severity is SeverityOutput.NONE:
            return ''
        return f'[{int(severity) if self.severity is SeverityOutput.NUMBER else _NAMES[severity]}]: '

    def change_mode(self, words: tuple[str, ...]) -> None:
        """Apply `prompt [n|i|p|timed]*`; alone it toggles between prompt and non-interactive. Raises Complaint."""
        if not words:
            self.mode = Mode.NON_INTERACTIVE if self.mode is Mode.PROMPT else Mode.PROMPT
        for word in words:
            if word == 'timed':
                self.mode, self.timed = Mode.PROMPT, not self.timed
            else:
                try:
                    self.mode = Mode(word)
                except ValueError:
                    raise Complaint(PROMPT_HELP, Severity.INFO) from None


PROMPT_HELP: Final = """Usage: prompt [help | n | i | p | timed ]*
Changes the default mode of the connection:
  help   this help
  n      non-interactive: process one line and close
  i      interactive: process several lines, without a prompt
  p      prompt: process several lines, each followed by a prompt
  timed  toggle the display of the process' uptime in the prompt
Without an argument, toggles between prompt and non-interactive."""
