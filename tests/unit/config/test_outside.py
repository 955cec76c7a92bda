"""The keywords of HAProxy's manual, as names, against the tables: none is missing, and how many count."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataplane.config.keywords import ACTIONS, BIND, CONVERTERS, FETCHES, GLOBAL, PROXY, SERVER, Status
from dataplane.config.keywords.outside import CLASSES, outside
from dataplane.config.support import Coverage, coverage

TABLES = {
    'global': GLOBAL, 'proxy': PROXY, 'action': ACTIONS, 'bind': BIND, 'server': SERVER, 'fetch': FETCHES, 'converter': CONVERTERS,
}  # fmt: skip
LINES = Path(__file__).with_name('keywords.txt').read_text(encoding='utf-8').splitlines()
NAMES = [(line.split(' ', 1)[0], line.split(' ', 1)[1]) for line in LINES if not line.startswith('#')]


def test_every_keyword_of_the_manual_is_in_a_table() -> None:
    assert len(NAMES) == len(set(NAMES)) > 1_400
    assert [f'{kind} {name}' for kind, name in NAMES if name not in TABLES[kind]] == []


def test_most_of_what_concerns_http_is_supported() -> None:
    """Of the manual's own names, so that names of ours do not count."""
    inside = [TABLES[kind][name].status for kind, name in NAMES if not outside(kind, name)]
    assert inside.count(Status.SUPPORTED) / len(inside) >= 0.6


def test_every_keyword_is_counted_once() -> None:
    found = coverage()
    for kind, table in TABLES.items():
        one = found[kind]
        assert sum(one.counts.values()) + sum(one.elsewhere.values()) == len(table)
    assert sum(found[''].counts.values()) + sum(found[''].elsewhere.values()) == sum(map(len, TABLES.values()))


def test_every_class_has_keywords_of_the_manual() -> None:
    assert {outside(kind, name) for kind, name in NAMES} == {'', *CLASSES}


def test_a_share_is_that_of_the_supported_ones() -> None:
    counts = {Status.SUPPORTED: 3, Status.ACCEPTED: 0, Status.REFUSED: 1}
    assert Coverage(counts, {'TLS': 7}).share == 0.75
    assert Coverage(dict.fromkeys(Status, 0), {}).share == 0


@pytest.mark.parametrize(
    'kind, name, expected',
    [
        ('global', 'tune.bufsize', ''), ('global', 'tune.ssl.cachesize', 'TLS'), ('global', 'maxconn', ''),
        ('server', 'ssl', 'TLS'), ('server', 'send-proxy', ''), ('server', 'send-proxy-v2-ssl', 'TLS'), ('bind', 'verify', 'TLS'),
        ('fetch', 'ssl_fc', 'TLS'), ('fetch', 'src', ''), ('fetch', 'sc0_glitch_cnt', 'HTTP/2'), ('fetch', 'sc0_http_req_cnt', ''),
        ('converter', 'ip.src', 'packets and the kernel'), ('converter', 'ipmask', ''), ('proxy', 'option tcplog', 'other protocols than HTTP'),
        ('proxy', 'option httplog', ''), ('proxy', 'stick-table', ''), ('action', 'deny', ''),
    ],
)  # fmt: skip
def test_classes(kind: str, name: str, expected: str) -> None:
    assert outside(kind, name) == expected
