"""The master CLI's words: whom a line is for, and what is said of processes and reloads."""

from __future__ import annotations

import pytest

from dataplane.cli.commands import find, help_text, unknown
from dataplane.cli.master import COMMANDS_OF_MASTER, Process, show_proc, show_reload, target
from dataplane.cli.session import Complaint

PIDS = {0: 100, 1: 200}


@pytest.mark.parametrize(
    'prefix, pid', [('@', 0), ('@master', 0), ('@1', 100), ('@2', 200), ('@!200', 200), ('@@1', 100), ('@@!100', 100)]
)
def test_whom_a_line_is_for(prefix: str, pid: int) -> None:
    assert target(prefix, PIDS) == pid


@pytest.mark.parametrize('prefix', ['@0', '@3', '@!1', '@!', '@x', '@-1', '@٣', '@1 ', '@' + '9' * 5_000])
def test_nobody(prefix: str) -> None:
    with pytest.raises(Complaint) as caught:
        target(prefix, PIDS)
    assert caught.value.answer.text == f"Can't find the target PID matching the prefix '{prefix}'"


def test_rows_are_as_wide_as_haproxys() -> None:
    master = Process(pid=3786, kind='master', reloads='0 [failed: 0]', uptime=22, version='2.6.12')
    worker = Process(pid=3790, kind='worker', reloads='0', uptime=2 * 86_400 + 3 * 3_600 + 4 * 60 + 5, version='2.6.12')
    assert show_proc(master, [worker]).split('\n') == [
        '#<PID>          <type>          <reloads>       <uptime>        <version>      ',
        '3786            master          0 [failed: 0]   0d00h00m22s     2.6.12         ',
        '# workers',
        '3790            worker          0               2d03h04m05s     2.6.12         ',
    ]


def test_what_a_reload_says() -> None:
    assert show_reload(True, ['a', 'b']) == 'Success=1\n--\na\nb'
    assert show_reload(False, []) == 'Success=0'


def test_the_masters_own_commands() -> None:
    assert find(('show', 'proc'), COMMANDS_OF_MASTER) is not None
    assert find(('show', 'stat'), COMMANDS_OF_MASTER) is None
    assert find(('show', 'proc')) is None
    lines = [line.split(' :')[0].strip() for line in help_text((), COMMANDS_OF_MASTER).text.split('\n')[1:]]
    own, always = lines[4:-3], lines[-3:]
    assert own == sorted(own)
    assert always == ['help [<command>]', 'prompt [help | n | i | p | timed ]*', 'quit']
    assert 'show proc' in unknown(('show', 'pro'), COMMANDS_OF_MASTER).text
