"""config: contradictions between lines that are each right: names, ids, addresses, references, limits, timeouts.

Each check looks at all proxies and notes what it finds; none stops at the first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataplane.config.draft import Side
from dataplane.config.serverchecks import check_checks
from dataplane.rules.statspage import DEFAULT_STATS_REALM
from dataplane.wire.state import MAX_SERVERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dataplane.config.draft import ProxyDraft, ServerDraft, Target
    from dataplane.config.problems import Report
    from dataplane.core.model import Bind


def check(proxies: Sequence[ProxyDraft], report: Report, *, pushed: bool) -> None:
    """Note every contradiction. `pushed`: a control plane may bring backends that the file does not have."""
    _names(proxies, report)
    _ids(proxies, report)
    _addresses(proxies, report)
    _announced(proxies, report)
    _servers(proxies, report)
    check_checks(proxies, report)
    for proxy in proxies:
        _mode(proxy, report)
        _stats(proxy, report)
        if proxy.disabled:
            continue
        _references(proxy, proxies, report, pushed=pushed)
        _precedence(proxy, report)
        _own_servers(proxy, report)
        _timeouts(proxy, report)
        _listeners(proxy, report)
        _logs(proxy, report)


def _names(proxies: Sequence[ProxyDraft], report: Report) -> None:
    """A frontend and a backend may share a name; two halves of the same kind may not."""
    seen: dict[tuple[Side, str], ProxyDraft] = {}
    for proxy in proxies:
        other = next(
            (seen[side, proxy.name] for side in Side.BOTH if side in proxy.side and (side, proxy.name) in seen), None
        )
        if other is not None:
            same = f"has the same name as {other.kind} '{other.name}' declared at {other.where}."
            report.error(proxy.file, proxy.line, f"{proxy.kind} '{proxy.name}' {same}")
        for side in Side.BOTH:
            if side in proxy.side:
                seen.setdefault((side, proxy.name), proxy)


def _ids(proxies: Sequence[ProxyDraft], report: Report) -> None:
    seen: dict[int, ProxyDraft] = {}
    for proxy in proxies:
        if proxy.id and proxy.id in seen:
            other = seen[proxy.id]
            same = f'reuses same custom id as {other.kind} {other.name} (declared at {other.where}).'
            report.error(proxy.file, proxy.id_line, f'{proxy.kind} {proxy.name} {same}')
        elif proxy.id:
            seen[proxy.id] = proxy


def _addresses(proxies: Sequence[ProxyDraft], report: Report) -> None:
    seen: dict[tuple[str, int, str | None, int | None], Bind] = {}
    for proxy in proxies:
        for bind in () if proxy.disabled else proxy.binds:
            place = (bind.host, bind.port, bind.path, bind.fd)
            if place in seen:
                file, _, line = bind.where.rpartition(':')
                report.error(
                    file, int(line), f"'bind' : address {bind.address} is already bound at {seen[place].where}."
                )
            else:
                seen[place] = bind


def _announced(proxies: Sequence[ProxyDraft], report: Report) -> None:
    for proxy in proxies:
        for bind in proxy.binds if proxy.serves_stats else ():
            if bind.accept_proxy:
                file, _, line = bind.where.rpartition(':')
                text = "'bind' : 'accept-proxy' is not supported in a section of its own for the statistics page."
                report.error(file, int(line), text)


def _servers(proxies: Sequence[ProxyDraft], report: Report) -> None:
    total = 0
    for proxy in proxies:
        names: dict[str, ServerDraft] = {}
        ids: dict[int, ServerDraft] = {}
        for server in proxy.servers:
            total += 1
            if server.name in names:
                text = (
                    f"{proxy.kind} '{proxy.name}', another server named '{server.name}' was already defined at line "
                    f'{names[server.name].line}, please use distinct names.'
                )
                report.error(server.file, server.line, text)
            if server.id and server.id in ids:
                other = ids[server.id]
                text = (
                    f"'server {proxy.name}/{server.name}' : 'id' : custom id {server.id} already used at "
                    f"{other.file}:{other.line} ('server {other.name}')."
                )
                report.error(server.file, server.line, text)
            names.setdefault(server.name, server)
            ids.setdefault(server.id, server)
            if total == MAX_SERVERS + 1:
                report.error(server.file, server.line, f'more than {MAX_SERVERS} servers.')
            if server.minconn > server.maxconn > 0:
                text = f'minconn {server.minconn} is above maxconn, which becomes the same.'
                report.warning(server.file, server.line, f"'server {proxy.name}/{server.name}' : {text}")


def _mode(proxy: ProxyDraft, report: Report) -> None:
    """A `backend` of TCP gets no traffic: its servers are checked, and can be tracked and asked for."""
    if proxy.is_tcp and proxy.side & Side.FRONTEND:
        text = "has no 'mode http': HAProxy's default is 'mode tcp'" if proxy.mode is None else "is of 'mode tcp'"
        report.error(proxy.file, proxy.line, f"{proxy.kind} '{proxy.name}' {text}, which is not supported yet.")


def _stats(proxy: ProxyDraft, report: Report) -> None:
    page = proxy.stats
    if page is not None and page.rules and (page.users or page.realm != DEFAULT_STATS_REALM):
        text = f"proxy '{proxy.name}': stats 'auth'/'realm' and 'http-request' can't be used at the same time."
        report.error(proxy.file, proxy.line, text)


def _references(proxy: ProxyDraft, proxies: Sequence[ProxyDraft], report: Report, *, pushed: bool) -> None:
    if not proxy.side & Side.FRONTEND:
        return
    for target in proxy.targets:
        if target.name:
            _reference(proxy, 'use_backend', target, proxies, report, pushed=pushed)
    if proxy.default_backend is not None:
        _reference(proxy, 'default_backend', proxy.default_backend, proxies, report, pushed=pushed)


def _reference(
    proxy: ProxyDraft, keyword: str, target: Target, proxies: Sequence[ProxyDraft], report: Report, *, pushed: bool
) -> None:
    same = [other for other in proxies if other.name == target.name]
    backend = next((other for other in same if other.side & Side.BACKEND), None)
    if backend is not None and backend.serves_stats:
        report.error(target.file, target.line, f"'{keyword}' : '{target.name}' serves statistics, it is no backend.")
    elif backend is not None and backend.is_tcp and not backend.side & Side.FRONTEND:
        role = 'as its default backend' if keyword == 'default_backend' else "in a 'use_backend' rule"
        text = f"http {proxy.kind} '{proxy.name}' ({proxy.where}) tries to use incompatible tcp backend '{target.name}'"
        report.error(target.file, target.line, f"{text} ({backend.where}) {role} (see 'mode').")
    elif backend is None and same:
        text = f"Proxy '{proxy.name}': '{keyword}' : '{target.name}' at {same[0].where} has no backend capability."
        report.error(target.file, target.line, text)
    elif backend is None and pushed:
        text = (
            f"Proxy '{proxy.name}': {keyword} '{target.name}' is not in the file; it must come from the control plane."
        )
        report.warning(target.file, target.line, text)
    elif backend is None:
        report.error(
            target.file, target.line, f"Proxy '{proxy.name}': unable to find required {keyword}: '{target.name}'."
        )


def _own_servers(proxy: ProxyDraft, report: Report) -> None:
    """What `use-server` names stands in the same section."""
    names = {server.name for server in proxy.servers}
    for target in proxy.server_targets:
        if target.name and target.name not in names:
            text = f"unable to find server '{target.name}' in proxy '{proxy.name}' referenced in a 'use-server' rule."
            report.error(target.file, target.line, text)


def _precedence(proxy: ProxyDraft, report: Report) -> None:
    if proxy.default_backend is not None and proxy.servers:
        text = "the 'default_backend' rule always has precedence over the servers, which will never be used."
        report.warning(proxy.default_backend.file, proxy.default_backend.line, f"In proxy '{proxy.name}', {text}")
    if proxy.switches and proxy.switches[-1].condition is None and (proxy.use_routes or proxy.servers):
        text = "the 'use_backend' rule has no condition: pushed routes and own servers will never be used."
        report.warning(proxy.targets[-1].file, proxy.targets[-1].line, f"In proxy '{proxy.name}', {text}")


def _timeouts(proxy: ProxyDraft, report: Report) -> None:
    if proxy.serves_stats:
        return
    wanted = (['client'] if proxy.side & Side.FRONTEND else []) + (['connect', 'server'] if proxy.servers else [])
    missing = [f"'{name}'" for name in wanted if not proxy.timeouts.get(name)]
    if missing:
        text = (
            f"missing timeouts for {proxy.kind} '{proxy.name}': {', '.join(missing)}. While not properly invalid, you "
            'will certainly encounter various problems with such a configuration.'
        )
        report.warning(proxy.file, proxy.line, text)


def _listeners(proxy: ProxyDraft, report: Report) -> None:
    if proxy.side & Side.FRONTEND and not proxy.has_bind_line:
        text = (
            f"{proxy.kind} '{proxy.name}' has no 'bind' directive. Please declare it as a backend if this was intended."
        )
        report.warning(proxy.file, proxy.line, text)


def _logs(proxy: ProxyDraft, report: Report) -> None:
    if (
        proxy.httplog
        and proxy.side & Side.FRONTEND
        and not proxy.serves_stats
        and not proxy.logs
        and not proxy.log_global
    ):
        text = f"log format ignored for {proxy.kind} '{proxy.name}' since it has no log address."
        report.warning(proxy.file, proxy.line, text)
