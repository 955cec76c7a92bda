"""The figures for Prometheus, under the names of HAProxy's exporter (its README), and what is Sluice's own as `sluice_*`.

The text is written here rather than by a client library: the figures are sums made when asked for, HAProxy's names do not
always fit a library's rules, and with a thousand servers the writer must let others of the loop run in between. Labels are
names from the configuration, status classes and server states: their number is bounded by what is configured.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from dataplane.cli.fields import Value
from dataplane.cli.stat import Kind, Row
from dataplane.supervisor.figures import Supervision

CONTENT_TYPE: Final = 'text/plain; version=0.0.4; charset=utf-8'
_MILLISECONDS: Final = 1000
_TIMES: Final = frozenset({'qtime', 'ctime', 'rtime', 'ttime'})
_STATES: Final = {
    Kind.FRONTEND: ('DOWN', 'UP'),
    Kind.BACKEND: ('DOWN', 'UP'),
    Kind.SERVER: ('DOWN', 'UP', 'MAINT', 'DRAIN', 'NOLB'),
}
_STATE_OF: Final = {'OPEN': 'UP', 'STOP': 'DOWN', 'no check': 'UP'}
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
    return f'# HELP {name} {text}\n# TYPE {name} {"counter" if name.endswith("_total") else "gauge"}\n'


def _table(prefix: str, text: str) -> tuple[Metric, ...]:
    metrics = []
    for line in text.strip().splitlines():
        source, name, words = line.split(maxsplit=2)
        divisor = _MILLISECONDS if source.removesuffix('_max') in _TIMES else 1
        metrics.append(Metric(f'{prefix}_{name}', source, words, divisor))
    return tuple(metrics)


_BOTH: Final = """
scur current_sessions Sessions open now
smax max_sessions Most sessions that were ever open at once
slim limit_sessions Limit of sessions
stot sessions_total Sessions since the start
bin bytes_in_total Bytes of requests
bout bytes_out_total Bytes of responses
dresp responses_denied_total Responses denied
rate_max max_session_rate Most sessions in one second
wrew failed_header_rewriting_total Header rewrites that failed
eint internal_errors_total Internal errors
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
    Kind.FRONTEND: _table('haproxy_frontend', f"""{_BOTH.rstrip()}
dreq requests_denied_total Requests denied
ereq request_errors_total Requests that were not valid
req_rate_max http_requests_rate_max Most requests in one second
req_tot http_requests_total Requests received
conn_rate_max connections_rate_max Most connections in one second
conn_tot connections_total Connections accepted
intercepted intercepted_requests_total Requests answered by the proxy itself
dcon denied_connections_total Connections denied
dses denied_sessions_total Sessions denied
"""),
    Kind.BACKEND: _table('haproxy_backend', f"""{_BOTH.rstrip()}{_BEHIND.rstrip()}
dreq requests_denied_total Requests denied
act active_servers Usable servers that are not backups
bck backup_servers Usable backup servers
chkdown check_up_down_total Times the backend lost its last server
downtime downtime_seconds_total Seconds in which the backend had no usable server
req_tot http_requests_total Requests received
"""),
    Kind.SERVER: _table('haproxy_server', f"""{_BOTH.rstrip()}{_BEHIND.rstrip()}
qlimit queue_limit maxqueue of the server
chkfail check_failures_total Health checks that failed
chkdown check_up_down_total Times that checks took the server down
downtime downtime_seconds_total Seconds in which the server was down
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
SessRate current_session_rate Sessions over the last second
MaxSessRate max_session_rate Most sessions in one second
Tasks current_tasks Streams open now
Run_queue current_run_queue Streams waiting in a queue now
Stopping stopping 1 while stopping
Jobs jobs Client connections and listeners
Listeners listeners Listening addresses
DroppedLogs dropped_logs_total Log lines dropped
TotalBytesOut bytes_out_total Bytes sent to clients
""",
)


def exposition(rows: list[Row], info: Mapping[str, Value], supervision: Supervision) -> Iterator[str]:
    """The exposition, in pieces of a line or two."""
    for metric in PROCESS:
        yield f'{metric.head}{metric.name} {info[metric.source]}\n'
    yield from _own(info, supervision)
    for kind, metrics in METRICS.items():
        chosen = [(row, _labels(row)) for row in rows if row.kind is kind]
        if chosen:
            yield from _samples(kind, metrics, chosen)


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
    prefix = f'haproxy_{kind.name.lower()}'
    yield _head(f'{prefix}_http_responses_total', 'Responses by the class of their status')
    for row, labels in rows:
        yield ''.join(
            f'{prefix}_http_responses_total{{{labels},code="{code}"}} {row.values[f"hrsp_{code}"]}\n' for code in _CODES
        )
    yield _head(f'{prefix}_status', 'State: 1 for the one in force')
    for row, labels in rows:
        now = str(row.values['status'])
        now = _STATE_OF.get(now, now)
        yield ''.join(f'{prefix}_status{{{labels},state="{state}"}} {int(state == now)}\n' for state in _STATES[kind])


def _labels(row: Row) -> str:
    proxy = f'proxy="{_escape(row.proxy)}"'
    return f'{proxy},server="{_escape(str(row.values["svname"]))}"' if row.kind is Kind.SERVER else proxy


def _escape(text: str) -> str:
    return text.replace('\\', r'\\').replace('"', r'\"').replace('\n', r'\n')
