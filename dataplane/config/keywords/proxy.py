"""config: the keywords of proxy sections (configuration manual 4) and the actions of `http-request` (4.3)."""

from __future__ import annotations

from typing import Final

from dataplane.config.keywords.table import accepted, refused, supported, table

TIMEOUTS: Final = (
    'client', 'server', 'connect', 'queue', 'tarpit', 'http-request', 'http-keep-alive', 'tunnel', 'client-fin', 'server-fin', 'check',
)  # fmt: skip
"""Names of the `timeout` lines that count."""

PRIVATE: Final = "where connections to servers are a client's own: with `http-reuse never`, or after NTLM or Negotiate"

PROXY: Final = table(
    supported("""
        backlog, bind, default_backend, default-server, disabled, enabled, fullconn, http-reuse, id,
        maxconn, monitor-uri, retries, retry-on, server, option allbackups, option dontlog-normal,
        option dontlognull, option forwardfor, option originalto, option http-ignore-probes, option socket-stats, option http-keep-alive,
        option http-server-close, option httpclose, option redispatch, timeout client, timeout server,
        timeout connect, timeout queue, timeout tarpit, timeout http-request, timeout http-keep-alive, timeout tunnel,
        timeout client-fin, timeout server-fin, timeout check, option httpchk, option tcp-check, option log-health-checks,
        option ldap-check, option mysql-check, option pgsql-check, option redis-check, option smtpchk, option spop-check,
        http-check comment, http-check disable-on-404, http-check send-state, tcp-check comment
    """),
    supported('http-check send'),
    supported('option ssl-hello-chk', 'a hello of SSL 3 over a plain connection'),
    supported(
        'http-check set-var, http-check set-var-fmt, http-check unset-var, tcp-check send-lf, tcp-check send-binary-lf, tcp-check set-var, '
        'tcp-check set-var-fmt, tcp-check unset-var',
        'expressions know the process, the backend and the server; no maps and no stick tables',
    ),
    supported('http-check connect, tcp-check connect', '`addr`, `port`, `linger` and `comment`'),
    supported(
        'http-check expect, tcp-check expect',
        "all that compares but format strings; without `on-success`, `on-error` and `status-code`. Expressions are Python's",
    ),
    supported('tcp-check send, tcp-check send-binary'),
    supported(
        'mode',
        '`http`; `tcp`, which is what a proxy without it is, in a `backend` that gets no traffic: its servers are checked',
    ),
    supported('description', 'shown on the statistics page'),
    supported('guid', 'what `dump stats-file` keeps counters under; in a reload they follow it to another name'),
    supported('option http-use-proxy-header', 'says what asks for a password; Proxy-Connection ends here anyway'),
    supported('errorfile', 'a file larger than `tune.bufsize` is refused, never cut'),
    supported('errorfiles, errorloc, errorloc302, errorloc303, http-error'),
    supported(
        'option httplog, option tcplog, option logasap, option log-separate-errors, log-tag, log-format, log-format-sd, unique-id-format, unique-id-header, capture cookie'
    ),
    supported('option httpslog', 'what it tells of TLS is that there is none'),
    supported(
        'balance',
        '`roundrobin`, `static-rr`, `leastconn`, `first`, `random[(DRAWS)]`, `source`, `uri`, `url_param` (without '
        '`check_post`), `hdr(NAME)`, `hash EXPRESSION` of the head of a request, `sticky`; unset means random, as since HAProxy 3.3',
    ),
    supported(
        'hash-type', '`map-based` or `consistent`, with `sdbm`, `djb2`, `wt6`, `crc32` or `none`, and `avalanche`'
    ),
    supported('hash-balance-factor', 'with `hash-type consistent`; `random` has no need of it'),
    supported('hash-preserve-affinity', '`always`, `maxconn` or `maxqueue`, with `hash-type consistent`'),
    supported(
        'server-template', 'each server has an address of its own with `resolvers` (names.md), all have the one without'
    ),
    supported(
        'option abortonclose',
        'on unless `no option abortonclose`, as since HAProxy 3.3: whoever closes its half of the connection before the answer begins (as `nc -N` does) has left',
    ),
    supported(
        'tcp-request connection, tcp-request content, tcp-request session',
        '`accept`, `reject`, `silent-drop`, variables, `set-src` and its kind; `connection` also `expect-proxy`; `content` also `capture`, `set-log-level` and priorities',
    ),
    supported('tcp-request inspect-delay', 'a whole head is waited for anyway, within `timeout http-request`'),
    supported('tcp-response content', '`accept`, `reject`, `silent-drop`, `set-log-level`, variables'),
    supported('tcp-response inspect-delay', 'a whole head is waited for anyway, within `timeout server`'),
    supported('option forwarded'),
    supported('option http-buffer-request', 'as much as `tune.bufsize` holds beside the head'),
    supported(
        'acl, capture request header, capture response header, declare capture, redirect, use-server, use_backend'
    ),
    supported('option checkcache', 'what HAProxy blocks is answered 502, as its manual says'),
    supported('option h1-case-adjust-bogus-client, option h1-case-adjust-bogus-server'),
    supported(
        'option http-restrict-req-hdr-names',
        'without it names with an underscore are not forwarded, and others are: `preserve` forwards all',
    ),
    supported(
        'stick-table',
        'without `peers` and `write-to`; glitches are those of HTTP/2 and so 0; at most 100 tables of 16m entries. Exact over all workers',
    ),
    supported('stick match, stick on, stick store-request, stick store-response'),
    supported('cookie, dynamic-cookie-key, force-persist, ignore-persist, option persist, http-send-name-header'),
    supported('monitor fail, rate-limit sessions'),
    supported('source', 'an address, perhaps with a port, and `interface`; of servers without one of their own'),
    supported('log', 'without `profile`; `sample` counts in each worker, as `%lc` and `%rt` do'),
    supported('option prefer-last-server, max-keep-alive-queue', PRIVATE),
    supported('max-session-srv-conns', '0 keeps none; otherwise a client has one at most'),
    supported('use-routes', "Sluice's own: then look host and path up in the routes the control plane pushed"),
    supported('http-request, http-response, http-after-response', 'the actions are listed below'),
    supported(
        'stats admin, stats auth, stats enable, stats hide-version, stats realm, stats refresh, stats scope, stats show-desc, '
        'stats show-legends, stats show-node, stats show-version, stats uri'
    ),
    supported('stats http-request', '`allow`, `deny` and `auth`'),
    accepted(
        'there are no TLS handshakes it could limit',
        """
        timeout client-hs
    """,
    ),
    supported(
        'error-log-format', 'without TLS, what can fail before there is a request is a PROXY header (`accept-proxy`)'
    ),
    accepted(
        'tuning of the socket layer without effect here',
        """
        clitcpka-cnt, clitcpka-idle, clitcpka-intvl, srvtcpka-cnt, srvtcpka-idle, srvtcpka-intvl, option clitcpka,
        option srvtcpka, option tcpka, option tcp-smart-accept, option tcp-smart-connect, option http-no-delay,
        option splice-auto, option splice-request, option splice-response, option use-small-buffers, option nolinger
    """,
    ),
    accepted(
        'it is so anyway',
        """
        option contstats, option disable-h2-upgrade, option http-pretend-keepalive, option idle-close-on-response,
        option independent-streams
    """,
    ),
    accepted(
        'trailers are checked and dropped, in both directions',
        'option http-drop-request-trailers, option http-drop-response-trailers',
    ),
    refused(
        'what RFC 9110 and 9112 forbid is how requests are smuggled: it is refused whatever a file says (docs/safe-http.md)',
        """
        option accept-invalid-http-request, option accept-invalid-http-response,
        option accept-unsafe-violations-in-http-request, option accept-unsafe-violations-in-http-response
    """,
    ),
    refused(
        'it is not supported yet',
        """
        quic-initial, filter, filter-sequence, tcp-request, tcp-response
    """,
    ),
    refused('no program is started for a check', 'external-check command, external-check path, option external-check'),
    refused('one of its steps must be named', 'tcp-check, http-check'),
    refused(
        'persistence of this kind is not supported yet',
        """
        persist rdp-cookie
    """,
    ),
    refused(
        'a request is logged once, when it has ended',
        'log-steps',
    ),
    refused('bodies are relayed as they came', 'compression'),
    refused('source addresses are those of this machine', 'option transparent'),
    supported(
        'load-server-state-from-file, server-state-file-name',
        'at the start; a reload keeps the states as they are, without a file',
    ),
    refused(
        'e-mail alerts are not supported',
        """
        email-alert from, email-alert level, email-alert mailers, email-alert myhostname, email-alert to
    """,
    ),
    refused('FastCGI is not supported', 'use-fcgi-app'),
    refused('TLS is not supported yet', 'crt'),
    supported('be-unpublished, force-be-switch'),
    refused('tcp mode is not supported yet', 'dispatch, option http_proxy'),
)
"""Keywords of `defaults`, `frontend`, `listen` and `backend`; those of several words stand with all of them."""

ACTIONS: Final = table(
    supported("""
        accept, add-header, allow, auth, capture, del-header, deny, redirect, reject, replace-header, replace-path, replace-pathq,
        replace-uri, replace-value, set-header, set-log-level, set-method, set-path, set-pathq, set-priority-class,
        set-priority-offset, set-query, set-status, set-uri, set-var, set-var-fmt, tarpit, unset-var, sc-add-gpc, sc-inc-gpc, sc-inc-gpc0, sc-inc-gpc1,
        sc-set-gpt, sc-set-gpt0, track-sc0, track-sc1, track-sc2, return, early-hint, normalize-uri, pause, set-dst, set-dst-port, set-src,
        set-src-port, strict-mode, expect-proxy
    """),
    supported('disable-l7-retry, set-retries'),
    supported('set-timeout', '`server`, `tunnel`, `client`, `connect`, `queue` and `tarpit`'),
    supported('silent-drop', 'without `rst-ttl`'),
    supported('wait-for-body', 'as much as `tune.bufsize` holds beside the head'),
    supported('set-fc-tos, set-tos'),
    accepted('every request has its turn', 'set-nice'),
    refused('marking packets is for those who may administer the network', 'set-bc-mark, set-fc-mark, set-mark'),
    refused('connections to servers are shared by requests', 'set-bc-tos'),
    refused('what is sent is not slowed down', 'set-bandwidth-limit'),
    refused('a request is logged once, when it has ended', 'do-log'),
    supported('use-service', '`prometheus-exporter`'),
    supported('add-acl, del-acl, del-map, set-map', 'what changes is the same in all workers: docs/rules.md'),
    refused('HTTP/1.1 over TCP is the only protocol', 'dgram-drop, expect-netscaler-cip, send-retry, switch-mode'),
    refused(
        'it is not supported yet',
        """
        add-headers-bin, attach-srv, cache-store, cache-use, close, del-headers-bin, do-resolve, send-spoe-group, set-headers-bin,
        wait-for-handshake
    """,
    ),
)
"""Actions of `http-request`, `http-response`, `http-after-response`, `tcp-request` and their kind that HAProxy knows."""
