"""config: what lines about health checks add up to while a file is read, and what they compile to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from dataplane.config.problems import Rejected
from dataplane.core.checks import (
    AgentCheck,
    Assign,
    Comment,
    Connect,
    Expect,
    InitState,
    Layer,
    Match,
    Observe,
    OnError,
    Pace,
    Probe,
    ProbeKind,
    Request,
    ServerCheck,
    Step,
)
from dataplane.core.outbound import ProxyProtocol

_PASSING = ((200, 399),)


@dataclass(frozen=True, slots=True)
class ServerChecks:
    """The words of a server line that concern checks; `default-server` hands them on. Times in ms."""

    check: bool = False
    inter: int = 2_000
    fastinter: int = 0
    downinter: int = 0
    rise: int = 2
    fall: int = 3
    addr: str = ''
    port: int = 0
    init_state: InitState = InitState.NONE
    send_proxy: bool = False
    agent: bool = False
    agent_inter: int = 2_000
    agent_addr: str = ''
    agent_port: int = 0
    agent_send: str = ''
    observe: Layer | None = None
    error_limit: int = 10
    on_error: OnError = OnError.FAIL_CHECK
    shutdown_when_down: bool = False
    shutdown_backups_when_up: bool = False
    track: str = ''

    def compiled(self, proxy: str, traffic: ProxyProtocol | None) -> dict[str, Any]:
        """The fields of a server that follow. Checks of where the traffic goes say first what that says (`send-proxy`)."""
        told = None if self.addr or self.port else traffic
        if self.send_proxy:
            told = traffic or ProxyProtocol(version=1)
        pace = Pace(
            inter=self.inter, fastinter=self.fastinter, downinter=self.downinter, rise=self.rise, fall=self.fall
        )
        check = ServerCheck(pace=pace, addr=self.addr, port=self.port, init_state=self.init_state, proxy=told)
        agent = AgentCheck(
            pace=Pace(inter=self.agent_inter, rise=1, fall=1),
            addr=self.agent_addr or self.addr,
            port=self.agent_port,
            send=self.agent_send.encode('utf-8', 'surrogateescape'),
        )
        observe = None
        if self.check and self.observe is not None:
            observe = Observe(layer=self.observe, limit=self.error_limit, on_error=self.on_error)
        return {
            'check': check if self.check else None,
            'agent': agent if self.agent else None,
            'track': self.tracked(proxy),
            'observe': observe,
            'shutdown_when_down': self.shutdown_when_down,
            'shutdown_backups_when_up': self.shutdown_backups_when_up,
        }

    def tracked(self, proxy: str) -> tuple[str, str] | None:
        """(backend, server) that `track` names; without a backend it is the own one's."""
        if not self.track:
            return None
        backend, slash, server = self.track.rpartition('/')
        return (backend if slash else proxy), server


@dataclass(slots=True)
class ProbeDraft:
    """`option httpchk`, `option tcp-check` and the lines that go with them; `protocol`: what an option for another protocol does."""

    kind: ProbeKind = ProbeKind.CONNECT
    request: Request = field(default_factory=Request)
    http: list[Step | dict[str, Any]] = field(default_factory=list)
    tcp: list[Step] = field(default_factory=list)
    http_inherited: bool = False
    request_inherited: bool = False
    tcp_inherited: bool = False
    protocol: tuple[Step, ...] = ()
    disable_on_404: bool = False
    send_state: bool = False

    def heir(self) -> ProbeDraft:
        """For a section that begins with this one; what it asks for itself, and its first own step, replace what it inherits."""
        return replace(
            self,
            http=list(self.http),
            tcp=list(self.tcp),
            http_inherited=True,
            request_inherited=True,
            tcp_inherited=True,
        )

    def ask_http(self, request: Request) -> None:
        """A line `option httpchk`."""
        self._begin_http()
        self.kind, self.request, self.request_inherited = ProbeKind.HTTP, request, False

    def add_http(self, step: Step | dict[str, Any]) -> None:
        """One more `http-check` line; a dictionary is `send`'s, which says all that is asked when it is the first here."""
        self._begin_http()
        self._check_order(step)
        if self.request_inherited and isinstance(step, dict):
            self.request, self.request_inherited = Request(), False
        self.http.append(step)

    def ask(self, *steps: Step) -> None:
        """A line like `option smtpchk`: the steps of that protocol."""
        self.kind, self.protocol = ProbeKind.PROTOCOL, steps

    def _check_order(self, step: Step | dict[str, Any]) -> None:
        """A connection, a request, what is expected of its answer, and so on, behind `option httpchk`. Raises Rejected."""
        last = next((one for one in reversed(self.http) if not isinstance(one, Comment | Assign)), None)
        missing = ''
        if last is None or self.kind is not ProbeKind.HTTP:
            return
        if isinstance(step, dict) and not isinstance(last, Connect):
            missing = 'send rule (missing connect rule)'
        elif isinstance(step, Expect) and isinstance(last, Connect):
            missing = 'expect rule (missing send rule)'
        elif isinstance(step, Connect) and not isinstance(last, Expect):
            missing = 'connect rule (missing expect rule)'
        if missing:
            msg = f'unable to add http-check {missing}.'
            raise Rejected(msg)

    def _begin_http(self) -> None:
        if self.http_inherited:
            self.http, self.http_inherited = [], False

    def add_tcp(self, step: Step) -> None:
        """One more `tcp-check` line."""
        if self.tcp_inherited:
            self.tcp, self.tcp_inherited = [], False
        self.tcp.append(step)

    def dials_elsewhere(self) -> bool:
        """Has every connection a port of its own, so that a server needs none?"""
        steps: Sequence[object] = self.tcp if self.kind is ProbeKind.TCP else self.http
        if self.kind in (ProbeKind.CONNECT, ProbeKind.PROTOCOL):
            return False
        dials = [step for step in steps if isinstance(step, Connect)]
        return bool(dials) and all(step.port for step in dials)

    def compiled(self, timeouts: dict[str, int], *, log_checks: bool) -> Probe:
        """The probe of a backend."""
        match self.kind:
            case ProbeKind.HTTP:
                steps = self._http()
            case ProbeKind.TCP:
                steps = self._tcp()
            case ProbeKind.PROTOCOL:
                steps = self.protocol
            case _:
                steps = _connect()
        return Probe(
            kind=self.kind,
            steps=steps,
            disable_on_404=self.disable_on_404,
            timeout=timeouts.get('check') or None,
            connect=timeouts.get('connect') or None,
            log_checks=log_checks,
        )

    def _tcp(self) -> tuple[Step, ...]:
        first = next((step for step in self.tcp if not isinstance(step, Comment | Assign)), None)
        return tuple(self.tcp) if isinstance(first, Connect) else (*_connect(), *self.tcp)

    def _http(self) -> tuple[Step, ...]:
        """With explicit connections the order is as written, else request, then expectations."""
        sends = [self._request(step) for step in self.http if isinstance(step, dict)]
        request = sends[-1] if sends else self._request({})
        steps: list[Step]
        if any(isinstance(step, Connect) for step in self.http):
            steps = [self._request(step) if isinstance(step, dict) else step for step in self.http]
            if not sends:
                first = next(at for at, step in enumerate(steps) if isinstance(step, Connect))
                steps.insert(first + 1, request)
        else:
            # what is set before the request is said can be said in it
            last = max((at for at, step in enumerate(self.http) if isinstance(step, dict)), default=0)
            before = [step for step in self.http[:last] if isinstance(step, Assign)]
            rest = [
                step
                for at, step in enumerate(self.http)
                if not isinstance(step, dict) and not (at < last and isinstance(step, Assign))
            ]
            steps = [*_connect(), *before, request, *rest]
        last = max(at for at, step in enumerate(steps) if not isinstance(step, Comment | Assign))
        if isinstance(steps[last], Request) or not any(isinstance(step, Expect) for step in steps):
            # the answer to what is asked last is always heard
            steps.insert(last + 1, Expect(match=Match.STATUS, codes=_PASSING))
        return tuple(steps)

    def _request(self, said: dict[str, Any]) -> Request:
        return replace(self.request, state=self.send_state, **said)


def _connect() -> tuple[Step, ...]:
    return (Connect(implicit=True),)
