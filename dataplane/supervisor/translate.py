"""From the control plane's state document to the change that goes through the supervisor's one door. Pure.

The wire says everything in absolute values and gives neither order nor ids; here servers and backends get the order of
their names, so that every data plane has the same one. Ids, `minconn` and `fullconn` are left open (0): whoever composes
file and push resolves them as it does for a file. `timeout queue` falls back to `timeout connect` here already, since
readers of the configuration never look twice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from dataplane.core.changes import AdoptPush
from dataplane.core.model import AdminState, Backend, Balance, Route, Server, Timeouts
from dataplane.wire.state import State

WHERE: Final = 'control plane'
_BALANCE: Final = re.compile(r'([a-z-]+)(?:\(([0-9]+)\))?')


def translate(state: State, before: tuple[State, AdoptPush] | None = None) -> AdoptPush:
    """The change that makes `state` true. `state` has passed `wire.state.check` (or was folded from one that has).

    `before`: an earlier state and what it was translated to; backends that both states share are not translated again.
    """
    known: dict[int, Backend] = {}
    if before is not None:
        made = {backend.name: backend for backend in before[1].backends}
        known = {id(spec): made[name] for name, spec in before[0]['backends'].items()}
    backends = tuple(known.get(id(spec)) or _backend(name, spec) for name, spec in sorted(state['backends'].items()))
    routes = tuple(
        Route(host=route['host'], path_prefix=route['pathPrefix'], backend=route['backend'])
        for _, route in sorted(state['routes'].items())
    )
    states = {
        (name, server): (AdminState(spec['adminState']), spec['sessionGeneration'])
        for name, backend in state['backends'].items()
        for server, spec in backend['servers'].items()
    }
    return AdoptPush(backends=backends, routes=routes, states=states)


def _backend(name: str, spec: Mapping[str, Any]) -> Backend:
    return Backend(
        name=name,
        id=0,
        servers=tuple(_server(server, of) for server, of in sorted(spec['servers'].items())),
        balance=_balance(spec['balance']),
        timeouts=_timeouts(spec['timeouts']),
        retries=spec['retries'],
        redispatch=spec['redispatch'],
        fullconn=spec['fullconn'],
        allbackups=spec['allbackups'],
        pushed=True,
        where=WHERE,
    )


def _server(name: str, spec: Mapping[str, Any]) -> Server:
    return Server(
        name=name,
        id=0,
        host=spec['address'],
        port=spec['port'],
        weight=spec['weight'],
        maxconn=spec['maxConn'],
        minconn=spec['minConn'],
        maxqueue=spec['maxQueue'],
        backup=spec['backup'],
        share=spec.get('share'),
        share_due=spec.get('shareDue', False),
        where=WHERE,
    )


def _balance(text: str) -> Balance:
    match = _BALANCE.fullmatch(text)
    if match is None:
        raise ValueError(f'balance: {text!r} is not an algorithm')
    algorithm, draws = match.groups()
    return Balance(algorithm=algorithm, draws=int(draws)) if draws else Balance(algorithm=algorithm)


def _timeouts(spec: Mapping[str, int | None]) -> Timeouts:
    queue = spec['connect'] if spec['queue'] is None else spec['queue']
    return Timeouts(connect=spec['connect'], server=spec['server'], queue=queue, tunnel=spec['tunnel'])
