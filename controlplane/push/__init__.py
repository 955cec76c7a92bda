"""The link to the data planes: one session per WebSocket, dialled by the data plane (docs: the protocol).

What must hold:

1. One parcel is outstanding per data plane; while it is, later changes merge into the next one. So a slow data plane
   costs one parcel and one old state of memory, never a queue, and what it gets next is always the net difference.
2. What a data plane holds is only what it acknowledged with the right hash; anything doubtful is cured by a snapshot.
3. Of two links with one dp_id the newer wins; nothing is taken from the older, or sent over it, once the newer is answered.
   That its peer sees the close is not waited for: the older one is half-open more often than not.
4. A link that is silent for `silence_s`, or owes an answer for `answer_s`, is closed: a half-open one looks like that.

Known limit: an urgent change waits for the outstanding parcel's answer, up to 30 s when that one needs preparing. To
overtake it would break the order that G2 promises.
"""

from __future__ import annotations

from controlplane.push.hub import FULL, NOT_YOURS, Hub
from controlplane.push.session import BAD_FRAME, GOING_AWAY, MAX_TERM, REPLACED, SILENT, Link, PushSettings

__all__ = [
    'BAD_FRAME',
    'FULL',
    'GOING_AWAY',
    'MAX_TERM',
    'NOT_YOURS',
    'REPLACED',
    'SILENT',
    'Hub',
    'Link',
    'PushSettings',
]
