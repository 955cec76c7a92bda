"""config: drafts -> snapshot. Applies the manual's defaults and fallbacks, and numbers as HAProxy does."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dataplane.config.draft import Side
from dataplane.config.general import MAX_THREADS
from dataplane.config.rules import rules_of
from dataplane.config.statefiles import state_file
from dataplane.config.statslines import page_of
from dataplane.config.sticktables import tables_of
from dataplane.core.model import Backend, Frontend, Global, Server, Snapshot, StatsListener, Timeouts
from dataplane.core.tuning import Tuning, VariableLimits

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dataplane.config.draft import GlobalDraft, ProxyDraft, ServerDraft
    from dataplane.core.model import Bind, LogTarget
    from dataplane.core.outbound import Source
    from dataplane.rules.model import Reference

_FIRST_PROXY_ID = 2
_FIRST_SERVER_ID = 1


def compile_snapshot(
    general: GlobalDraft, proxies: Sequence[ProxyDraft], references: tuple[Reference, ...], *, cores: int,
    maxconn: int | None, hostname: str, defaults: Sequence[ProxyDraft] = (),
) -> Snapshot:  # fmt: skip
    """The snapshot of drafts that have no errors. `maxconn` is the command line's and goes before the file's; `defaults`
    are the named sections.
    """
    settings = _global(general, cores, maxconn, hostname)
    numbered = list(zip(proxies, number([proxy.id for proxy in proxies], _FIRST_PROXY_ID), strict=True))
    traffic = [(proxy, number_) for proxy, number_ in numbered if not proxy.serves_stats]
    frontends = tuple(_frontend(proxy, id_, settings) for proxy, id_ in traffic if proxy.side & Side.FRONTEND)
    backends = tuple(
        _backend(proxy, id_, frontends, settings, general) for proxy, id_ in traffic if proxy.side & Side.BACKEND
    )
    stats = tuple(_stats_listener(proxy, settings) for proxy in proxies if proxy.serves_stats and not proxy.disabled)
    return Snapshot(
        globals=settings, frontends=frontends, backends=backends, stats_listeners=stats, references=references,
        defaults=tuple(_defaults(proxy, settings, general) for proxy in defaults), declared=tuple(general.declared),
        stick_tables=tables_of(proxies),
    )  # fmt: skip


def number(given: Sequence[int], first: int) -> list[int]:
    """The ids of proxies or servers, where `given` has 0 for those without one of their own.

    HAProxy's counter moves on with every one of them, also past those with an own id, and skips ids that are taken.
    """
    taken = {id_ for id_ in given if id_}
    ids, following = [], first
    for own in given:
        if own:
            ids.append(own)
        else:
            while following in taken:
                following += 1
            ids.append(following)
            taken.add(following)
        following += 1
    return ids


def _global(general: GlobalDraft, cores: int, maxconn: int | None, hostname: str) -> Global:
    values: dict[str, Any] = {'nbthread': max(1, min(cores, MAX_THREADS)), 'node': hostname} | general.values
    if values.get('log_send_hostname') == '':
        values['log_send_hostname'] = hostname
    settings = Global(
        **values, maxconn=maxconn or general.maxconn, stats_sockets=tuple(general.stats_sockets),
        case_adjust=tuple(general.case_adjust.items()), stats_file=general.stats_file,
        tuning=Tuning(variables=VariableLimits(**general.variable_limits), payload=general.payload),
    )  # fmt: skip
    targets = _log_targets(general.logs, hostname=settings.log_send_hostname)
    return replace(settings, log_targets=targets, maxrewrite=min(settings.maxrewrite, settings.bufsize // 2))


def _log_targets(targets: Iterable[LogTarget], *, hostname: str | None) -> tuple[LogTarget, ...]:
    """`log-send-hostname` makes rfc3164, which has the host's name, of lines that ask for no format of their own."""
    if hostname is None:
        return tuple(targets)
    return tuple(replace(target, format='rfc3164') if target.format == 'local' else target for target in targets)


def _logs_of(proxy: ProxyDraft, settings: Global) -> tuple[LogTarget, ...]:
    """Where the lines of a proxy, or of a backend and its servers, go."""
    logs = (
        *(settings.log_targets if proxy.log_global else ()),
        *_log_targets(proxy.logs, hostname=settings.log_send_hostname),
    )
    return tuple(replace(target, tag=proxy.log_tag) for target in logs) if proxy.log_tag else logs


def _frontend(proxy: ProxyDraft, id_: int, settings: Global) -> Frontend:
    maxconn = proxy.maxconn or settings.maxconn
    own = proxy.name if proxy.side is Side.BOTH else None
    return Frontend(
        name=proxy.name,
        id=id_,
        binds=_binds(proxy, maxconn),
        maxconn=maxconn,
        timeouts=_timeouts(proxy.timeouts),
        default_backend=proxy.default_backend.name if proxy.default_backend else own,
        use_routes=proxy.use_routes,
        rules=rules_of(proxy, page_of(proxy, settings)),
        log_targets=_logs_of(proxy, settings),
        httplog=proxy.httplog,
        logasap=proxy.logasap,
        dontlognull=proxy.dontlognull,
        log_separate_errors=proxy.log_separate_errors,
        dontlog_normal=proxy.dontlog_normal,
        forwardfor=proxy.forwardfor,
        originalto=proxy.originalto,
        keep_alive=proxy.keep_alive,
        monitor_uri=proxy.monitor_uri,
        rate_limit=proxy.rate_limit,
        use_proxy_header=proxy.use_proxy_header,
        http_ignore_probes=proxy.http_ignore_probes,
        adjust_case=proxy.adjust_client_case and bool(settings.case_adjust),
        socket_stats=proxy.socket_stats,
        max_session_srv_conns=proxy.max_session_srv_conns,
        error_pages=tuple(proxy.error_pages.values()),
        description=proxy.description,
        guid=proxy.guid,
        disabled=proxy.disabled,
        where=proxy.where,
    )


def _binds(proxy: ProxyDraft, maxconn: int) -> tuple[Bind, ...]:
    """Listeners with their ids, and their backlog: the bind line's, the proxy's, or as many as it may have connections."""
    ids = number([bind.id for bind in proxy.binds], 1)
    return tuple(
        replace(bind, id=id_, backlog=bind.backlog or proxy.backlog or maxconn)
        for bind, id_ in zip(proxy.binds, ids, strict=True)
    )


def _timeouts(given: dict[str, int]) -> Timeouts:
    """`queue` and `tarpit` fall back to `connect` and `http-keep-alive` to `http-request`; 0 is no limit."""
    values = {name: time or None for name, time in given.items() if name != 'check'}
    values.setdefault('queue', values.get('connect'))
    values.setdefault('tarpit', values.get('connect'))
    values.setdefault('http-keep-alive', values.get('http-request'))
    return Timeouts(**{name.replace('-', '_'): time for name, time in values.items()})


def _backend(
    proxy: ProxyDraft, id_: int, frontends: Sequence[Frontend], settings: Global, general: GlobalDraft
) -> Backend:
    ids = number([server.id for server in proxy.servers], _FIRST_SERVER_ID)
    return Backend(
        name=proxy.name,
        id=id_,
        forced_id=proxy.id > 0,
        mode='tcp' if proxy.is_tcp else 'http',
        servers=tuple(
            compiled_server(server, own, proxy.name, proxy.source)
            for server, own in zip(proxy.servers, ids, strict=True)
        ),
        balance=proxy.balance,
        timeouts=_timeouts(proxy.timeouts),
        retries=proxy.retries,
        retry_on=proxy.retry_on,
        redispatch=proxy.redispatch,
        fullconn=proxy.fullconn or default_fullconn(proxy, frontends),
        allbackups=proxy.allbackups,
        abortonclose=proxy.abortonclose,
        forwardfor=proxy.forwardfor,
        originalto=proxy.originalto,
        keep_alive=proxy.keep_alive,
        http_reuse=proxy.http_reuse,
        adjust_case=proxy.adjust_server_case and bool(settings.case_adjust),
        cookie=proxy.cookie,
        cookie_key=proxy.cookie_key,
        persist=proxy.persist,
        prefer_last_server=proxy.prefer_last_server,
        max_keep_alive_queue=proxy.max_keep_alive_queue,
        send_name_header=proxy.send_name_header,
        rules=rules_of(proxy, page_of(proxy, settings)),
        log_targets=_logs_of(proxy, settings),
        default_server=proxy.default_settings,
        error_pages=tuple(proxy.error_pages.values()),
        probe=proxy.probe.compiled(proxy.timeouts, log_checks=proxy.log_health_checks),
        state_file=state_file(proxy, general),
        description=proxy.description,
        guid=proxy.guid,
        disabled=proxy.disabled,
        published=proxy.published,
        where=proxy.where,
    )


def _defaults(proxy: ProxyDraft, settings: Global, general: GlobalDraft) -> tuple[str, Backend]:
    """A named `defaults` section: its mode, and the backend that would begin with it."""
    heir = proxy.heir('backend', proxy.name, proxy.file, proxy.line)
    return proxy.mode or '', replace(_backend(heir, 0, (), settings, general), fullconn=proxy.fullconn)


def default_fullconn(proxy: ProxyDraft, frontends: Iterable[Frontend]) -> int:
    """A tenth (rounded up, at least 1) of the connections the frontends that can reach the backend may have.

    A `listen` always counts as one that reaches itself, as it does for HAProxy.
    """
    own = proxy.name if proxy.side is Side.BOTH else None
    reaching = (
        fe.maxconn for fe in frontends if proxy.name in (fe.default_backend, *fe.rules.backends) or fe.name == own
    )
    return max(1, -(-sum(reaching) // 10))


def compiled_server(server: ServerDraft, id_: int, proxy: str, source: Source | None = None) -> Server:
    """HAProxy's rule after parsing: minconn alone or above maxconn lifts maxconn; maxconn alone is a static limit."""
    maxconn = max(server.maxconn, server.minconn)
    proxied = server.proxy if server.proxy is not None and server.proxy.version else None
    return Server(
        name=server.name,
        id=id_,
        forced_id=server.id > 0,
        host=server.host,
        port=server.port,
        weight=server.weight,
        maxconn=maxconn,
        minconn=server.minconn or maxconn,
        maxqueue=server.maxqueue,
        backup=server.backup,
        disabled=server.disabled,
        pool_max_conn=server.pool_max_conn,
        pool_purge_delay=server.pool_purge_delay,
        max_reuse=server.max_reuse,
        cookie=server.cookie,
        slowstart=server.slowstart,
        hash_key=server.hash_key,
        non_stick=server.non_stick,
        lookup=server.lookup if server.lookup.name else None,
        redir=server.redir,
        guid=server.guid,
        source=server.source or source,
        proxy=proxied,
        **server.checks.compiled(proxy, proxied),
        where=f'{server.file}:{server.line}',
    )


def _stats_listener(proxy: ProxyDraft, settings: Global) -> StatsListener:
    """Without any `stats` line there is no page, without the exporter no path of it."""
    return StatsListener(
        name=proxy.name,
        binds=_binds(proxy, proxy.maxconn or settings.maxconn),
        page=page_of(proxy, settings),
        metrics_path=proxy.exporter,
        unserved=proxy.error_pages.get(503),
        where=proxy.where,
    )
