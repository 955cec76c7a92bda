"""config: which keywords concern something that is no part of an HTTP/1 proxy without TLS, by class.

A keyword of such a class may be supported, accepted or refused like any other; it only does not count where is asked how much of
HAProxy's language for HTTP/1 is there (`support.coverage`).
"""

from __future__ import annotations

import re
from typing import Final

_SSL_WORDS: Final = """
    allow-0rtt alpn npn no-alpn ca-file ca-ignore-err ca-sign-file ca-sign-pass ca-verify-file check-alpn check-sni check-sni-auto check-ssl
    ciphers ciphersuites client-sigalgs crl-file crt crt-ignore-err crt-list default-crt curves ecdhe ech generate-certificates ktls
    no-ca-names no-check-sni-auto no-check-ssl no-renegotiate no-sni-auto no-ssl no-ssl-reuse no-sslv3 no-strict-sni no-tls-tickets
    no-tlsv10 no-tlsv11 no-tlsv12 no-tlsv13 no-verifyhost ocsp-update prefer-client-ciphers renegotiate sigalgs sni sni-auto
    strict-sni tls-ticket-keys tls-tickets verify verifyhost force-sslv3 force-tlsv10 force-tlsv11 force-tlsv12 force-tlsv13 ssl ssl-.*
    send-proxy-v2-ssl send-proxy-v2-ssl-cn no-send-proxy-v2-ssl no-send-proxy-v2-ssl-cn
"""


def _any_of(words: str) -> str:
    return '(?:' + '|'.join(word.replace('.', r'\.').replace(r'\.*', '.*') for word in words.split()) + ')'


_CLASSES: Final[tuple[tuple[str, str], ...]] = (
    ('TLS', rf'(?:server|bind) {_any_of(_SSL_WORDS)}'),
    ('TLS', r'fetch (?:ssl_|req[._]ssl_|re[ps][._]ssl_).*|converter x509_v_err_str|proxy (?:crt|timeout client-hs|option httpslog)'),
    ('TLS', r'global (?:ca-base|crt-base|key-base|issuers-chain-path|maxssl.*|ocsp.*|ssl-.*|tune\.ssl\..*|acme\..*|noktls|httpclient\.ssl\..*)'),
    ('TLS', r'converter jwt_(?:decrypt_cert|verify_cert)|global jwt\..*'),
    ('HTTP/2', r'global (?:h2-|tune\.h2\.|tune\.h1\..*glitches).*|proxy option disable-h2-upgrade|action switch-mode'),
    ('HTTP/2', r'fetch (?:[fb]c_glitches|[fb]c_nb_streams|[fb]c_settings_streams_limit|[fb]s\..*)|(?:server|bind) (?:check-)?proto'),
    ('HTTP/2', r'fetch s(?:c[012]?|rc)_glitch_.*|fetch src_glitch_.*|converter (?:table_glitch_.*|ungrpc|protobuf)|server ws'),
    ('QUIC', r'global (?:.*quic.*)|bind quic-.*|proxy quic-initial|fetch quic_enabled|action (?:accept|dgram-drop|send-retry)'),
    ('FastCGI', r'proxy use-fcgi-app'),
    ('SPOE', r'action send-spoe-group|proxy option spop-check'),
    ('Lua', r'global (?:lua-|tune\.lua\.).*'),
    ('device detection', r'global (?:51degrees|deviceatlas|wurfl)-.*|fetch 51d\.all|converter (?:51d\.single|da-csv-conv)'),
    ('other protocols than HTTP', r'converter (?:mqtt_|fix_).*|fetch (?:distcc_|.*rdp_cookie|(?:re[qs]\.)?payload).*|proxy persist rdp-cookie'),
    ('other protocols than HTTP', r'proxy option (?:tcplog|ldap-check|mysql-check|pgsql-check|redis-check|smtpchk|ssl-hello-chk)|server (?:log-.*|socks4|check-via-socks4)'),
    ('packets and the kernel', r'converter (?:ip|tcp|eth)\..*|fetch fc_saved_syn|bind (?:tcp-md5sig|namespace|interface|transparent|mss|tcp-ut|tcp-ss|cc|defer-accept|tfo)'),
    ('packets and the kernel', r'server (?:tcp-md5sig|namespace|tcp-ut|cc|tfo|no-tfo)|proxy (?:clitcpka|srvtcpka)-.*|proxy option (?:clitcpka|srvtcpka|tcpka|tcp-smart-.*|splice-.*|nolinger)'),
    ('reverse HTTP', r'action attach-srv|bind nbconn'),
    ('e-mail', r'proxy email-alert .*'),
    ("HAProxy's own process: loop, threads, memory, debugging", r'global (?:tune\.(?!bufsize$|maxrewrite$|http\.maxhdr$|maxaccept$|peers|stick|http\.|vars\.|cli\.).*|no(?:epoll|evports|kqueue|poll|reuseport|splice|getaddrinfo|-memory.*)|busy-polling|cpu-.*|numa-.*|thread.*|max-threads.*|nbproc|maxpipes|prealloc-fd)'),
    ("HAProxy's own process: loop, threads, memory, debugging", r'global (?:anonkey|debug.*|force-cfg-.*|profiling\..*|warn-blocked.*|expose-.*|fd-hard-limit|strict-limits|set-dumpable|insecure-.*|ulimit-n|mworker-.*|master-worker|zero-warning|limited-quic)'),
    ("HAProxy's own process: loop, threads, memory, debugging", r'bind (?:nice|thread|process|shards)|fetch (?:cpu_.*|lat_ns_.*)|action set-nice'),
)  # fmt: skip
_COMPILED: Final = tuple((name, re.compile(pattern)) for name, pattern in _CLASSES)

CLASSES: Final = tuple(dict.fromkeys(name for name, _ in _CLASSES))
"""The classes, in the order they are told."""


def outside(table: str, keyword: str) -> str:
    """The class of a keyword that does not concern HTTP/1 without TLS; '' of all others.

    `table`: 'global', 'proxy', 'action', 'bind', 'server', 'fetch' or 'converter'.
    """
    text = f'{table} {keyword}'
    return next((name for name, pattern in _COMPILED if pattern.fullmatch(text)), '')
