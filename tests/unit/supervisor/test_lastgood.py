from __future__ import annotations

import base64
import gzip
import json
import logging
import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from controlplane.domain.version import Version
from controlplane.kube.bootstrap import Kept, document
from controlplane.kube.records import packed
from dataplane.supervisor import lastgood
from dataplane.supervisor.lastgood import LastGood, StateDir, bootstrap, to_bytes
from dataplane.wire.state import digest, empty
from tests.unit.supervisor.test_translate import backend, server

KNOWN = LastGood(3, 17, {'backends': {'b': backend({'s': server(maxConn=2)})}, 'routes': {}})


def kept(known: LastGood = KNOWN) -> bytes:
    return to_bytes(known, digest(known.state))


def test_what_is_kept_comes_back(tmp_path: Path) -> None:
    disk = StateDir(str(tmp_path / 'made' / 'as' / 'needed'))
    assert disk.load() is None
    assert disk.save(kept())
    assert disk.load() == KNOWN
    assert disk.save(kept(LastGood(3, 18, empty())))
    assert StateDir(str(tmp_path / 'made' / 'as' / 'needed')).load() == LastGood(3, 18, empty())


def test_without_a_place_nothing_is_kept_and_nothing_fails() -> None:
    disk = StateDir(None)
    assert disk.save(kept())
    assert disk.save_term(9)
    assert disk.load() is None
    assert disk.load_term() == 0
    assert StateDir(None).load() is None


def test_the_fence_comes_back(tmp_path: Path) -> None:
    assert StateDir(str(tmp_path)).load_term() == 0
    assert StateDir(str(tmp_path)).save_term(41)
    assert StateDir(str(tmp_path)).load_term() == 41


@pytest.mark.parametrize('text', ['', 'x', '-1', '1.5', '"1"', 'true', '[' * 100_000])
def test_a_spoilt_fence_is_reported_and_taken_for_none(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / 'term').write_text(text)
    assert StateDir(str(tmp_path)).load_term() == 0
    assert 'term: not used' in caplog.text


def spoilt() -> Iterator[str]:
    good = json.loads(kept())
    yield from ('', '[]', 'null', kept().decode()[:-40], '[' * 100_000)
    for field, value in (
        ('format', 2), ('term', -1), ('seq', '5'), ('state', None), ('state', {'backends': {}}), ('state_hash', 'no'),
        ('state', {'backends': {'b': backend({'s': server(port=0)})}, 'routes': {}}),
    ):  # fmt: skip
        yield json.dumps(good | {field: value})


@pytest.mark.parametrize('text', list(spoilt()), ids=str)
def test_a_spoilt_state_is_reported_and_not_used(tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / 'pushed.json').write_text(text)
    assert StateDir(str(tmp_path)).load() is None
    assert 'pushed.json: not used' in caplog.text


def test_what_cannot_be_read_is_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / 'pushed.json').mkdir()
    (tmp_path / 'term').write_bytes(b'\xff\xfe')
    assert StateDir(str(tmp_path)).load() is None
    assert StateDir(str(tmp_path)).load_term() == 0
    assert caplog.text.count('cannot be read') == 2


@contextmanager
def full_disk(room: int) -> Iterator[None]:
    """Writes beyond `room` bytes of a file fail, as on a disk with that much left."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)


def test_a_full_disk_keeps_the_old_state_and_is_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    disk = StateDir(str(tmp_path))
    assert disk.save(kept())
    with full_disk(10):
        assert not disk.save(kept(LastGood(3, 18, KNOWN.state)))
        assert not disk.save(kept(LastGood(3, 19, KNOWN.state)))
    assert disk.load() == KNOWN
    assert os.listdir(tmp_path) == ['pushed.json']
    assert caplog.text.count('cannot be written') == 1
    assert disk.save(kept(LastGood(3, 20, KNOWN.state)))
    assert caplog.text.count('can be written again') == 1
    assert disk.load() == LastGood(3, 20, KNOWN.state)


def test_a_place_that_is_no_directory_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / 'file').write_text('')
    disk = StateDir(str(tmp_path / 'file'))
    assert not disk.save(kept())
    assert not disk.save_term(4)
    assert caplog.text.count('cannot be written') == 1
    assert disk.load() is None


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    StateDir(str(tmp_path / 'd')).save(kept())
    assert (tmp_path / 'd').stat().st_mode & 0o777 == 0o700
    assert (tmp_path / 'd' / 'pushed.json').stat().st_mode & 0o777 == 0o600


def test_a_data_plane_keeps_its_name(tmp_path: Path) -> None:
    assert StateDir(str(tmp_path)).identity('node-1') == 'node-1'
    made = StateDir(str(tmp_path)).identity('')
    assert StateDir(str(tmp_path)).identity('') == made
    assert StateDir(str(tmp_path / 'other')).identity('') != made
    assert StateDir(None).identity('not a name') != StateDir(None).identity('not a name')


@pytest.mark.parametrize('gzipped', [False, True])
def test_a_snapshot_of_the_control_plane_is_read_plain_and_gzipped(gzipped: bool, tmp_path: Path) -> None:
    file = tmp_path / 'snapshot'
    file.write_bytes(gzip.compress(kept()) if gzipped else kept())
    assert bootstrap(str(file)) == KNOWN


def test_a_snapshot_that_a_leader_wrote_is_one_a_data_plane_reads(tmp_path: Path) -> None:
    written = document(Kept(Version(3, 17), KNOWN.state))
    file = tmp_path / 'snapshot'
    file.write_bytes(base64.b64decode(packed(written)))
    assert bootstrap(str(file)) == KNOWN


def test_of_a_divided_limit_nobody_has_a_share_before_it_is_told_one(tmp_path: Path) -> None:
    file = tmp_path / 'snapshot'
    state = {'backends': {'b': backend({'s': server(maxConn=2), 't': server()})}, 'routes': {}}
    file.write_bytes(base64.b64decode(packed(document(Kept(Version(3, 17), state, ('b', 'gone'))))))
    found = bootstrap(str(file))
    assert found is not None
    assert found.state['backends']['b']['servers'] == {'s': server(maxConn=2, share=0), 't': server()}
    file.write_bytes(kept()[:-1] + b',"divided":"b"}')
    assert bootstrap(str(file)) is None


@pytest.mark.parametrize(
    'content',
    [b'', b'x', b'\x1f\x8b', gzip.compress(b'{}'), gzip.compress(kept())[:-9], gzip.compress(b'\xff'), b'[' * 100_000],
    ids=['empty', 'text', 'torn head', 'nothing', 'torn', 'no UTF-8', 'deep'],
)
def test_a_spoilt_snapshot_is_reported_and_not_used(
    content: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / 'snapshot'
    file.write_bytes(content)
    assert bootstrap(str(file)) is None
    assert 'not used' in caplog.text


def test_a_snapshot_out_of_all_proportion_is_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(lastgood, '_LARGEST', 1_000)
    file = tmp_path / 'snapshot'
    for content in (gzip.compress(b' ' * 1_000_000), b' ' * 1_001):
        file.write_bytes(content)
        assert bootstrap(str(file)) is None
    assert caplog.text.count('more than 1000 bytes') == 2


def test_without_a_snapshot_there_is_nothing_to_report(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert bootstrap(None) is None
    assert bootstrap(str(tmp_path / 'nowhere')) is None
    assert not [row for row in caplog.records if row.levelno >= logging.WARNING]


def test_a_goodbye_is_kept_until_something_was_said_since(tmp_path: Path) -> None:
    disk = StateDir(str(tmp_path))
    assert not disk.has_left()
    disk.set_left(left=False)
    assert disk.set_left(left=True)
    assert StateDir(str(tmp_path)).has_left()
    disk.set_left(left=False)
    assert not StateDir(str(tmp_path)).has_left()
    nowhere = StateDir(None)
    assert nowhere.set_left(left=True)
    assert not nowhere.has_left()
