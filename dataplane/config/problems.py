"""config: what is wrong with a configuration, gathered so that all of it can be said at once.

Handlers of single keywords raise `Rejected`; whoever walks over the lines knows file and line and notes a `Problem`.
Texts follow HAProxy's, so that whoever knows its messages knows these.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from dataplane.rules.problems import Rejected, did_you_mean, shown

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ['MAX_PROBLEMS', 'ConfigErrors', 'Problem', 'Rejected', 'Report', 'did_you_mean', 'shown']

MAX_PROBLEMS: Final = 1000


@dataclass(frozen=True, slots=True)
class Problem:
    """One error or warning. `line` counts from 1; 0 where the whole file is meant. `str()` is HAProxy's wording."""

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        where = f'{self.file}:{self.line}' if self.line else self.file
        return f'config : parsing [{where}] : {self.text}'


class ConfigErrors(Exception):
    """The configuration cannot be used. `errors` holds every reason found, `warnings` what was found besides."""

    def __init__(self, errors: Iterable[Problem], warnings: Iterable[Problem] = ()) -> None:
        self.errors = tuple(errors)
        self.warnings = tuple(warnings)
        super().__init__('\n'.join(str(problem) for problem in self.errors))


@dataclass(slots=True)
class Report:
    """Collects problems, at most `MAX_PROBLEMS` of a kind: a file that is no configuration at all stays bounded."""

    errors: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    notices: list[Problem] = field(default_factory=list)
    diags: list[Problem] = field(default_factory=list)

    @property
    def full(self) -> bool:
        """Are there so many errors that looking for more is no use to anyone?"""
        return len(self.errors) >= MAX_PROBLEMS

    def error(self, file: str, line: int, text: str) -> None:
        """Note a reason to refuse the configuration."""
        if len(self.errors) == MAX_PROBLEMS - 1:
            text = f'too many errors ({MAX_PROBLEMS}), the following ones are not shown'
        self._add(self.errors, Problem(file, line, text))

    def warning(self, file: str, line: int, text: str) -> None:
        """Note something accepted which the user should look at."""
        self._add(self.warnings, Problem(file, line, text))

    def notice(self, file: str, line: int, text: str) -> None:
        """Note the text of a `.notice` line."""
        self._add(self.notices, Problem(file, line, text))

    def diag(self, file: str, line: int, text: str) -> None:
        """Note the text of a `.diag` line, shown in diagnostic mode only."""
        self._add(self.diags, Problem(file, line, text))

    @staticmethod
    def _add(problems: list[Problem], problem: Problem) -> None:
        if len(problems) < MAX_PROBLEMS:
            problems.append(problem)
