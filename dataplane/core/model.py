"""The vocabulary of a data plane's configuration: what haproxy.cfg compiles to and what the control plane's push adds.

Everything here is immutable plain data. Times are milliseconds (None: not limited), sizes bytes, weights 0-256. Names and defaults
are those of HAProxy's configuration manual; where a value has a fallback there (`timeout queue` falls back to `timeout connect`)
the compiler has already applied it. Runtime state (who is drained, how many slots are taken) is never here: that is on the board.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from dataplane.core.answers import ERRORS, FAILURES, ErrorPage, ErrorSection
from dataplane.core.checks import AgentCheck, Observe, Probe, ServerCheck
from dataplane.core.cookie import Cookie
from dataplane.core.lookup import Lookup, Resolvers
from dataplane.core.outbound import ControlPlane, ProxyProtocol, Source
from dataplane.core.records import by_fields
from dataplane.core.rings import RingSection
from dataplane.core.sampling import Sampling
from dataplane.core.stick.definition import Definition
from dataplane.core.tuning import Tuning
from dataplane.rules.actions import NO_RULES, Rules, SetVar
from dataplane.rules.model import Expression, Reference, UserList
from dataplane.rules.statspage import StatsPage

DEFAULT_RETRY_ON: Final = frozenset({'conn-failure'})  # where no `retry-on` is said


class OnPartition(StrEnum):
    """What becomes of pushed servers when the control plane is not heard for the length of a lease."""

    KEEP = 'keep'
    STOP = 'stop'


class Level(StrEnum):
    """What a session on the stats socket may do (management manual, 9.3); each level includes those before it."""

    USER = 'user'
    OPERATOR = 'operator'
    ADMIN = 'admin'


class AdminState(StrEnum):
    """The administrative state a person or the control plane asks for."""

    READY = 'ready'
    DRAIN = 'drain'
    MAINT = 'maint'


class Origin(StrEnum):
    """Who asked for an administrative state; each origin's wish is kept apart and the most restrictive one counts."""

    CLI = 'cli'
    CONFIG = 'config'
    PUSH = 'push'


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Milliseconds; None means no limit. `tunnel` None: `client` and `server` stay in force after an upgrade."""

    client: int | None = None
    server: int | None = None
    connect: int | None = None
    queue: int | None = None
    http_request: int | None = None
    tarpit: int | None = None
    http_keep_alive: int | None = None
    tunnel: int | None = None
    client_fin: int | None = None
    server_fin: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogTarget:
    """One `log` line. `address`: 'stdout', 'stderr', 'fd@N', 'HOST:PORT' or '/path' (datagrams). `tag` '': the global one."""

    address: str
    facility: str = 'local0'
    level: str = 'debug'
    min_level: str = 'emerg'
    format: str = 'rfc3164'
    length: int = 1024
    tag: str = ''
    sample: Sampling | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardFor:
    """`option forwardfor [except NET] [header NAME] [if-none]`; `option originalto`, too, whose field has another name."""

    header: str = 'X-Forwarded-For'
    except_net: str | None = None
    if_none: bool = False


class KeepAlive(StrEnum):
    """Connection mode of the HTTP proxy (`option http-keep-alive | http-server-close | httpclose`)."""

    KEEP_ALIVE = 'http-keep-alive'
    SERVER_CLOSE = 'http-server-close'
    CLOSE = 'httpclose'


@dataclass(frozen=True, slots=True, kw_only=True)
class Bind:
    """One listening address: `host` with `port`, or `path` (unix), or `fd` (inherited and bound); `accept_proxy`: a PROXY header is first.

    `interface`: what arrives elsewhere is not heard; `transparent`: the address may be a foreign one.
    """

    name: str = ''
    id: int = 0
    host: str = ''
    port: int = 0
    path: str | None = None
    fd: int | None = None
    maxconn: int = 0
    backlog: int = 0
    v6only: bool = False
    mode: int | None = None
    guid: str = ''
    accept_proxy: bool = False
    interface: str = ''
    transparent: bool = False
    where: str = ''

    @property
    def label(self) -> str:
        """Its name, or what it is called without one."""
        return self.name or f'sock-{self.id}'

    @property
    def address(self) -> str:
        """How the address is written in errors, `show stat` and the log."""
        if self.path is not None and self.path.startswith('\0'):
            return f'abns@{self.path.strip(chr(0))}'
        if self.path is not None:
            return f'unix@{self.path}'
        if self.fd is not None:
            return f'fd@{self.fd}'
        return f'[{self.host}]:{self.port}' if ':' in self.host else f'{self.host}:{self.port}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Frontend:
    """A `frontend`, or the front half of a `listen`. `maxconn` is resolved; `adjust_case` is about answers; `rate_limit` is per second."""

    name: str
    id: int
    binds: tuple[Bind, ...]
    maxconn: int
    timeouts: Timeouts = Timeouts()
    default_backend: str | None = None
    use_routes: bool = False
    rules: Rules = NO_RULES
    log_targets: tuple[LogTarget, ...] = ()
    httplog: bool = False
    logasap: bool = False
    dontlognull: bool = False
    dontlog_normal: bool = False
    log_separate_errors: bool = False
    forwardfor: ForwardFor | None = None
    originalto: ForwardFor | None = None
    keep_alive: KeepAlive = KeepAlive.KEEP_ALIVE
    monitor_uri: bytes | None = None
    rate_limit: int = 0
    use_proxy_header: bool = False
    http_ignore_probes: bool = False
    adjust_case: bool = False
    socket_stats: bool = False
    max_session_srv_conns: int = 5
    error_pages: tuple[ErrorPage, ...] = ()
    description: str = ''
    guid: str = ''
    disabled: bool = False
    where: str = ''


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One `server` line or one pushed server. `maxconn` 0: unlimited. `port` 0: the port the client connected to.

    `minconn` equals `maxconn` where the limit is static (HAProxy's post-parse rule has been applied). `share`: how much of a
    limit over all data planes is this one's, None where the limit is its own; `share_due`: there is none yet. `slowstart`: ms in which it
    warms up, 0: at once. `hash_key`: what its points on a ring are made from, 'id', 'addr' or 'addr-port'. `forced_id`: the file says its
    id. `dynamic`: it was added at run time, so that it begins in maintenance, with its checks switched off. `redir`: where GET and HEAD go. `lookup`: who is asked for its address.
    """

    name: str
    id: int
    host: str
    port: int
    forced_id: bool = False
    weight: int = 1
    maxconn: int = 0
    minconn: int = 0
    maxqueue: int = 0
    backup: bool = False
    disabled: bool = False
    pool_max_conn: int = -1
    pool_purge_delay: int = 5000
    max_reuse: int = -1
    cookie: str = ''
    slowstart: int = 0
    hash_key: str = 'id'
    redir: str = ''
    source: Source | None = None
    proxy: ProxyProtocol | None = None
    share: int | None = None
    share_due: bool = False
    check: ServerCheck | None = None
    agent: AgentCheck | None = None
    track: tuple[str, str] | None = None
    observe: Observe | None = None
    shutdown_when_down: bool = False
    shutdown_backups_when_up: bool = False
    dynamic: bool = False
    non_stick: bool = False
    guid: str = ''
    lookup: Lookup | None = None
    where: str = ''


HASHES: Final = frozenset(('source', 'uri', 'url_param', 'hdr', 'hash'))  # words that hash a key of the request


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """`balance WORD ...`, and with it `hash-type`, `hash-balance-factor` (0: off) and `hash-preserve-affinity`.

    `draws` are random's, `name` is the header of `hdr` or the parameter of `url_param`; `length` and `depth` (0: all of it),
    `whole` and `path_only` say what of the target `uri` takes, `domain_only` what of a host `hdr` takes; `key` is what `hash` takes.
    """

    algorithm: str = 'random'
    draws: int = 2
    name: str = ''
    length: int = 0
    depth: int = 0
    whole: bool = False
    path_only: bool = False
    domain_only: bool = False
    key: Expression | None = None
    consistent: bool = False
    function: str = 'sdbm'
    avalanche: bool = False
    factor: int = 0
    affinity: str = 'always'

    @property
    def hashed(self) -> bool:
        """Is a stream tied to a server by a key of its own?"""
        return self.algorithm in HASHES

    @property
    def dynamic(self) -> bool:
        """May weights change while it runs? Otherwise only between 0 and what is declared (HAProxy's static algorithms)."""
        return self.consistent if self.hashed else self.algorithm not in ('static-rr', 'sticky')


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """A `backend`, the back half of a `listen`, or a pushed backend. `fullconn` is resolved (at least 1); `adjust_case` is about requests.
    `state_file`: see `server-state-file`, '' for none. One that is not `published` is passed over as a disabled one is, and runs on.
    `cookie_key`: what dynamic cookies are made with; `max_keep_alive_queue` None: not limited; `send_name_header`: '' for none.
    """

    name: str
    id: int
    forced_id: bool = False
    mode: str = 'http'  # or 'tcp': it gets no requests, its servers are checked
    servers: tuple[Server, ...] = ()
    balance: Balance = Balance()
    timeouts: Timeouts = Timeouts()
    retries: int = 3
    retry_on: frozenset[str] = DEFAULT_RETRY_ON
    redispatch: int = 0
    fullconn: int = 1
    allbackups: bool = False
    abortonclose: bool = True
    forwardfor: ForwardFor | None = None
    originalto: ForwardFor | None = None
    keep_alive: KeepAlive = KeepAlive.KEEP_ALIVE
    http_reuse: str = 'safe'
    adjust_case: bool = False
    cookie: Cookie | None = None
    cookie_key: str = ''
    persist: bool = False
    prefer_last_server: bool = False
    max_keep_alive_queue: int | None = None
    send_name_header: str = ''
    rules: Rules = NO_RULES
    log_targets: tuple[LogTarget, ...] = ()  # of lines about it and its servers; where it is pushed, those of `global`
    default_server: tuple[str, ...] = ()  # the words of these lines, for servers that are added
    error_pages: tuple[ErrorPage, ...] = ()
    probe: Probe = field(default_factory=Probe)
    state_file: str = ''
    description: str = ''
    guid: str = ''
    disabled: bool = False
    published: bool = True
    pushed: bool = False
    where: str = ''


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One row of the pushed route table. `host` is lower case without port ('' any; '*.example.org' any one label)."""

    host: str
    path_prefix: str
    backend: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StatsListener:
    """A `listen`/`frontend` that serves only the statistics page and the exporter, at `metrics_path` ("": at every one; None: not at all)."""

    name: str
    binds: tuple[Bind, ...]
    page: StatsPage | None = None
    metrics_path: str | None = '/metrics'
    unserved: ErrorPage | None = None  # its `errorfile` for everything else
    where: str = ''


@dataclass(frozen=True, slots=True, kw_only=True)
class StatsSocket:
    """One `stats socket` line: `path` (unix), or `host`:`port`, or `fd` (inherited and already bound); `mode` as in chmod."""

    path: str | None = None
    host: str = ''
    port: int = 0
    fd: int | None = None
    mode: int | None = None
    level: Level = Level.OPERATOR


@dataclass(frozen=True, slots=True, kw_only=True)
class Global:
    """The `global` section, resolved. `case_adjust`: names of fields in lower case, and how they are written (`h1-case-adjust`)."""

    maxconn: int = 10_000
    maxconnrate: int = 0
    maxsessrate: int = 0
    nbthread: int = 1
    node: str = ''
    description: str = ''
    log_targets: tuple[LogTarget, ...] = ()
    log_tag: str = 'haproxy'
    log_send_hostname: str | None = None
    pidfile: str | None = None
    grace: int = 0
    hard_stop_after: int | None = None
    bufsize: int = 16_384
    maxrewrite: int = 1_024
    maxhdr: int = 101
    counted_codes: tuple[int, int] = (ERRORS, FAILURES)
    stats_sockets: tuple[StatsSocket, ...] = ()
    stats_timeout: int = 10_000
    isolation_timeout: int = 1_000
    state_dir: str | None = None
    stats_file: str = ''
    bootstrap_file: str | None = None
    control_plane: ControlPlane | None = None
    on_partition: OnPartition = OnPartition.KEEP
    spread_checks: int = 0
    max_spread_checks: int = 0
    case_adjust: tuple[tuple[str, str], ...] = ()
    tuning: Tuning = field(default_factory=Tuning)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A configuration: of a file, or with what was pushed. `defaults`: of each named section its mode and the backend that begins with it, whose fullconn may be 0."""

    globals: Global = field(default_factory=Global)
    frontends: tuple[Frontend, ...] = ()
    backends: tuple[Backend, ...] = ()
    routes: tuple[Route, ...] = ()
    stats_listeners: tuple[StatsListener, ...] = ()
    defaults: tuple[tuple[str, Backend], ...] = ()
    stick_tables: tuple[Definition, ...] = ()
    references: tuple[Reference, ...] = ()
    declared: tuple[SetVar, ...] = ()  # of the global section
    variables: tuple[tuple[str, int | bytes], ...] = ()  # what `declared` made when the files were read
    load: int = 0  # which reading of the files
    userlists: tuple[UserList, ...] = ()
    error_sections: tuple[ErrorSection, ...] = ()
    rings: tuple[RingSection, ...] = ()
    resolvers: tuple[Resolvers, ...] = ()


by_fields(Timeouts, LogTarget, ForwardFor, Bind, Frontend, Server, Balance, Backend, Route, StatsListener, StatsSocket)
by_fields(Global, Snapshot)
