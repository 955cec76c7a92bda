"""The command line, word by word."""

from __future__ import annotations

import pytest

from dataplane.supervisor.main import main
from dataplane.supervisor.options import Misused, parse


def test_files_in_their_order_also_behind_two_dashes() -> None:
    assert parse(['-f', 'a', '-f', 'b', '--', 'c', '-d']).files == ['a', 'b', 'c', '-d']


def test_what_has_a_value() -> None:
    options = parse(['-n', '500', '-p', '/run/x', '-C', '/etc', '-L', 'peer', '-cc', 'streq(a,a)'])
    assert (options.maxconn, options.pidfile, options.directory) == (500, '/run/x', '/etc')
    assert options.condition == 'streq(a,a)'
    assert parse(['-S', '/s,level,user']).master_cli == '/s,level,user'
    assert options.warnings == []


def test_modes() -> None:
    options = parse(['-c', '-V', '-q', '-W', '-Ws', '-dW'])
    assert options.check
    assert options.notify
    assert options.master
    assert not parse(['-S', '/s']).master
    assert options.strict
    assert not options.daemon


@pytest.mark.parametrize('words, quiet', [(['-q'], True), (['-q', '-V'], False), (['-V', '-q'], False), ([], False)])
def test_verbose_takes_quiet_back(words: list[str], *, quiet: bool) -> None:
    assert parse(words).quiet is quiet


def test_diagnostic_mode() -> None:
    assert parse(['-dD']).diagnose
    assert parse(['-dD']).warnings == []


@pytest.mark.parametrize('words, daemon', [(['-D'], True), (['-D', '-db'], False), (['-D', '-d'], False)])
def test_background(words: list[str], *, daemon: bool) -> None:
    assert parse(words).daemon is daemon


@pytest.mark.parametrize('word, detail', [('-v', 1), ('-vv', 2)])
def test_version(word: str, detail: int) -> None:
    assert parse([word]).version == detail


@pytest.mark.parametrize(
    'words, hint',
    [
        (['-sf', '12', '13', '-f', 'a'], 'SIGUSR1'),
        (['-st', '-f', 'a'], 'SIGTERM'),
        (['-x', '/s', '-f', 'a'], 'SIGUSR2'),
        (['-m', '100', '-f', 'a'], 'maxconn'),
        (['-N', '100', '-f', 'a'], 'maxconn'),
        (['-dM', '-f', 'a'], '-dM'),
        (['-dMno-merge', '-f', 'a'], '-dMno-merge'),
        (['-dI', '-f', 'a'], '-dI'),
    ],
)
def test_what_means_nothing_here_is_accepted_and_told(words: list[str], hint: str) -> None:
    options = parse(words)
    assert options.files == ['a']
    assert len(options.warnings) == 1
    assert hint in options.warnings[0]


@pytest.mark.parametrize(
    'words, why',
    [
        (['-f'], '-f: missing file'),
        (['-n', 'x'], "-n: 'x' is not a number"),
        (['-n', '0'], "-n: '0'"),
        (['-k'], 'unknown option -k'),
        (['file'], 'unexpected argument file'),
    ],
)
def test_misuse_is_named(words: list[str], why: str) -> None:
    with pytest.raises(Misused, match=why):
        parse(words)


def test_how_it_is_used_is_told_without_a_complaint(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['-h']) == 1
    told = capsys.readouterr().err
    assert told.startswith('Sluice version ')
    assert 'Usage' in told
    assert 'unknown option' not in told
