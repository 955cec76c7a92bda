"""What checks say of a server, as far as its state depends on it: a part of its record in the ledger.

The counters behind it (rise, fall) are the checker's own. What others do to them - maintenance, the stats socket - is an
*order* here: `serial` rises with each, `level` is what the counter must be taken to, and the checker obeys before it counts
its next result. So whoever comes first, record and counter agree.

    who                          check verdict   order
    a check passed `rise` times  UP              -
    a check failed `fall` times  DOWN            -
    http-check disable-on-404    STOPPING        -
    maintenance is left          UP              RISE: the next failure takes it down
    set server health up         UP              TOP
    set server health down       DOWN            ZERO
    set server health stopping   STOPPING        TOP

What *stands* is whatever came last: a verdict of a check that is enabled, somebody's word, or the end of maintenance. So
switching a check off or on changes nothing by itself (`disable agent` leaves a server down that its agent has taken down): the
next verdict does. And what somebody says goes before what both checks say, until one of them says something again.

    what came                       stands afterwards
    check or agent: DOWN            DOWN
    check: UP, STOPPING             that; as before, while the agent is asked and says DOWN
    agent: UP                       UP; as before, while the check is on and says DOWN, or where STOPPING stands
    set server health|agent         what is said
    maintenance is left             UP; DOWN, while the agent is asked and says DOWN
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final

from dataplane.core.checks import InitState
from dataplane.core.model import Server
from dataplane.core.state import OpState


class Verdict(IntEnum):
    """What a check makes of its server."""

    DOWN = 0
    STOPPING = 1
    UP = 2


_STATES: Final = {
    Verdict.DOWN: OpState.STOPPED, Verdict.STOPPING: OpState.STOPPING, Verdict.UP: OpState.RUNNING,
}  # fmt: skip


class Order(IntEnum):
    """What a counter is taken to by somebody else than its check."""

    ZERO = 0
    RISE = 1
    TOP = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One check of a server, the health check or the agent. `serial` and `order`: see above."""

    verdict: Verdict = Verdict.UP
    enabled: bool = False
    serial: int = 0
    order: Order = Order.RISE

    @property
    def says_down(self) -> bool:
        """Is it asked, and does it take the server for down?"""
        return self.enabled and self.verdict is Verdict.DOWN

    def ordered(self, verdict: Verdict) -> Side:
        """After somebody decided instead of the check."""
        order = Order.ZERO if verdict is Verdict.DOWN else Order.TOP
        return replace(self, verdict=verdict, serial=self.serial + 1, order=order)

    def begun_anew(self) -> Side:
        """Up, and one failure from down."""
        return replace(self, verdict=Verdict.UP, serial=self.serial + 1, order=Order.RISE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a check goes, and what the agent is told, as set at run time; '' and 0: as declared, `send` None: too."""

    addr: str = ''
    port: int = 0
    send: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Everything checks say of one server, and what `stands`. `tracked`: the state of the server it tracks, None where it tracks none.

    `reason` is what its last change of state was said to come from, for the log; `via` names the server it tracks.
    """

    check: Side = Side()
    agent: Side = Side()
    stands: Verdict = Verdict.UP
    check_target: Target = Target()
    agent_target: Target = Target()
    tracked: OpState | None = None
    reason: str = ''
    via: str = ''

    def opstate(self) -> OpState:
        """The operational state that follows, for a server that is not in maintenance and has warmed up."""
        if self.tracked is not None:
            return OpState.RUNNING if self.tracked is OpState.STARTING else self.tracked
        return _STATES[self.stands]

    def found(self, verdict: Verdict, *, agent: bool) -> Health:
        """After the check, or the agent, came to a verdict: itself, if nothing follows from that."""
        side = self.agent if agent else self.check
        stands = self._follows(verdict, agent=agent) if side.enabled else self.stands
        if verdict is side.verdict and stands is self.stands:
            return self
        side = replace(side, verdict=verdict)
        return replace(self, agent=side, stands=stands) if agent else replace(self, check=side, stands=stands)

    def _follows(self, verdict: Verdict, *, agent: bool) -> Verdict:
        if verdict is Verdict.DOWN:
            return verdict
        if (self.check if agent else self.agent).says_down or (agent and self.stands is Verdict.STOPPING):
            return self.stands
        # HAProxy lets an agent bring a server up whose check says that it stops, until the next check: traffic it did not want
        return self.check.verdict if agent and self.check.enabled else verdict

    def told(self, verdict: Verdict, *, agent: bool) -> Health:
        """After somebody decided instead of the check, or of the agent."""
        side = (self.agent if agent else self.check).ordered(verdict)
        return replace(self, agent=side, stands=verdict) if agent else replace(self, check=side, stands=verdict)

    def switched(self, *, enabled: bool, agent: bool) -> Health:
        """With the check, or the agent, switched on or off."""
        side = replace(self.agent if agent else self.check, enabled=enabled)
        return replace(self, agent=side) if agent else replace(self, check=side)

    def left_maintenance(self) -> Health:
        """Its check begins anew: up, and one failure takes it down; its agent's word counts as it did."""
        stands = Verdict.DOWN if self.agent.says_down else Verdict.UP
        return replace(self, check=self.check.begun_anew(), stands=stands, reason='')

    def redeclared(self, old: Server, new: Server) -> Health:
        """Checks that the declaration adds or takes away; what was found out is kept while the check is declared alike."""
        fresh, stands = declared(new), self.stands
        check = self.check if (new.check is None) == (old.check is None) else fresh.check
        agent = self.agent if (new.agent is None) == (old.agent is None) else fresh.agent
        if check is not self.check or agent is not self.agent:
            stands = _of_both(check, agent)
        if old.dynamic and not new.dynamic:
            # a file took over who was added at run time, and what it declares it wants
            check, agent = replace(check, enabled=new.check is not None), replace(agent, enabled=new.agent is not None)
        tracked = self.tracked if new.track == old.track else fresh.tracked
        via = self.via if new.track == old.track else fresh.via
        return replace(self, check=check, agent=agent, stands=stands, tracked=tracked, via=via)


def _of_both(check: Side, agent: Side) -> Verdict:
    """What follows from both, where nothing else is known."""
    if check.says_down or agent.says_down:
        return Verdict.DOWN
    return check.verdict if check.enabled else Verdict.UP


def declared(server: Server) -> Health:
    """What is known of a server nobody has checked yet."""
    check = server.check
    down = check is not None and check.init_state in (InitState.DOWN, InitState.FULLY_DOWN)
    side = Side(verdict=Verdict.DOWN if down else Verdict.UP, enabled=check is not None and not server.dynamic)
    asked = Side(enabled=server.agent is not None and not server.dynamic)
    return Health(
        check=side,
        agent=asked,
        stands=_of_both(side, asked),
        tracked=OpState.RUNNING if server.track is not None else None,
        via='/'.join(server.track) if server.track is not None else '',
    )
