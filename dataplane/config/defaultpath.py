"""config: `default-path` (configuration manual 3.1): where the relative paths of files begin that lines name from there on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dataplane.config.problems import Rejected, shown

if TYPE_CHECKING:
    from dataplane.config.errorfiles import ReadFile
    from dataplane.config.reader import Line, Scope

_POLICIES: Final = ('current', 'config', 'parent', 'origin')


class DefaultPath:
    """The policy in force: `current` until a line says something else. It goes on over the files of the command line."""

    def __init__(self, scope: Scope, read_file: ReadFile) -> None:
        self._scope, self._read_file = scope, read_file
        self._policy, self._origin = 'current', ''

    def parse(self, line: Line) -> None:
        """A line `default-path`. Raises Rejected."""
        policy = line.word(1)
        if policy not in _POLICIES:
            msg = f"'default-path' only supports {', '.join(map(repr, _POLICIES))} (got '{shown(policy)}')."
            raise Rejected(msg)
        line.at_most(2 if policy == 'origin' else 1)
        if policy == 'origin' and not line.word(2):
            msg = "'default-path origin' expects a directory."
            raise Rejected(msg)
        self._policy, self._origin = policy, line.word(2)

    def read_file(self, path: str, size: int) -> bytes:
        """`ReadFile` of the files that lines name."""
        return self._read_file(self.located(path), size)

    def located(self, path: str) -> str:
        """Where a file is that the line being read calls `path`."""
        if path.startswith('/') or self._policy == 'current':
            return path
        return '/'.join(part for part in (self._directory(), path) if part)

    def _directory(self) -> str:
        if self._policy == 'origin':
            return self._origin.rstrip('/') or '/.'
        directory, slash, _ = self._scope.file.rpartition('/')
        if self._policy == 'config':
            return directory if directory or not slash else '/.'
        return f'{directory}/..' if slash else '..'
