r"""The administrative state of a server: a lattice of flags, one wish per origin, the most restrictive of them in force.

The first seven flags are HAProxy's, with the values `show servers state` prints; the last two are the control plane's own,
so that what a person types on the stats socket and what the fleet wishes never overwrite each other. A server is in
maintenance while anybody wants it there, else it drains while anybody wants that, else it is ready.

    flag    who sets it                                           counts as
    FMAINT  stats socket, and a `disabled` server line            MAINT
    IMAINT  inherited from a tracked server                       MAINT
    CMAINT  remembers that the line said `disabled`               nothing
    FDRAIN  stats socket                                          DRAIN
    IDRAIN  inherited from a tracked server                       DRAIN
    RMAINT  no address known                                      MAINT
    HMAINT  its name was changed at run time                      nothing
    PMAINT  control plane                                         MAINT
    PDRAIN  control plane                                         DRAIN

What an origin's wish does to the flags (set, cleared; the others stay):

    wish     CLI               CONFIG                     PUSH
    READY    -FMAINT -FDRAIN   -FMAINT -FDRAIN -CMAINT    -PMAINT -PDRAIN
    DRAIN    +FDRAIN -FMAINT   +FDRAIN -FMAINT -CMAINT    +PDRAIN -PMAINT
    MAINT    +FMAINT -FDRAIN   +FMAINT -FDRAIN +CMAINT    +PMAINT -PDRAIN

Effective state of (flags of the data plane itself) and (flags of the control plane):

    local \ pushed   none    PDRAIN  PMAINT
    none             READY   DRAIN   MAINT
    FDRAIN           DRAIN   DRAIN   MAINT
    FMAINT           MAINT   MAINT   MAINT

Management manual, 9.3 (`set server state`, `show servers state`).
"""

from __future__ import annotations

from enum import IntFlag
from typing import Final

from dataplane.core.model import AdminState, Origin


class Admin(IntFlag):
    """The flags, with the values that are on the board and in a server-state file."""

    FMAINT = 0x01
    IMAINT = 0x02
    CMAINT = 0x04
    FDRAIN = 0x08
    IDRAIN = 0x10
    RMAINT = 0x20
    HMAINT = 0x40
    PMAINT = 0x100
    PDRAIN = 0x200


MAINT_MASK: Final = int(Admin.FMAINT | Admin.IMAINT | Admin.RMAINT | Admin.PMAINT)
DRAIN_MASK: Final = int(Admin.FDRAIN | Admin.IDRAIN | Admin.PDRAIN)
LOCAL_MASK: Final = 0xFF
"""The flags HAProxy knows: what `show servers state` may print."""

# Plain integers: operators of IntFlag are twenty times slower, and a change may bring thousands of wishes.
_F, _C, _D = int(Admin.FMAINT), int(Admin.CMAINT), int(Admin.FDRAIN)
_PM, _PD = int(Admin.PMAINT), int(Admin.PDRAIN)

# (origin, wish) -> (set, cleared)
_WISHES: Final[dict[tuple[Origin, AdminState], tuple[int, int]]] = {
    (Origin.CLI, AdminState.READY): (0, _F | _D),
    (Origin.CLI, AdminState.DRAIN): (_D, _F),
    (Origin.CLI, AdminState.MAINT): (_F, _D),
    (Origin.CONFIG, AdminState.READY): (0, _F | _D | _C),
    (Origin.CONFIG, AdminState.DRAIN): (_D, _F | _C),
    (Origin.CONFIG, AdminState.MAINT): (_F | _C, _D),
    (Origin.PUSH, AdminState.READY): (0, _PM | _PD),
    (Origin.PUSH, AdminState.DRAIN): (_PD, _PM),
    (Origin.PUSH, AdminState.MAINT): (_PM, _PD),
}


def wish(flags: int, origin: Origin, state: AdminState) -> int:
    """The flags after `origin` asked for `state`. Asking twice is asking once."""
    added, cleared = _WISHES[origin, state]
    return (flags & ~cleared) | added


def initial(disabled: bool) -> int:
    """The flags of a server that appears: in forced maintenance if its line says `disabled`, else none."""
    return wish(0, Origin.CONFIG, AdminState.MAINT if disabled else AdminState.READY)


def inherited(flags: int, leader: AdminState) -> int:
    """The flags of a server that tracks another one, which is in the state `leader`."""
    mine = int(Admin.IMAINT | Admin.IDRAIN)
    added = {AdminState.READY: 0, AdminState.DRAIN: int(Admin.IDRAIN), AdminState.MAINT: int(Admin.IMAINT)}[leader]
    return (flags & ~mine) | added


def named(flags: int, *, addressless: bool, renamed: bool) -> int:
    """The flags of a server by what nameservers, and who renames it, have made of it."""
    mine = int(Admin.RMAINT | Admin.HMAINT)
    added = (int(Admin.RMAINT) if addressless else 0) | (int(Admin.HMAINT) if renamed else 0)
    return (flags & ~mine) | added


def effective(flags: int) -> AdminState:
    """The state in force: maintenance dominates draining, draining dominates ready."""
    if flags & MAINT_MASK:
        return AdminState.MAINT
    return AdminState.DRAIN if flags & DRAIN_MASK else AdminState.READY


def wished(flags: int, origin: Origin) -> AdminState:
    """The state one side asks for: the control plane's own wish, or what the data plane itself (CLI or file) says."""
    mine = _PM | _PD
    return effective(flags & mine if origin is Origin.PUSH else flags & ~mine)


def shown(flags: int) -> int:
    """The flags as HAProxy numbers them: a wish of the control plane is shown as its flag for the same."""
    known = flags & LOCAL_MASK
    if flags & Admin.PMAINT:
        known |= Admin.FMAINT
    if flags & Admin.PDRAIN:
        known |= Admin.FDRAIN
    return int(known)
