"""What a data plane keeps of the control plane's word, so that it can start and be fenced without asking.

Three files in `state-dir`: `pushed.json`, the last state applied with its version; `term`, the highest term ever seen (a
frame of an older term comes from a control plane that has been replaced); and `left`, which is there while this data plane has
said goodbye and was told nothing since: its shares of limits over all data planes are others' by then. Each is written beside itself, flushed to the disk
and renamed over the old one: after a crash at any instant there is the old file or the new one, whole. A disk that is full,
read-only or gone never stops traffic: it is logged once, and once more when writing works again.

Reading trusts nothing: a file that is torn, forged or of another format is reported and treated as absent.
"""

from __future__ import annotations

import json
import logging
import os
import re
import secrets
import socket
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from dataplane.wire.state import NAME, State, canonical, check, digest

FORMAT: Final = 1
_PUSHED: Final = 'pushed.json'
_TERM: Final = 'term'
_ID: Final = 'id'
_LEFT: Final = 'left'
_LARGEST: Final = 64 * 1024 * 1024
_NUMBER: Final = re.compile(r'[0-9]{1,18}\n?', re.ASCII)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LastGood:
    """A state and the version it was applied at."""

    term: int
    seq: int
    state: State


class StateDir:
    """The files of one data plane under `path`; with None nothing is kept and nothing is read.

    The methods block on the disk: call them from a thread where a loop must go on (they compute next to nothing, so that
    the thread never takes the interpreter from a loop that holds the board's lock). At most one call at a time.
    """

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._failing = False

    def load(self) -> LastGood | None:
        """The last state kept, or None when there is none that can be used."""
        text = self._read(_PUSHED)
        if text is None:
            return None
        try:
            return _parse(text)
        except ValueError as error:
            _log.error('%s: not used: %s', self._file(_PUSHED), error)
            return None

    def save(self, content: bytes) -> bool:
        """Keep what `to_bytes` gave instead of what was kept before. False: it could not be written (logged)."""
        return self._write(_PUSHED, content)

    def load_term(self) -> int:
        """The highest term kept; 0: none."""
        text = self._read(_TERM)
        if text is None:
            return 0
        if not _NUMBER.fullmatch(text):
            _log.error('%s: not used: %r is not a whole number', self._file(_TERM), text[:80])
            return 0
        return int(text)

    def save_term(self, term: int) -> bool:
        """Keep the highest term seen. False: it could not be written (logged)."""
        return self._write(_TERM, str(term).encode())

    def has_left(self) -> bool:
        """Whether it was the last thing kept that this data plane has said goodbye."""
        return self._read(_LEFT) is not None

    def set_left(self, *, left: bool) -> bool:
        """Keep that this data plane says goodbye, or was told its shares since. False: it could not be written (logged)."""
        if left:
            return self._write(_LEFT, b'1\n')
        if self._path is not None:
            _forget(self._file(_LEFT))
        return True

    def identity(self, node: str) -> str:
        """The name under which the control plane knows this data plane, the same over restarts.

        `node` if it is given and can be one; otherwise a name made once from the host's and kept. Without a place to keep it,
        it is new at every start, and the control plane takes the restarted data plane for another one.
        """
        if NAME.match(node):
            return node
        kept = (self._read(_ID) or '').strip()
        if NAME.match(kept):
            return kept
        host = ''.join(letter for letter in socket.gethostname() if NAME.match(letter))
        made = f'{host[:96] or "dataplane"}-{secrets.token_hex(4)}'
        self._write(_ID, made.encode())
        return made

    def _file(self, name: str) -> str:
        return os.path.join(self._path or '', name)

    def _read(self, name: str) -> str | None:
        if self._path is None:
            return None
        try:
            with open(self._file(name), encoding='utf-8') as file:
                return file.read()
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            _log.error('%s: cannot be read: %s', self._file(name), error)
            return None

    def _write(self, name: str, content: bytes) -> bool:
        if self._path is None:
            return True
        try:
            os.makedirs(self._path, mode=0o700, exist_ok=True)
            _replace(self._file(name), content)
        except OSError as error:
            if not self._failing:
                _log.error('%s: cannot be written, going on without it: %s', self._file(name), error)
            self._failing = True
            return False
        if self._failing:
            _log.warning('%s: can be written again', self._file(name))
        self._failing = False
        return True


def bootstrap(path: str | None) -> LastGood | None:
    """The snapshot that a control plane wrote into a file, plain or gzipped; None: there is none that can be used (logged).

    Blocks on the disk. What is in the file is trusted as little as what is in `state-dir`.
    """
    if path is None:
        return None
    try:
        with open(path, 'rb') as file:
            content = file.read(_LARGEST + 1)
        return _parse(_unpacked(content).decode('utf-8'))
    except FileNotFoundError:
        _log.info('%s: there is no snapshot to start from', path)
    except (OSError, ValueError, zlib.error) as error:  # a text that is no UTF-8 is a ValueError
        _log.error('%s: not used: %s', path, error)
    return None


def _unpacked(content: bytes) -> bytes:
    """Of a gzipped text the text, if it is not out of all proportion."""
    if not content.startswith(b'\x1f\x8b'):
        if len(content) > _LARGEST:
            raise ValueError(f'more than {_LARGEST} bytes')
        return content
    inflate = zlib.decompressobj(wbits=31)
    text = inflate.decompress(content, _LARGEST)
    if not inflate.eof:
        raise ValueError(f'cut off, or more than {_LARGEST} bytes')
    return text


def to_bytes(known: LastGood, state_hash: str) -> bytes:
    """The content of the file that keeps `known`, whose state has the digest `state_hash`."""
    document = {
        'format': FORMAT,
        'term': known.term,
        'seq': known.seq,
        'state': known.state,
        'state_hash': state_hash,
    }
    return canonical(document).encode('ascii')


def _replace(path: str, content: bytes) -> None:
    """Put `content` at `path` so that a crash leaves the old file or the new one. OSError: the old one is still there."""
    beside = f'{path}.new'
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with open(descriptor, 'wb') as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError:
        _forget(beside)
        raise
    directory = os.open(os.path.dirname(path) or '.', os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _forget(path: str) -> None:
    """Give back the room a half-written file takes; why it could not be written is being raised already."""
    try:
        os.unlink(path)
    except OSError as error:
        _log.debug('%s: %s', path, error)


def _parse(text: str) -> LastGood:
    try:
        document: Any = json.loads(text)
    except RecursionError:
        raise ValueError('nested too deeply') from None
    if not isinstance(document, Mapping) or document.get('format') != FORMAT:
        raise ValueError(f'not a state of format {FORMAT}')
    term, seq = _whole(document.get('term'), 'term'), _whole(document.get('seq'), 'seq')
    state: Any = document.get('state')
    problems = check(state)
    if problems:
        raise ValueError(problems[0])
    if digest(state) != document.get('state_hash'):
        raise ValueError('the state does not have the hash it was kept with')
    return LastGood(term, seq, _without_shares(state, document.get('divided', [])))


def _without_shares(state: State, divided: object) -> State:
    """What a control plane wrote for whoever may read it: of limits over all data planes the reader has no share yet."""
    if not isinstance(divided, list) or not all(isinstance(name, str) for name in divided):
        raise ValueError('divided must be a list of names')
    backends = dict(state['backends'])
    for name in backends.keys() & set(divided):
        servers = {
            key: {**server, 'share': 0} if server['maxConn'] else server
            for key, server in backends[name]['servers'].items()
        }
        backends[name] = {**backends[name], 'servers': servers}
    return {**state, 'backends': backends}


def _whole(value: object, name: str) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f'{name} must be a whole number, not {value!r:.80}')
    return value
