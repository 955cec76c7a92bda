"""The same words, conditions and verdicts as HAProxy's own parser, where it is installed."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from dataplane.config import ConfigErrors, load
from tests.integration.harness.haproxy import needs_haproxy
from tests.unit.config.loading import errors

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = needs_haproxy

ENV = {'FOO': 'a b', 'EMPTY': '', 'ONE': '1', 'PATH': '/usr/sbin:/usr/bin:/sbin:/bin'}

TEXTS = [
    'plain', '"two words"', "'two words'", 'a\\ b', 'a\\#b', 'a\\\\b', 'a\\1b', 'a\\qb', "\\'x\\'", '\\"x\\"', '\\x41\\x6F',
    '"$ONE"', '"${ONE}x"', '$ONE', "'$ONE'", '"\\$ONE"', '"$FOO"', '"<$FOO>"', '"${NONE-d e}"', '"${ONE-d}"', '"${EMPTY-d}"',
    'x"$EMPTY"y', '"x${EMPTY}y"', 'a"b"c', "a'b'c", '"a\'b"', "'a\"b'", 'x#y', '"x#y"', "'x#y'", '"$ONE$ONE"', '"${.LINE}"',
    '"a\\tb"', '"$FOO[*]"', '"<${ONE[*]}>"', '"\\1"', '"$ONE.x"', '"$ONE-x"', '"${ONE}-x"',
]  # fmt: skip
CONDITIONS = [
    '', '0', '1', '-1', '!0', '!1', '! !1', '(1)', '(0)', '!(1)', '1 && 1', '1 && 0', '0 || 1', '0 || 0', '1 || 0 && 0',
    '(1 || 0) && 0', '0x10', 'defined(ONE)', 'defined(NONE)', 'defined(EMPTY)', 'streq(a,a)', 'streq(a,b)', 'strneq(a,b)',
    'streq("$ONE",1)', 'streq("$NONE",)', 'streq("$FOO","a b")', 'streq( a,a )', 'version_atleast(2.4)',
    'version_atleast(2.4-dev19)', 'version_before(2.4)', '!defined(NONE) && streq(1,"$ONE")', 'feature(NOPE)',
]  # fmt: skip
BASE = 'defaults\n mode http\n timeout client 1s\n timeout connect 1s\n timeout server 1s\n'
FRONT = f'{BASE}backend b\nfrontend f\n bind 127.0.0.1:1\n '
BACK = f'{BASE}frontend f\n bind 127.0.0.1:1\n default_backend b\nbackend b\n '
GOOD = [
    FRONT + 'bind :2-3,127.0.0.1:4 name x maxconn 5 backlog 6', FRONT + 'bind ipv6@:5 v6only', FRONT + 'bind :::5',
    FRONT + 'bind /x mode 600', FRONT + 'maxconn 0', FRONT + 'use_backend b', FRONT + 'no option dontlognull',
    FRONT + 'option forwardfor except 10.0.0.0/8 header X if-none', FRONT + 'log stdout format raw local0 notice err',
    FRONT + 'log 127.0.0.1 len 80 format rfc5424 local0', FRONT + 'http-request set-priority-class int(-5)',
    FRONT + 'http-request set-priority-offset req.hdr(x)', FRONT + 'stats enable', FRONT + 'description a b c',
    BACK + 'balance static-rr', BACK + 'balance source', BACK + 'balance uri len 3 depth 2 whole path-only', BACK + 'hash-type consistent',
    BACK + 'balance url_param a', BACK + 'balance hdr(x) use_domain_only', BACK + 'hash-type map-based crc32 avalanche',
    BACK + 'hash-balance-factor 150', BACK + 'server-template s 3 127.0.0.1:80 id 9', BACK + 'server-template s 0-2 127.0.0.1:80',
    BACK + 'server s 127.0.0.1:80 slowstart 100ms', BACK + 'default-server slowstart 3s backup weight 3 disabled',
    BACK + 'stick-table type ip size 1k expire 30s nopurge store gpc0,conn_rate(10s) store gpt0', BACK + 'stick-table type string len 8 size 1',
    BACK + 'stick-table type binary len 8 size 10 store gpc(4),gpc_rate(4,1m),gpt(2)', BACK + 'stick-table size 2 type integer',
    f'{BASE}backend t\n stick-table type ip size 1\nbackend u\n stick on src table t\n stick store-response res.hdr(x) table t if TRUE',
    f'{BASE}backend t\n stick-table type ip size 1\nbackend u\n http-request track-sc0 src table t\n http-request sc-inc-gpc0(0)',
    f'{BASE}backend t\n stick-table type ip size 1\nbackend u\n http-request deny if {{ src_conn_cnt(t) gt 1 }} {{ src,in_table(t) }}',
    BACK + 'balance', BACK + 'balance random(3)', BACK + 'option redispatch 3', BACK + 'no option redispatch',
    BACK + 'server s 127.0.0.1', BACK + 'server s ipv6@::1:80', BACK + 'server s [::1]', BACK + 'retries 0',
    BACK + 'server s 127.0.0.1:80 weight 0 maxconn 1 minconn 2 maxqueue 3 backup disabled id 4 pool-max-conn 0',
    BACK + 'default-server maxconn 5 pool-purge-delay 1s max-reuse -1', BACK + 'http-reuse never', BACK + 'option httpclose',
    BASE + 'frontend x\n bind :1\n default_backend x\nbackend x', 'defaults a\n mode http\ndefaults b from a\nbackend c from b',
]  # fmt: skip
BAD = [
    BACK + 'stick-table', BACK + 'stick-table type foo size 1', BACK + 'stick-table type ip', BACK + 'stick-table size 1',
    BACK + 'stick-table type ip size x', BACK + 'stick-table type ip size', BACK + 'stick-table type ip size 1 expire x',
    BACK + 'stick-table type ip size 1 store foo', BACK + 'stick-table type ip size 1 store conn_rate', BACK + 'stick on src table',
    BACK + 'stick-table type ip size 1 store conn_cnt(3)', BACK + 'stick-table type ip size 1 store gpc(0)', BACK + 'stick on src foo',
    BACK + 'stick-table type ip size 1 store gpc(1),gpc0', BACK + 'stick-table type ip size 1 foo', BACK + 'stick foo src',
    BACK + 'stick on', BACK + 'stick on foo', BACK + 'stick on src', BACK + 'stick on src table none', BACK + 'stick on res.hdr(x)',
    BACK + 'http-request track-sc0', BACK + 'http-request track-sc0 src', BACK + 'http-request track-sc0 src table none',
    BACK + 'http-request track-sc3 src table b', BACK + 'http-request sc-inc-gpc0(3)', BACK + 'http-request sc-inc-gpc(1)',
    BACK + 'http-request deny if { src_conn_cnt gt 1 }', BACK + 'http-request deny if { src,in_table(none) }',
    BACK + 'http-request deny if { sc_conn_cnt gt 1 }', BACK + 'stick-table type ip size 1\n stick on bool(1)',
    'foo', 'global\n foo', 'global x', 'global\n nbthread 0', 'global\n stats socket /x level foo', 'global\n node', 'frontend',
    FRONT + 'foo', FRONT + 'bind', FRONT + 'bind :0', FRONT + 'bind :99999', FRONT + 'bind foo', FRONT + 'bind :90-80',
    FRONT + 'bind fd@x', FRONT + 'bind :2 foo', FRONT + 'bind ipv4@::1:80', FRONT + 'bind :2 maxconn -1', FRONT + 'mode foo',
    FRONT + 'timeout client', FRONT + 'timeout client 10 s', FRONT + 'timeout client -5', FRONT + 'timeout client 99999d',
    FRONT + 'timeout foo 5s', FRONT + 'maxconn 5 6', FRONT + 'default_backend', FRONT + 'default_backend none', FRONT + 'id 0',
    FRONT + 'server s 127.0.0.1', FRONT + 'option', FRONT + 'option foo', FRONT + 'no option httplog', FRONT + 'no maxconn 5',
    FRONT + 'option forwardfor foo', FRONT + 'option forwardfor except x', FRONT + 'log', FRONT + 'log stdout foo',
    FRONT + 'log stdout local0 foo', FRONT + 'log global x', FRONT + 'disabled x', FRONT + 'http-request',
    FRONT + 'http-request foo', FRONT + 'http-request set-priority-class', FRONT + 'http-request set-priority-class foo(5)',
    FRONT + 'http-request set-priority-class int(5) foo', FRONT + 'http-request set-priority-class int(x)', FRONT + '"x',
    BACK + 'balance uri foo', BACK + 'balance uri len', BACK + 'balance uri depth 0', BACK + 'balance url_param',
    BACK + 'balance hdr', BACK + 'balance hdr(x) y', BACK + 'hash-type foo', BACK + 'hash-type consistent foo',
    BACK + 'hash-type consistent sdbm x', BACK + 'hash-balance-factor 50', BACK + 'hash-balance-factor',
    BACK + 'server-template s', BACK + 'server-template s 3-1 127.0.0.1:80', BACK + 'server-template s 0 127.0.0.1:80',
    BACK + 'default-server id 3', BACK + 'server s 127.0.0.1:80 slowstart x', BACK + 'use-server s',
    BACK + 'balance foo', BACK + 'balance random(0)', BACK + 'retries', BACK + 'http-reuse foo', BACK + 'server s',
    BACK + 'server s 127.0.0.1:x', BACK + 'server s 127.0.0.1:80-90', BACK + 'server a/b 127.0.0.1', BACK + 'server s fd@3',
    BACK + 'server s 127.0.0.1 weight 257', BACK + 'server s 127.0.0.1 id 0', BACK + 'server s 127.0.0.1 foo',
    BACK + 'server s 127.0.0.1\n server s 127.0.0.1', BACK + 'server s 127.0.0.1 id 1\n server t 127.0.0.1 id 1',
    BACK + 'server s 127.0.0.1 pool-max-conn -2', BASE + 'backend b\nbackend b', BASE + 'listen b\nbackend b',
    BASE + 'backend a\n id 3\nbackend b\n id 3', 'frontend a from b', 'defaults\n bind :80', 'defaults\n server s 127.0.0.1',
    'defaults a\ndefaults a\nfrontend f from a', '.if foo\n.endif', '.if 1', '.endif', '.if 1\n.else\n.else\n.endif', '.foo',
    '.alert x', '.notice a b', '.if streq(a)\n.endif',
]  # fmt: skip


def ask(path: Path, text: str) -> tuple[bool, str]:
    """HAProxy's verdict on a configuration, and what it said."""
    path.write_text(text, encoding='utf-8')
    done = subprocess.run(
        ['haproxy', '-c', '-f', path.name], cwd=path.parent, env=ENV, capture_output=True, text=True, check=False
    )
    return '[ALERT]' not in done.stderr, done.stderr


def test_words_are_those_of_haproxy(tmp_path: Path) -> None:
    text = ''.join(f'.notice {word}\n' for word in TEXTS)
    _, said = ask(tmp_path / 'x.cfg', text)
    theirs = re.findall(r"parsing \[x\.cfg:(\d+)\]: '(.*)'\.$", said, re.MULTILINE)
    ours = [(str(problem.line), problem.text[1:-2]) for problem in load([('x.cfg', text)], ENV, cores=1).notices]
    assert ours == theirs
    assert len(ours) == len(TEXTS)


def test_conditions_are_decided_as_haproxy_decides_them(tmp_path: Path) -> None:
    text = ''.join(f'.if {condition}\n.notice {number}\n.endif\n' for number, condition in enumerate(CONDITIONS))
    _, said = ask(tmp_path / 'x.cfg', text)
    theirs = re.findall(r"parsing \[x\.cfg:\d+\]: '(\d+)'\.$", said, re.MULTILINE)
    ours = [problem.text[1:-2] for problem in load([('x.cfg', text)], ENV, cores=1).notices]
    assert ours == theirs
    assert 0 < len(ours) < len(CONDITIONS)


@pytest.mark.parametrize('text', GOOD)
def test_what_haproxy_takes_is_taken(tmp_path: Path, text: str) -> None:
    assert ask(tmp_path / 'x.cfg', f'{text}\n')[0]
    assert errors(f'{text}\n', ENV) == []


@pytest.mark.parametrize('text', BAD)
def test_what_haproxy_refuses_is_refused_at_the_same_line(tmp_path: Path, text: str) -> None:
    taken, said = ask(tmp_path / 'x.cfg', f'{text}\n')
    assert not taken
    with pytest.raises(ConfigErrors) as raised:
        load([('x.cfg', f'{text}\n')], ENV, cores=1)
    theirs = {int(line) for line in re.findall(r'ALERT.*?\[x\.cfg:(\d+)\]', said)}
    assert not theirs or theirs & {problem.line for problem in raised.value.errors}
