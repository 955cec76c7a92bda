"""config: `http-errors` sections and the lines that use them, `errorfiles NAME [CODE...]` (configuration manual 3.8 and 4.2).

A section may follow the lines that name it, so what a proxy answers with is put together when all files are read: its lines in
order, of which the last one of a status counts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dataplane.config.errorfiles import ErrorFiles, status_of
from dataplane.config.naming import section_name
from dataplane.config.problems import Rejected, did_you_mean, shown
from dataplane.core.answers import ErrorPage, ErrorSection

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dataplane.config.draft import ProxyDraft
    from dataplane.config.problems import Report
    from dataplane.config.reader import Line


@dataclass(frozen=True, slots=True)
class FromSection:
    """A line that takes pages from a section: those of `codes`, or all. `what` names the line."""

    section: str
    codes: tuple[int, ...]
    what: str
    file: str
    line: int


@dataclass(slots=True)
class _Section:
    where: str
    pages: dict[int, ErrorPage] = field(default_factory=dict)


class ErrorSections:
    """Reads all `http-errors` sections."""

    def __init__(self, files: ErrorFiles, report: Report) -> None:
        self._files = files
        self._report = report
        self._sections: dict[str, _Section] = {}
        self._current = _Section('')

    def open(self, line: Line) -> None:
        """A line `http-errors NAME`. Raises Rejected."""
        self._current = _Section(line.where)
        name = section_name(line, 'argument')
        if name in self._sections:
            msg = f"http-errors section '{name}' already declared at {self._sections[name].where}."
            raise Rejected(msg)
        self._sections[name] = self._current

    def parse(self, line: Line) -> None:
        """A line of the section that was opened last. Raises Rejected."""
        word = line.words[0]
        if word != 'errorfile':
            hint = did_you_mean(word, ('errorfile',))
            msg = f"unknown keyword '{shown(word)}' in 'http-errors' section{hint}"
            raise Rejected(msg)
        page = self._files.parse(line)
        self._current.pages[page.status] = page

    def settle(self, proxies: Iterable[ProxyDraft], replies: Iterable[FromSection]) -> None:
        """Put together what each proxy answers with; `replies`: rules that answer from sections, which are only looked at."""
        for proxy in proxies:
            for entry in proxy.error_lines:
                if not isinstance(entry, FromSection):
                    status, page = entry
                    proxy.error_pages.pop(status, None)
                    proxy.error_replies.pop(status, None)
                    if isinstance(page, ErrorPage):
                        proxy.error_pages[status] = page
                    else:
                        proxy.error_replies[status] = page
                    continue
                for page in self._found(entry, f"proxy '{proxy.name}': "):
                    proxy.error_replies.pop(page.status, None)
                    proxy.error_pages[page.status] = page
        for entry in replies:
            self._found(entry, '')

    def _found(self, entry: FromSection, whose: str) -> list[ErrorPage]:
        """The pages a line takes. What is not there is noted."""
        section = self._sections.get(entry.section)
        name = shown(entry.section)
        if section is None:
            text = f"{whose}unable to find the http-errors section '{name}' of {entry.what}."
            self._report.error(entry.file, entry.line, text)
            return []
        missing = [code for code in entry.codes if code not in section.pages]
        for code in missing:
            text = f"{whose}status '{code}' not declared in http-errors section '{name}' of {entry.what}."
            self._report.warning(entry.file, entry.line, text)
        return [page for code, page in section.pages.items() if not entry.codes or code in entry.codes]

    def compiled(self) -> tuple[ErrorSection, ...]:
        """All sections, for rules that answer from them."""
        return tuple(ErrorSection(name=name, pages=tuple(one.pages.values())) for name, one in self._sections.items())


def parse_errorfiles(line: Line, proxy: ProxyDraft) -> None:
    """`errorfiles NAME [CODE...]`. Raises Rejected."""
    if not line.word(1):
        msg = "'errorfiles' expects <name> as argument."
        raise Rejected(msg)
    codes = tuple(status_of(word, "'errorfiles'") for word in line.words[2:])
    proxy.error_lines.append(FromSection(line.word(1), codes, "'errorfiles'", line.file, line.number))
