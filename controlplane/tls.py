"""TLS of the control plane: certificates that are read again when their files change.

A connection that begins takes what the files hold then; those that are open live on with what they began with. Every reading
makes a context of its own, and with it new session tickets: nobody resumes a session that an authority vouched for which is
no longer trusted. Files that cannot be used are named with the reason, and the last good ones stay in force.
"""

from __future__ import annotations

import logging
import os
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

log = logging.getLogger('sluice.tls')

SAID_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """PEM files: the certificate with its chain, its key, and the authorities of client certificates (None: none are asked for)."""

    certificate: str
    key: str
    client_ca: str | None = None

    def paths(self) -> tuple[str, ...]:
        """All of them."""
        return tuple(path for path in (self.certificate, self.key, self.client_ca) if path is not None)


def read(files: TlsFiles) -> ssl.SSLContext:
    """A server's context of what the files hold now. ValueError: names the file that cannot be used, and why."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(['http/1.1'])
    for path in files.paths():
        _look(path, b'PRIVATE KEY' if path == files.key else b'CERTIFICATE')
    try:
        context.load_cert_chain(files.certificate, files.key, _no_password)
    except ssl.SSLError as error:
        raise ValueError(f'{files.certificate} with the key {files.key}: {_why(error)}') from None
    if files.client_ca is not None:
        try:
            context.load_verify_locations(files.client_ca)
        except ssl.SSLError as error:
            raise ValueError(f'{files.client_ca}: {_why(error)}') from None
        context.verify_mode = ssl.CERT_OPTIONAL  # whoever has a token needs none
    fault = _self_test(context, files)
    if fault is not None:
        log.error('clients will refuse the certificate in %s: %s', files.certificate, fault)
    return context


def _look(path: str, for_: bytes) -> None:
    """Say plainly what OpenSSL says in riddles, and of which file. ValueError: it cannot be read, or does not hold that."""
    try:
        with open(path, 'rb') as file:
            text = file.read()
    except OSError as error:
        raise ValueError(f'{path}: {error.strerror}') from None
    if for_ not in text:
        raise ValueError(f'{path}: holds no PEM block of the kind "{for_.decode().lower()}"')


def _no_password() -> str:
    raise ssl.SSLError('the key is encrypted')


def _why(error: ssl.SSLError) -> str:
    """OpenSSL's reason in words."""
    words = str(getattr(error, 'reason', None) or error.args[-1]).replace('_', ' ').lower()
    return 'no certificate, or no key, can be read from it' if 'pem lib' in words else words


def _self_test(context: ssl.SSLContext, files: TlsFiles) -> str | None:
    """What a client that trusts just this certificate says of it: that it has expired, say. None: nothing."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    client.load_verify_locations(files.certificate)
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [client.wrap_bio(down, up), context.wrap_bio(up, down, server_side=True)]
    for _ in range(4):  # the messages go to and fro less often than that
        for end in tuple(ends):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLCertVerificationError as error:
                return error.verify_message
            except ssl.SSLError as error:
                return _why(error)
            ends.remove(end)
    return None if not ends else 'the handshake does not end'


class Certificates(ssl.SSLContext):
    """What a server is given as its context: each connection gets one that is up to date. ValueError: as `read`.

    The servers of asyncio and of uvloop ask the context for nothing but `wrap_bio`, once per connection.
    """

    def __new__(cls, files: TlsFiles, clock: Callable[[], float] = time.monotonic) -> Certificates:
        """Of the kind that servers accept; it is not used itself."""
        return super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)

    def __init__(self, files: TlsFiles, clock: Callable[[], float] = time.monotonic) -> None:
        self._files, self._clock, self._said = files, clock, ''
        self._complaints: dict[str, float] = {}
        self._stamp = self._stat()
        self._current = self._watched(read(files))

    def wrap_bio(self, *args: Any, **more: Any) -> ssl.SSLObject:
        """Begin a connection, with what the files hold now."""
        self._refresh()
        return self._current.wrap_bio(*args, **more)

    def _stat(self) -> tuple[tuple[int, int, int] | None, ...]:
        return tuple(_stamp(path) for path in self._files.paths())

    def _refresh(self) -> None:
        stamp = self._stat()
        if stamp == self._stamp:
            return
        # kept before reading: whatever is written while it is read changes it once more
        self._stamp = stamp
        try:
            self._current = self._watched(read(self._files))
        except ValueError as error:
            log.error('certificates stay as they were: %s', error)
        else:
            log.info('certificates were read again: %s', ', '.join(self._files.paths()))

    def _watched(self, context: ssl.SSLContext) -> ssl.SSLContext:
        complain = self._complain

        class Watched(ssl.SSLObject):
            """Says why a handshake fails, which servers keep to themselves."""

            def do_handshake(self) -> None:
                """As the library does it."""
                try:
                    super().do_handshake()
                except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                    raise
                except ssl.SSLError as error:
                    complain(error)
                    raise

        context.sslobject_class = Watched
        return context

    def _complain(self, error: ssl.SSLError) -> None:
        if isinstance(error, ssl.SSLCertVerificationError):
            text = f'a client certificate was refused: {error.verify_message} (--client-ca {self._files.client_ca})'
        elif ' alert ' in f' {_why(error)} ':
            text = f'a client refused the certificate in {self._files.certificate}: {_why(error)}'
        else:
            text = f'a handshake failed: {_why(error)}'
        now = self._clock()
        if now - self._complaints.get(text, -SAID_S) >= SAID_S:  # there are only so many reasons
            self._complaints[text] = now
            log.warning('%s', text)


def _stamp(path: str) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size
