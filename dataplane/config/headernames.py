"""config: how names of fields are written, and which are let through (configuration manual 3.2 and 4.2): `h1-case-adjust`,
`h1-case-adjust-file` and `option http-restrict-req-hdr-names`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dataplane.config.errorfiles import whole_file
from dataplane.config.naming import is_token
from dataplane.config.problems import Rejected, shown
from dataplane.config.reader import Modifier
from dataplane.rules.actions import CheckCache, NamePolicy, RestrictNames, Rule

if TYPE_CHECKING:
    from collections.abc import Callable

    from dataplane.config.draft import GlobalDraft, ProxyDraft
    from dataplane.config.errorfiles import ReadFile
    from dataplane.config.reader import Line

_MOST: Final = 1 << 20
_POLICIES: Final = "expects 'preserve', 'reject' or 'delete' option"


class CaseAdjusting:
    """Reads the lines that say how names are to be written; the draft's `case_adjust` maps a name in lower case to that."""

    def __init__(self, draft: GlobalDraft, read: ReadFile) -> None:
        self._draft, self._read = draft, read
        self.handlers: dict[str, Callable[[Line], None]] = {
            'h1-case-adjust': self._line,
            'h1-case-adjust-file': self._file,
        }

    def _line(self, line: Line) -> None:
        if not line.word(1) or not line.word(2):
            raise Rejected("'h1-case-adjust' expects <from> and <to> as argument.")
        line.at_most(2)
        self._add(line.word(1), line.word(2))

    def _file(self, line: Line) -> None:
        path = line.word(1)
        if not path:
            raise Rejected("'h1-case-adjust-file' expects <file> as argument.")
        line.at_most(1)
        raw = whole_file(self._read, path, _MOST, "'h1-case-adjust-file'")
        for number, text in enumerate(raw.decode('utf-8', 'surrogateescape').split('\n'), 1):
            words = text.partition('#')[0].split()
            if not words:
                continue
            try:
                if len(words) != 2:
                    msg = f"expects <from> and <to> (got '{shown(text)}')."
                    raise Rejected(msg)
                self._add(*words)
            except Rejected as problem:
                msg = f"'h1-case-adjust-file' : '{shown(path)}' line {number}: {problem}"
                raise Rejected(msg) from None

    def _add(self, name: str, written: str) -> None:
        if name.lower() != written.lower():
            msg = f"<from> and <to> must not differ except the case (got '{shown(name)}' and '{shown(written)}')."
            raise Rejected(msg)
        if not is_token(name):
            msg = f"'{shown(name)}' is not the name of a field."
            raise Rejected(msg)
        if name.lower() in self._draft.case_adjust:
            msg = f"duplicate entry '{shown(name)}'."
            raise Rejected(msg)
        self._draft.case_adjust[name.lower()] = written


def parse_restrict_names(line: Line, proxy: ProxyDraft) -> None:
    """`option http-restrict-req-hdr-names preserve|delete|reject`. Raises Rejected."""
    what = f"option '{line.word(1)}'"
    if line.modifier is not Modifier.NONE:
        msg = f'negation/default is not supported for {what}.'
        raise Rejected(msg)
    policy = line.word(2)
    if not policy:
        msg = f'missing parameter. {what} {_POLICIES}.'
        raise Rejected(msg)
    if policy not in set(NamePolicy):
        msg = f"invalid parameter '{shown(policy)}'. {what} {_POLICIES}."
        raise Rejected(msg)
    line.at_most(2)
    proxy.header_names = NamePolicy(policy)


def request_guard(proxy: ProxyDraft) -> tuple[Rule, ...]:
    """What a request meets behind the proxy's rules for it."""
    return () if proxy.header_names is None else (Rule(RestrictNames(proxy.header_names)),)


def response_guard(proxy: ProxyDraft) -> tuple[Rule, ...]:
    """What a server's response meets behind all rules for it."""
    return (Rule(CheckCache()),) if proxy.checkcache else ()
