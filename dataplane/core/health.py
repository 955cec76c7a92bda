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

A verdict counts while its check is enabled (`disable health`, `disable agent`), and where somebody forced it, so that a server
without any check can be taken down, too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum

from dataplane.core.checks import InitState
from dataplane.core.model import Server
from dataplane.core.state import OpState


class Verdict(IntEnum):
    """What a check makes of its server."""

    DOWN = 0
    STOPPING = 1
    UP = 2


class Order(IntEnum):
    """What a counter is taken to by somebody else than its check."""

    ZERO = 0
    RISE = 1
    TOP = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One check of a server, the health check or the agent. `serial` and `order`: see above. `forced`: it is
    somebody else's word, and nothing was found out since.
    """

    verdict: Verdict = Verdict.UP
    enabled: bool = False
    serial: int = 0
    order: Order = Order.RISE
    forced: bool = False

    @property
    def counts(self) -> Verdict:
        """The verdict, UP while nobody checks."""
        return self.verdict if self.enabled or self.forced else Verdict.UP

    def ordered(self, verdict: Verdict) -> Side:
        """After somebody decided instead of the check."""
        order = Order.ZERO if verdict is Verdict.DOWN else Order.TOP
        return replace(self, verdict=verdict, serial=self.serial + 1, order=order, forced=True)

    def begun_anew(self) -> Side:
        """Up, and one failure from down."""
        return replace(self, verdict=Verdict.UP, serial=self.serial + 1, order=Order.RISE, forced=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a check goes, and what the agent is told, as set at run time; '' and 0: as declared, `send` None: too."""

    addr: str = ''
    port: int = 0
    send: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Everything checks say of one server. `tracked`: the state of the server it tracks, None where it tracks none.

    `reason` is what its last change of state was said to come from, for the log; `via` names the server it tracks.
    """

    check: Side = Side()
    agent: Side = Side()
    check_target: Target = Target()
    agent_target: Target = Target()
    tracked: OpState | None = None
    reason: str = ''
    via: str = ''

    def opstate(self) -> OpState:
        """The operational state that follows, for a server that is not in maintenance and has warmed up."""
        if self.tracked is not None:
            return OpState.RUNNING if self.tracked is OpState.STARTING else self.tracked
        if self.check.counts is Verdict.DOWN or self.agent.counts is Verdict.DOWN:
            return OpState.STOPPED
        return OpState.STOPPING if self.check.counts is Verdict.STOPPING else OpState.RUNNING

    def left_maintenance(self) -> Health:
        """Its check begins anew: up, and one failure takes it down."""
        return replace(self, check=self.check.begun_anew(), reason='')

    def redeclared(self, old: Server, new: Server) -> Health:
        """Checks that the declaration adds or takes away; what was found out is kept while the check is declared alike."""
        fresh = declared(new)
        check = self.check if (new.check is None) == (old.check is None) else fresh.check
        agent = self.agent if (new.agent is None) == (old.agent is None) else fresh.agent
        if old.dynamic and not new.dynamic:
            # a file took over who was added at run time, and what it declares it wants
            check, agent = replace(check, enabled=new.check is not None), replace(agent, enabled=new.agent is not None)
        tracked = self.tracked if new.track == old.track else fresh.tracked
        via = self.via if new.track == old.track else fresh.via
        return replace(self, check=check, agent=agent, tracked=tracked, via=via)


def declared(server: Server) -> Health:
    """What is known of a server nobody has checked yet."""
    check = server.check
    down = check is not None and check.init_state in (InitState.DOWN, InitState.FULLY_DOWN)
    return Health(
        check=Side(verdict=Verdict.DOWN if down else Verdict.UP, enabled=check is not None and not server.dynamic),
        agent=Side(enabled=server.agent is not None and not server.dynamic),
        tracked=OpState.RUNNING if server.track is not None else None,
        via='/'.join(server.track) if server.track is not None else '',
    )
