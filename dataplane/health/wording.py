"""What a check says where its lines have format strings, and the variables that they may use (configuration manual 4.2).

A format is made ready when it is needed, which takes some 20 us: only checks that have one pay for it. Variables of `check` and
`sess` live as long as one check; those of `proc` are everybody's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

from dataplane.rules.assigning import assigning
from dataplane.rules.blank import Blank
from dataplane.rules.closures import compiled_format
from dataplane.rules.model import Format
from dataplane.rules.patience import endless
from dataplane.rules.stores import Store

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dataplane.core.checks import Assign, Send
    from dataplane.rules.patience import Patience
    from dataplane.rules.samples import Sample

_LINE_ENDS: Final = str.maketrans('\r\n\0', '   ')


class Shared(Protocol):
    """What all checks have in common: the variables of `proc`, and who watches over searches with regular expressions."""

    @property
    def patience(self) -> Patience:
        """Does a search, or gives it up where it takes too long."""

    def variable(self, name: str) -> Sample | None:
        """A value, None where there is none."""

    def set_variable(self, name: str, value: Sample | None) -> None:
        """Give it a value, or (None) take it away."""


class CheckView(Blank):
    """What expressions may ask of a check (`dataplane.rules.view`): `facts` of its server, the moment it began, and chance.

    There is no message and no client. Which fetches may stand in a check's lines is `config.checksteps`' to say.
    """

    def __init__(
        self, facts: Mapping[str, Sample], shared: Shared, now_us: int, draw: Callable[[int], int]
    ) -> None:  # fmt: skip
        """`draw(n)` gives n random bits."""
        self.now_us = now_us
        self._facts = facts
        self._shared = shared
        self._draw = draw
        self._variables: dict[tuple[str, str], Sample] = {}

    def random(self) -> int:
        """32 random bits."""
        return self._draw(32)

    def variable(self, scope: str, name: str) -> Sample | None:
        """A variable of the check, or of the process."""
        return self._shared.variable(name) if scope == 'proc' else self._variables.get((scope, name))

    def set_variable(self, scope: str, name: str, value: Sample | None) -> None:
        """Give a variable a value, or take it away."""
        if scope == 'proc':
            self._shared.set_variable(name, value)
        elif value is None:
            self._variables.pop((scope, name), None)
        else:
            self._variables[scope, name] = value

    def fact(self, name: str) -> Sample | None:
        """What is known of the server and its backend."""
        return self._facts.get(name)


class Wording:
    """One per check. `look` makes its view, which most checks never need; `patience` watches over its searches."""

    def __init__(self, look: Callable[[], CheckView], patience: Patience = endless) -> None:
        self.patience = patience
        self._look = look
        self._view: CheckView | None = None

    @property
    def _seen(self) -> CheckView:
        if self._view is None:
            self._view = self._look()
        return self._view

    def obey(self, step: Assign) -> None:
        """Set a variable, or take it away."""
        assigning(step.action, Store(patience=self.patience))(self._seen)

    def text(self, said: str | Format) -> str:
        """A text of a request; what would end its line is a blank."""
        if isinstance(said, str):
            return said
        return self.body(said).translate(_LINE_ENDS)

    def body(self, said: str | Format) -> str:
        """A text that may have any characters."""
        return said if isinstance(said, str) else self._bytes(said).decode('utf-8', 'surrogateescape')

    def data(self, step: Send) -> bytes | None:
        """What a step sends; None where it should be digits, and is not."""
        said = step.data if isinstance(step.data, bytes) else self._bytes(step.data)
        if not step.hexadecimal:
            return said
        try:
            return bytes.fromhex(said.decode('ascii'))
        except ValueError:
            return None

    def _bytes(self, said: Format) -> bytes:
        return compiled_format(said, Store(patience=self.patience))(self._seen)
