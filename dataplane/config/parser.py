"""config: lines -> drafts. Knows sections, which defaults a proxy inherits, and what a keyword's table entry means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dataplane.config.address import LookUp, no_names
from dataplane.config.defaultpath import DefaultPath
from dataplane.config.draft import SIDES, GlobalDraft, ProxyDraft
from dataplane.config.errorsections import ErrorSections
from dataplane.config.general import GlobalSection
from dataplane.config.inheritance import hindrance
from dataplane.config.keywords import GLOBAL, PROXY, SECTIONS, Status
from dataplane.config.naming import check_name
from dataplane.config.problems import Rejected, Report, did_you_mean, shown
from dataplane.config.proxysection import ProxySection, keyword_of, unknown_keyword
from dataplane.config.reader import Modifier, Scope, read
from dataplane.config.resolvers import ResolversSections
from dataplane.config.rings import Rings
from dataplane.config.ruling import Ruling
from dataplane.config.userlists import UserLists, any_hash
from dataplane.core.rings import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dataplane.config.errorfiles import ReadFile
    from dataplane.config.keywords import Keyword
    from dataplane.config.reader import Line
    from dataplane.config.userlists import KnownHash

_NEGATABLE: Final = (
    'log', 'option', 'busy-polling', 'set-dumpable', 'strict-limits', 'insecure-fork-wanted', 'numa-cpu-mapping',
    'no-memory-trimming', 'debug', 'quiet',
)  # fmt: skip


class Parser:
    """Takes whole files in their order. Afterwards `general` and `proxies` hold what they say."""

    def __init__(
        self, env: Mapping[str, str], report: Report, read_file: ReadFile, known_hash: KnownHash = any_hash,
        look_up: LookUp = no_names,
    ) -> None:  # fmt: skip
        self.general = GlobalDraft()
        self.proxies: list[ProxyDraft] = []
        self._report = report
        self._scope = Scope(dict(env))
        default_path = DefaultPath(self._scope, read_file)
        read_file = default_path.read_file
        self._global_section = GlobalSection(self.general, self._scope, report, read_file, look_up, default_path)
        self.ruling = Ruling(
            report, self._scope.env, read_file, lambda: self.general.bufsize,
            lambda: f"file '{self._scope.file}' line {self._scope.line}",
        )  # fmt: skip
        self.error_sections = ErrorSections(self.ruling.error_files, report)
        self._proxy_section = ProxySection(report, self.ruling.error_files, self.ruling, self.proxies, look_up)
        self.userlists = UserLists(report, known_hash)
        self.rings = Rings(report)
        self.resolvers = ResolversSections(read_file, look_up, report)
        self._sections: dict[str, UserLists | ErrorSections | ResolversSections | Rings] = {
            'ring': self.rings,
            'userlist': self.userlists,
            'http-errors': self.error_sections,
            'resolvers': self.resolvers,
        }
        self._defaults = ProxyDraft('defaults', '', '', 0)
        self._named: dict[str, list[ProxyDraft]] = {}
        self._proxy: ProxyDraft | None = None
        self._section = ''
        self._skipping = False

    @property
    def environment(self) -> dict[str, str]:
        """The variables as the last line has left them."""
        return dict(self._scope.env)

    def parse(self, files: Iterable[tuple[str, str]]) -> None:
        """Read every file; errors are noted in the report. A section goes on into no other file."""
        for file, text in files:
            self._begin('', '')
            for line in read(file, text, self._scope, self._report):
                try:
                    self._line(line)
                except Rejected as problem:
                    self._report.error(line.file, line.number, str(problem))

    @property
    def named_defaults(self) -> list[ProxyDraft]:
        """The `defaults` sections that can be named, of each name the last."""
        return [found[-1] for name, found in self._named.items() if name]

    def _begin(self, section: str, name: str, proxy: ProxyDraft | None = None, *, skipping: bool = False) -> None:
        self._section, self._proxy, self._skipping = section, proxy, skipping
        self._scope.section = name or section

    def _line(self, line: Line) -> None:
        word = line.words[0]
        if line.modifier is Modifier.NONE and (word == 'global' or word in SIDES):
            self._open(word, line)
        elif line.modifier is Modifier.NONE and word in self._sections:
            self._begin(word, line.word(1))
            self._sections[word].open(line)
        elif line.modifier is Modifier.NONE and word in SECTIONS and not self._is_keyword(line):
            self._begin(word, line.word(1), skipping=True)
            msg = f"section '{word}' is not supported: {SECTIONS[word]}."
            raise Rejected(msg)
        elif not self._section:
            msg = f"unknown keyword '{shown(word)}' out of section."
            raise Rejected(msg)
        elif not self._skipping:
            self._keyword(line)

    def _is_keyword(self, line: Line) -> bool:
        return self._proxy is not None and line.words[0] in PROXY

    def _open(self, kind: str, line: Line) -> None:
        """Begin a section. A header that cannot be used still begins it, so that its lines are looked at."""
        if kind == 'global':
            self._begin('global', '')
            line.at_most(0)
            return
        name, origin, problem = self._header(kind, line)
        inherited = self._inherited(kind, name, origin, line)
        hindered = hindrance(kind, inherited)
        if hindered:
            self._report.error(line.file, line.number, hindered)
        proxy = inherited.heir(kind, name, line.file, line.number)
        self._begin(kind, name, proxy)
        if kind == 'defaults':
            self._defaults = proxy
            self._named.setdefault(name, []).append(proxy)
        elif name:
            self.proxies.append(proxy)
        if problem:
            raise Rejected(problem)

    def _header(self, kind: str, line: Line) -> tuple[str, str, str]:
        """Name, name of the defaults section it asks for, and what is wrong with the line ('' when nothing is)."""
        words = list(line.words[1:])
        origin, problem = '', ''
        name = words.pop(0) if words and not (kind == 'defaults' and words[0] == 'from') else ''
        if words and words[0] == 'from':
            origin = words[1] if len(words) > 1 else ''
            problem = '' if origin else f"'from' expects the name of a defaults section in '{kind}'."
            words = words[2:]
        if words:
            problem = f"'{kind}' cannot handle unexpected argument '{shown(words[0])}'."
        if not name and kind != 'defaults':
            problem = f"'{kind}' expects an <id> argument"
        try:
            if name:
                check_name(name, f"'{kind}'")
        except Rejected as bad:
            problem = str(bad)
        return name, origin, problem

    def _inherited(self, kind: str, name: str, origin: str, line: Line) -> ProxyDraft:
        fresh = ProxyDraft('defaults', '', '', 0)
        if not origin:
            return fresh if kind == 'defaults' else self._defaults
        found = self._named.get(origin, [])
        if not found:
            self._report.error(
                line.file, line.number, f"defaults section '{shown(origin)}' not found for {kind} '{shown(name)}'."
            )
            return fresh
        if len(found) > 1:
            places = ' and '.join(proxy.where for proxy in found[:2])
            text = f"ambiguous defaults section name '{origin}' referenced by {kind} '{shown(name)}'"
            self._report.error(line.file, line.number, f'{text} exists at least at {places}.')
        return found[-1]

    def _keyword(self, line: Line) -> None:
        if line.modifier is not Modifier.NONE and line.words[0] not in _NEGATABLE:
            msg = (
                f"negation/default currently supported only for {', '.join(_NEGATABLE)} (got '{shown(line.words[0])}')."
            )
            raise Rejected(msg)
        if line.modifier is Modifier.DEFAULT and line.words[0] == 'log':
            msg = "'default' is not supported for 'log'."
            raise Rejected(msg)
        if line.words[0] == 'log' and line.word(1).startswith(PREFIX):
            self.rings.mention(line, 'global' if self._proxy is None else f"proxy '{self._proxy.name}'")
        if self._section in self._sections:
            self._sections[self._section].parse(line)
        elif self._proxy is None:
            self._in_global(line)
        else:
            self._in_proxy(line, self._proxy)

    def _in_global(self, line: Line) -> None:
        name = line.words[0]
        known = GLOBAL.get(name)
        if known is None:
            msg = f"unknown keyword '{shown(name)}' in 'global' section{did_you_mean(name, GLOBAL)}"
            raise Rejected(msg)
        if self._counts(known, line):
            self._global_section.handlers[name](line)

    def _in_proxy(self, line: Line, proxy: ProxyDraft) -> None:
        name = keyword_of(line)
        if not name:
            raise Rejected(unknown_keyword(line, self._section))
        if self._counts(PROXY[name], line):
            self._proxy_section.handle(name, line, proxy)

    def _counts(self, known: Keyword, line: Line) -> bool:
        """Is the keyword supported? Warns for one without effect, raises Rejected for one that is refused."""
        if known.status is Status.REFUSED:
            msg = f"'{known.name}' in '{self._section}' section is not supported: {known.note}."
            raise Rejected(msg)
        if known.status is Status.ACCEPTED:
            self._report.warning(
                line.file, line.number, f"'{known.name}' in '{self._section}' section has no effect: {known.note}."
            )
        return known.status is Status.SUPPORTED
