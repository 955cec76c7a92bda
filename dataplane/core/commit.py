"""What a revision changes on the board, made outside the lock and copied in during one hold.

`Image` is a run of cells with their new values; all columns marked *commit* in the layout change only this way. `servers`
names few changed servers, to be looked at one by one by the pump; `backends` those whose servers are all to be looked at,
and every backend whose chain of servers changed. The index of a named server is brought up to date inside the hold (~3 us
each); that of a named backend is only spoilt, and made anew by whoever needs it.
"""

from __future__ import annotations

from array import array
from collections.abc import MutableSequence
from dataclasses import dataclass, field

from dataplane.core import index as indexes
from dataplane.core import pump
from dataplane.core.cells import copy
from dataplane.core.layout import Layout


@dataclass(frozen=True, slots=True)
class Image:
    """New values for `len(values)` cells from `start` on."""

    start: int
    values: array[int]


@dataclass(frozen=True, slots=True)
class Commit:
    """One revision: its number, the number of the tables it goes with, and its images.

    `staged`: what lies where nobody looks before the images say so; it is copied in without the lock, beforehand.
    """

    revision: int
    tables: int
    images: tuple[Image, ...] = ()
    servers: tuple[int, ...] = ()
    backends: tuple[int, ...] = field(default=())
    staged: tuple[Image, ...] = ()


def stage(cells: MutableSequence[int], revision: Commit) -> None:
    """What may be done before the hold that makes the revision true."""
    for image in revision.staged:
        copy(cells, image.start, image.values)


def commit(cells: MutableSequence[int], at: Layout, revision: Commit, index: indexes.Index | None = None) -> None:
    """Make a revision true for everybody at once. The caller holds the lock; this hold does not pump."""
    index = index or indexes.Index(at)
    for image in revision.images:
        copy(cells, image.start, image.values)
    cells[at.TABLES] = revision.tables
    for backend in revision.backends:
        indexes.spoil(cells, at, backend)
    for server in revision.servers:
        index.look(cells, server)
        pump.list_server(cells, at, server)
    for backend in revision.backends:
        pump.list_anew(cells, at, backend)
    cells[at.REVISION] = revision.revision
