"""config: files -> the lines that count, one by one, with `.if` blocks decided and variables expanded.

Lazy on purpose: `setenv` in a line changes how the following ones are read, so each line is handled before the next one
is cut into words. Lines of a block that is not taken are still cut into words: a quote that is never closed is an error
wherever it stands.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final

from dataplane.config.addressvars import replaced
from dataplane.config.conditions import evaluate
from dataplane.config.lexer import split_words
from dataplane.config.problems import Rejected, Report, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_NESTING: Final = 16


class Modifier(Enum):
    """What stands before the keyword of a line."""

    NONE = ''
    NO = 'no'
    DEFAULT = 'default'


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a section: `words` without the modifier, never empty."""

    file: str
    number: int
    words: tuple[str, ...]
    modifier: Modifier = Modifier.NONE

    @property
    def where(self) -> str:
        """`FILE:LINE`, as it is kept in the snapshot and shown in messages."""
        return f'{self.file}:{self.number}'

    def word(self, index: int) -> str:
        """The word at `index`, '' where the line is shorter."""
        return self.words[index] if index < len(self.words) else ''

    def at_most(self, arguments: int) -> None:
        """Raise Rejected when more than `arguments` words follow the keyword."""
        if len(self.words) > arguments + 1:
            name = ' '.join(self.words[:1])
            msg = f"'{shown(name)}' cannot handle unexpected argument '{shown(self.words[arguments + 1])}'."
            raise Rejected(msg)


class _Block(Enum):
    TAKEN = 'lines count'
    PENDING = 'lines do not count; a later branch may'
    OVER = 'lines do not count, nor do later branches'


@dataclass(slots=True)
class _Nested:
    block: _Block
    line: int
    after_else: bool = False


@dataclass(slots=True)
class Scope:
    """What variables are looked up in while a file is read. `section` is kept up to date by whoever parses sections."""

    env: dict[str, str]
    section: str = ''
    file: str = ''
    line: int = 0
    nested: list[_Nested] = field(default_factory=list)

    def variable(self, name: str) -> str | None:
        """The value of an environment variable or of `.FILE`, `.LINE`, `.SECTION`; None when it is not set."""
        pseudo = {'.FILE': self.file, '.LINE': str(self.line), '.SECTION': self.section}
        return pseudo.get(name) if name.startswith('.') else self.env.get(name)


def read(file: str, text: str, scope: Scope, report: Report) -> Iterator[Line]:
    """Every line of `text` that counts. Errors are noted in `report`; reading goes on after them until it is full."""
    scope.file, scope.nested = file, []
    lines = text.split('\n')
    if lines[-1]:
        report.error(
            file,
            len(lines),
            f'Missing LF on last line, file might have been truncated at position {len(lines[-1]) + 1}.',
        )
    for scope.line, raw in enumerate(lines, 1):
        if report.full:
            return
        try:
            words = split_words(raw, scope.variable)
            if words and words[0].startswith('.'):
                _directive(words, scope, report)
            elif words and all(nested.block is _Block.TAKEN for nested in scope.nested):
                yield _line(file, scope, words)
        except Rejected as problem:
            report.error(file, scope.line, f'{problem}')
    for nested in scope.nested:
        report.error(file, nested.line, "non-terminated '.if' block.")


def _line(file: str, scope: Scope, words: list[str]) -> Line:
    if words[0] in ('no', 'default'):
        if len(words) == 1:
            msg = f"'{words[0]}' expects the keyword it applies to."
            raise Rejected(msg)
        return Line(file, scope.line, tuple(words[1:]), Modifier(words[0]))
    return Line(file, scope.line, replaced(words, scope.env))


def _directive(words: list[str], scope: Scope, report: Report) -> None:
    counts = all(nested.block is _Block.TAKEN for nested in scope.nested)
    name = words[0]
    if name == '.if':
        _if(words, scope, counts=counts)
    elif name in ('.elif', '.else', '.endif'):
        _branch(words, scope)
    elif name in ('.notice', '.warning', '.alert', '.diag'):
        if len(words) > 2:
            text = f"Unexpected argument '{shown(words[2])}' for '{name}'"
            msg = f'{text}. Use quotes if the message should contain spaces.'
            raise Rejected(msg)
        if counts:
            say = {'.notice': report.notice, '.warning': report.warning, '.alert': report.error, '.diag': report.diag}
            say[name](scope.file, scope.line, f"'{''.join(words[1:])}'.")
    elif counts:
        msg = f"unknown directive '{shown(name)}'."
        raise Rejected(msg)


def _if(words: list[str], scope: Scope, *, counts: bool) -> None:
    if len(scope.nested) >= _MAX_NESTING:
        msg = f"too many nested '.if', max is {_MAX_NESTING}"
        raise Rejected(msg)
    scope.nested.append(_Nested(_Block.OVER, scope.line))
    if counts:
        scope.nested[-1].block = _decide(words, scope)


def _decide(words: list[str], scope: Scope) -> _Block:
    try:
        return _Block.TAKEN if evaluate(' '.join(words[1:]), scope.env) else _Block.PENDING
    except Rejected as problem:
        msg = f"{problem} in '{words[0]}'"
        raise Rejected(msg) from None


def _branch(words: list[str], scope: Scope) -> None:
    name = words[0]
    if not scope.nested:
        msg = f"lone '{name}' with no matching '.if'."
        raise Rejected(msg)
    if name != '.elif' and len(words) > 1:
        msg = f"Unexpected argument '{shown(words[1])}' for '{name}'."
        raise Rejected(msg)
    current = scope.nested[-1]
    if name == '.endif':
        scope.nested.pop()
        return
    if current.after_else:
        msg = f"'{name}' after '.else' is not permitted."
        raise Rejected(msg)
    current.after_else = name == '.else'
    if current.block is not _Block.PENDING:
        current.block = _Block.OVER
    elif name == '.else':
        current.block = _Block.TAKEN
    else:
        current.block = _Block.OVER
        current.block = _decide(words, scope)
