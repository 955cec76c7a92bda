"""A server in the state that a server-state file says it had (configuration manual, load-server-state-from-file).

What the configuration says anew goes before what was: a weight counts while the declared one is the same, maintenance and
readiness while the line says `disabled` as it did, drain unless its cause was a weight of 0 that is gone.

    saved flags      line now      asked of the stats socket
    FMAINT           enabled       MAINT, unless the line said `disabled` then
    not FMAINT       `disabled`    READY, unless the line did not say it then
    FDRAIN           not MAINT     DRAIN, if the declared weight was above 0, or is 0
"""

from __future__ import annotations

from dataclasses import replace

from dataplane.core.admin import Admin
from dataplane.core.health import Health, Target, Verdict
from dataplane.core.model import AdminState, Origin, Server
from dataplane.core.record import ServerRecord
from dataplane.core.savedstate import SavedState
from dataplane.core.state import OpState

REASON = ', changed from server-state after a reload'
_VERDICTS = {
    OpState.STOPPED: Verdict.DOWN, OpState.STOPPING: Verdict.STOPPING, OpState.STARTING: Verdict.UP,
    OpState.RUNNING: Verdict.UP,
}  # fmt: skip


def restored(record: ServerRecord, saved: SavedState, now: int) -> ServerRecord:
    """The record of a server on which nothing was set yet, with what the file says. `now`: monotonic ms."""
    if saved.iweight == record.iweight:
        record = replace(record, uweight=saved.uweight)
    record = _asked(record, saved, now)
    health = _examined(record.health, record.server, saved)
    if record.health.tracked is None and record.effective is not AdminState.MAINT:
        verdict = _VERDICTS[saved.opstate]
        health = replace(health, stands=verdict)
        if verdict is not Verdict.UP or health.check.enabled:
            health = replace(health, check=health.check.ordered(verdict), reason=REASON)
    record = replace(record, health=health).settled(now)
    record = _warm(record, saved, now)
    # it did not go down now: it was so before, and all that was counted then is no more
    return replace(record, changed_at=now - saved.age, downs=0, down_ms=0)


def _asked(record: ServerRecord, saved: SavedState, now: int) -> ServerRecord:
    """In the administrative state that counts."""
    disabled, forced = record.server.disabled, bool(saved.admin & Admin.FMAINT)
    if bool(saved.admin & Admin.CMAINT) == disabled and forced != disabled:
        wish = AdminState.MAINT if forced else AdminState.READY
        record = record.asked(Origin.CLI, wish, now)
    drained = saved.admin & Admin.FDRAIN and (saved.iweight > 0 or record.iweight == 0)
    if drained and not record.admin & Admin.FMAINT:
        record = record.asked(Origin.CLI, AdminState.DRAIN, now)
    return record


def _examined(health: Health, server: Server, saved: SavedState) -> Health:
    """With checks switched off that were, and asking where they asked."""
    if server.check is not None:
        target = Target(addr=saved.check_addr, port=saved.check_port)
        side = replace(health.check, enabled=health.check.enabled and not saved.check_disabled)
        health = replace(health, check=side, check_target=target)
    if server.agent is not None:
        target = Target(addr=saved.agent_addr, port=saved.agent_port)
        side = replace(health.agent, enabled=health.agent.enabled and not saved.agent_disabled)
        health = replace(health, agent=side, agent_target=target)
    return health


def _warm(record: ServerRecord, saved: SavedState, now: int) -> ServerRecord:
    """As warm as it was: who warmed up goes on with it, and nobody else begins to."""
    if record.opstate not in (OpState.RUNNING, OpState.STARTING):
        return record
    if saved.opstate is OpState.STARTING and saved.age < record.server.slowstart:
        return replace(
            record, opstate=OpState.STARTING, warm_since=now - saved.age, warm_for=saved.age // 1_000 * 1_000
        )
    return replace(record, opstate=OpState.RUNNING) if saved.opstate is OpState.RUNNING else record
