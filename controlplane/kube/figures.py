"""What a replica says of itself in Prometheus' text format: whether it leads, and what it has written to Kubernetes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from controlplane.domain.version import Version
from controlplane.kube.bootstrap import Snapshot
from controlplane.kube.lease import Record
from controlplane.kube.source import Flushes, Source

_NAMED: Final = 100  # backends named at a time; the gauges beside count all of them


@dataclass(frozen=True, slots=True)
class Told:
    """How often a status or an event was written, and how often that failed, by plural; over all reigns of the process."""

    written: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """`lease_term`: of the Lease as last read. `behind`: changes in force that the snapshot does not have yet.

    What is said of backends (`held`: of how many a removal waits for its confirmation, `panics`: those that use terminating
    servers as no other is left) only the leader knows for all; a follower says none.
    """

    leads: bool
    lease_term: int
    reigns: int
    snapshots: int
    snapshots_failed: int
    behind: int
    told: Told
    held: int
    panics: Sequence[str]
    flushes: Flushes = field(default_factory=Flushes)


def seen(
    head: Version | None, record: Record | None, snapshot: Snapshot, source: Source, told: Told, reigns: int
) -> Standing:
    """Of a replica, at this moment. `head`: of the log of who leads, None: it does not."""
    kept, built = snapshot.version, {} if head is None else source.translation().built
    newest = kept if head is None else head
    return Standing(
        leads=head is not None,
        lease_term=0 if record is None else record.term,
        reigns=reigns,
        snapshots=snapshot.written,
        snapshots_failed=snapshot.failed,
        behind=newest.seq - (kept.seq if newest.term == kept.term else 0),
        told=told,
        held=0 if head is None else len(source.held),
        panics=[name for name, backend in built.items() if backend.panic],
        flushes=source.flushes,
    )


def standing(of: Standing) -> Iterator[str]:
    """One metric after the other."""
    yield from _one('leader', 'gauge', '1 on the replica that leads.', int(of.leads))
    yield from _one('lease_term', 'gauge', 'Term of the Lease as this replica last read it.', of.lease_term)
    yield from _one('reigns_total', 'counter', 'How often this replica has begun to lead.', of.reigns)
    yield from _one('snapshot_written_total', 'counter', 'Snapshots that were kept.', of.snapshots)
    yield from _one('snapshot_failed_total', 'counter', 'Snapshots that could not be kept.', of.snapshots_failed)
    yield from _one('snapshot_behind', 'gauge', 'Changes in force that are not in the snapshot yet.', of.behind)
    flushes = of.flushes
    yield from _one('flushes_total', 'counter', 'How often changes of objects were passed on.', flushes.number)
    text = 'For how long changes were gathered before they were passed on, from the first one of each time.'
    yield from _one('flush_gathered_seconds_total', 'counter', text, flushes.gathered_ms / 1e3)
    text = 'How long passing them on took: translated, compared, in force in the control plane.'
    yield from _one('flush_seconds_total', 'counter', text, flushes.took_ms / 1e3)
    for name, text, counted in (
        ('written', 'Statuses and events that were written.', of.told.written),
        ('failed', 'Statuses and events that could not be written.', of.told.failed),
    ):
        yield from _head(f'status_{name}_total', 'counter', text)
        for plural, number in sorted(counted.items()):
            yield f'sluice_controlplane_status_{name}_total{{resource="{plural}"}} {number}'
    yield from _one('removals_held', 'gauge', 'Backends of which a removal waits until a list confirms it.', of.held)
    text = 'Backends that use terminating servers, as no other is left.'
    yield from _one('panicking_backends', 'gauge', text, len(of.panics))
    yield from _head('backend_panic', 'gauge', '1 for each of these backends.')
    # names of backends are of letters, digits, dots and dashes: nothing to escape
    yield from (
        f'sluice_controlplane_backend_panic{{backend="{name}"}} 1' for name in islice(sorted(of.panics), _NAMED)
    )


def _one(name: str, kind: str, text: str, value: float) -> Iterator[str]:
    yield from _head(name, kind, text)
    yield f'sluice_controlplane_{name} {value}'


def _head(name: str, kind: str, text: str) -> Iterator[str]:
    yield f'# HELP sluice_controlplane_{name} {text}'
    yield f'# TYPE sluice_controlplane_{name} {kind}'
