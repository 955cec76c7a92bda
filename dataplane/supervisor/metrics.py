"""The figures for Prometheus, under the names of HAProxy's exporter (its README), and what is Sluice's own as `sluice_*`.

The text is written here rather than by a client library: the figures are sums made when asked for, HAProxy's names do not
always fit a library's rules, and with a thousand servers the writer must let others of the loop run in between. Labels are
names from the configuration, status classes and server states: their number is bounded by what is configured.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_plus

from dataplane.cli.fields import Value
from dataplane.cli.stat import Kind, Row
from dataplane.supervisor.figures import Supervision

SCOPES: Final = frozenset({'global', 'frontend', 'listener', 'backend', 'server', 'sticktable'})
CONTENT_TYPE: Final = 'text/plain; version=0.0.4; charset=utf-8'
_MILLISECONDS: Final = 1000
_DIVISORS: Final = dict.fromkeys(('qtime', 'ctime', 'rtime', 'ttime', 'check_duration'), _MILLISECONDS)
_COUNTERS: Final = frozenset({'haproxy_process_failed_resolutions'})
_SERVER_STATES: Final = ('DOWN', 'UP', 'MAINT', 'DRAIN', 'NOLB')
_STATES: Final = {
    Kind.FRONTEND: ('DOWN', 'UP'),
    Kind.BACKEND: ('DOWN', 'UP'),
    Kind.SERVER: _SERVER_STATES,
    Kind.LISTENER: ('WAITING', 'OPEN', 'FULL'),
}
_STATE_OF: Final = {'OPEN': 'UP', 'PAUSED': 'UP', 'STOP': 'DOWN', 'no': 'UP'}  # of `no check`
_CHECKS: Final = (
    'HANA', 'SOCKERR', 'L4OK', 'L4TOUT', 'L4CON', 'L6OK', 'L6TOUT', 'L6RSP', 'L7TOUT', 'L7RSP', 'L7OK', 'L7OKC', 'L7STS',
    'PROCERR', 'PROCTOUT', 'PROCOK',
)  # fmt: skip
"""Results of checks, as `check_status` of `show stat` has them."""
_OF_CHECKS: Final = frozenset({'check_code', 'check_duration'})
"""Only of servers that are checked."""
_CODES: Final = ('1xx', '2xx', '3xx', '4xx', '5xx', 'other')


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric: the figure it is made of, what it counts, and by what its value is divided."""

    name: str
    source: str
    help: str
    divisor: int = 1

    @property
    def head(self) -> str:
        """The two comment lines in front of its samples."""
        return _head(self.name, self.help)


def _head(name: str, text: str) -> str:
    kind = 'counter' if name.endswith('_total') or name in _COUNTERS else 'gauge'
    return f'# HELP {name} {text}\n# TYPE {name} {kind}\n'


def _table(prefix: str, text: str) -> tuple[Metric, ...]:
    metrics = []
    for line in text.strip().splitlines():
        source, name, words = line.split(maxsplit=2)
        divisor = _DIVISORS.get(source.removesuffix('_max'), 1)
        metrics.append(Metric(f'{prefix}_{name}', source.replace('~', ' '), words, divisor))
    return tuple(metrics)


_ALL: Final = """
scur current_sessions Sessions open now
smax max_sessions Most sessions that were ever open at once
slim limit_sessions Limit of sessions
stot sessions_total Sessions since the start
bin bytes_in_total Bytes of requests
bout bytes_out_total Bytes of responses
dresp responses_denied_total Responses denied
wrew failed_header_rewriting_total Header rewrites that failed
eint internal_errors_total Internal errors
"""
_BOTH: Final = f"""{_ALL.rstrip()}
rate_max max_session_rate Most sessions in one second
"""
_PROXY: Final = """
dreq requests_denied_total Requests denied
req_tot http_requests_total Requests received
comp_in http_comp_bytes_in_total Bytes given to the compressor
comp_out http_comp_bytes_out_total Bytes the compressor made of them
comp_byp http_comp_bytes_bypassed_total Bytes not compressed for lack of resources
comp_rsp http_comp_responses_total Responses compressed
cache_lookups http_cache_lookups_total Requests looked up in the cache
cache_hits http_cache_hits_total Requests found in the cache
"""
_ACCEPTS: Final = """
ereq request_errors_total Requests that were not valid
dcon denied_connections_total Connections denied
dses denied_sessions_total Sessions denied
"""
_BEHIND: Final = """
qcur current_queue Requests waiting in the queue now
qmax max_queue Most requests that ever waited in the queue
econ connection_errors_total Connections to a server that could not be made
eresp response_errors_total Responses that were not valid
wretr retry_warnings_total Connections tried again
wredis redispatch_warnings_total Requests sent to another server after a failed connection
weight weight Effective weight
uweight uweight Weight as set
lastchg check_last_change_seconds Seconds since the state changed
lbtot loadbalanced_total Requests that load balancing sent here
cli_abrt client_aborts_total Requests given up by the client
srv_abrt server_aborts_total Requests given up by the server
lastsess last_session_seconds Seconds since the last session, -1 for none
qtime queue_time_average_seconds Average time in the queue
ctime connect_time_average_seconds Average time to connect
rtime response_time_average_seconds Average time to the response
ttime total_time_average_seconds Average time of a whole request
qtime_max max_queue_time_seconds Longest time in the queue
ctime_max max_connect_time_seconds Longest time to connect
rtime_max max_response_time_seconds Longest time to the response
ttime_max max_total_time_seconds Longest time of a whole request
connect connection_attempts_total Connections to servers tried
reuse connection_reuses_total Requests sent over a connection in use before
"""
METRICS: Final = {
    Kind.FRONTEND: _table('haproxy_frontend', f"""{_BOTH.rstrip()}{_PROXY.rstrip()}{_ACCEPTS.rstrip()}
rate_lim limit_session_rate Limit of new sessions per second
req_rate_max http_requests_rate_max Most requests in one second
conn_rate_max connections_rate_max Most connections in one second
conn_tot connections_total Connections accepted
intercepted intercepted_requests_total Requests answered by the proxy itself
"""),
    Kind.LISTENER: _table('haproxy_listener', f"""{_ALL.rstrip()}{_ACCEPTS.rstrip()}
dreq requests_denied_total Requests denied
"""),
    Kind.BACKEND: _table('haproxy_backend', f"""{_BOTH.rstrip()}{_BEHIND.rstrip()}{_PROXY.rstrip()}
act active_servers Usable servers that are not backups
bck backup_servers Usable backup servers
chkdown check_up_down_total Times the backend lost its last server
downtime downtime_seconds_total Seconds in which the backend had no usable server
"""),
    Kind.SERVER: _table('haproxy_server', f"""{_BOTH.rstrip()}{_BEHIND.rstrip()}
qlimit queue_limit maxqueue of the server
chkfail check_failures_total Health checks that failed
chkdown check_up_down_total Times that checks took the server down
downtime downtime_seconds_total Seconds in which the server was down
throttle current_throttle Percentage of the weight in use during slowstart
check_code check_code Layer 5-7 code of the last health check
check_duration check_duration_seconds Time the last health check took
srv_icur idle_connections_current Idle connections to the server
src_ilim idle_connections_limit Limit of idle connections to the server
idle_conn_cur unsafe_idle_connections_current Idle connections that only their own client may use
safe_conn_cur safe_idle_connections_current Idle connections that any client may use
used_conn_cur used_connections_current Connections to the server in use
need_conn_est need_connections_current Connections thought to be needed
"""),
}  # fmt: skip
PROCESS: Final = _table(
    'haproxy_process',
    """
Nbthread nbthread Workers
Nbproc nbproc Processes in HAProxy's old sense
Process_num relative_process_id Number of the process
Uptime_sec uptime_seconds Seconds since the start
Start_time_sec start_time_seconds Second of the start
Ulimit-n max_fds Limit on file descriptors
Maxsock max_sockets Limit on sockets
Maxconn max_connections Limit on client connections
Hard_maxconn hard_max_connections Limit that the configuration set on client connections
CurrConns current_connections Client connections open now
CumConns connections_total Client connections accepted
CumReq requests_total Requests received
ConnRate current_connection_rate Connections over the last second
MaxConnRate max_connection_rate Most connections in one second
ConnRateLimit limit_connection_rate Limit on new connections per second
SessRate current_session_rate Sessions over the last second
SessRateLimit limit_session_rate Limit on new sessions per second
MaxSessRate max_session_rate Most sessions in one second
MaxSslConns max_ssl_connections Limit on TLS connections
CurrSslConns current_ssl_connections TLS connections open now
CumSslConns ssl_connections_total TLS connections since the start
SslRate current_ssl_rate TLS connections over the last second
SslRateLimit limit_ssl_rate Limit on TLS connections per second
MaxSslRate max_ssl_rate Most TLS connections in one second
SslFrontendKeyRate current_frontend_ssl_key_rate TLS keys on frontends over the last second
SslFrontendMaxKeyRate max_frontend_ssl_key_rate Most TLS keys on frontends in one second
SslFrontendSessionReuse_pct frontend_ssl_reuse Part of the TLS sessions that was resumed
SslBackendKeyRate current_backend_ssl_key_rate TLS keys on backends over the last second
SslBackendMaxKeyRate max_backend_ssl_key_rate Most TLS keys on backends in one second
SslCacheLookups ssl_cache_lookups_total TLS sessions looked up
SslCacheMisses ssl_cache_misses_total TLS sessions not found
Maxpipes max_pipes Limit on pipes
PipesUsed pipes_used_total Pipes in use
PipesFree pipes_free_total Pipes free
PoolFailed pool_failures_total Allocations that failed
CompressBpsIn http_comp_bytes_in_total Bytes given to the compressor over the last second
CompressBpsOut http_comp_bytes_out_total Bytes the compressor made over the last second
CompressBpsRateLim limit_http_comp Limit on the compressor's output
Tasks current_tasks Streams open now
Run_queue current_run_queue Streams waiting in a queue now
Stopping stopping 1 while stopping
Jobs jobs Client connections and listeners
Unstoppable~Jobs unstoppable_jobs Jobs that stopping does not wait for
ActivePeers active_peers Peers in use
ConnectedPeers connected_peers Peers connected
BusyPolling busy_polling_enabled 1 with busy polling
FailedResolutions failed_resolutions Name resolutions that failed
CumRecvLogs recv_logs_total Log lines received
Memmax_bytes max_memory_bytes Limit on memory
PoolAlloc_bytes pool_allocated_bytes Memory allocated in pools
PoolUsed_bytes pool_used_bytes Memory used in pools
TotalSplicedBytesOut spliced_bytes_out_total Bytes sent through a pipe
Listeners listeners Listening addresses
DroppedLogs dropped_logs_total Log lines dropped
TotalBytesOut bytes_out_total Bytes sent to clients and servers
BytesOutRate bytes_out_rate Bytes sent over the last second
Idle_pct idle_time_percent Percentage of the last second that workers spent waiting
""",
)


@dataclass(frozen=True, slots=True)
class Fill:
    """A stick table, and how many entries it has."""

    name: str
    key: str
    size: int
    used: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for: `scopes`, of SCOPES, and whether without servers in maintenance."""

    scopes: frozenset[str] = SCOPES
    no_maint: bool = False


ALL: Final = Wanted()


def wanted(query: str) -> Wanted:
    """Read the query of a request: `scope=...` (more than one adds up, `*` is all, none is none), `no-maint`.

    Raises ValueError for a scope that there is none of, or without a value. Other words are ignored, as HAProxy ignores them.
    """
    scopes: frozenset[str] = frozenset()
    named = no_maint = False
    for word in query.split('&'):
        name, sign, raw = word.partition('=')
        value = unquote_plus(raw)
        if name == 'scope':
            named = True
            if not sign:
                raise ValueError('scope has no value')
            if value not in {'', '*', *SCOPES}:
                raise ValueError(f'there is no scope {value!r}')
            scopes = {'': frozenset[str](), '*': SCOPES}.get(value, scopes | {value})
        elif name == 'no-maint':
            no_maint = True
    return Wanted(scopes if named else SCOPES, no_maint)


def exposition(
    rows: list[Row],
    info: Mapping[str, Value],
    supervision: Supervision,
    asked: Wanted = ALL,
    tables: Sequence[Fill] = (),
) -> Iterator[str]:
    """The exposition, in pieces of a line or two. A figure that does not apply is NaN, as HAProxy has it."""
    if 'global' in asked.scopes:
        for metric in PROCESS:
            value = info.get(metric.source, 'NaN' if metric.source == 'Idle_pct' else 0)
            yield f'{metric.head}{metric.name} {value}\n'
        yield from _own(info, supervision)
    for kind, metrics in METRICS.items():
        if kind.name.lower() not in asked.scopes:
            continue
        chosen = [
            (row, _labels(row)) for row in rows if row.kind is kind and not (asked.no_maint and _in_maintenance(row))
        ]
        if chosen:
            yield from _samples(kind, metrics, chosen)
            if kind is Kind.BACKEND:
                yield from _aggregates(rows, chosen)
    if tables and 'sticktable' in asked.scopes:
        yield from _tables(tables)


def _tables(tables: Sequence[Fill]) -> Iterator[str]:
    for name, text, figures in (
        ('haproxy_sticktable_size', 'Entries that the table has room for', [table.size for table in tables]),
        ('haproxy_sticktable_used', 'Entries in the table', [table.used for table in tables]),
    ):
        yield _head(name, text)
        for table, figure in zip(tables, figures, strict=True):
            yield f'{name}{{name="{_escape(table.name)}",type="{table.key}"}} {figure}\n'


def _in_maintenance(row: Row) -> bool:
    return row.kind is Kind.SERVER and str(row.values['status']).startswith('MAINT')


def _own(info: Mapping[str, Value], supervision: Supervision) -> Iterator[str]:
    version = _escape(str(info['Version']))
    for name in ('haproxy_process_build_info', 'sluice_build_info'):
        yield f'{_head(name, "Version in its label")}{name}{{version="{version}"}} 1\n'
    values: tuple[tuple[str, float, str], ...] = (
        ('sluice_revision', supervision.revision, 'Committed revision'),
        ('sluice_pause_seconds', supervision.pause_us / 1e6, 'Pause of the last change: how long the lock was held'),
        ('sluice_pause_max_seconds', supervision.pause_max_us / 1e6, 'Longest pause since the start'),
        ('sluice_workers', supervision.workers, 'Workers alive'),
        ('sluice_worker_restarts_total', supervision.restarts, 'Workers started again after a death'),
    )
    if supervision.lease_in_force is not None:
        values += (
            (
                'sluice_lease_in_force', int(supervision.lease_in_force),
                '1 while the control plane was heard within a lease; with on-partition stop 0 means no traffic to pushed servers',
            ),
            ('sluice_lease_seconds', supervision.lease_ms / 1e3, 'What is left of the lease for traffic'),
        )  # fmt: skip
    for name, value, text in values:
        yield f'{_head(name, text)}{name} {value}\n'


def _samples(kind: Kind, metrics: Iterable[Metric], rows: list[tuple[Row, str]]) -> Iterator[str]:
    for metric in metrics:
        yield metric.head
        for row, labels in rows:
            value = row.values.get(metric.source)
            if isinstance(value, (int, float)):
                yield f'{metric.name}{{{labels}}} {value / metric.divisor if metric.divisor > 1 else value}\n'
            elif metric.source not in _OF_CHECKS:
                yield f'{metric.name}{{{labels}}} NaN\n'
    prefix = f'haproxy_{kind.name.lower()}'
    if kind is not Kind.LISTENER:
        yield _head(f'{prefix}_http_responses_total', 'Responses by the class of their status')
        for row, labels in rows:
            yield ''.join(
                f'{prefix}_http_responses_total{{{labels},code="{code}"}} {row.values[f"hrsp_{code}"]}\n'
                for code in _CODES
            )
    yield _head(f'{prefix}_status', 'State: 1 for the one in force')
    for row, labels in rows:
        yield _one_hot(f'{prefix}_status', labels, _STATES[kind], _state(row))
    if kind is Kind.SERVER:
        yield _head('haproxy_server_check_status', 'Result of the last health check: 1 for the one it was')
        for row, labels in rows:
            if 'check_status' in row.values:
                yield _one_hot('haproxy_server_check_status', labels, _CHECKS, _result(row))


def _state(row: Row) -> str:
    """The state without its details: `UP 1/2`, `MAINT (via b/s)`."""
    word = str(row.values['status']).split(' ', 1)[0]
    return word if row.kind is Kind.LISTENER else _STATE_OF.get(word, word)


def _result(row: Row) -> str:
    return str(row.values['check_status']).removeprefix('* ')


def _one_hot(name: str, labels: str, states: Iterable[str], now: str) -> str:
    return ''.join(f'{name}{{{labels},state="{state}"}} {int(state == now)}\n' for state in states)


def _aggregates(rows: Iterable[Row], backends: list[tuple[Row, str]]) -> Iterator[str]:
    """How many servers of each backend are in each state, and how many checks had each result."""
    states: dict[str, Counter[str]] = {}
    results: dict[str, Counter[str]] = {}
    for row in rows:
        if row.kind is Kind.SERVER:
            states.setdefault(row.proxy, Counter())[_state(row)] += 1
            if 'check_status' in row.values:
                results.setdefault(row.proxy, Counter())[_result(row)] += 1
    for name, text, words, counts in (
        ('agg_server_status', 'Servers by state', _SERVER_STATES, states),
        ('agg_server_check_status', 'Servers by state, under the name it had first', _SERVER_STATES, states),
        ('agg_check_status', 'Servers by the result of their last health check', _CHECKS, results),
    ):
        yield _head(f'haproxy_backend_{name}', text)
        for row, labels in backends:
            counted = counts.get(row.proxy, Counter())
            yield ''.join(f'haproxy_backend_{name}{{{labels},state="{word}"}} {counted[word]}\n' for word in words)


def _labels(row: Row) -> str:
    proxy = f'proxy="{_escape(row.proxy)}"'
    if row.kind not in (Kind.SERVER, Kind.LISTENER):
        return proxy
    return f'{proxy},{row.kind.name.lower()}="{_escape(str(row.values["svname"]))}"'


def _escape(text: str) -> str:
    return text.replace('\\', r'\\').replace('"', r'\"').replace('\n', r'\n')
