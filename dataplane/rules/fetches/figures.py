"""Rules: fetches of numbers about proxies and servers (configuration manual 7.3.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dataplane.rules.phases import Use
from dataplane.rules.samples import Sample, Type
from dataplane.rules.table import Arguments, Fetch, Getter

if TYPE_CHECKING:
    from dataplane.rules.view import View

_BACKEND: Final = ('nbsrv', 'connslots', 'queue', 'avg_queue', 'be_conn', 'be_conn_free', 'be_sess_rate')
_FRONTEND: Final = ('fe_conn', 'fe_req_rate', 'fe_sess_rate')
_SERVER: Final = ('srv_conn', 'srv_conn_free', 'srv_queue', 'srv_sess_rate', 'srv_weight', 'srv_iweight', 'srv_uweight')
_OWN_BACKEND: Final = (
    'be_server_timeout', 'be_tunnel_timeout', 'be_connect_timeout', 'be_queue_timeout', 'be_tarpit_timeout', 'be_max_retries',
)  # fmt: skip
_OWN_FRONTEND: Final = ('fe_client_timeout', 'fe_tarpit_timeout')


def _proxy(name: str, kind: str) -> Fetch:
    def build(arguments: Arguments) -> Getter:
        proxy = str(arguments[0]) if arguments and arguments[0] is not None else ''
        return lambda view: view.figure(name, proxy, '')

    return Fetch(Type.INT, Use.INTERNAL, build, f'{kind}?')


def server_of(text: str) -> tuple[str, str]:
    """The backend ('' for the transaction's own) and the server that `[BACKEND/]SERVER` names."""
    proxy, slash, server = text.rpartition('/')
    return (proxy, server) if slash else ('', text)


def _server(name: str, gives: Type) -> Fetch:
    def build(arguments: Arguments) -> Getter:
        proxy, server = server_of(str(arguments[0]))

        def fetch(view: View) -> Sample | None:
            value = view.figure(name, proxy, server)
            return bool(value) if value is not None and gives is Type.BOOL else value

        return fetch

    return Fetch(gives, Use.INTERNAL, build, 'server')


def _own(name: str, use: Use) -> Fetch:
    return Fetch(Type.INT, use, lambda _: lambda view: view.figure(name, '', ''))


FIGURES: Final[dict[str, Fetch]] = {
    **{name: _proxy(name, 'backend') for name in _BACKEND},
    **{name: _proxy(name, 'frontend') for name in _FRONTEND},
    **{name: _server(name, Type.INT) for name in _SERVER},
    **{name: _own(name, Use.BACKEND) for name in _OWN_BACKEND},
    **{name: _own(name, Use.FRONTEND) for name in _OWN_FRONTEND},
    'srv_is_up': _server('srv_is_up', Type.BOOL),
}
