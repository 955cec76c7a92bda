"""Rules as plain data: what the parsers make of words, what a snapshot holds and what travels to the workers.

Immutable, comparable and pickled like everything in a snapshot. Closures are made of it where it is used
(`closures.compiled` and its neighbours), once per adopted table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, Flag
from typing import NamedTuple, TypeAlias

from dataplane.rules.phases import Phase


@dataclass(frozen=True, slots=True)
class Variable:
    """`proc.`, `sess.`, `txn.`, `req.` or `res.` and a name; `str()` is how it is written."""

    scope: str
    name: str

    def __str__(self) -> str:
        return f'{self.scope}.{self.name}'


@dataclass(frozen=True, slots=True)
class Named:
    """An argument that names something to be looked up when it is used: a backend, frontend, server or pattern file."""

    kind: str
    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Call:
    """A fetch or a converter by its name as it was written, with its arguments (configuration manual 7.3)."""

    name: str
    arguments: tuple[Argument, ...] = ()


@dataclass(frozen=True, slots=True)
class Expression:
    """A fetch and the converters its value goes through, in order."""

    fetch: Call
    converters: tuple[Call, ...] = ()


class Match(Enum):
    """How a sample is compared with patterns (`-m`)."""

    FOUND = 'found'
    BOOL = 'bool'
    INT = 'int'
    IP = 'ip'
    BIN = 'bin'
    LEN = 'len'
    STR = 'str'
    BEG = 'beg'
    SUB = 'sub'
    DIR = 'dir'
    DOM = 'dom'
    END = 'end'
    REG = 'reg'
    METH = 'meth'
    AUTH = 'auth'
    """Not written by anyone: is the user in a group of that name (`http_auth_group`)?"""


@dataclass(frozen=True, slots=True)
class Pattern:
    """One value of an ACL's line in text; `fold`: regardless of case (`-i`).

    Of integers and lengths it is the range an operator and a number mean (`5:`, `:4`, `3:7`, `5`).
    """

    text: str
    fold: bool = False


@dataclass(frozen=True, slots=True)
class PatternFile:
    """A file of patterns, by its name in the store; `pairs`: of the first column of a map (`-M`)."""

    name: str
    fold: bool = False
    pairs: bool = False


@dataclass(frozen=True, slots=True)
class Test:
    """One line of an ACL: does the expression's value match one of the patterns, written or from files?

    `identity` is what `-u` gives, 0 where the CLI numbers it. `reference`: which of the configuration's references holds the
    patterns that are written, counted from 1; 0: none does, and they stay what they are.
    """

    expression: Expression
    match: Match
    patterns: tuple[Pattern, ...] = ()
    files: tuple[PatternFile, ...] = ()
    identity: int = 0
    reference: int = 0

    __test__ = False
    """For pytest: not a class of tests."""


@dataclass(frozen=True, slots=True)
class Acl:
    """A named ACL with all its lines - one of which has to hold - or an anonymous one (name '') with its only line."""

    name: str
    tests: tuple[Test, ...]


Argument: TypeAlias = 'int | str | Variable | Named | Acl | Condition | Callable[..., bool] | None'
"""One argument of a fetch or converter, already of the type it wants; None where an optional one is left out. An ACL is a function when it
is used.
"""


@dataclass(frozen=True, slots=True)
class Term:
    """One ACL in a condition; `negated` where a `!` stands before it."""

    acl: Acl
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Condition:
    """`if` or (`unless`) its opposite: one of `groups` holds, that is all terms of it. `phase` is where the rule stands.

    `if FALSE` has one group with one term; no rule has a condition without a term.
    """

    groups: tuple[tuple[Term, ...], ...]
    unless: bool = False
    phase: Phase = Phase.REQUEST


class Flags(Flag):
    """What `%{...}` asks for: quotes, escaped quotes, hexadecimal numbers, `-` for what is not there."""

    NONE = 0
    QUOTED = 1
    ESCAPED = 2
    HEXADECIMAL = 4
    MANDATORY = 8
    ENCODED = 16
    """Not written by anyone: expressions in a place that is a URI are encoded as one."""


@dataclass(frozen=True, slots=True)
class Alias:
    """A `%name` of the log's own (configuration manual 8.2.6)."""

    name: str
    flags: Flags = Flags.NONE


@dataclass(frozen=True, slots=True)
class Computed:
    """A `%[expression]`."""

    expression: Expression
    flags: Flags = Flags.NONE


@dataclass(frozen=True, slots=True)
class Format:
    """A log-format string in its parts; text is what it stands for in bytes, `%%` already one."""

    parts: tuple[bytes | Alias | Computed, ...] = ()
    merge: bool = False
    """Do blanks between parts of which one is empty become one, as in log lines?"""


@dataclass(frozen=True, slots=True)
class User:
    """A user of a list. `password` None: cannot log in; a hash of crypt(3), or (`insecure`) the password itself."""

    name: str
    password: str | None = None
    insecure: bool = False
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UserList:
    """A `userlist` section; every user knows its groups, whichever line has said so."""

    name: str
    users: tuple[User, ...] = ()


class Entry(NamedTuple):
    """One line of a pattern file: a pattern and, in a map, its value. `line` is where it stands, 0 where the CLI added it.

    A tuple, since there may be a million of them: one is unpickled in a fifth of the time that a dataclass takes.
    """

    pattern: str
    value: str | None = None
    line: int = 0


@dataclass(frozen=True, slots=True)
class Use:
    """How somebody looks into a set of patterns: an ACL (`gives` empty; `fold`: regardless of case) or a map.

    `gives`: what a map makes of an entry's value, `str`, `int` or `ip`; `key` gives the pattern, `regm` puts groups in.
    """

    match: Match
    fold: bool = False
    gives: str = ''


@dataclass(frozen=True, slots=True)
class Reference:
    """A set of patterns as the CLI knows it: a file by its name, or what stands in the line of an ACL (name empty).

    `identity` is what stands behind a `#`; `shown` says where it is used; `entries` are those it begins with.
    """

    name: str
    identity: int
    shown: str
    maps: bool
    acls: bool
    uses: tuple[Use, ...] = ()
    entries: tuple[Entry, ...] = ()

    @property
    def key(self) -> str:
        """What a store has it under. No file's name has a NUL in it."""
        return self.name or f'\0{self.identity}'

    @property
    def pairs(self) -> bool:
        """Have its entries values?"""
        return self.maps or any(entry.value is not None for entry in self.entries[:1])
