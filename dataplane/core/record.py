"""What the supervisor knows of one server: what was declared, what was set since, and what follows from both.

Immutable; every change makes a new one. HAProxy's words: iweight is the weight declared, uweight the one set by people,
eweight the scaled one the algorithms use.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from dataplane.core import admin, state, weight
from dataplane.core.changes import ForceHealth, HealthChange, SetHealth, SetTarget, SwitchCheck
from dataplane.core.health import Health, Target
from dataplane.core.health import declared as unchecked
from dataplane.core.limit import bounds, declared, warming
from dataplane.core.model import AdminState, Origin, Server
from dataplane.core.naming import lacks_address
from dataplane.core.reach import Reach


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerRecord:
    """One server. `admin`: flags of all origins; `opstate`: up or not; times in ms; `backend_index`, `index`: its cells.

    While it warms up (STARTING): since when, and for how long as of the last tick, in whole seconds.
    `downs` counts how often it went down, `down_ms` how long it was until `changed_at`.
    """

    index: int
    backend_index: int
    backend: str
    server: Server
    admin: int
    opstate: state.OpState
    uweight: int
    iweight: int
    maxconn: int
    minconn: int
    generation: int
    changed_at: int
    warm_since: int = 0
    warm_for: int = 0
    health: Health = field(default_factory=Health)
    downs: int = 0
    down_ms: int = 0

    @property
    def name(self) -> str:
        """The server's name."""
        return self.server.name

    @property
    def effective(self) -> AdminState:
        """The administrative state in force."""
        return admin.effective(self.admin)

    @property
    def eweight(self) -> int:
        """The weight the balancing algorithms use, 0-4096."""
        if self.opstate is state.OpState.STARTING:
            return weight.effective(self.uweight, weight.ramp(self.warm_for, self.server.slowstart))
        return weight.effective(self.uweight)

    @property
    def limits(self) -> tuple[int, int]:
        """The LIMIT and MINLIMIT in force: while it warms up the part of them that is over, and at least one."""
        top, low = bounds(self.maxconn, self.minconn, self.server.share)
        if self.opstate is state.OpState.STARTING:
            return warming(top, self.warm_for, self.server.slowstart), warming(
                low, self.warm_for, self.server.slowstart
            )
        return top, low

    @property
    def usable(self) -> bool:
        """May the balancing algorithm pick it, were it not a backup?"""
        return state.usable(self.effective, self.opstate, self.eweight)

    def offered(self, reach: Reach) -> bool:
        """Has this data plane slots of a pushed server, or may requests wait for them? Else nobody gets it or waits for it."""
        share = self.server.share
        if reach is Reach.ENDED or share is None:
            return reach is not Reach.ENDED
        return reach is not Reach.LEFT and (share > 0 or (self.server.share_due and reach is Reach.HEARD))

    def wished(self, origin: Origin) -> AdminState:
        """The administrative state one side asks for."""
        return admin.wished(self.admin, origin)

    def asked(self, origin: Origin, wish: AdminState, now: int) -> ServerRecord:
        """After `origin` asked for an administrative state. Maintenance stops a server, leaving it starts it."""
        return self.flagged(admin.wish(self.admin, origin, wish), now)

    def following(self, leader: ServerRecord, now: int) -> ServerRecord:
        """After the server it tracks became `leader`: that one's state and maintenance are its own, too."""
        found = self if self.health.tracked is leader.opstate else self.noting(tracked=leader.opstate, reason='')
        return found.flagged(admin.inherited(self.admin, leader.effective), now).settled(now)

    def examined(self, change: HealthChange, now: int) -> ServerRecord:
        """After a check found something, or was told what to find, where to look, or not to look. Raises ValueError."""
        health, agent = self.health, change.agent
        match change:
            case SetHealth():
                if change.serial != (health.agent if agent else health.check).serial:
                    return self
                return self._with(health.found(change.verdict, agent=agent), change.reason, now)
            case ForceHealth():
                if health.tracked is not None:
                    raise ValueError('cannot change health on a tracking server.')
                return self._with(health.told(change.verdict, agent=agent), change.reason, now)
            case SwitchCheck():
                return self._with(health.switched(enabled=change.enabled, agent=agent), '', now)
            case SetTarget():
                before = health.agent_target if agent else health.check_target
                target = Target(
                    addr=before.addr if change.addr is None else change.addr,
                    port=before.port if change.port is None else change.port,
                    send=before.send if change.send is None else change.send,
                )
                return self.noting(agent_target=target) if agent else self.noting(check_target=target)

    def noting(self, **fields: object) -> ServerRecord:
        """With other fields of its health, and nothing following from them yet."""
        return replace(self, health=replace(self.health, **fields))  # type: ignore[arg-type]

    def _with(self, health: Health, reason: str, now: int) -> ServerRecord:
        """With other health, and in the state that follows; `reason`: why, if that is another one."""
        if health.opstate() is not self.health.opstate():
            health = replace(health, reason=reason)
        return replace(self, health=health).settled(now)

    def flagged(self, flags: int, now: int) -> ServerRecord:
        """With other administrative flags: maintenance stops it, and leaving it makes its checks begin anew."""
        if flags == self.admin:
            return self
        before, after = self.effective, admin.effective(flags)
        record = replace(self, admin=flags)
        if before is after:
            return record
        if before is AdminState.MAINT:
            record = replace(record, health=record.health.left_maintenance())
        return replace(record.settled(now), changed_at=now, down_ms=self._down_until(now))

    def settled(self, now: int) -> ServerRecord:
        """In the operational state that follows from flags and checks, if it is not in it already."""
        wanted = state.OpState.STOPPED if self.effective is AdminState.MAINT else self.health.opstate()
        present = self.opstate
        if wanted is present or (wanted is state.OpState.RUNNING and present is state.OpState.STARTING):
            return self
        if wanted is state.OpState.STOPPED:
            cause = state.Cause.MAINT if self.effective is AdminState.MAINT else state.Cause.DOWN
            generation = self.generation + self.server.shutdown_when_down
            return replace(
                self, opstate=state.step(present, cause), changed_at=now, downs=self.downs + 1, generation=generation
            )
        if wanted is state.OpState.STOPPING:
            opstate = state.step(present, state.Cause.UP) if present is state.OpState.STOPPED else present
            return self._became(state.step(opstate, state.Cause.NOLB), now)
        return self._became(state.step(present, state.Cause.WARM if self.server.slowstart else state.Cause.UP), now)

    def _became(self, opstate: state.OpState, now: int) -> ServerRecord:
        """After a change of its state; who begins to warm up begins with nothing."""
        record = replace(self, opstate=opstate, changed_at=now, down_ms=self._down_until(now))
        return replace(record, warm_since=now, warm_for=0) if opstate is state.OpState.STARTING else record

    def _down_until(self, now: int) -> int:
        return self.down_ms + (now - self.changed_at if self.opstate is state.OpState.STOPPED else 0)

    def warmed(self, now: int) -> ServerRecord:
        """As warm as it is by now, wholly so once `slowstart` is over."""
        if self.opstate is not state.OpState.STARTING:
            return self
        passed = (now - self.warm_since) // 1_000 * 1_000
        if passed >= self.server.slowstart:
            return replace(self, opstate=state.step(self.opstate, state.Cause.WARMED))
        return self if passed == self.warm_for else replace(self, warm_for=passed)

    def weighed(self, value: int, *, percent: bool) -> ServerRecord:
        """With another user weight: absolute, or in percent of the declared one. Raises ValueError out of range."""
        weight.check(value, percent=percent)
        return replace(self, uweight=weight.relative(self.iweight, value) if percent else value)

    def limited(self, maxconn: int) -> ServerRecord:
        """With another maxconn (0: unlimited). A limit that was static stays static. Raises ValueError out of range."""
        if maxconn < 0:
            raise ValueError('Value out of range.')
        minconn = maxconn if self.minconn == self.maxconn else self.minconn
        return replace(self, maxconn=maxconn, minconn=minconn)

    def shut(self, generation: int) -> ServerRecord:
        """Sessions of generations below this one are to end; a generation never falls."""
        return self if generation <= self.generation else replace(self, generation=generation)

    def redeclared(self, server: Server, index: int, backend_index: int, now: int) -> ServerRecord:
        """The same server in a new configuration: what was set at run time lives on where the declared value did not change."""
        old, new = self.server, server
        if new is old and (index, backend_index) == (self.index, self.backend_index):
            return self
        record = replace(self, index=index, backend_index=backend_index, server=server)
        if new.weight != old.weight:
            record = replace(record, uweight=new.weight, iweight=new.weight)
        if (new.maxconn, new.minconn) != (old.maxconn, old.minconn):
            maxconn, minconn = declared(new.maxconn, new.minconn)
            record = replace(record, maxconn=maxconn, minconn=minconn)
        if new.disabled != old.disabled:
            record = record.asked(Origin.CONFIG, AdminState.MAINT if new.disabled else AdminState.READY, now)
        if (new.check, new.agent, new.track, new.dynamic) != (old.check, old.agent, old.track, old.dynamic):
            record = replace(record, health=record.health.redeclared(old, new))
            if new.track is None and old.track is not None:
                record = record.flagged(admin.inherited(record.admin, AdminState.READY), now)
        return record.flagged(_named(record.admin, new), now).settled(now)


def appeared(server: Server, index: int, backend_index: int, backend: str, now: int) -> ServerRecord:
    """The record of a server nobody has set anything on yet. What is not in maintenance runs, unless `init-state` says it is down.

    One that was added at run time begins in maintenance, as if that had been asked for on the stats socket.
    """
    maxconn, minconn = declared(server.maxconn, server.minconn)
    found = unchecked(server)
    flags = _named(admin.initial(server.disabled), server)
    if server.dynamic:
        flags = admin.wish(flags, Origin.CLI, AdminState.MAINT)
    return ServerRecord(
        index=index,
        backend_index=backend_index,
        backend=backend,
        server=server,
        admin=flags,
        opstate=state.OpState.STOPPED if admin.effective(flags) is AdminState.MAINT else found.opstate(),
        uweight=server.weight,
        iweight=server.weight,
        maxconn=maxconn,
        minconn=minconn,
        generation=0,
        changed_at=now,
        health=found,
    )


def _named(flags: int, server: Server) -> int:
    """The flags with those that follow from its name."""
    lookup = server.lookup
    return admin.named(flags, addressless=lacks_address(server), renamed=lookup is not None and lookup.renamed)
