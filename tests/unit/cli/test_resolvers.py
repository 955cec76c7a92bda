"""`show resolvers` and `show stat domain resolvers`, as HAProxy 2.6 writes them."""

from __future__ import annotations

import json

import pytest

from dataplane.cli.fields import Form
from dataplane.cli.resolvers import COLUMNS, NameserverRow, show_resolvers, show_stat
from dataplane.cli.session import Complaint
from dataplane.cli.stat import StatRequest
from dataplane.supervisor.naming.counts import Counts

ROWS = [
    NameserverRow('d', 'n1', Counts(sent=212, valid=135, update=11, any_err=8, nx=23, refused=25).values()),
    NameserverRow('d', 'n2', Counts(sent=173, snd_error=39).values()),
]
BLOCK = """ nameserver n2:
  sent:        173
  snd_error:   39
  valid:       0
  update:      0
  cname:       0
  cname_error: 0
  any_err:     0
  nx:          0
  timeout:     0
  refused:     0
  other:       0
  invalid:     0
  too_big:     0
  truncated:   0
  outdated:    0
"""


def test_a_block_per_nameserver_under_its_section() -> None:
    text = show_resolvers(ROWS, ['d', 'default'], '')
    assert text.startswith('Resolvers section d\n nameserver n1:\n  sent:        212\n')
    assert text.endswith(f'{BLOCK}Resolvers section default')
    assert show_resolvers(ROWS, ['d', 'default'], 'default') == 'Resolvers section default'
    assert show_resolvers([], [], '') == 'No resolvers found'
    with pytest.raises(Complaint, match="Can't find that resolvers section"):
        show_resolvers(ROWS, ['d'], 'e')


def test_the_three_forms_of_the_other_domain() -> None:
    assert show_stat(ROWS, StatRequest(resolvers=True)).splitlines() == [
        (
            '# id,pid,sent,send_error,valid,update,cname,cname_error,any_err,nx,timeout,refused,other,invalid,too_big,truncated,'
            'outdated,'
        ),
        'n1,d,212,0,135,11,0,0,8,23,0,25,0,0,0,0,0,',
        'n2,d,173,39,0,0,0,0,0,0,0,0,0,0,0,0,0,',
    ]
    typed = show_stat(ROWS, StatRequest(Form.TYPED, resolvers=True)).splitlines()
    assert typed[:3] == ['N.0.id:CGP:str:n1', 'N.1.pid:CGP:str:d', 'N.2.sent:MGP:u64:212']
    assert len(typed) == 2 * len(COLUMNS)
    documents = json.loads(show_stat(ROWS, StatRequest(Form.JSON, resolvers=True)))
    assert [one[2]['value'] for one in documents] == [{'type': 'u64', 'value': 212}, {'type': 'u64', 'value': 173}]


def test_counts_begin_anew() -> None:
    counts = Counts(sent=3, outdated=1)
    counts.clear()
    assert not any(counts.values().values())
