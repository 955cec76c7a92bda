"""config: what the sections of a file add up to while they are being read. Mutable, gone once the snapshot is compiled.

A proxy starts as a copy of its `defaults`, so that what a field holds is always what counts for it, and compiling needs
no second look at any defaults section. None means: not set anywhere.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field, replace
from enum import Flag
from typing import TYPE_CHECKING, Final

from dataplane.config.checkdraft import ProbeDraft, ServerChecks
from dataplane.config.services import exporter_path
from dataplane.core.lookup import Lookup
from dataplane.core.model import DEFAULT_RETRY_ON, Balance, Global, KeepAlive
from dataplane.core.tuning import PAYLOAD
from dataplane.rules.actions import NamePolicy
from dataplane.rules.noting import NO_FORMATS

if TYPE_CHECKING:
    from dataplane.config.errorsections import FromSection
    from dataplane.config.unixbind import UnixBind
    from dataplane.core.answers import ErrorPage
    from dataplane.core.cookie import Cookie
    from dataplane.core.model import Bind, ForwardFor, LogTarget, StatsSocket
    from dataplane.core.outbound import ProxyProtocol, Source
    from dataplane.core.stick.definition import Definition
    from dataplane.rules.actions import Persist, Reply, Rule, SetVar, Stick, Switch
    from dataplane.rules.model import Acl, Condition
    from dataplane.rules.noting import Formats, Slot
    from dataplane.rules.statspage import StatsPage
    from dataplane.rules.steps import Forwarded


class Side(Flag):
    """The halves a proxy has, and the halves a keyword means."""

    FRONTEND = 1
    BACKEND = 2
    BOTH = 3


NO_LOOKUP: Final = Lookup(resolvers='', name='', init=())
SIDES = {'frontend': Side.FRONTEND, 'backend': Side.BACKEND, 'listen': Side.BOTH, 'defaults': Side.BOTH}


@dataclass(slots=True)
class ServerDraft:
    """One `server` line; also what `default-server` lines add up to. `lookup` has no name before all lines are read."""

    name: str = ''
    host: str = ''
    port: int = 0
    id: int = 0
    weight: int = 1
    maxconn: int = 0
    minconn: int = 0
    maxqueue: int = 0
    backup: bool = False
    disabled: bool = False
    pool_max_conn: int = -1
    pool_purge_delay: int = 5_000
    max_reuse: int = -1
    cookie: str = ''
    slowstart: int = 0
    hash_key: str = 'id'
    non_stick: bool = False
    redir: str = ''
    guid: str = ''
    lookup: Lookup = NO_LOOKUP
    source: Source | None = None
    proxy: ProxyProtocol | None = None
    checks: ServerChecks = field(default_factory=ServerChecks)
    file: str = ''
    line: int = 0


@dataclass(frozen=True, slots=True)
class Target:
    """A backend named by `default_backend` or `use_backend`, and where."""

    name: str
    file: str
    line: int


@dataclass(slots=True)
class ProxyDraft:
    """One `frontend`, `backend`, `listen` or `defaults` section. Times in milliseconds, None or 0 for no limit."""

    kind: str
    name: str
    file: str
    line: int
    mode: str | None = None
    id: int = 0
    id_line: int = 0
    guid: str = ''
    guid_line: int = 0
    disabled: bool = False
    maxconn: int = 0
    backlog: int = 0
    fullconn: int = 0
    binds: list[Bind] = field(default_factory=list)
    has_bind_line: bool = False  # also one that cannot be used
    servers: list[ServerDraft] = field(default_factory=list)
    default_server: ServerDraft = field(default_factory=ServerDraft)
    default_settings: tuple[str, ...] = ()
    default_backend: Target | None = None
    switches: list[Switch] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)
    forced_switches: list[Switch] = field(default_factory=list)
    server_switches: list[Switch] = field(default_factory=list)
    server_targets: list[Target] = field(default_factory=list)
    stick_table: Definition | None = None
    stick_table_where: str = ''
    sticks: list[Stick] = field(default_factory=list)
    answer_sticks: list[Stick] = field(default_factory=list)
    persistence: list[Persist] = field(default_factory=list)
    use_routes: bool = False
    acls: dict[str, Acl] = field(default_factory=dict)
    heirs: Side | None = None
    connection_rules: list[Rule] = field(default_factory=list)
    session_rules: list[Rule] = field(default_factory=list)
    content_rules: list[Rule] = field(default_factory=list)
    request_rules: list[Rule] = field(default_factory=list)
    redirects: list[Rule] = field(default_factory=list)
    response_rules: list[Rule] = field(default_factory=list)
    response_content_rules: list[Rule] = field(default_factory=list)
    after_rules: list[Rule] = field(default_factory=list)
    request_slots: list[Slot] = field(default_factory=list)
    response_slots: list[Slot] = field(default_factory=list)
    timeouts: dict[str, int] = field(default_factory=dict)
    logs: list[LogTarget] = field(default_factory=list)
    log_global: bool = False
    balance: Balance = field(default_factory=Balance)
    retries: int = 3
    retry_on: frozenset[str] = DEFAULT_RETRY_ON
    redispatch: int = 0
    http_reuse: str = 'safe'
    cookie: Cookie | None = None
    forwardfor: ForwardFor | None = None
    originalto: ForwardFor | None = None
    forwarded: Forwarded | None = None
    keep_alive: KeepAlive = KeepAlive.KEEP_ALIVE
    httplog: bool = False
    logasap: bool = False
    log_tag: str = ''
    log_format_name: str = ''
    log_separate_errors: bool = False
    formats: Formats = NO_FORMATS
    dontlognull: bool = False
    dontlog_normal: bool = False
    monitor_uri: bytes | None = None
    monitor_fail: list[Condition] = field(default_factory=list)
    rate_limit: int = 0
    source: Source | None = None
    use_proxy_header: bool = False
    buffer_request: bool = False
    http_ignore_probes: bool = False
    socket_stats: bool = False
    abortonclose: bool = True
    allbackups: bool = False
    persist: bool = False
    prefer_last_server: bool = False
    max_keep_alive_queue: int | None = None
    max_session_srv_conns: int = 5
    send_name_header: str = ''
    cookie_key: str = ''
    log_health_checks: bool = False
    header_names: NamePolicy | None = None
    checkcache: bool = False
    adjust_client_case: bool = False
    adjust_server_case: bool = False
    probe: ProbeDraft = field(default_factory=ProbeDraft)
    published: bool = True
    load_states: str = ''
    state_file_name: str = ''
    error_lines: list[tuple[int, ErrorPage | Reply] | FromSection] = field(default_factory=list)
    error_pages: dict[int, ErrorPage] = field(default_factory=dict)
    error_replies: dict[int, Reply] = field(default_factory=dict)
    description: str = ''
    stats: StatsPage | None = None

    @property
    def side(self) -> Side:
        """Which halves the proxy has."""
        return SIDES[self.kind]

    @property
    def is_tcp(self) -> bool:
        """Is it one of `mode tcp`, which is what a proxy without `mode` is?"""
        return self.mode in (None, 'tcp')

    @property
    def where(self) -> str:
        """`FILE:LINE` of the section's first line."""
        return f'{self.file}:{self.line}'

    @property
    def exporter(self) -> str | None:
        """See `exporter_path`."""
        return exporter_path(self.request_rules)

    @property
    def serves_stats(self) -> bool:
        """Does it answer nothing but the statistics page or the exporter? Then the supervisor listens for it."""
        return (self.stats is not None or self.exporter is not None) and not self._has_traffic

    @property
    def _has_traffic(self) -> bool:
        """Does it say what only workers do, `stats` lines that ask about a request among it?"""
        page = self.stats
        judged = page is not None and (page.rules or any(condition is not None for condition in page.admin))
        return self.side is Side.BACKEND or bool(
            self.servers
            or self.default_backend is not None
            or self.switches
            or self.use_routes
            or self.connection_rules
            or self.session_rules
            or self.content_rules
            or self.redirects
            or (self.request_rules and self.exporter is None)
            or self.response_rules
            or self.after_rules
            or judged
        )

    def heir(self, kind: str, name: str, file: str, line: int) -> ProxyDraft:
        """A new proxy that begins with everything this defaults section says."""
        new = copy(self)
        new.kind, new.name, new.file, new.line = kind, name, file, line
        new.heirs = None
        new.logs, new.timeouts = list(self.logs), dict(self.timeouts)
        new.connection_rules, new.session_rules = list(self.connection_rules), list(self.session_rules)
        new.content_rules = list(self.content_rules)
        new.request_rules, new.redirects = list(self.request_rules), list(self.redirects)
        new.response_content_rules = list(self.response_content_rules)
        new.response_rules, new.after_rules = list(self.response_rules), list(self.after_rules)
        new.request_slots, new.response_slots = list(self.request_slots), list(self.response_slots)
        new.acls, new.switches, new.targets, new.server_switches, new.server_targets = {}, [], [], [], []
        new.forced_switches = []
        new.sticks, new.answer_sticks, new.stick_table = [], [], None
        new.persistence, new.monitor_fail = [], []
        new.error_lines, new.error_pages, new.error_replies = list(self.error_lines), {}, {}
        new.binds, new.servers, new.has_bind_line = [], [], False
        new.default_server = replace(self.default_server)
        new.probe = self.probe.heir()
        return new


@dataclass(slots=True)
class GlobalDraft:
    """The `global` section: the values of `core.model.Global` by name, and what is resolved only at the end."""

    values: dict[str, object] = field(default_factory=dict)
    logs: list[LogTarget] = field(default_factory=list)
    stats_sockets: list[StatsSocket] = field(default_factory=list)
    declared: list[SetVar] = field(default_factory=list)
    maxconn: int = Global().maxconn
    case_adjust: dict[str, str] = field(default_factory=dict)
    state_base: str = ''
    state_file: str = ''
    payload: int = PAYLOAD
    variable_limits: dict[str, int] = field(default_factory=dict)
    stats_file: str = ''
    unix_bind: UnixBind | None = None

    @property
    def bufsize(self) -> int:
        """`tune.bufsize` as far as it was read: what bounds files that are read on the way."""
        size = self.values.get('bufsize', Global().bufsize)
        assert isinstance(size, int)
        return size
