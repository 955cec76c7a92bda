"""What a request is made with: a token, or a file of one; whom to trust; perhaps a client certificate."""

from __future__ import annotations

import ssl
from collections.abc import Generator

import httpx


class Failed(Exception):
    """The control plane said no, or did not answer, or cannot be asked like this; the text is for people."""


class Bearer(httpx.Auth):
    """A token. One that stands in a file is read anew for each request, since it may be replaced while this waits."""

    def __init__(self, token: str | None, path: str | None) -> None:
        if token is not None and path is not None:
            raise Failed('give a token or a token file, not both')
        self._token, self._path = _usable(token, 'the token'), path

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Put the header on. Failed: the file cannot be used."""
        token = self._token if self._path is None else _read(self._path)
        if token is not None:
            request.headers['Authorization'] = f'Bearer {token}'
        yield request


def _read(path: str) -> str:
    try:
        with open(path, encoding='utf-8', errors='replace') as file:
            token = _usable(file.readline().strip(), f'{path}: the token')
    except OSError as error:
        raise Failed(f'{path}: {error.strerror}') from error
    if not token:
        raise Failed(f'{path}: its first line is empty')
    return token


def _usable(token: str | None, what: str) -> str | None:
    if token is not None and not (token.isascii() and token.isprintable()):
        raise Failed(f'{what} holds characters that no token has')
    return token


def trust(ca_file: str | None, cert_file: str | None, key_file: str | None) -> ssl.SSLContext | bool:
    """Whom to trust, and who to be. True: the authorities that come with the library. Failed: names the file, and why."""
    if key_file is not None and cert_file is None:
        raise Failed('a key file is of no use without a certificate file')
    if ca_file is None and cert_file is None:
        return True
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # ssl.SSLError is one
        raise Failed(f'{ca_file}: {_why(error)}') from error
    if cert_file is not None:
        try:
            context.load_cert_chain(cert_file, key_file)
        except OSError as error:
            raise Failed(f'{" with ".join(path for path in (cert_file, key_file) if path)}: {_why(error)}') from error
    return context


def _why(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        words = str(getattr(error, 'reason', None) or error.args[-1]).replace('_', ' ').lower()
        return 'no certificate, or no key, can be read from it' if 'pem lib' in words else words
    return error.strerror or str(error)


def explained(error: BaseException, ca_file: str | None) -> str:
    """Why there was no connection. Of a certificate that is not trusted: by whom."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            whom = ca_file or 'the authorities that come with this program; --ca-file names others'
            return f'its certificate is not trusted ({whom}): {cause.verify_message}'
        cause = cause.__cause__ or cause.__context__
    return str(error)
