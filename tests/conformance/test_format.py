"""The tools of the conformance tests themselves: what a file may say, what is compared, and what counts as declared."""

from __future__ import annotations

import pytest

from tests.conformance.clients import request
from tests.conformance.comparing import problems
from tests.conformance.filters import filtered
from tests.conformance.proxies import text_of
from tests.conformance.scenario import Difference, Wrong, filled, parse, unescape
from tests.conformance.shown import shown_log
from tests.conformance.upstreams import answer

SMALL = 'Title.\n\n[config]\nlisten be\n    bind 127.0.0.1:{fe}\n\n[upstream a]\nhold then answer 200\n\n[run]\nc1 ask get /\n'


def test_a_file_is_read() -> None:
    scenario = parse(SMALL + '[differs]\n- one\n+ two *\nbecause of this\nand that\n', 'area/name')
    assert (scenario.title, scenario.area) == ('Title.', 'area')
    assert scenario.upstreams['a'].reactions == [[('hold', ''), ('answer', '200')]]
    assert (scenario.steps[0].who, scenario.steps[0].text) == ('c1', 'ask get /')
    assert scenario.differs == [Difference(('- one', '+ two *'), 'of this and that')]


@pytest.mark.parametrize('more, why', [
    ('[nonsense]\n', 'unknown section'),
    ('[upstream b]\nfly away\n', "an upstream cannot 'fly'"),
    ('[upstream b]\non connect fly\n', 'on connect'),
    ('[options]\nworkers many\n', 'unknown option'),
    ('[differs]\n- one\n', 'without a reason'),
    ('[differs]\nbecause of nothing\n', 'expected'),
    ('[file x]\n\\q\n', 'unknown escape'),
])  # fmt: skip
def test_what_is_not_understood_is_an_error(more: str, why: str) -> None:
    with pytest.raises(Wrong, match=why):
        parse(SMALL + more, 'area/name')


def test_a_file_without_lines_to_run_is_an_error() -> None:
    with pytest.raises(Wrong, match='no config, steps'):
        parse('Title.\n', 'area/name')


def test_the_standard_head_comes_unless_there_is_an_own_one() -> None:
    scenario = parse(SMALL, 'area/name')
    values = {'fe': '80', 'socket': '/s', 'log': '127.0.0.1:514'}
    assert text_of(scenario, values).count('balance roundrobin') == 1
    scenario.config.insert(0, 'defaults\n    mode http')
    assert 'balance roundrobin' not in text_of(scenario, values)
    with pytest.raises(Wrong, match='nothing is called'):
        text_of(scenario, {'fe': '80'})


def test_differences_are_those_declared_no_more_and_no_less() -> None:
    declared = [Difference(('- b [x]', '+ c *'), 'so')]
    assert problems(['a', 'b [x]'], ['a', 'c 5'], declared) == []
    assert problems(['a', 'b [x]'], ['a', 'd'], declared) == [
        'not declared: + d',
        'declared, but it did not occur: + c *',
    ]
    assert problems(['a'], ['a'], declared) == [
        'declared, but it did not occur: - b [x]', 'declared, but it did not occur: + c *',
    ]  # fmt: skip
    assert problems(['a', 'a'], ['a'], []) == ['not declared: - a']


def test_bytes() -> None:
    assert unescape(r'a\r\n\x00\\n') == b'a\r\n\x00\\n'
    assert unescape('@10') == filled(10) == b'0000000\n00'
    assert request('post', '/x | X-A: 1 << abc') == (
        b'POST /x HTTP/1.1\r\nHost: conform\r\nX-A: 1\r\nContent-Length: 3\r\n\r\nabc'
    )
    assert answer('200 | X: 1', 'a') == b'HTTP/1.1 200 OK\r\nX: 1\r\nContent-Length: 1\r\n\r\na'
    assert answer('204', 'a') == b'HTTP/1.1 204 No Content\r\n\r\n'


@pytest.mark.parametrize('line, shown', [
    (
        '127.0.0.1:40000 [29/Nov/2026:01:02:03.004] fe be/a 0/0/-1/-1/+12 503 217 - - SC-- 1/1/0/0/3 0/0 "GET / HTTP/1.1"',
        '127.0.0.1:PORT [DATE] fe be/a N/N/-1/-1/+N 503 BYTES - - SC-- 1/1/0/0/3 0/0 "GET / HTTP/1.1"',
    ),
    ('<158>Nov 29 01:02:03 mine[77]: text', '<158>DATE mine[PID]: text'),
    ('<158>1 2026-11-29T01:02:03+00:00 here haproxy 77 - - text', '<158>1 DATE here haproxy PID - - text'),
    ('Server b/s is DOWN, check duration: 12ms. 1 active', 'Server b/s is DOWN, check duration: Nms. 1 active'),
])  # fmt: skip
def test_what_may_differ_is_taken_out_of_a_log_line(line: str, shown: str) -> None:
    assert shown_log(line) == shown


def test_filters() -> None:
    stat = '# b,a,c,-,x,\n1,2,3,,5,\n\n'
    assert filtered(stat, 'columns') == ['a', 'b', 'c']
    assert filtered(stat, 'fields a c') == ['a=2 c=3']
    assert filtered('1\n# one two\nx y\n\n', 'fields two') == ['two=y']
    assert filtered('a: 1\nb: 2\n\n', 'names') == ['a', 'b']
    assert filtered('one\ntwo\n\n', 'grep w') == ['two']
    assert filtered('one\n\n', '') == ['one', '']
    with pytest.raises(Wrong):
        filtered('', 'nonsense')
