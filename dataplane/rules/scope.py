"""Rules: what a parser must know about the place where an expression stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dataplane.rules.phases import Phase
from dataplane.rules.problems import Missing

if TYPE_CHECKING:
    from dataplane.rules.model import Acl, Condition, Entry, Expression
    from dataplane.rules.references import References


def no_files(name: str) -> str:
    """For places where nothing can be read: every file is refused."""
    msg = f'failed to open pattern file <{name}>'
    raise Missing(msg)


@dataclass(slots=True)
class Scope:
    """Where an expression stands. One per place; what parsers find is added to `files` and `warnings`.

    `phase`: when it is evaluated. `env`: what `env()` sees. `acls`: what the `acl` fetch and conditions may name, by name.
    `read`: the text of a pattern file, or Rejected. `files`: entries of the pattern files read so far, by name; share one
    mapping between all scopes of a configuration, and put it into the snapshot for `stores.Store`.
    `references`: where it is noted who uses which patterns, None where nobody will change them.
    `without`: fetches that nothing can answer there, though they are known.
    `named`: the condition that all of these ACLs hold, None where the fetch `acl` cannot name any.
    `proxy`: whose table is meant where none is named. `tables`: the tables that were named;
    `keyed`: those whose keys an action makes: table, action and what is to be a key.
    `userlists`: the lists of users that expressions name, each with groups of it, which may follow in the file.
    `sections`: sections of pages that replies name, likewise, each with a status and the words of its rule.
    `warnings`: what the user should look at, in HAProxy's words, without file and line.
    """

    phase: Phase = Phase.REQUEST
    env: Mapping[str, str] = field(default_factory=dict)
    acls: dict[str, Acl] = field(default_factory=dict)
    read: Callable[[str], str] = no_files
    files: dict[str, tuple[Entry, ...]] = field(default_factory=dict)
    references: References | None = None
    without: frozenset[str] = frozenset()
    proxy: str = ''
    named: Callable[[Sequence[str], Scope], Condition] | None = None
    tables: list[str] = field(default_factory=list)
    keyed: list[tuple[str, str, Expression]] = field(default_factory=list)
    userlists: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    sections: list[tuple[str, int, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
