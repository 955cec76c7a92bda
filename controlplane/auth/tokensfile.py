"""The tokens file: who may do what outside a cluster.

One line each, `#` begins a comment:

    NAME:ROLE:sha256$HEX    whoever has the token with this SHA-256
    NAME:ROLE:cert          whoever has a client certificate for NAME, which `--client-ca` must have signed

A plain digest is enough because tokens are 256 random bits made by `sluice-controlplane --new-token NAME:ROLE`, which no
dictionary holds; do not use words of your own. Every token is compared with every line, in constant time. The file is read
again when it changes; a file that has become unreadable or wrong is reported and the last good one stays in force.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from controlplane.auth.principal import Principal, Role

log = logging.getLogger('sluice.auth')

_ROLES = '|'.join(Role)
_TOKEN = re.compile(rf'([A-Za-z0-9_.-]{{1,64}}):({_ROLES}):sha256\$([0-9a-f]{{64}})')
# also the URI of a workload, or a mail address
_CERTIFICATE = re.compile(rf'([A-Za-z0-9_.:/@-]{{1,256}}):({_ROLES}):cert')


@dataclass(frozen=True, slots=True)
class Rows:
    """What the file says, in its order."""

    tokens: tuple[tuple[bytes, Principal], ...]
    certificates: tuple[Principal, ...]


def new_token(name: str, role: str) -> tuple[str, str]:
    """(token, line for the file) with 256 fresh random bits. ValueError: name or role cannot be."""
    token = secrets.token_urlsafe(32)
    line = f'{name}:{role}:sha256${hashlib.sha256(token.encode()).hexdigest()}'
    if _TOKEN.fullmatch(line) is None:
        raise ValueError(f'{name}:{role} is not NAME:ROLE with a role of {", ".join(Role)}')
    return token, line


def parse(text: str, path: str) -> Rows:
    """What the lines say. ValueError: names the file and line of the first that is wrong; or nobody is listed."""
    tokens, certificates = [], []
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith('#'):
            continue
        if found := _TOKEN.fullmatch(line):
            tokens.append((bytes.fromhex(found[3]), Principal(found[1], Role(found[2]))))
        elif found := _CERTIFICATE.fullmatch(line):
            certificates.append(Principal(found[1], Role(found[2])))
        else:
            kinds = 'NAME:ROLE:sha256$HEX or NAME:ROLE:cert'
            raise ValueError(f'{path}:{number}: not {kinds} with a role of {", ".join(Role)}')
    if not tokens and not certificates:
        raise ValueError(f'{path}: lists nobody')
    return Rows(tuple(tokens), tuple(certificates))


class Tokens:
    """The tokens file. ValueError, OSError at first reading: it cannot be used."""

    def __init__(self, path: str) -> None:
        self._path, self._said = path, ''
        self._stamp = self._stat()
        self._rows = self._read()

    def _stat(self) -> tuple[int, int, int]:
        found = os.stat(self._path)
        return found.st_mtime_ns, found.st_ino, found.st_size

    def _read(self) -> Rows:
        with open(self._path, encoding='utf-8') as file:
            return parse(file.read(), self._path)

    def refresh(self) -> Rows:
        """The lines in force: of the file as it is now, or as it was when it last could be read."""
        try:
            stamp = self._stat()
            if stamp != self._stamp:
                self._stamp = stamp
                self._rows = self._read()
                self._said = ''
        except (OSError, ValueError) as error:
            if str(error) != self._said:
                log.error('tokens stay as they were: %s', error)
            self._said = str(error)
        return self._rows

    def principal(self, token: str) -> Principal | None:
        """Whose token this is; the time it takes does not tell."""
        digest = hashlib.sha256(token.encode()).digest()
        found = None
        for known, principal in self.refresh().tokens:
            if hmac.compare_digest(known, digest):
                found = principal
        return found

    def certified(self, names: Sequence[str]) -> Principal | None:
        """Whose certificate this is, by the names in it; the first line that fits counts."""
        return next((row for row in self.refresh().certificates if row.name in names), None)
