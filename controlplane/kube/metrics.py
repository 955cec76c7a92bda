"""The informers' figures in Prometheus' text format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from controlplane.kube.informer import Figures

_COUNTED: Final = {
    'relists': ('reason', 'Lists that were asked for, the first one included.'),
    'events': ('type', 'Events of watches.'),
    'failures': ('why', 'Lists and watches that failed.'),
}


def lines(informers: Iterable[Figures]) -> Iterator[str]:
    """One metric after the other, each with all kinds of objects."""
    known = sorted(informers, key=lambda one: one.resource)
    for attribute, (label, text) in _COUNTED.items():
        yield from _head(f'{attribute}_total', 'counter', text)
        for one in known:
            counted: Mapping[str, int] = getattr(one, attribute)
            for value, number in sorted(counted.items()):
                yield _sample(f'{attribute}_total', number, resource=one.resource, **{label: value})
    yield from _head('watches_total', 'counter', 'Watches that were begun.')
    yield from (_sample('watches_total', one.watches, resource=one.resource) for one in known)
    yield from _head('malformed_total', 'counter', 'Objects that could not be understood and stayed as they were.')
    yield from (_sample('malformed_total', one.malformed, resource=one.resource) for one in known)
    yield from _head('objects', 'gauge', 'Objects that are held.')
    yield from (_sample('objects', one.objects, resource=one.resource) for one in known)
    yield from _head('synced', 'gauge', '1 once everything has been listed.')
    yield from (_sample('synced', int(one.synced), resource=one.resource) for one in known)
    yield from _head('trouble', 'gauge', '1 while nothing is heard, and why.')
    for one in known:
        for ill in sorted({trouble.ill for trouble in one.troubles.values()}):
            yield _sample('trouble', 1, resource=one.resource, why=ill)
    yield from _head('last_event_timestamp_seconds', 'gauge', 'When the last event or bookmark came, since 1970.')
    for one in known:
        if one.last_event is not None:
            yield _sample('last_event_timestamp_seconds', round(one.last_event, 3), resource=one.resource)


def _head(name: str, kind: str, text: str) -> tuple[str, str]:
    name = f'sluice_controlplane_informer_{name}'
    return f'# HELP {name} {text}', f'# TYPE {name} {kind}'


def _sample(name: str, value: float, **labels: str) -> str:
    """Label values are of fixed sets of words, so none needs escaping."""
    listed = ','.join(f'{label}="{text}"' for label, text in labels.items())
    return f'sluice_controlplane_informer_{name}{{{listed}}} {value}'
