"""The load generator's script and what is read from its end."""

from __future__ import annotations

import pytest

from bench import cases, wrk

SAID = (
    'Running 1s test @ http://127.0.0.1:1/body/0\n'
    '  1 threads and 40 connections\n'
    '7219 requests in 1.10s, 0.87MB read\n'
    'bench-result {"requests": 7219, "duration": 1099840, "bytes": 909594, "p50": 1438, "p99": 2100, '
    '"connect": 0, "read": 3, "write": 0, "status": 12, "timeout": 0}\n'
)


def case(name: str) -> cases.Case:
    return cases.chosen([name])[0]


def test_the_exact_figures_are_read() -> None:
    load = wrk.parse(SAID)
    assert (load.requests, load.duration_us, load.bytes_read) == (7219, 1_099_840, 909_594)
    assert (load.p50_us, load.p99_us) == (1438, 2100)


def test_every_error_counter_that_is_not_zero_is_a_failure() -> None:
    assert wrk.parse(SAID).failures == '3 read, 12 status'
    assert wrk.parse(SAID.replace('"read": 3', '"read": 0').replace('"status": 12', '"status": 0')).failures == ''


@pytest.mark.parametrize('output', ['', 'unable to connect to 127.0.0.1:1 Connection refused', SAID + SAID])
def test_a_run_without_its_one_result_is_an_error(output: str) -> None:
    with pytest.raises(ValueError, match='printed no result'):
        wrk.parse(output)


def test_the_script_asks_what_the_case_says() -> None:
    get, post, close = (wrk.script(case(name)) for name in ('tiny-0', 'post-1m', 'close-1k'))
    assert 'wrk.method = "GET"' in get
    assert 'wrk.body' not in get
    assert get.count('wrk.headers[') == 1
    assert 'wrk.method = "POST"' in post
    assert 'string.rep("x", 1048576)' in post
    assert 'wrk.headers["Connection"] = "close"' in close
    assert 'wrk.headers["Cookie"]' in close


def test_words_of_the_script_are_quoted_for_lua(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wrk, 'headers', lambda _: (('X', 'a"b\\c\n'),))
    assert r'wrk.headers["X"] = "a\034b\092c\010"' in wrk.script(case('tiny-0'))


def test_the_command_line_is_bounded_in_time() -> None:
    words = wrk.command('/bin/wrk', case('conns-1000'), 8080, 2.6, 'x.lua')
    assert words[:4] == ['/bin/wrk', '-t1', '-c1000', '-d3s']
    assert words[-1] == 'http://127.0.0.1:8080/body/1024'
    assert '-d1s' in wrk.command('wrk', case('tiny-0'), 1, 0.2, 'x.lua')
