"""`sluice-socket [-s PATH] COMMAND...`: one line to the stats socket, and what it answers. The standard library only.

It is for places without socat, the image above all: `kubectl exec POD -- sluice-socket set server BACKEND/SERVER state drain`.
The words are one line, in which `;` separates commands; without any, each line of standard input is one. Exit status: 0, all
was done; 1, a command was refused; 2, wrong usage; 3, nobody answers at the socket.
"""

from __future__ import annotations

import os
import re
import socket
import sys
from collections.abc import Mapping, Sequence
from typing import Final

USAGE: Final = 'usage: sluice-socket [-s PATH] COMMAND...  (PATH: SLUICE_SOCKET, or /run/sluice/sluice.sock)'
PATH: Final = '/run/sluice/sluice.sock'
_REFUSED: Final = 3  # the severity of what was not done
_GRADED: Final = re.compile(r'^\[([0-7])\]: (Unknown command)?', re.MULTILINE)


def ask(path: str, line: str) -> tuple[str, bool]:
    """The answer to one line, and whether all of it was done. OSError: nobody answers at the socket.

    It goes on for as long as the supervisor works on it: `wait` may be asked to take minutes.
    """
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
        client.sendall(f'set severity-output number; {line}\n'.encode(errors='surrogateescape'))
        parts = []
        while part := client.recv(1 << 16):
            parts.append(part)
    # the first empty line is the answer to `set severity-output`
    text = b''.join(parts).decode(errors='surrogateescape').removeprefix('\n')
    if not text:
        raise ConnectionError('the socket was closed without an answer')
    # an unknown command is, as in HAProxy, answered with a list of the known ones, which is for information
    done = all(int(grade) > _REFUSED and not unknown for grade, unknown in _GRADED.findall(text))
    return _GRADED.sub(r'\2', text), done


def main(arguments: Sequence[str] | None = None, environment: Mapping[str, str] = os.environ) -> int:
    """Ask, and say what was answered. Returns the exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    path = environment.get('SLUICE_SOCKET', PATH)
    if words[:1] == ['-s']:
        if len(words) == 1:
            sys.stderr.write(f'{USAGE}\n')
            return 2
        path, words = words[1], words[2:]
    if words[:1] and words[0].startswith('-'):
        sys.stderr.write(f'{USAGE}\n')
        return 2
    lines = [' '.join(words)] if words else [line for line in sys.stdin.read().splitlines() if line.strip()]
    status = 0
    for line in lines:
        try:
            text, done = ask(path, line)
        except OSError as error:
            sys.stderr.write(f'sluice-socket: {path}: {error.strerror or error}\n')
            return 3
        sys.stdout.write(text.removesuffix('\n') if text.endswith('\n\n') else text)
        if not done:
            status = 1
    return status


if __name__ == '__main__':
    sys.exit(main())
