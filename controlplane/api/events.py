"""The log as server-sent events, for people and scripts; data planes have their own link.

`id` is the version. A client that names one (`?after=`, or Last-Event-ID when it comes back) gets everything after it; when
that is no longer kept it gets one `reset` first. A slow reader costs a position in the log, not a queue.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query
from starlette.responses import Response, StreamingResponse

from controlplane.api.services import Services, services
from controlplane.domain.log import Entry
from controlplane.domain.refusals import Invalid
from controlplane.domain.version import Version
from dataplane.wire.state import canonical

router = APIRouter(prefix='/v1/events', tags=['events'])
HEARTBEAT_S = 15.0


@router.get('')
async def stream_events(
    all_: Annotated[Services, Depends(services)],
    after: Annotated[str | None, Query(description='version (term.seq) after which to begin; default: now')] = None,
    last_event_id: Annotated[str | None, Header()] = None,
) -> Response:
    """Every change, in order, as it becomes durable."""
    asked = last_event_id or after
    try:
        position = all_.sequencer.log.head if asked is None else Version.from_text(asked)
    except ValueError as error:
        raise Invalid([f'after: {error}']) from None
    headers = {'Cache-Control': 'no-store', 'X-Accel-Buffering': 'no'}
    return StreamingResponse(_stream(all_, position), media_type='text/event-stream', headers=headers)


async def _stream(all_: Services, position: Version) -> AsyncIterator[str]:
    log, changed = all_.sequencer.log, asyncio.Event()

    def heard(*, urgent: bool) -> None:
        changed.set()

    unsubscribe = all_.sequencer.subscribe(heard)
    stopping = asyncio.ensure_future(all_.stopping.wait())
    stopping.add_done_callback(lambda _: changed.set())
    try:
        yield ': sluice events\n\n'
        while not all_.stopping.is_set():
            changed.clear()
            if not log.covers(position):
                position = log.head
                yield f'id: {position}\nevent: reset\ndata: {canonical({"version": str(position)})}\n\n'
            # a copy: the log may move on while the client reads
            for entry in list(log.after(position)):
                yield _text(entry)
                position = entry.version
            try:
                async with asyncio.timeout(HEARTBEAT_S):
                    await changed.wait()
            except TimeoutError:
                yield ': still here\n\n'
    finally:
        unsubscribe()
        stopping.cancel()


def _text(entry: Entry) -> str:
    document = {
        'version': str(entry.version),
        'ts': entry.ts,
        'actor': entry.actor,
        'verb': entry.verb,
        'changes': list(entry.changes),
    }
    return f'id: {entry.version}\nevent: change\ndata: {canonical(document)}\n\n'
