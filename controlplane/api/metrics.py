"""The control plane's own figures, in Prometheus' text format (the data planes have theirs)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import PlainTextResponse, Response

from controlplane.api.services import Services, services

router = APIRouter(tags=['health'])

_PUSHED = {
    'batches': 'Batches of changes that were closed for the data planes.',
    'encodings': 'Parcels that were encoded: one per way from one state to another, however many data planes take it.',
    'parcels': 'Parcels sent, over all data planes.',
    'frames': 'Frames of these parcels.',
    'acks': 'Parcels that were acknowledged.',
}


@router.get('/metrics')
async def metrics(all_: Annotated[Services, Depends(services)]) -> Response:
    """Counters and gauges."""
    return PlainTextResponse('\n'.join(_lines(all_)) + '\n', media_type='text/plain; version=0.0.4')


def _lines(all_: Services) -> Iterator[str]:
    sequencer, pushed = all_.sequencer, all_.pushed()
    for name, text in _PUSHED.items():
        yield from _figure(f'push_{name}_total', 'counter', text, pushed[name])
    text = 'How long they took from their sending until all workers had applied them, summed.'
    yield from _figure('push_ack_seconds_total', 'counter', text, pushed['acked_ms'] / 1e3)
    planes = sequencer.convergence.planes.values()
    yield from _figure('term', 'gauge', 'Term of the head of the log.', sequencer.log.head.term)
    yield from _figure('seq', 'gauge', 'Seq of the head of the log.', sequencer.log.head.seq)
    yield from _figure('dataplanes_known', 'gauge', 'Data planes that are waited for.', len(planes))
    connected = sum(plane.connected for plane in planes)
    yield from _figure('dataplanes_connected', 'gauge', 'Data planes that are connected.', connected)
    yield from all_.further()


def _figure(name: str, kind: str, text: str, value: float) -> tuple[str, str, str]:
    name = f'sluice_controlplane_{name}'
    return f'# HELP {name} {text}', f'# TYPE {name} {kind}', f'{name} {value}'
