"""Rules: what is known about a fetch or a converter: its types, its arguments, and how its closure is made.

A table of these is the only place that says whether a name is known; parsers check by it, `closures` compiles by it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dataplane.rules.model import Argument
from dataplane.rules.phases import Use
from dataplane.rules.samples import Sample, Type

if TYPE_CHECKING:
    from dataplane.rules.scope import Scope
    from dataplane.rules.stores import Store
    from dataplane.rules.view import View

Getter = Callable[['View'], 'Sample | None']
"""A fetch ready for use."""
Every = Callable[['View'], Iterable[Sample]]
"""All values of a fetch that has several, in the order ACLs try them."""
Step = Callable[[Any, 'View'], 'Sample | None']
"""A converter ready for use: given a sample of the type it takes, and the view for variables."""
Arguments = tuple[Argument, ...]
Check = Callable[[Arguments, 'Scope'], Arguments]
"""Looks at arguments beyond their types, and may make others of them. Raises Rejected."""


@dataclass(frozen=True, slots=True)
class Fetch:
    """A fetch: `gives` a type, from `use`, with `arguments` of types in words (`?`: optional).

    `every` makes the closure for ACLs, where any of several values may match. `stored` makes it where the store is needed, and
    `groups` what a group's name is compared with (`Match.AUTH`).
    """

    gives: Type
    use: Use
    build: Callable[[Arguments], Getter]
    arguments: str = ''
    check: Check | None = None
    every: Callable[[Arguments], Every | None] | None = None
    stored: Callable[[Arguments, Store], Getter] | None = None
    groups: Callable[[Arguments, Store], Every] | None = None


@dataclass(frozen=True, slots=True)
class Converter:
    """A converter: `takes` and `gives` types. `gives` ANY where `takes` is ANY too: what goes in comes out."""

    takes: Type
    gives: Type
    build: Callable[[Arguments, Store], Step]
    arguments: str = ''
    check: Check | None = None


def simple(gives: Type, use: Use, getter: Getter) -> Fetch:
    """A fetch without arguments."""
    return Fetch(gives, use, lambda _: getter)


def plain(takes: Type, gives: Type, function: Callable[[Any], Sample | None]) -> Converter:
    """A converter without arguments, that looks at nothing but the sample."""
    return Converter(takes, gives, lambda *_: lambda sample, _view: function(sample))
