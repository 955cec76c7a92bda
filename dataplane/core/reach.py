"""How far what the control plane pushed is to be relied on."""

from __future__ import annotations

from enum import StrEnum


class Reach(StrEnum):
    """How far what the control plane pushed is to be relied on.

    `HEARD`: wholly. `ALONE`: it was not heard for a lease's length, so that slots which it said would come will not. `ENDED`:
    this data plane has promised to carry no traffic to pushed servers from then on. `LEFT`: it has said goodbye, so that its
    shares are others' now; it begins like this when it is started again, until it has been told new ones.
    """

    HEARD = 'heard'
    ALONE = 'alone'
    LEFT = 'left'
    ENDED = 'ended'
