"""A scenario as written in a file: README.md beside this module describes the format. Reading is strict: a word that is not known is an error."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

SUFFIX = '.scn'
_SECTION = re.compile(r'\[(config|global|defaults|options|run|differs|(?:upstream|file) ([a-z][a-z0-9_.]*))\]')
_ESCAPE = re.compile(r'\\(r|n|t|\\|x[0-9a-fA-F]{2})')
_PLAIN = {'r': '\r', 'n': '\n', 't': '\t', '\\': '\\'}
_FILLED = re.compile(r'@(\d+)')
_ON_CONNECT = ('reset', 'close', 'hang')
_STEPS = frozenset(
    ('answer', 'send', 'hold', 'stay', 'hang', 'close', 'reset', 'shut', 'tunnel', 'delay', 'early', 'body')
)


class Wrong(Exception):
    """The file is no scenario; the text says where and why."""


@dataclass(frozen=True)
class Step:
    """One line of `[run]`: its number in the file, first word and the rest."""

    line: int
    who: str
    text: str


@dataclass
class Upstream:
    """What a scripted server does: with each connection, and with the first, second ... request; the last is repeated."""

    refuses: bool = False
    unreachable: bool = False
    on_connect: str = ''
    once: bool = False
    reactions: list[list[tuple[str, str]]] = field(default_factory=list)


@dataclass(frozen=True)
class Difference:
    """Lines of the diff that are intended: `lines` as the diff shows them (a `*` stands for anything), and why."""

    lines: tuple[str, ...]
    reason: str


@dataclass
class Scenario:
    """One file."""

    name: str
    title: str = ''
    config: list[str] = field(default_factory=list)
    globals: list[str] = field(default_factory=list)
    defaults: list[str] = field(default_factory=list)
    workers: int = 1
    seconds: float = 30
    upstreams: dict[str, Upstream] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    differs: list[Difference] = field(default_factory=list)

    @property
    def area(self) -> str:
        """The folder it is in."""
        return self.name.partition('/')[0]


def unescape(text: str) -> bytes:
    r"""Bytes as written in a scenario: \r \n \t \\ \xHH, and `@N` alone for N bytes of a pattern."""
    if match := _FILLED.fullmatch(text):
        return filled(int(match[1]))
    if stray := re.search(r'\\(?!r|n|t|\\|x[0-9a-fA-F]{2})', re.sub(r'\\\\', '', text)):
        raise Wrong(f'unknown escape {stray.string[stray.start() : stray.start() + 2]!r}')
    return _ESCAPE.sub(lambda m: _PLAIN.get(m[1]) or chr(int(m[1][1:], 16)), text).encode('latin-1')


def filled(count: int) -> bytes:
    """`count` bytes that tell if any is missing or in the wrong place."""
    line = b''.join(b'%07d\n' % number for number in range(count // 8 + 1))
    return line[:count]


def load(path: Path, root: Path) -> Scenario:
    """Read a file; Wrong says what is not as it must be."""
    return parse(path.read_text(), str(path.relative_to(root).with_suffix('')))


def parse(text: str, name: str) -> Scenario:
    """As `load`, of the text itself."""
    made = Scenario(name)
    for section, argument, lines in _sections(text, name):
        try:
            _take(made, section, argument, lines)
        except Wrong as wrong:
            raise Wrong(f'{name}: {wrong}') from None
    missing = [what for what in ('title', 'config', 'steps') if not getattr(made, what)]
    if missing:
        raise Wrong(f'{name}: no {", ".join(missing)}')
    return made


Lines = list[tuple[int, str]]


def _sections(text: str, name: str) -> Iterator[tuple[str, str, Lines]]:
    section, argument = 'title', ''
    lines: Lines = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith('['):
            match = _SECTION.fullmatch(line.rstrip())
            if match is None:
                raise Wrong(f'{name}:{number}: unknown section {line}')
            yield section, argument, lines
            section, argument, lines = match[1].split()[0], match[2] or '', []
        else:
            lines.append((number, line))
    yield section, argument, lines


def _take(made: Scenario, section: str, argument: str, lines: Lines) -> None:
    plain = [(number, line.strip()) for number, line in lines if line.strip() and not line.lstrip().startswith('#')]
    if section == 'title':
        made.title = ' '.join(line for _, line in plain)
    elif section in ('config', 'global', 'defaults'):
        into = {'config': made.config, 'global': made.globals, 'defaults': made.defaults}[section]
        into += [line for _, line in lines]
    elif section == 'options':
        _options(made, plain)
    elif section == 'upstream':
        made.upstreams[argument] = _upstream(plain)
    elif section == 'file':
        made.files[argument] = b''.join(unescape(line) for _, line in lines)
    elif section == 'run':
        for number, line in plain:
            who, _, text = line.partition(' ')
            made.steps.append(Step(number, who, text.strip()))
    else:
        made.differs += _differences(plain)


def _options(made: Scenario, lines: Lines) -> None:
    for number, line in lines:
        key, _, value = line.partition(' ')
        if key not in ('workers', 'seconds') or not value.isdigit():
            raise Wrong(f'line {number}: unknown option {line!r}')
        setattr(made, key, int(value))


def _upstream(lines: Lines) -> Upstream:
    made = Upstream()
    for number, line in lines:
        if line == 'refuse':
            made.refuses = True
        elif line == 'unreachable':
            made.unreachable = True
        elif line == 'tell once':
            made.once = True
        elif line.startswith('on connect '):
            made.on_connect = line.removeprefix('on connect ')
            if made.on_connect not in _ON_CONNECT:
                raise Wrong(f'line {number}: on connect {" or ".join(_ON_CONNECT)}')
        else:
            steps = [part.strip().partition(' ')[::2] for part in line.split(' then ')]
            if strange := [verb for verb, _ in steps if verb not in _STEPS]:
                raise Wrong(f'line {number}: an upstream cannot {strange[0]!r}')
            made.reactions.append(steps)
    return made


def _differences(lines: Lines) -> list[Difference]:
    found: list[Difference] = []
    gathered: list[str] = []
    for number, line in lines:
        if line[:2] in ('- ', '+ '):
            gathered.append(line)
        elif line.startswith('because ') and gathered:
            found.append(Difference(tuple(gathered), line.removeprefix('because ')))
            gathered = []
        elif found and not gathered:
            found[-1] = Difference(found[-1].lines, f'{found[-1].reason} {line}')
        else:
            raise Wrong(f'line {number}: "- LINE", "+ LINE" or "because REASON" expected')
    if gathered:
        raise Wrong(f'{gathered[-1]!r} is declared without a reason')
    return found
