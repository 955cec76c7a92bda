"""Configuration files: which are meant, and how their problems come out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dataplane.supervisor.options import parse
from dataplane.supervisor.reload import unchangeable
from dataplane.supervisor.sources import NO_LISTENER, Sources, Unusable, listens, look_up, read_file, tell, tell_diags

GOOD = 'defaults\n    mode http\n    timeout client 1s\n    timeout server 1s\n    timeout connect 1s\nbackend b\n'


def read(*paths: Path, also: tuple[str, ...] = ()) -> Sources:
    words = [word for path in paths for word in ('-f', str(path))]
    return Sources.of(parse([*words, *also]), {'NAME': 'value'})


def test_files_and_directories_in_their_order(tmp_path: Path) -> None:
    (tmp_path / 'd').mkdir()
    (tmp_path / 'a.cfg').write_text(GOOD)
    (tmp_path / 'd' / '2.cfg').write_text('backend two\n')
    (tmp_path / 'd' / '1.cfg').write_text('backend one\n')
    (tmp_path / 'd' / '.hidden.cfg').write_text('nonsense\n')
    (tmp_path / 'd' / 'readme').write_text('nonsense\n')
    loaded = read(tmp_path / 'a.cfg', tmp_path / 'd').read()
    assert [backend.name for backend in loaded.snapshot.backends] == ['b', 'one', 'two']
    assert loaded.snapshot.globals.nbthread == len(os.sched_getaffinity(0))


def test_maxconn_of_the_command_line(tmp_path: Path) -> None:
    (tmp_path / 'a.cfg').write_text('global\n    maxconn 10\n' + GOOD)
    assert read(tmp_path / 'a.cfg', also=('-n', '77')).read().snapshot.globals.maxconn == 77


def test_host_names_are_looked_up_by_the_system(tmp_path: Path) -> None:
    text = f'{GOOD}frontend f\n    bind localhost:1\n    log localhost local0\n    default_backend b\n'
    (tmp_path / 'a.cfg').write_text(text)
    (frontend,) = read(tmp_path / 'a.cfg').read().snapshot.frontends
    assert frontend.binds[0].host in ('127.0.0.1', '::1')
    assert frontend.log_targets[0].address in ('127.0.0.1:514', '[::1]:514')


def test_what_can_be_no_host_name_is_no_other_error() -> None:
    with pytest.raises(OSError, match='label'):
        look_up('a..b')


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match=r'nowhere\.cfg : No such file'):
        read(tmp_path / 'nowhere.cfg').read()


def test_all_problems_at_once(tmp_path: Path) -> None:
    (tmp_path / 'a.cfg').write_text('global\n    one-bad\n    two-bad\n')
    with pytest.raises(Unusable) as unusable:
        read(tmp_path / 'a.cfg').read()
    assert len(unusable.value.problems) == 2
    assert 'a.cfg:2]' in unusable.value.problems[0]


def test_warnings_are_told(tmp_path: Path) -> None:
    (tmp_path / 'a.cfg').write_text('global\n    daemon\n    chroot /x\n' + GOOD)
    said: list[tuple[str, str]] = []
    tell(read(tmp_path / 'a.cfg').read(), lambda level, text: said.append((level, text)))
    assert any('chroot' in text and level == 'WARNING' for level, text in said)


def test_diags_are_told_when_asked_for(tmp_path: Path) -> None:
    (tmp_path / 'a.cfg').write_text(GOOD + '.diag "look here"\n.notice "and here"\n')
    loaded = read(tmp_path / 'a.cfg').read()
    said: list[tuple[str, str]] = []
    tell(loaded, lambda level, text: said.append((level, text)))
    assert [level for level, _ in said] == ['NOTICE']
    tell_diags(loaded, lambda level, text: said.append((level, text)))
    assert said[-1] == ('DIAG', f"config : parsing [{tmp_path}/a.cfg:7] : 'look here'.")


@pytest.mark.parametrize(
    'text, wanted',
    [
        ('', False),
        ('frontend f\n    bind :1\n', True),
        ('frontend f\n    bind :1\n    disabled\n', False),
        ('listen s\n    bind :1\n    stats enable\n', True),
        ('listen s\n    bind :1\n    stats enable\n    disabled\n', False),
        ('global\n    stats socket /s\n', True),
    ],
)
def test_whether_anything_is_listened_on(tmp_path: Path, text: str, wanted: bool) -> None:
    (tmp_path / 'a.cfg').write_text(GOOD + text)
    assert listens(read(tmp_path / 'a.cfg').read().snapshot) is wanted


@pytest.mark.parametrize(
    'line, named',
    [
        ('state-dir /elsewhere', 'state-dir'),
        ('control-plane http://other:1', 'control-plane'),
        ('stats socket /elsewhere', 'stats socket'),
    ],
)
def test_what_a_reload_cannot_change_is_named(tmp_path: Path, line: str, named: str) -> None:
    (tmp_path / 'a.cfg').write_text('global\n    nbthread 2\n' + GOOD)
    old = read(tmp_path / 'a.cfg').read().snapshot
    assert unchangeable(old, old) == []
    (tmp_path / 'a.cfg').write_text(f'global\n    nbthread 2\n    {line}\n' + GOOD)
    problems = unchangeable(old, read(tmp_path / 'a.cfg').read().snapshot)
    assert len(problems) == 1
    assert named in problems[0]


def test_a_reload_may_want_another_number_of_workers(tmp_path: Path) -> None:
    (tmp_path / 'a.cfg').write_text('global\n    nbthread 2\n' + GOOD)
    old = read(tmp_path / 'a.cfg').read().snapshot
    (tmp_path / 'a.cfg').write_text('global\n    nbthread 7\n' + GOOD)
    assert unchangeable(old, read(tmp_path / 'a.cfg').read().snapshot) == []


def test_a_reload_cannot_leave_nothing_to_listen_on(tmp_path: Path) -> None:
    (tmp_path / 'a.cfg').write_text(GOOD + 'frontend f\n    bind :1\n')
    old = read(tmp_path / 'a.cfg').read().snapshot
    (tmp_path / 'a.cfg').write_text(GOOD + 'frontend f\n    bind :1\n    disabled\n')
    assert unchangeable(old, read(tmp_path / 'a.cfg').read().snapshot) == [NO_LISTENER]


def test_a_statistics_section_that_moves_in_the_file_has_not_changed(tmp_path: Path) -> None:
    stats = 'listen stats\n    bind 127.0.0.1:1234\n    stats enable\n'
    (tmp_path / 'a.cfg').write_text('global\n    nbthread 2\n' + GOOD + stats)
    old = read(tmp_path / 'a.cfg').read().snapshot
    (tmp_path / 'a.cfg').write_text('global\n    nbthread 2\n\n\n' + GOOD + stats)
    assert unchangeable(old, read(tmp_path / 'a.cfg').read().snapshot) == []
    (tmp_path / 'a.cfg').write_text('global\n    nbthread 2\n' + GOOD + stats.replace('1234', '1235'))
    assert unchangeable(old, read(tmp_path / 'a.cfg').read().snapshot)


def test_what_a_configuration_names_may_be_anything(tmp_path: Path) -> None:
    """A folder, pipes with and without a writer, and a device without end: read at once, no further than it must be, and closed."""
    os.mkfifo(tmp_path / 'pipe')
    os.mkfifo(tmp_path / 'held')
    writer = os.open(tmp_path / 'held', os.O_RDWR)
    before = len(os.listdir('/proc/self/fd'))
    assert read_file(str(tmp_path / 'pipe'), 10) == b''
    assert read_file(str(tmp_path / 'held'), 10) == b''
    assert read_file('/dev/zero', 10) == bytes(10)
    with pytest.raises(IsADirectoryError):
        read_file(str(tmp_path), 10)
    assert len(os.listdir('/proc/self/fd')) == before
    os.close(writer)


@pytest.mark.parametrize(
    'line, problem',
    [
        ('acl a path -f /dev/zero', 'is larger than'),
        ('acl a path -f {folder}', 'Is a directory'),
        ('http-request set-path %[path,map(/dev/zero)]', 'is larger than'),
        ('errorfile 503 /dev/zero', 'larger than 16384 bytes'),
        ('errorfile 503 {folder}', 'Is a directory'),
        ('errorfile 503 {pipe}', ''),
        ('http-request return status 200 content-type x file /dev/zero', 'exceeds the buffer size'),
        ('acl a path -f {pipe}', ''),
    ],
)
def test_files_without_end_and_what_is_no_file_are_refused_or_empty(tmp_path: Path, line: str, problem: str) -> None:
    os.mkfifo(tmp_path / 'pipe')
    text = line.format(folder=tmp_path, pipe=tmp_path / 'pipe')
    (tmp_path / 'a.cfg').write_text(f'{GOOD}    {text}\n')
    if not problem:
        assert read(tmp_path / 'a.cfg').read().snapshot.backends
        return
    with pytest.raises(Unusable, match=problem):
        read(tmp_path / 'a.cfg').read()
