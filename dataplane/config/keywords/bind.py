"""config: the words of a `bind` line (configuration manual 5.1)."""

from __future__ import annotations

from typing import Final

from dataplane.config.keywords.table import HOW_TLS, accepted, refused, supported, table

BIND: Final = table(
    supported('name:1, id:1, maxconn:1, backlog:1, v6only, v4v6'),
    supported('mode:1', 'permissions of a unix socket'),
    supported('guid-prefix:1', 'for listeners with statistics of their own (`option socket-stats`)'),
    supported('accept-proxy', 'not in a section of its own for the statistics page'),
    accepted('the socket belongs to the user the process runs as', 'user:1, group:1, uid:1, gid:1'),
    accepted(
        'tuning of the socket layer without effect here',
        """
        nice:1, thread:1, process:1, shards:1, tfo, defer-accept, mss:1, tcp-ut:1, tcp-ss:1, cc:1, idle-ping:1
    """,
    ),
    accepted('used by statistics and logs that are not written', 'label:1'),
    accepted('means something on `stats socket` lines only', 'level:1, severity-output:1, expose-fd:1'),
    refused("NetScaler's protocol is not supported", 'accept-netscaler-cip:1'),
    supported('interface:1', 'what arrives at another interface is not heard'),
    supported('transparent', 'needs CAP_NET_ADMIN'),
    refused('network namespaces are those that the process was started in', 'namespace:1'),
    refused('TCP MD5 signatures are not supported', 'tcp-md5sig:1'),
    supported('proto:1', '`h1`, the only protocol there is'),
    refused('reverse HTTP is not supported', 'nbconn:1'),
    refused('QUIC is not supported', 'quic-force-retry, quic-socket:1, quic-cc-algo:1'),
    refused('TLS is not supported yet', 'ssl'),
    accepted(
        HOW_TLS,
        """
        allow-0rtt, alpn:1, npn:1, no-alpn, ca-file:1, ca-ignore-err:1, ca-sign-file:1, ca-sign-pass:1,
        ca-verify-file:1, ciphers:1, ciphersuites:1, client-sigalgs:1, crl-file:1, crt:1, crt-ignore-err:1,
        crt-list:1, default-crt:1, curves:1, ecdhe:1, ech:1, force-sslv3, force-tlsv10, force-tlsv11, force-tlsv12,
        force-tlsv13, generate-certificates, ktls:1, no-ca-names, no-sslv3, no-strict-sni, no-tls-tickets,
        no-tlsv10, no-tlsv11, no-tlsv12, no-tlsv13, ocsp-update:1, prefer-client-ciphers, sigalgs:1, ssl-max-ver:1,
        ssl-min-ver:1, strict-sni, tls-ticket-keys:1, tls-tickets, verify:1
    """,
    ),
)
"""Words of a `bind` line, after its address."""
