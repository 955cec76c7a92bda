"""The configurations of the proxies and of nginx as the origin. Pure: text from a case and ports.

HAProxy and Sluice read the very same file. The others have their defaults, except where a default would make the comparison
unfair to them: pools of idle upstream connections as large as the load, no spooling of bodies to disk, no limit on
requests per connection. Where every request comes over a connection of its own, HAProxy and Sluice are told to reuse those to
the servers all the same (`http-reuse always`), as the others do unasked.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bench.cases import Case, payload

PLENTY = 1_000_000_000
IN_THE_FILE = 1024  # the longest body that nginx takes as a word of its configuration


@dataclass(frozen=True)
class Ports:
    """Where the proxy listens, where the origin does, and where log lines go."""

    proxy: int
    origin: int
    log: int


def haproxy(case: Case, ports: Ports, everything: bool) -> str:
    """`everything`: option httplog to a UDP target, option forwardfor, leastconn, maxconn on the servers."""
    limit = f' maxconn {case.maxconn}' if everything or case.queue else ''
    lines = [
        'global',
        f'    nbthread {case.workers}',
        '    maxconn 8000',
        *([f'    log 127.0.0.1:{ports.log} local0'] if everything else []),
        '',
        'defaults',
        '    mode http',
        '    timeout connect 5s',
        '    timeout client 30s',
        '    timeout server 30s',
        '    timeout queue 30s',
        *(['    log global', '    option httplog', '    option forwardfor'] if everything else []),
        '',
        'frontend www',
        f'    bind 127.0.0.1:{ports.proxy}',
        '    default_backend app',
        '',
        'backend app',
        f'    balance {"leastconn" if everything else "roundrobin"}',
        *(['    http-reuse always'] if not case.keepalive else []),
        *(f'    server s{number} 127.0.0.1:{ports.origin}{limit}' for number in range(1, case.servers + 1)),
    ]
    return '\n'.join(lines) + '\n'


def nginx(case: Case, ports: Ports, root: bool) -> str:
    servers = '\n'.join(f'        server 127.0.0.1:{ports.origin};' for _ in range(case.servers))
    return f"""{'user root;' if root else ''}
daemon off;
pid nginx.pid;
error_log stderr error;
worker_processes {case.workers};
events {{ worker_connections 8192; }}
http {{
    access_log off;
    {_temporary('nginx')}
    client_max_body_size 0;
    keepalive_requests {PLENTY};
    upstream app {{
{servers}
        keepalive {case.connections};
        keepalive_requests {PLENTY};
    }}
    server {{
        listen 127.0.0.1:{ports.proxy};
        location / {{
            proxy_pass http://app;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $host;
            proxy_max_temp_file_size 0;
            proxy_request_buffering off;
        }}
    }}
}}
"""


def _temporary(prefix: str) -> str:
    kinds = ('client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi')
    return '\n    '.join(f'{kind}_temp_path {prefix}-{kind};' for kind in kinds)


def envoy(case: Case, ports: Ports) -> str:
    threshold = {'max_connections': PLENTY, 'max_pending_requests': PLENTY, 'max_requests': PLENTY}
    manager: dict[str, Any] = {
        '@type': 'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
        'stat_prefix': 'www',
        'route_config': {
            'virtual_hosts': [
                {'name': 'all', 'domains': ['*'], 'routes': [{'match': {'prefix': '/'}, 'route': {'cluster': 'app'}}]}
            ]
        },
        'http_filters': [
            {
                'name': 'envoy.filters.http.router',
                'typed_config': {'@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router'},
            }
        ],
    }
    listener = {
        'name': 'www',
        'address': _address(ports.proxy),
        'filter_chains': [
            {'filters': [{'name': 'envoy.filters.network.http_connection_manager', 'typed_config': manager}]}
        ],
    }
    endpoints = [{'endpoint': {'address': _address(ports.origin)}} for _ in range(case.servers)]
    cluster = {
        'name': 'app',
        'type': 'STATIC',
        'connect_timeout': '5s',
        'circuit_breakers': {'thresholds': [threshold]},
        'load_assignment': {'cluster_name': 'app', 'endpoints': [{'lb_endpoints': endpoints}]},
    }
    return json.dumps({'static_resources': {'listeners': [listener], 'clusters': [cluster]}}, indent=1)


def _address(port: int) -> dict[str, Any]:
    return {'socket_address': {'address': '127.0.0.1', 'port_value': port}}


def caddy(case: Case, ports: Ports) -> str:
    proxy = {
        'handler': 'reverse_proxy',
        'upstreams': [{'dial': f'127.0.0.1:{ports.origin}'} for _ in range(case.servers)],
        'transport': {'protocol': 'http', 'keep_alive': {'max_idle_conns_per_host': case.connections}},
    }
    server = {
        'listen': [f'127.0.0.1:{ports.proxy}'],
        'automatic_https': {'disable': True},
        'routes': [{'handle': [proxy]}],
    }
    whole = {
        'admin': {'disabled': True, 'config': {'persist': False}},
        'logging': {'logs': {'default': {'level': 'ERROR'}}},
        'apps': {'http': {'servers': {'www': server}}},
    }
    return json.dumps(whole, indent=1)


def nginx_origin(port: int, root: bool, sizes: Iterable[int]) -> str:
    """An origin that does next to nothing per request: short bodies from the configuration, long ones by sendfile."""
    words = '\n'.join(
        f'        location = /body/{size} {{ return 200 "{_escaped(payload(size))}"; }}'
        for size in sorted(set(sizes))
        if size <= IN_THE_FILE
    )
    return f"""{'user root;' if root else ''}
daemon off;
pid origin.pid;
error_log stderr error;
worker_processes 1;
events {{ worker_connections 16384; }}
http {{
    access_log off;
    {_temporary('origin')}
    keepalive_requests {PLENTY};
    keepalive_timeout 600s;
    default_type text/plain;
    sendfile on;
    open_file_cache max=16;
    server {{
        listen 127.0.0.1:{port} backlog=8192;
        root origin;
        location = /forwarded {{ return 200 $http_x_forwarded_for; }}
{words}
    }}
}}
"""


def _escaped(body: bytes) -> str:
    """Digits and line ends only (cases.payload), which nginx takes inside quotes as they are."""
    return body.decode()
