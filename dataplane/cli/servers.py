"""Dumps with a row per server, backend, session or socket: `show servers state|conn`, `show backend`, `show sess`, ..."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from dataplane.cli.arguments import cli_timeout
from dataplane.cli.session import Complaint, Severity
from dataplane.core.model import StatsSocket

STATE_HEADER: Final = (
    '# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight '
    'srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state '
    'bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port srv_check_addr srv_agent_addr '
    'srv_agent_port'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerState:
    """One server for `show servers state`: states and flags as facts 2.1 and 2.2 number them, `age` in seconds."""

    backend_id: int
    backend: str
    id: int
    name: str
    host: str
    port: int
    opstate: int
    admin: int
    uweight: int
    iweight: int
    age: int
    check: tuple[tuple[int, int, int, int], int] = ((1, 0, 0, 0), 0)
    places: tuple[int, str, str, int] = (0, '-', '-', 0)

    def line(self) -> str:
        """The 25 fields. `check`: status, result, health and state of the check, then the agent's state; `places`: of both."""
        (status, result, health, state), agent = self.check
        port, addr, agent_addr, agent_port = self.places
        return (
            f'{self.backend_id} {self.backend} {self.id} {self.name} {self.host} {self.opstate} {self.admin} {self.uweight} '
            f'{self.iweight} {self.age} {status} {result} {health} {state} {agent} 0 0 - {self.port} - 0 {port} {addr} {agent_addr} '
            f'{agent_port}'
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConnections:
    """One server for `show servers conn`. `idle` has one number per worker; `purge_delay` is in ms, `idle_limit` -1: none."""

    backend_id: int
    backend: str
    id: int
    name: str
    host: str
    port: int
    purge_delay: int
    served: int
    used: int
    used_max: int
    idle_limit: int
    idle: tuple[int, ...]

    def line(self) -> str:
        """One row; all idle connections are of the kind that any client may use."""
        total = sum(self.idle)
        numbers = (self.served, self.used, self.used_max, self.used, 0, 0, total, self.idle_limit, total, *self.idle)
        head = f'{self.backend}/{self.name} {self.backend_id}/{self.id} {self.host} {self.port} - {self.purge_delay}'
        return ' '.join((head, *map(str, numbers)))


def show_state(rows: Iterable[ServerState]) -> str:
    """`show servers state`: version, header, rows; the format of the server state file."""
    return '\n'.join(('1', STATE_HEADER, *(row.line() for row in rows)))


def show_connections(rows: Iterable[ServerConnections], workers: int) -> str:
    """`show servers conn`; `workers` is the number of columns behind `idle_per_thr`."""
    header = (
        '# bkname/svname bkid/svid addr port - purge_delay served used_cur used_max need_est idle_sess unsafe_nb safe_nb '
        f'idle_lim idle_cur idle_per_thr[{workers}]'
    )
    return '\n'.join((header, *(row.line() for row in rows)))


def show_backends(names: Iterable[str]) -> str:
    """`show backend`."""
    return '\n'.join(('# name', *names))


def show_sockets(sockets: Iterable[StatsSocket]) -> str:
    """`show cli sockets`."""
    return '\n'.join(('# socket lvl processes', *(f'{socket_name(socket)} {socket.level} all' for socket in sockets)))


def socket_name(socket: StatsSocket) -> str:
    """How a stats socket is written: `unix@/path`, `ipv4@1.2.3.4:5`, `ipv6@[::1]:5`."""
    if socket.path is not None:
        return f'unix@{socket.path}'
    return f'ipv6@[{socket.host}]:{socket.port}' if ':' in socket.host else f'ipv4@{socket.host}:{socket.port}'


def show_env(environment: Mapping[str, str], name: str) -> str:
    """`show env [NAME]`. Raises Complaint when there is no such variable."""
    if not name:
        return '\n'.join(f'{key}={value}' for key, value in environment.items())
    if name not in environment:
        raise Complaint('Variable not found')
    return f'{name}={environment[name]}'


SESS_HELP: Final = """Usage: show sess [<id> | all | help | <options>*]
Dumps the streams of all workers, one per line. Options, which may be combined:
   <id>         this stream only
   all          every stream
   help         this help
   backend <b>  only the streams attached to this backend
   frontend <f> only the streams of this frontend
   server <b/s> only the streams on this server
   older <age>  only the streams open for longer than <age> (seconds, or with a unit)
   show-uri     also show the request line
   susp         accepted; no stream is ever suspect"""


@dataclass(frozen=True, slots=True)
class SessRequest:
    """Operands of `show sess`: '' and 0 select everything; `older` is in ms."""

    id: str = ''
    backend: str = ''
    frontend: str = ''
    server: str = ''
    older: int = 0
    uri: bool = False


def parse_sess(words: tuple[str, ...]) -> SessRequest:
    """Read the operands of `show sess`; as in HAProxy unknown words are ignored. Raises Complaint, also for `help`."""
    values: dict[str, str] = {}
    older = 0
    for index, word in enumerate(words):
        operand = words[index + 1] if index + 1 < len(words) else ''
        if word == 'help':
            raise Complaint(SESS_HELP, Severity.INFO)
        if word in {'backend', 'frontend', 'server'}:
            values[word] = operand
        elif word == 'older':
            older = cli_timeout(operand)
        elif index == 0 and word.startswith('0x'):
            values['id'] = word.lower()
    return SessRequest(**values, older=older, uri='show-uri' in words)


def session_lines(
    sessions: Sequence[Mapping[str, object]], request: SessRequest, *, missing: str = ''
) -> Iterator[str]:
    """`show sess`: one line per stream in HAProxy's form; what has no meaning here is 0.

    `missing` says whose streams are not all there, if so; it is the last line. Raises Complaint for an unknown id.
    """
    if request.id:
        sessions = [row for row in sessions if str(row['id']).lower() == request.id]
        if not sessions:
            raise Complaint(f'Session not found. {missing}'.rstrip())
    yield from (_session_line(row, uri=request.uri) for row in sessions if _wanted(row, request))
    if missing:
        yield f'# {missing}'


def _wanted(row: Mapping[str, object], request: SessRequest) -> bool:
    place = f'{row.get("backend", "")}/{row.get("server", "")}'
    return (
        request.backend in {'', row.get('backend')}
        and request.frontend in {'', row.get('frontend')}
        and request.server in {'', place}
        and _age_ms(row) >= request.older
    )


def _age_ms(row: Mapping[str, object]) -> int:
    age = row.get('age_ms', 0)
    return age if isinstance(age, int) else 0


def _session_line(row: Mapping[str, object], *, uri: bool) -> str:
    line = (
        f'{row["id"]}: proto={row.get("proto", "tcpv4")} src={row.get("src", "")} fe={row.get("frontend", "")} '
        f'be={row.get("backend") or "<NONE>"} srv={row.get("server") or "<none>"} ts=00 epoch=0 age={_age(_age_ms(row) // 1000)} calls=0 rate=0 cpu=0 lat=0 '
        f'rq[f=0h,i=0,an=00h] rp[f=0h,i=0,an=00h] scf=[0,0h,fd=-1] scb=[0,0h,fd=-1] state={row.get("state", "")} '
        f'exp= rc={row.get("retries", 0)} c_exp='
    )
    return f'{line} uri="{row.get("request", "")}"' if uri else line


def _age(seconds: int) -> str:
    """HAProxy's shortest two units: `5s`, `2m5s`, `3h2m`, `4d3h`."""
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if not minutes:
        return f'{seconds}s'
    if not hours:
        return f'{minutes}m{seconds % 60}s'
    return f'{days}d{hours % 24}h' if days else f'{hours}h{minutes % 60}m'
