"""Dumps with a row per server, backend or socket: `show servers state|conn`, `show backend`, `show cli sockets`"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

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
    forced: tuple[int, int] = (0, 0)
    opstate: int
    admin: int
    uweight: int
    iweight: int
    age: int
    check: tuple[tuple[int, int, int, int], int] = ((1, 0, 0, 0), 0)
    places: tuple[int, str, str, int] = (0, '-', '-', 0)
    asked: tuple[str, str] = ('-', '-')

    def line(self) -> str:
        """The 25 fields. `forced`: whether the file says the backend's id, the server's. `check`: status, result, health and state of the check, then the agent's state; `places`: of both; `asked`: host name and SRV record."""
        (status, result, health, state), agent = self.check
        port, addr, agent_addr, agent_port = self.places
        return (
            f'{self.backend_id} {self.backend} {self.id} {self.name} {self.host} {self.opstate} {self.admin} {self.uweight} '
            f'{self.iweight} {self.age} {status} {result} {health} {state} {agent} {self.forced[0]} {self.forced[1]} {self.asked[0]} {self.port} {self.asked[1]} 0 {port} {addr} {agent_addr} '
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
    """How a stats socket is written: `unix@/path`, `ipv4@1.2.3.4:5`, `ipv6@[::1]:5`; `fd@3` before it is known what that is."""
    if socket.fd is not None:
        return f'fd@{socket.fd}'
    if socket.path is not None:
        return f'unix@{socket.path}'
    return f'ipv6@[{socket.host}]:{socket.port}' if ':' in socket.host else f'ipv4@{socket.host}:{socket.port}'
