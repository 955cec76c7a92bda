from __future__ import annotations

import pytest

from dataplane.config.logs import parse_log_line
from dataplane.config.problems import Rejected
from dataplane.config.reader import Line
from dataplane.core.model import LogTarget
from dataplane.core.sampling import Sampling
from dataplane.wire.syslog import FACILITIES, FORMATS, LEVELS


def parse(text: str, *, proxy: bool = False) -> LogTarget:
    return parse_log_line(Line('f', 1, ('log', *text.split())), proxy=proxy)


def test_a_short_line_has_the_manuals_defaults() -> None:
    assert parse('/dev/log local0') == LogTarget(address='/dev/log', facility='local0', format='local', length=1024)


def test_a_line_with_everything() -> None:
    assert parse('127.0.0.1:514 len 80 format rfc5424 daemon notice err') == LogTarget(
        address='127.0.0.1:514', facility='daemon', level='notice', min_level='err', format='rfc5424', length=80
    )


@pytest.mark.parametrize('word', FORMATS)
def test_formats(word: str) -> None:
    assert parse(f'stdout format {word} local0').format == word


def test_every_facility_and_level_is_known() -> None:
    assert len(set(FACILITIES)) == 24
    assert [parse(f'stdout {name}').facility for name in FACILITIES] == list(FACILITIES)
    assert [parse(f'stdout local0 {name}').level for name in LEVELS] == list(LEVELS)


@pytest.mark.parametrize(
    'text, complaint',
    [
        ('', 'log : expects <address> and <facility> as arguments'),
        ('stdout', 'log : expects <address> and <facility> as arguments'),
        ('stdout foo', "log : unknown log facility 'foo'"),
        ('stdout format raw', "log : unknown log facility ''"),
        ('stdout format rawx local0', "log : unknown log format 'rawx'"),
        ('stdout local0 fff', "log : unknown optional log level 'fff'"),
        ('stdout local0 info fff', "log : unknown optional minimum log level 'fff'"),
        ('stdout local0 info info x', "'log' cannot handle unexpected argument 'x'."),
        ('stdout len 10 local0', "'log len' value must be between 80 and 65535 (was 10)"),
        ('stdout len', "'log len' expects an integer argument."),
        ('stdout sample 1 local0', 'log : Missing sample size'),
        (
            'stdout sample 1,2-6:5 local0',
            'log : sample size 5 should be greater or equal to 6 the maximum of the high ranges limits',
        ),
        ('stdout sample 1-3,3:5 local0', 'log : sample ranges are overlapping'),
        ('stdout profile x local0', "log : 'profile' is not supported"),
        ('a.b:514 local0', "log : could not resolve address 'a.b' (a.b cannot be looked up here) in 'a.b:514'"),
    ],
)
def test_what_is_no_log_line(text: str, complaint: str) -> None:
    with pytest.raises(Rejected) as raised:
        parse(text)
    assert str(raised.value) == complaint


def test_a_proxy_may_also_say_global() -> None:
    with pytest.raises(Rejected, match='or global as arguments'):
        parse('', proxy=True)


def test_a_sample_is_ranges_of_a_size() -> None:
    target = parse('stdout sample 3-4,1:5 format raw local0')
    assert target.sample == Sampling(((1, 1), (3, 4)), 5)
    assert target.format == 'raw'


def test_a_host_name_is_looked_up_when_the_line_is_read() -> None:
    def look_up(host: str) -> str:
        return {'loghost': '192.0.2.7', 'six.example': '2001:db8::7'}[host]

    found = [
        parse_log_line(Line('f', 1, ('log', address, 'local0')), look_up, proxy=True).address
        for address in ('loghost', 'loghost:1514', 'udp@six.example:9')
    ]
    assert found == ['192.0.2.7:514', '192.0.2.7:1514', '[2001:db8::7]:9']
