"""config: what every line with rules needs: where its expressions stand, its condition, the files of patterns it names.

Messages are those of `dataplane.rules`, behind the words of the line; warnings go to the report.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dataplane.config.draft import Side
from dataplane.config.errorfiles import ErrorFiles
from dataplane.config.errorsections import FromSection
from dataplane.config.problems import Rejected, Report, shown
from dataplane.config.tableuse import Use
from dataplane.rules.absent import UNANSWERED
from dataplane.rules.acls import added, named_condition, parse_acl, parse_condition
from dataplane.rules.formats import parse_format
from dataplane.rules.model import Flags
from dataplane.rules.phases import Phase
from dataplane.rules.problems import Missing
from dataplane.rules.references import References
from dataplane.rules.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from dataplane.config.draft import ProxyDraft
    from dataplane.config.errorfiles import ReadFile
    from dataplane.config.reader import Line
    from dataplane.rules.model import Condition, Entry, Format

FINISHED: Final = frozenset((
    'bc.timer.connect', 'bytes_in', 'bytes_out', 'fc.timer.handshake', 'fc.timer.total', 'req.bytes_in', 'req.timer.hdr', 'req.timer.idle',
    'req.timer.queue', 'req.timer.tq', 'res.bytes_out', 'res.timer.data', 'res.timer.hdr', 'txn.sess_term_state', 'txn.timer.total',
    'txn.timer.user',
))  # fmt: skip
"""Fetches that are answered for the log line only, when the exchange has ended."""

_TOLD: Final = frozenset(('fc.timer.handshake', 'req.timer.hdr', 'req.timer.idle', 'req.timer.tq'))
_TOLD_WITH_ANSWERS: Final = _TOLD | {'bc.timer.connect', 'req.timer.queue', 'res.timer.hdr'}
"""Those of them that rules for requests, and for answers, can be told already."""

MOST: Final = 64 << 20
"""Bytes of one file of patterns."""


class Ruling:
    """One per configuration. `files`: the entries of all files of patterns that were named so far; `uses`: of stick tables;
    `userlists`: lists that were named, and where; `where`: the line that is read.
    """

    def __init__(
        self, report: Report, env: Mapping[str, str], read_file: ReadFile, bufsize: Callable[[], int],
        where: Callable[[], str],
    ) -> None:  # fmt: skip
        self.files: dict[str, tuple[Entry, ...]] = {}
        self.uses: list[Use] = []
        self.references = References(where)
        self.userlists: list[tuple[str, tuple[str, ...], str, int]] = []
        self._report = report
        self._env = env
        self._read_file = read_file
        self._bufsize = bufsize
        self.error_files = ErrorFiles(read_file, bufsize)
        self.sections: list[FromSection] = []

    def scope(self, phase: Phase, proxy: ProxyDraft) -> Scope:
        """The place of an expression in a proxy's section."""
        return Scope(
            phase=phase, env=self._env, acls=proxy.acls, read=self._patterns, files=self.files,
            without=UNANSWERED if phase is Phase.LOG else UNANSWERED | FINISHED - _told(phase),
            proxy='' if proxy.kind == 'defaults' else proxy.name, named=named_condition,
            references=self.references,
        )  # fmt: skip

    def warn(self, line: Line, scope: Scope) -> None:
        """Hand on what the parsers of `scope` found to look at."""
        for text in scope.warnings:
            self._report.warning(line.file, line.number, text)
        scope.warnings.clear()
        self.uses += (Use(line.file, line.number, table, 'an expression') for table in scope.tables)
        self.uses += (Use(line.file, line.number, table, what, key) for table, what, key in scope.keyed)
        scope.tables.clear()
        scope.keyed.clear()
        self.userlists += [(name, groups, line.file, line.number) for name, groups in scope.userlists]
        scope.userlists.clear()
        self.sections += [
            FromSection(name, (status,), what, line.file, line.number) for name, status, what in scope.sections
        ]
        scope.sections.clear()

    def condition(self, words: Sequence[str], scope: Scope) -> Condition | None:
        """What ends a line: nothing, or `if` or `unless` and a condition. Raises Rejected."""
        return parse_condition(words, scope.acls, scope) if words else None

    def acl(self, line: Line, proxy: ProxyDraft) -> None:
        """A line `acl NAME ...`: wherever it is used, so nothing is said about where its fetches can be used."""
        scope = self.scope(Phase.REQUEST if proxy.side is Side.FRONTEND else Phase.BACKEND_REQUEST, proxy)
        try:
            added(proxy.acls, parse_acl(line.words[1:], scope))
        except Rejected as problem:
            msg = f"error detected while parsing ACL '{shown(line.word(1))}' : {problem}."
            raise Rejected(msg) from None
        self.warn(line, scope)

    def content(self, path: str) -> bytes:
        """A file that is sent as it is. Raises Rejected."""
        most = self._bufsize()
        data = self._read(path, most)
        if len(data) > most:
            msg = f"file '{shown(path)}' exceeds the buffer size ({most} bytes)"
            raise Rejected(msg)
        return data

    def _patterns(self, path: str) -> str:
        data = self._read(path, MOST)
        if len(data) > MOST:
            msg = f'pattern file <{shown(path)}> is larger than {MOST} bytes'
            raise Rejected(msg)
        return data.decode('utf-8', 'surrogateescape')

    def _read(self, path: str, most: int) -> bytes:
        try:
            return self._read_file(path, most + 1)
        except OSError as problem:
            msg = f"failed to open file '{shown(path)}' ({problem.strerror or problem})"
            raise Missing(msg) from None


def _told(phase: Phase) -> frozenset[str]:
    return _TOLD_WITH_ANSWERS if phase in (Phase.RESPONSE, Phase.RESPONSE_CONTENT) else _TOLD


def header_format(text: str, scope: Scope) -> Format:
    """A log-format string whose value becomes part of a message's head, so that expressions in it cannot end a line."""
    return parse_format(text, scope, base=Flags.ENCODED)
