"""config: the words of `server` lines about checks (configuration manual 5.2), and what must fit together."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from dataplane.config.address import parse_server
from dataplane.config.draft import Side
from dataplane.config.problems import Rejected, shown
from dataplane.config.values import parse_int, parse_time
from dataplane.core.checks import InitState, Layer, OnError
from dataplane.wire.unixhost import is_unix

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dataplane.config.draft import ProxyDraft, ServerDraft
    from dataplane.config.problems import Report

_MOST: Final = 65_535
_FLAGS: Final = {'check': ('check', True), 'no-check': ('check', False), 'agent-check': ('agent', True),
                 'no-agent-check': ('agent', False)}  # fmt: skip
_TIMES: Final = ('inter', 'fastinter', 'downinter', 'agent-inter')
_COUNTS: Final = ('rise', 'fall', 'error-limit')
_PORTS: Final = ('port', 'agent-port')
_ADDRESSES: Final = ('addr', 'agent-addr')
_TEXTS: Final = ('agent-send', 'track')
_CHOICES: Final[dict[str, dict[str, tuple[str, object]]]] = {
    'init-state': {state.value: ('init_state', state) for state in InitState},
    'observe': {layer.value: ('observe', layer) for layer in Layer} | {'none': ('observe', None)},
    'on-error': {way.value: ('on_error', way) for way in OnError},
    'on-marked-down': {'shutdown-sessions': ('shutdown_when_down', True)},
    'on-marked-up': {'shutdown-backup-sessions': ('shutdown_backups_when_up', True)},
}
WORDS: Final = frozenset((*_FLAGS, *_TIMES, *_COUNTS, *_PORTS, *_ADDRESSES, *_TEXTS, *_CHOICES))
"""Words of a server line that are read here."""


def apply(server: ServerDraft, name: str, value: str) -> None:
    """Take one of `WORDS` into the draft. Raises Rejected."""
    server.checks = replace(server.checks, **_fields(name, value))


def _fields(name: str, value: str) -> dict[str, Any]:
    attribute = name.replace('-', '_')
    if name in _FLAGS:
        attribute, flag = _FLAGS[name]
        return {attribute: flag}
    if name in _TIMES:
        time = parse_time(value, name)
        if not time:
            msg = f"invalid value 0 for argument '{name}'."
            raise Rejected(msg)
        return {attribute: time}
    if name in _COUNTS:
        return {attribute: parse_int(value, name, 1)}
    if name in _PORTS:
        return {attribute: parse_int(value, name, 0, _MOST)}
    if name in _ADDRESSES:
        host, port = check_place(value, name)
        return {attribute: host} | ({f'{attribute.removesuffix("addr")}port': port} if port else {})
    if name in _TEXTS:
        return {attribute: value}
    choices = _CHOICES[name]
    if value not in choices:
        known = ', '.join(f"'{one}'" for one in choices)
        msg = f"'{name}' expects one of {known} but got '{shown(value)}'."
        raise Rejected(msg)
    attribute, chosen = choices[value]
    return {attribute: chosen}


def check_place(text: str, what: str) -> tuple[str, int]:
    """The host, and the port if one is written, that a check goes to."""
    try:
        place = parse_server(text)
    except Rejected as problem:
        msg = f"'{what}' : {problem}"
        raise Rejected(msg) from None
    return place.host, place.low


def check_checks(proxies: Sequence[ProxyDraft], report: Report) -> None:
    """Note every contradiction between checks: no port to ask, and whom one tracks."""
    servers = {
        (proxy.name, server.name): (proxy, server)
        for proxy in proxies
        if proxy.side & Side.BACKEND
        for server in proxy.servers
    }
    for proxy, server in servers.values():
        for problem in (*_ports(proxy, server), *_tracking(proxy, server, servers)):
            report.error(server.file, server.line, f"'server {proxy.name}/{server.name}' : {problem}")


def _ports(proxy: ProxyDraft, server: ServerDraft) -> list[str]:
    problems, checks = [], server.checks
    by_record = server.host.startswith('_') and bool(server.lookup.resolvers)
    known = server.port or checks.port or is_unix(server.host) or by_record
    if checks.check and not (known or proxy.probe.dials_elsewhere()):
        problems.append(
            f"server {server.name} has neither service port nor check port nor tcp_check rule 'connect' with port information."
        )
    if checks.agent and not checks.agent_port:
        problems.append(f'server {server.name} does not have agent port. Agent check has been disabled.')
    return problems


def _tracking(
    proxy: ProxyDraft, server: ServerDraft, servers: dict[tuple[str, str], tuple[ProxyDraft, ServerDraft]]
) -> list[str]:
    key = server.checks.tracked(proxy.name)
    if key is None:
        return []
    name = '/'.join(key)
    if server.checks.check or server.checks.agent:
        return [f"'track {name}' cannot be used with checks of its own."]
    seen = {(proxy.name, server.name)}
    while key is not None:
        if key in seen:
            return [f'unable to track {name}: it belongs to a loop.']
        seen.add(key)
        if key not in servers:
            return [f"unable to find required server '{'/'.join(key)}' for tracking."]
        leader_proxy, leader = servers[key]
        if leader_proxy.probe.disable_on_404 != proxy.probe.disable_on_404:
            return [f'unable to use {name} for tracking: disable-on-404 option inconsistency.']
        following = leader.checks.tracked(leader_proxy.name)
        if following is None and not (leader.checks.check or leader.checks.agent):
            return [f'unable to use {name} for tracking as it does not have any check nor agent enabled.']
        key = following
    return []
