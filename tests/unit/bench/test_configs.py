"""What the proxies are told."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from bench import cases, configs

PORTS = configs.Ports(proxy=8001, origin=8002, log=8003)
CASE = cases.chosen(['browser-1k'])[0]
QUEUE = cases.chosen(['queue-400'])[0]
WORKERS = cases.chosen(['workers-2'])[0]
EVERYTHING = ('option httplog', 'option forwardfor', 'balance leastconn', 'maxconn 34', 'log 127.0.0.1:8003 local0')


def test_everything_on_is_on_and_bare_is_bare() -> None:
    full, bare = (configs.haproxy(CASE, PORTS, everything) for everything in (True, False))
    for word in EVERYTHING:
        assert word in full
        assert word not in bare
    assert bare.count('127.0.0.1:8002') == full.count('127.0.0.1:8002') == CASE.servers


def test_the_queue_has_its_limit_also_when_bare() -> None:
    bare = configs.haproxy(QUEUE, PORTS, everything=False)
    assert '    server s1 127.0.0.1:8002 maxconn 4\n' in bare
    assert 's2' not in bare


def test_the_workers_are_told_to_each() -> None:
    assert '    nbthread 2\n' in configs.haproxy(WORKERS, PORTS, everything=False)
    assert 'worker_processes 2;' in configs.nginx(WORKERS, PORTS, root=False)


@pytest.mark.skipif(not shutil.which('haproxy'), reason='haproxy is not installed')
@pytest.mark.parametrize('everything', [False, True])
@pytest.mark.parametrize('case', cases.CASES, ids=lambda case: case.name)
def test_haproxy_accepts_its_file(case: cases.Case, everything: bool, tmp_path: Path) -> None:
    file = tmp_path / 'haproxy.cfg'
    file.write_text(configs.haproxy(case, PORTS, everything))
    done = subprocess.run(['haproxy', '-c', '-f', file], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, done.stderr


def test_envoy_and_caddy_get_every_server_and_no_limit_of_their_own() -> None:
    envoy = json.loads(configs.envoy(CASE, PORTS))['static_resources']['clusters'][0]
    assert len(envoy['load_assignment']['endpoints'][0]['lb_endpoints']) == CASE.servers
    assert envoy['circuit_breakers']['thresholds'][0]['max_requests'] >= 1_000_000
    caddy = json.loads(configs.caddy(CASE, PORTS))['apps']['http']['servers']['www']
    handler = caddy['routes'][0]['handle'][0]
    assert [one['dial'] for one in handler['upstreams']] == ['127.0.0.1:8002'] * CASE.servers
    assert handler['transport']['keep_alive']['max_idle_conns_per_host'] == CASE.connections


def test_nginx_keeps_as_many_connections_as_the_load_has() -> None:
    crowd = dataclasses.replace(CASE, connections=777)
    assert 'keepalive 777;' in configs.nginx(crowd, PORTS, root=False)


def test_only_root_names_a_user() -> None:
    assert 'user root;' in configs.nginx(CASE, PORTS, root=True)
    assert 'user' not in configs.nginx(CASE, PORTS, root=False)


def test_the_origin_holds_short_bodies_and_leaves_long_ones_to_files() -> None:
    text = configs.nginx_origin(8002, False, [0, 1024, 1024, 102_400])
    assert text.count('location = /body/') == 2
    assert f'"{cases.payload(1024).decode()}"' in text
