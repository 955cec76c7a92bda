"""config: where a stick table was named, for when it is known which ones there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataplane.rules.model import Expression


@dataclass(frozen=True, slots=True)
class Use:
    """A table named by a line; `key`: what is to be a key of it; `what` is how the error calls the line."""

    file: str
    line: int
    table: str
    what: str
    key: Expression | None = None
