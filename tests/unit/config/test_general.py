from __future__ import annotations

import pytest

from dataplane.core.model import Global, Level, OnPartition, StatsSocket
from dataplane.core.outbound import ControlPlane
from dataplane.core.tuning import VariableLimits
from tests.unit.config.loading import errors, general, global_error, load_text, snapshot, warnings


def test_without_a_line_everything_has_its_default() -> None:
    assert load_text('', cores=3).snapshot.globals == Global(nbthread=3)


def test_more_cores_than_workers_can_be_are_left_alone() -> None:
    assert load_text('', cores=1000).snapshot.globals.nbthread == 64
    assert load_text('', cores=0).snapshot.globals.nbthread == 1


@pytest.mark.parametrize(
    'line, name, value',
    [
        ('maxconn 5000', 'maxconn', 5000),
        ('nbthread 4', 'nbthread', 4),
        ('maxconnrate 7', 'maxconnrate', 7),
        ('maxsessrate 0', 'maxsessrate', 0),
        ('log-tag me', 'log_tag', 'me'),
        ('log-send-hostname box', 'log_send_hostname', 'box'),
        ('node n-1.a_b', 'node', 'n-1.a_b'),
        ('description the  edge "proxy  1"', 'description', 'the edge proxy  1'),
        ('pidfile /run/x.pid', 'pidfile', '/run/x.pid'),
        ('state-dir /var/lib/sluice', 'state_dir', '/var/lib/sluice'),
        ('bootstrap-file /etc/snapshot', 'bootstrap_file', '/etc/snapshot'),
        ('grace 5s', 'grace', 5_000),
        ('hard-stop-after 30s', 'hard_stop_after', 30_000),
        ('hard-stop-after 0', 'hard_stop_after', None),
        ('isolation-timeout 2s', 'isolation_timeout', 2_000),
        ('on-partition stop', 'on_partition', OnPartition.STOP),
        ('on-partition keep', 'on_partition', OnPartition.KEEP),
        ('tune.bufsize 32k', 'bufsize', 32_768),
        ('tune.maxrewrite 4096', 'maxrewrite', 4_096),
        ('tune.http.maxhdr 200', 'maxhdr', 200),
        ('stats timeout 2m', 'stats_timeout', 120_000),
        ('control-plane wss://cp:8443/v1', 'control_plane', ControlPlane(url='wss://cp:8443/v1')),
        (
            'control-plane ws://cp ca-file /ca token-file /token',
            'control_plane',
            ControlPlane(url='ws://cp', token_file='/token', ca_file='/ca'),
        ),
        (
            'control-plane wss://cp cert-file /cert key-file /key',
            'control_plane',
            ControlPlane(url='wss://cp', cert_file='/cert', key_file='/key'),
        ),
    ],
)
def test_settings(line: str, name: str, value: object) -> None:
    assert getattr(general(line), name) == value


def test_maxrewrite_is_at_most_half_a_buffer() -> None:
    assert general('tune.bufsize 4096\n tune.maxrewrite 4000').maxrewrite == 2_048


def test_the_last_line_counts_and_sections_add_up() -> None:
    settings = snapshot('global\n maxconn 1\n maxconn 2\nglobal\n node x\n').globals
    assert (settings.maxconn, settings.node) == (2, 'x')


def test_logs_add_up_until_no_log() -> None:
    assert [target.address for target in general('log stdout local0\n log /dev/log local1').log_targets] == [
        'stdout',
        '/dev/log',
    ]
    assert general('log stdout local0\n no log').log_targets == ()


def test_log_send_hostname_makes_the_format_that_has_one() -> None:
    settings = general('log stdout local0\n log stderr format raw local0\n log-send-hostname me')
    assert [target.format for target in settings.log_targets] == ['rfc3164', 'raw']
    assert general('log stdout local0').log_targets[0].format == 'local'


@pytest.mark.parametrize(
    'line, socket',
    [
        ('/run/x', StatsSocket(path='/run/x')),
        ('/run/x mode 660 level admin', StatsSocket(path='/run/x', mode=0o660, level=Level.ADMIN)),
        ('unix@/run/x level user', StatsSocket(path='/run/x', level=Level.USER)),
        ('ipv4@127.0.0.1:9999 level operator', StatsSocket(host='127.0.0.1', port=9999)),
        (':9999', StatsSocket(host='0.0.0.0', port=9999)),
        ('fd@3 level admin', StatsSocket(fd=3, level=Level.ADMIN)),
    ],
)
def test_stats_sockets(line: str, socket: StatsSocket) -> None:
    assert general(f'stats socket {line}').stats_sockets == (socket,)


def test_several_stats_sockets() -> None:
    assert len(general('stats socket /a\n stats socket /b').stats_sockets) == 2


def test_what_a_stats_socket_cannot_have_is_said() -> None:
    found = warnings('global\n stats socket /a user x group y expose-fd listeners\n stats maxconn 10\n')
    assert found[:4] == [
        "2: 'stats socket' : 'user' has no effect.",
        "2: 'stats socket' : 'group' has no effect.",
        "2: 'stats socket' : 'expose-fd' has no effect.",
        "3: 'stats maxconn' has no effect: connections to stats sockets are few.",
    ]


def test_variables_are_set_for_the_lines_that_follow() -> None:
    text = (
        'global\n setenv A 1\n presetenv A 2\n presetenv B 3\n presetenv HOME 4\n node "$A-$B-$HOME"\n unsetenv A X\n'
        ' description "<$A$B>"\n resetenv B\n log-tag "$B-$HOME-"\n'
    )
    settings = snapshot(text, {'HOME': 'h'}).globals
    assert (settings.node, settings.description, settings.log_tag) == ('1-3-h', '<3>', '3--')


def test_the_callers_environment_is_left_alone() -> None:
    env = {'A': '1'}
    load_text('global\n setenv A 2\n resetenv\n', env)
    assert env == {'A': '1'}


@pytest.mark.parametrize(
    'line, complaint',
    [
        ('foo', "unknown keyword 'foo' in 'global' section"),
        ('maxcon 5', "unknown keyword 'maxcon' in 'global' section; did you mean 'maxconn' maybe ?"),
        ('maxconn', "'maxconn' expects an integer argument."),
        ('maxconn 5 6', "'maxconn' cannot handle unexpected argument '6'."),
        ('maxconn 0', "'maxconn' value must be between 1 and 2147483647 (was 0)"),
        ('nbthread 0', "'nbthread' value must be between 1 and 64 (was 0)"),
        ('nbthread 65', "'nbthread' value must be between 1 and 64 (was 65)"),
        ('log-tag', "'log-tag' expects a tag for use in syslog."),
        ('pidfile', "'pidfile' expects a file name as an argument."),
        ('pidfile a b', "'pidfile' cannot handle unexpected argument 'b'."),
        ('state-dir', "'state-dir' expects a directory as an argument."),
        ('node', "'node' requires a name made of letters, digits, '.', '-' and '_'."),
        ('node a/b', "'node' requires a name made of letters, digits, '.', '-' and '_'."),
        ('description', "'description' expects a string argument of printable characters."),
        ('description "a\\nb"', "'description' expects a string argument of printable characters."),
        ('hard-stop-after', "'hard-stop-after' expects an integer value (in milliseconds)"),
        ('grace', "'grace' expects an integer value (in milliseconds)"),
        ('grace 1s 2s', "'grace' cannot handle unexpected argument '2s'."),
        ('isolation-timeout 5ms', "'isolation-timeout' must be at least 100 ms (was '5ms')"),
        ('on-partition', "'on-partition' expects 'keep' or 'stop' (got '')."),
        ('on-partition continue', "'on-partition' expects 'keep' or 'stop' (got 'continue')."),
        ('tune.bufsize 10', "'tune.bufsize' value must be between 1024 and 2147483647 bytes (was 10)"),
        ('tune.http.maxhdr 0', "'tune.http.maxhdr' value must be between 1 and 32767 (was 0)"),
        ('stats', "'stats' only supports 'socket', 'maxconn' and 'timeout' (got '')"),
        ('stats foo', "'stats' only supports 'socket', 'maxconn' and 'timeout' (got 'foo')"),
        ('stats timeout 0', "'stats timeout' expects a positive value"),
        ('stats maxconn x', "'stats maxconn' expects an integer argument (got 'x')."),
        ('stats socket', "'stats socket' in global section expects an address or a path to a UNIX socket"),
        (
            'stats socket /a level foo',
            "'stats socket' : 'level' only supports 'user', 'operator', and 'admin' (got 'foo')",
        ),
        ('stats socket /a mode 9', "'stats socket' : 'mode' : missing or invalid mode '9' (octal integer expected)"),
        ('stats socket /a mode', "'stats socket' : 'mode' : missing value"),
        ('stats socket /a foo', "'stats socket' : unknown keyword 'foo'."),
        ('stats socket :1,:2', "'stats socket' : expects one address with one port or one path (got ':1,:2')"),
        ('stats socket :1-2', "'stats socket' : expects one address with one port or one path (got ':1-2')"),
        ('stats socket abns@x', "'stats socket' : expects one address with one port or one path (got 'abns@x')"),
        ('setenv A', "'setenv' expects a name and a value."),
        ('setenv A B C', "'setenv' expects a name and a value."),
        ('setenv 1 B', "'setenv' : '1' is not a variable's name."),
        ('unsetenv', "'unsetenv' expects at least one variable's name."),
        ('control-plane', "'control-plane' expects a ws://, wss://, http:// or https:// URL (got '')."),
        ('control-plane cp:80', "'control-plane' expects a ws://, wss://, http:// or https:// URL (got 'cp:80')."),
        ('control-plane ws://x key-file k', "'control-plane' has a 'key-file' without its 'cert-file'."),
        (
            'control-plane ws://x foo',
            "'control-plane' only supports 'token-file FILE', 'ca-file FILE', 'cert-file FILE', 'key-file FILE', once each (got 'foo').",
        ),
        (
            'control-plane ws://x ca-file',
            "'control-plane' only supports 'token-file FILE', 'ca-file FILE', 'cert-file FILE', 'key-file FILE', once each (got 'ca-file').",
        ),
        (
            'external-check',
            "'external-check' in 'global' section is not supported: no program is started for a check.",
        ),
        ('no maxconn 5', 'negation/default currently supported only for log, option'),
        ('default log', "'default' is not supported for 'log'."),
        ('no log x', "'log' cannot handle unexpected argument 'x'."),
    ],
)
def test_what_is_no_global_line(line: str, complaint: str) -> None:
    (found,) = global_error(line)
    assert found.startswith(f'2: {complaint}')


@pytest.mark.parametrize(
    'line',
    ['daemon', 'user haproxy', 'chroot /x', 'thread-groups 1', 'tune.h2.header-table-size 1', 'no strict-limits'],
)
def test_harmless_lines_are_accepted_with_a_warning(line: str) -> None:
    keyword = line.removeprefix('no ').split()[0]
    assert warnings(f'global\n {line}\n')[0].startswith(f"2: '{keyword}' in 'global' section has no effect: ")


def test_the_section_has_no_name() -> None:
    assert errors('global x\n maxconn y\n') == [
        "1: 'global' cannot handle unexpected argument 'x'.",
        "2: 'maxconn' expects an integer argument (got 'y').",
    ]


def test_room_for_variables_and_payloads() -> None:
    scopes = ('global', 'proc', 'sess', 'txn', 'reqres')
    lines = [f'tune.vars.{scope}-max-size {number}k' for number, scope in enumerate(scopes, 1)]
    found = general('\n '.join((*lines, 'tune.cli.max-payload-size 1m'))).tuning
    assert found.variables == VariableLimits(whole=1_024, proc=2_048, sess=3_072, txn=4_096, reqres=5_120)
    assert found.payload == 1 << 20
    assert global_error('tune.vars.txn-max-size x') == [
        "2: 'tune.vars.txn-max-size' expects a size in bytes, optionally with k, m or g (got 'x')."
    ]
