"""The files of the link to the control plane: token, authorities, client certificate. Read anew at each connection, for all of
them are rotated; and what is wrong with one of them, or with the control plane's own certificate, in words that name the file.
"""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass

import aiohttp
import yarl

from dataplane.core.outbound import ControlPlane


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a connection is made with. `trust` True: the system's authorities."""

    token: str
    trust: ssl.SSLContext | bool

    @property
    def headers(self) -> dict[str, str]:
        """Of the request that opens the link."""
        return {'Authorization': f'Bearer {self.token}'} if self.token else {}


def read(settings: ControlPlane) -> Credentials:
    """What the files hold now. ValueError: names the one that cannot be used, and why."""
    return Credentials(_token(settings.token_file), _trust(settings))


def _token(path: str | None) -> str:
    if path is None:
        return ''
    try:
        with open(path, encoding='utf-8', errors='replace') as file:
            token = file.readline().strip()
    except OSError as error:
        raise ValueError(f'token-file {path}: {error.strerror}') from None
    if not token.isascii() or not token.isprintable():
        raise ValueError(f'token-file {path}: its first line holds characters that no token has')
    if not token:
        raise ValueError(f'token-file {path}: its first line is empty')
    return token


def _trust(settings: ControlPlane) -> ssl.SSLContext | bool:
    if settings.ca_file is None and settings.cert_file is None:
        return True
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ValueError(f'ca-file {settings.ca_file}: {_why(error)}') from None
    if settings.cert_file is not None:
        try:
            context.load_cert_chain(settings.cert_file, settings.key_file, _no_password)
        except (OSError, ssl.SSLError) as error:
            files = f'cert-file {settings.cert_file}'
            if settings.key_file is not None:
                files += f' with key-file {settings.key_file}'
            raise ValueError(f'{files}: {_why(error)}') from None
    return context


def _no_password() -> str:
    raise ssl.SSLError('the key is encrypted')


def _why(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        words = str(getattr(error, 'reason', None) or error.args[-1]).replace('_', ' ').lower()
        return 'no certificate, or no key, can be read from it' if 'pem lib' in words else words
    return error.strerror or str(error)


def explained(error: Exception, settings: ControlPlane) -> str:
    """Why a connection could not be made or did not last, for the log."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        inner = error.certificate_error
        reason = inner.verify_message if isinstance(inner, ssl.SSLCertVerificationError) else str(inner)
        whom = f'ca-file {settings.ca_file}' if settings.ca_file is not None else 'the authorities of the system'
        return f'its certificate is not trusted ({whom}): {reason}'
    if isinstance(error, aiohttp.WSServerHandshakeError):
        means = {401: ': it does not know this token', 403: ': this token may not dial the link'}
        file = f' (token-file {settings.token_file})' if settings.token_file is not None else ''
        return f'it answers {error.status}{means.get(error.status, "")}{file if error.status in means else ""}'
    if isinstance(error, aiohttp.ClientConnectorError) and not isinstance(error, aiohttp.ClientSSLError):
        # its own text says `ssl:default` of every URL, one of http as well
        return f'{error.host}:{error.port} cannot be reached: {error.os_error.strerror or error.os_error}'
    return str(error) or type(error).__name__


def is_in_the_clear(settings: ControlPlane) -> bool:
    """Whether a token would be sent where anybody on the way could read it."""
    url = yarl.URL(settings.url)
    return settings.token_file is not None and url.scheme in {'ws', 'http'} and not _is_loopback(url.host or '')


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == 'localhost'
