"""config: the words of `server` and `default-server` lines (configuration manual 5.2)."""

from __future__ import annotations

from typing import Final

from dataplane.config.keywords.table import HOW_TLS, accepted, refused, supported, table

SERVER: Final = table(
    supported("""
        weight:1, maxconn:1, minconn:1, maxqueue:1, backup, no-backup, disabled, enabled, id:1, pool-max-conn:1,
        pool-purge-delay:1, max-reuse:1, cookie:1, check, no-check, inter:1, fastinter:1, downinter:1, rise:1, fall:1, addr:1,
        port:1, observe:1, on-error:1, error-limit:1, on-marked-down:1, on-marked-up:1, track:1, init-state:1,
        stick, non-stick, agent-check, no-agent-check, agent-send:1, agent-inter:1, agent-addr:1, agent-port:1, guid:1
    """),
    supported(
        'slowstart:1', 'counts from when a server leaves maintenance or comes up, never from the start of the process'
    ),
    supported('redir:1', 'a redirected request waits for a slot of its server like any other'),
    supported('hash-key:1', '`id`, `addr` or `addr-port`; a host name is hashed by the id'),
    accepted('idle connections are kept per worker, without a lower bound', 'pool-low-conn:1'),
    accepted('tuning of the socket layer without effect here', 'tfo, no-tfo, tcp-ut:1, cc:1, idle-ping:1'),
    accepted(
        'it is so anyway: what it switches off does not exist',
        """
        no-check-reuse-pool, no-check-sni-auto, no-check-ssl, no-sni-auto, no-ssl, no-verifyhost
    """,
    ),
    refused(
        'checks speak plain HTTP or TCP',
        """
        check-alpn:1, check-pool-conn-name:1, check-proto:1, check-reuse-pool, check-sni:1,
        check-sni-auto, check-ssl, check-via-socks4, healthcheck:1
    """,
    ),
    refused('tables are not told to peers', 'shard:1'),
    refused('a slot is held for one request', 'strict-maxconn'),
    supported('source:1', 'an address, perhaps with a port; `interface` may follow'),
    supported('interface:1', 'needs the right to bind to one, as in HAProxy'),
    supported(
        """
        send-proxy, no-send-proxy, send-proxy-v2, no-send-proxy-v2, send-proxy-v2-ssl, no-send-proxy-v2-ssl, send-proxy-v2-ssl-cn,
        no-send-proxy-v2-ssl-cn, check-send-proxy, no-check-send-proxy
    """
    ),
    supported('proxy-v2-options:1', 'what it tells of TLS is that there is none'),
    refused('source addresses are those of this machine', 'usesrc:1, namespace:1'),
    refused('the PROXY protocol carries what `proxy-v2-options` names', 'set-proxy-v2-tlv-fmt:1'),
    supported(
        'resolvers:1, resolve-prefer:1, resolve-net:1, resolve-opts:1',
        'see names.md; not for servers that are added at run time',
    ),
    supported('proto:1, ws:1', '`h1`, the only protocol there is; `ws` also `auto`'),
    supported('init-addr:1', 'with `resolvers`; without them the name is looked up for each connection'),
    refused('tunnels to a server are not supported', 'socks4:1, tcp-md5sig:1'),
    refused('log servers are not supported', 'log-bufsize:1, log-proto:1'),
    refused('the pool of a server is one, whatever the name', 'pool-conn-name:1'),
    supported('from:1', 'before all others: `none`, or `be:[BACKEND]` of a backend that stands before it'),
    refused('TLS is not supported yet', 'ssl'),
    accepted(
        HOW_TLS,
        """
        allow-0rtt, alpn:1, npn:1, ca-file:1, ciphers:1, ciphersuites:1, client-sigalgs:1, crl-file:1, crt:1,
        curves:1, force-sslv3, force-tlsv10, force-tlsv11, force-tlsv12, force-tlsv13, ktls:1, no-renegotiate,
        renegotiate, no-ssl-reuse, no-sslv3, no-tls-tickets, no-tlsv10, no-tlsv11, no-tlsv12, no-tlsv13, sigalgs:1,
        sni:1, sni-auto, ssl-max-ver:1, ssl-min-ver:1, ssl-reuse, tls-tickets, verify:1, verifyhost:1
    """,
    ),
)
"""Words of a `server` line, after its name and address."""
