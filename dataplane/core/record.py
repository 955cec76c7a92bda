"""What the supervisor knows of one server: what was declared, what was set since, and what follows from both.

Immutable; every change makes a new one. HAProxy's words: iweight is the weight declared, uweight the one set by people,
eweight the scaled one the algorithms use.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from dataplane.core import admin, state, weight
from dataplane.core.limit import bounds, declared, warming
from dataplane.core.model import AdminState, Origin, Reach, Server


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerRecord:
    """One server. `admin`: flags of all origins; `opstate`: up or not; times in ms; `backend_index`, `index`: its cells.

    While it warms up (STARTING): since when, and for how long as of the last tick, in whole seconds.
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
        flags = admin.wish(self.admin, origin, wish)
        if flags == self.admin:
            return self
        before, after = self.effective, admin.effective(flags)
        if before is after:
            return replace(self, admin=flags)
        opstate = self.opstate
        if after is AdminState.MAINT:
            opstate = state.step(opstate, state.Cause.MAINT)
        elif before is AdminState.MAINT:
            opstate = state.step(opstate, state.Cause.WARM if self.server.slowstart else state.Cause.UP)
        return self._became(opstate, now, admin=flags)

    def _became(self, opstate: state.OpState, now: int, *, admin: int) -> ServerRecord:
        """After a change of its state; who begins to warm up begins with nothing."""
        if opstate is state.OpState.STARTING and self.opstate is not opstate:
            return replace(self, admin=admin, opstate=opstate, changed_at=now, warm_since=now, warm_for=0)
        return replace(self, admin=admin, opstate=opstate, changed_at=now)

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
        return record


def appeared(server: Server, index: int, backend_index: int, backend: str, now: int) -> ServerRecord:
    """The record of a server nobody has set anything on yet. Without checks a server that is not in maintenance runs."""
    maxconn, minconn = declared(server.maxconn, server.minconn)
    return ServerRecord(
        index=index,
        backend_index=backend_index,
        backend=backend,
        server=server,
        admin=admin.initial(server.disabled),
        opstate=state.OpState.STOPPED if server.disabled else state.OpState.RUNNING,
        uweight=server.weight,
        iweight=server.weight,
        maxconn=maxconn,
        minconn=minconn,
        generation=0,
        changed_at=now,
    )
