"""Environment variables in addresses, without double quotes."""

from __future__ import annotations

import pytest

from dataplane.config.addressvars import replaced

ENV = {'HOST': '10.0.0.1', 'P': '80'}


@pytest.mark.parametrize(
    'line, read',
    [
        ('bind ${HOST}:$P name $P', 'bind 10.0.0.1:80 name $P'),
        ('bind :$P,${HOST}:8$P', 'bind :80,10.0.0.1:880'),
        ('server $P ${HOST}:${P} addr ${HOST} agent-addr $HOST id $P', 'server $P 10.0.0.1:80 addr 10.0.0.1 agent-addr 10.0.0.1 id $P'),
        ('server s ${HOST}:${MISSING}', 'server s 10.0.0.1:'),
        ('server s $', 'server s '),
        ('server-template s 1-$P ${HOST}:1', 'server-template s 1-$P 10.0.0.1:1'),
        ('default-server addr $HOST cookie $P', 'default-server addr 10.0.0.1 cookie $P'),
        ('log $HOST:514 $P', 'log 10.0.0.1:514 $P'),
        ('stats socket $HOST:$P level $P', 'stats socket 10.0.0.1:80 level $P'),
        ('stats uri /$P', 'stats uri /$P'),
        ('tcp-check connect addr $HOST', 'tcp-check connect addr 10.0.0.1'),
        ('tcp-check send addr $HOST', 'tcp-check send addr $HOST'),
        ('use_backend $P', 'use_backend $P'),
        ('bind', 'bind'),
    ],
)  # fmt: skip
def test_they_are_replaced_in_addresses_only(line: str, read: str) -> None:
    assert ' '.join(replaced(line.split(), ENV)) == read
