"""Tables on their way to a worker: parts of bounded size, so that unpacking them never holds a worker's loop up for long."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from dataplane.core.tables import Tables
from dataplane.rules.model import Reference
from dataplane.wire.framing import pack

PART: Final = 100
"""Servers in one part; unpickling that many takes about a millisecond."""
ENTRIES: Final = 1_000
"""Likewise of a file of patterns."""


def bundle(tables: Tables) -> int:
    """Pack tables into a memfd, which the caller closes. The last part is the whole; the others make it cheap to read."""
    return pack(parts(tables))


def parts(tables: Tables) -> Iterator[object]:
    """What is packed, one after the other."""
    yield from entries_of(tables.snapshot.references)
    servers = iter(tables.servers.values())
    while some := tuple(islice(servers, PART)):
        yield some
    yield tables


def entries_of(references: Iterable[Reference]) -> Iterator[object]:
    """The entries of files of patterns, some at a time."""
    for reference in references:
        for at in range(0, len(reference.entries), ENTRIES):
            yield reference.entries[at : at + ENTRIES]
