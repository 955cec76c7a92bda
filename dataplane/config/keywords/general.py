"""config: the keywords of the `global` section, and the sections that are none of ours."""

from __future__ import annotations

from typing import Final

from dataplane.config.keywords.table import accepted, refused, supported, table

GLOBAL: Final = table(
    supported("""
        maxconn, nbthread, log, log-tag, log-send-hostname, node, description, pidfile, hard-stop-after,
        h1-case-adjust, h1-case-adjust-file, tune.bufsize, tune.maxrewrite, spread-checks, max-spread-checks, tune.http.maxhdr, http-err-codes, http-fail-codes, setenv, presetenv, unsetenv, resetenv
    """),
    supported(
        'tune.vars.global-max-size, tune.vars.proc-max-size, tune.vars.sess-max-size, tune.vars.txn-max-size, tune.vars.reqres-max-size',
        'the process is all workers together',
    ),
    supported('tune.cli.max-payload-size'),
    supported('set-var, set-var-fmt', 'of constants, the clock, chance and other variables of `proc`'),
    supported(
        'stats',
        '`socket` (a path, an address or `fd@N`; `mode`, `level`) and `timeout`; `maxconn` and owners are accepted, without effect',
    ),
    supported(
        'grace', 'meanwhile every answer closes its connection, so that clients go elsewhere before listeners close'
    ),
    supported(
        'control-plane', "Sluice's own: `control-plane URL [token-file F] [ca-file F] [cert-file F [key-file F]]`"
    ),
    supported('isolation-timeout', "Sluice's own: a worker that stands still longer is replaced (default 1s)"),
    supported(
        'on-partition',
        "Sluice's own: `keep` (default) or `stop`: what becomes of pushed servers without a lease of the control plane",
    ),
    supported('state-dir', "Sluice's own: directory of the last known good state"),
    supported(
        'bootstrap-file',
        "Sluice's own: a snapshot that a control plane wrote, to start from when nothing newer is in `state-dir`",
    ),
    accepted(
        'started, supervised and limited by whoever starts it (systemd, a container)',
        """
        daemon, master-worker, mworker-max-reloads, user, group, uid, gid, chroot, ulimit-n, fd-hard-limit,
        strict-limits, set-dumpable, insecure-fork-wanted, insecure-setuid-wanted, tune.renice.runtime,
        tune.renice.startup, quiet
    """,
    ),
    accepted(
        'the scheduler places workers; each is one process with one thread',
        """
        cpu-affinity, cpu-map, cpu-policy, cpu-set, numa-cpu-mapping, thread-groups, thread-group,
        max-threads-per-group, thread-hard-limit, tune.takeover-other-tg-connections
    """,
    ),
    accepted(
        'there is no TLS on either side yet, so there is nothing to set',
        """
        ca-base, crt-base, key-base, issuers-chain-path, maxsslconn, maxsslrate, ocsp-update.disable,
        ocsp-update.maxdelay, ocsp-update.mindelay, ocsp-update.httpproxy, ocsp-update.mode,
        ssl-default-bind-ciphers, ssl-default-bind-ciphersuites, ssl-default-bind-client-sigalgs,
        ssl-default-bind-curves, ssl-default-bind-options, ssl-default-bind-sigalgs, ssl-default-server-ciphers,
        ssl-default-server-ciphersuites, ssl-default-server-client-sigalgs, ssl-default-server-curves,
        ssl-default-server-options, ssl-default-server-sigalgs, ssl-dh-param-file, ssl-engine,
        ssl-load-extra-del-ext, ssl-load-extra-files, ssl-mode-async, ssl-propquery, ssl-provider,
        ssl-provider-path, ssl-security-level, ssl-server-verify, ssl-skip-self-issued-ca, acme.scheduler,
        jwt.decrypt_alg_list, jwt.decrypt_enc_list, noktls, tune.ssl.cachesize, tune.ssl.capture-buffer-size,
        tune.ssl.capture-cipherlist-size, tune.ssl.certificate-compression, tune.ssl.default-dh-param,
        tune.ssl.force-private-cache, tune.ssl.hard-maxrecord, tune.ssl.keylog, tune.ssl.keyupdate-rate-limit,
        tune.ssl.lifetime, tune.ssl.maxrecord, tune.ssl.ssl-ctx-cache-size, tune.ssl.ocsp-update.maxdelay,
        tune.ssl.ocsp-update.mindelay
    """,
    ),
    accepted(
        "tuning of an event loop, allocator or socket layer that is not HAProxy's",
        """
        busy-polling, noepoll, noevports, nokqueue, nopoll, noreuseport, nosplice, nogetaddrinfo, maxpipes,
        no-memory-trimming, close-spread-time, prealloc-fd, tune.applet.zero-copy-forwarding, tune.buffers.limit,
        tune.buffers.reserve, tune.bufsize.large, tune.bufsize.small,
        tune.defaults.purge, tune.disable-fast-forward, tune.disable-zero-copy-forwarding, tune.epoll.mask-events,
        tune.events.max-events-at-once, tune.fail-alloc, tune.fd.edge-triggered, tune.fd.tables,
        tune.h1.zero-copy-fwd-recv, tune.h1.zero-copy-fwd-send, tune.idle-pool.shared, tune.idletimer,
        tune.listener.multi-queue, tune.listener.default-shards, tune.max-checks-per-thread, tune.maxaccept,
        tune.maxpollevents, tune.max-rules-at-once, tune.memory.hot-size, tune.pattern.cache-size, tune.pipesize,
        tune.pool-high-fd-ratio, tune.pool-low-fd-ratio, tune.pt.zero-copy-forwarding, tune.rcvbuf.backend,
        tune.rcvbuf.client, tune.rcvbuf.frontend, tune.rcvbuf.server, tune.recv_enough, tune.ring.queues,
        tune.runqueue-depth, tune.sched.low-latency, tune.sndbuf.backend, tune.sndbuf.client, tune.sndbuf.frontend,
        tune.sndbuf.server, tune.streams-elasticity, tune.http.cookielen, tune.http.logurilen, tune.stick-counters
    """,
    ),
    accepted('variables of checks are not limited; they end with the check', 'tune.vars.check-max-size'),
    accepted(
        'concerns HTTP/2, which is not spoken',
        """
        h2-workaround-bogus-websocket-clients, tune.h1.be.glitches-threshold, tune.h1.fe.glitches-threshold,
        tune.h2.be.glitches-threshold, tune.h2.be.initial-window-size, tune.h2.be.max-concurrent-streams,
        tune.h2.be.max-frames-at-once, tune.h2.be.rxbuf, tune.h2.fe.glitches-threshold,
        tune.h2.fe.initial-window-size, tune.h2.fe.max-concurrent-streams, tune.h2.fe.max-frames-at-once,
        tune.h2.fe.max-rst-at-once, tune.h2.fe.max-total-streams, tune.h2.fe.rxbuf, tune.h2.header-table-size,
        tune.h2.initial-window-size, tune.h2.log-errors, tune.h2.max-concurrent-streams, tune.h2.max-frame-size,
        tune.h2.zero-copy-fwd-send
    """,
    ),
    accepted(
        'concerns QUIC, which is not spoken',
        """
        limited-quic, no-quic, harden.reject-privileged-ports.quic, tune.quic.be.cc.cubic-min-losses,
        tune.quic.be.cc.hystart, tune.quic.be.cc.max-frame-loss, tune.quic.be.cc.max-win-size,
        tune.quic.be.cc.reorder-ratio, tune.quic.be.max-idle-timeout, tune.quic.be.sec.glitches-threshold,
        tune.quic.be.stream.data-ratio, tune.quic.be.stream.max-concurrent, tune.quic.be.stream.rxbuf,
        tune.quic.be.tx.pacing, tune.quic.be.tx.udp-gso, tune.quic.fe.cc.cubic-min-losses, tune.quic.fe.cc.hystart,
        tune.quic.fe.cc.max-frame-loss, tune.quic.fe.cc.max-win-size, tune.quic.fe.cc.reorder-ratio,
        tune.quic.fe.max-idle-timeout, tune.quic.fe.sec.glitches-threshold, tune.quic.fe.sec.retry-threshold,
        tune.quic.fe.sock-per-conn, tune.quic.fe.stream.data-ratio, tune.quic.fe.stream.max-concurrent,
        tune.quic.fe.stream.max-total, tune.quic.fe.stream.rxbuf, tune.quic.fe.tx.pacing, tune.quic.fe.tx.udp-gso,
        tune.quic.listen, tune.quic.mem.tx-max, tune.quic.zero-copy-fwd-send, tune.quic.conn-buf-limit,
        tune.quic.cc-hystart, tune.quic.frontend.conn-tx-buffers.limit, tune.quic.frontend.max-idle-timeout,
        tune.quic.frontend.max-streams-bidi, tune.quic.max-frame-loss, tune.quic.reorder-ratio,
        tune.quic.retry-threshold, tune.quic.socket-owner, tune.quic.cc.cubic.min-losses,
        tune.quic.frontend.default-max-window-size, tune.quic.disable-tx-pacing, tune.quic.disable-udp-gso,
        tune.quic.frontend.glitches-threshold, tune.quic.frontend.max-data-size, tune.quic.frontend.max-tx-mem,
        tune.quic.frontend.stream-data-ratio, tune.quic.backend.max-idle-timeout
    """,
    ),
    accepted(
        'there are no compression, Lua, peers or device databases it could concern',
        """
        cluster-secret, localpeer, maxcompcpuusage, maxcomprate, maxzlibmem, tune.comp.maxlevel, tune.zlib.memlevel,
        tune.zlib.windowsize, tune.peers.max-updates-at-once,
        tune.lua.bool-sample-conversion, tune.lua.burst-timeout, tune.lua.forced-yield, tune.lua.log.loggers,
        tune.lua.log.stderr, tune.lua.maxmem, tune.lua.openlibs, tune.lua.service-timeout, tune.lua.session-timeout,
        tune.lua.task-timeout, lua-prepend-path, dns-accept-family, httpclient.resolvers.disabled,
        httpclient.resolvers.id, httpclient.resolvers.prefer, httpclient.retries, httpclient.ssl.ca-file,
        httpclient.ssl.verify, httpclient.timeout.connect, 51degrees-allow-unmatched, 51degrees-cache-size,
        51degrees-data-file, 51degrees-difference, 51degrees-drift, 51degrees-property-name-list,
        51degrees-property-separator, 51degrees-use-performance-graph, 51degrees-use-predictive-graph,
        deviceatlas-json-file, deviceatlas-log-level, deviceatlas-properties-cookie, deviceatlas-separator,
        wurfl-cache-mode, wurfl-cache-size, wurfl-data-file, wurfl-engine-mode, wurfl-information-list,
        wurfl-information-list-separator, wurfl-patch-file, wurfl-useragent-priority
    """,
    ),
    accepted(
        "a debugging aid of HAProxy's",
        """
        anonkey, debug, debug.counters, force-cfg-parser-pause, profiling.memory, profiling.tasks,
        warn-blocked-traffic-after, expose-deprecated-directives, expose-experimental-directives,
        pp2-never-send-local
    """,
    ),
    supported('maxconnrate, maxsessrate', 'over all workers; what comes beyond waits in the backlog'),
    refused('no program is started for a check', 'external-check'),
    supported('stats-file', 'read at the start; a reload keeps the counters as they are, without a file'),
    supported(
        'server-state-base, server-state-file',
        'read at the start; a reload keeps the states as they are, without a file',
    ),
    supported('unix-bind', '`prefix` and `mode`; owners are accepted, without effect'),
    supported('default-path', 'of files that are read with the configuration: pages, maps, lists of patterns'),
    refused('Lua is not supported', 'lua-load, lua-load-per-thread'),
    refused(
        'heads are relayed as they came, but for what the rules of RFC 9112 forbid',
        """
        h1-accept-payload-with-any-method, h1-do-not-close-on-insecure-transfer-encoding
    """,
    ),
    refused('requests from privileged ports are not told apart', 'harden.reject-privileged-ports.tcp'),
    refused('warnings do not stop a start', 'zero-warning'),
    refused('one process per `nbthread`; HAProxy has removed it too', 'nbproc'),
)
"""Keywords of `global`."""

SECTIONS: Final = {
    'peers': 'stick tables are not told to other processes',
    'cache': 'there is no cache',
    'mailers': 'e-mail alerts are not supported',
    'log-forward': 'log forwarding is not supported',
    'log-profile': 'log profiles are not supported',
    'program': 'other programs are not started; HAProxy has removed it too',
    'fcgi-app': 'FastCGI is not supported',
    'healthcheck': 'checks are described in the backend whose servers they check',
    'traces': 'traces are not supported',
    'crt-list': 'TLS is not supported yet',
    'crt-store': 'TLS is not supported yet',
    'acme': 'TLS is not supported yet',
    'dynamic-update': 'there is no Data Plane API file store',
}
"""Sections of HAProxy that are known and refused, each with its reason."""
