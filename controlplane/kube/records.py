"""A ConfigMap with what the control plane itself must remember and no other object says: the highest term, the data planes
that are known, whether it holds back, the newest operations. It is also the trace that somebody has led here.

Every write names the version it is made on: whoever leads now has written its term into it first, so that a leader of an
earlier term, however long it stood still, changes nothing any more.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import logging
import zlib
from collections.abc import Mapping
from typing import Any, Final

from controlplane.domain.refusals import Fenced, StoreUnavailable
from controlplane.kube.client import Api, ApiError, KubeError
from controlplane.kube.resources import CONFIG_MAPS
from dataplane.wire.state import canonical

log = logging.getLogger('sluice.records')

FORMAT: Final = 1
MAX_BYTES: Final = 900_000  # of the compressed text; a ConfigMap holds 1 MiB
_DATA: Final = 'records.json.gz'
_TERM: Final = 'term'
_UNPACKED: Final = 64 * 1024 * 1024
_AGAIN: Final = 3


def packed(document: Mapping[str, Any]) -> str:
    """A document as it stands in `binaryData`. ValueError: it is too large for a ConfigMap."""
    content = gzip.compress(canonical(document).encode('ascii'), compresslevel=6, mtime=0)
    if len(content) > MAX_BYTES:
        raise ValueError(f'{len(content)} bytes are more than {MAX_BYTES}')
    return base64.b64encode(content).decode('ascii')


def unpacked(text: str) -> Any:
    """What `packed` packed. ValueError: it is something else, or far too large."""
    try:
        inflate = zlib.decompressobj(wbits=31)
        content = inflate.decompress(base64.b64decode(text, validate=True), _UNPACKED)
        if not inflate.eof:
            raise ValueError('it is cut off, or far too large')
        return json.loads(content)
    except (zlib.error, RecursionError) as error:
        raise ValueError(str(error)) from error


class Records:
    """The ConfigMap `name`. One control plane writes at a time; who leads calls `claim` before anything else."""

    def __init__(self, api: Api, namespace: str, name: str) -> None:
        self._api, self._namespace, self._name = api, namespace, name
        self._version: str | None = None  # None: it is not there
        self._term = 0

    async def begin(self) -> int | None:
        """Leave a trace that somebody leads. None: there was none before; else the highest term that is remembered.

        ApiError, Unreachable: not known.
        """
        try:
            await self._api.create(CONFIG_MAPS, self._namespace, self._document({'format': FORMAT, 'term': 0}))
        except ApiError as error:
            if error.status != 409:
                raise
            return _term(await self._api.get(CONFIG_MAPS, self._namespace, self._name))
        return None

    async def claim(self, term: int) -> dict[str, Any]:
        """From now on it is written in `term`. Returns what was remembered. Fenced: by a later term. StoreUnavailable: not now."""
        self._term = term
        for _ in range(_AGAIN):
            found = await self._read()
            try:
                document = {} if found is None else _content(found)
            except ValueError as error:
                log.error('ConfigMap %s/%s cannot be read, and is begun anew: %s', self._namespace, self._name, error)
                document = {}
            if await self._put({**document, 'format': FORMAT, 'term': term}):
                return document
        raise StoreUnavailable(f'ConfigMap {self._name}: somebody else changes it all the time')

    async def write(self, document: Mapping[str, Any]) -> None:
        """Replace everything that is remembered. Fenced: a later term has claimed it. StoreUnavailable: it was not done."""
        for _ in range(_AGAIN):
            if await self._put({**document, 'format': FORMAT, 'term': self._term}):
                return
            await self._read()
        raise StoreUnavailable(f'ConfigMap {self._name}: somebody else changes it all the time')

    async def _read(self) -> dict[str, Any] | None:
        try:
            found = await self._api.get(CONFIG_MAPS, self._namespace, self._name)
        except ApiError as error:
            if error.status != 404:
                raise StoreUnavailable(f'ConfigMap {self._name}: {error}') from error
            self._version = None
            return None
        except KubeError as error:
            raise StoreUnavailable(f'ConfigMap {self._name}: {error}') from error
        if _term(found) > self._term:
            raise Fenced(f'another control plane has taken over with term {_term(found)}')
        self._version = found['metadata']['resourceVersion']
        return found

    async def _put(self, content: Mapping[str, Any]) -> bool:
        """False: it is not as it was when it was read."""
        try:
            body = await asyncio.to_thread(self._document, content)
        except ValueError as error:
            raise StoreUnavailable(f'ConfigMap {self._name}: {error}') from error
        try:
            if self._version is None:
                made = await self._api.create(CONFIG_MAPS, self._namespace, body)
            else:
                body['metadata']['resourceVersion'] = self._version
                made = await self._api.replace(CONFIG_MAPS, self._namespace, self._name, body)
        except ApiError as error:
            if error.status in {404, 409}:
                return False
            raise StoreUnavailable(f'ConfigMap {self._name}: {error}') from error
        except KubeError as error:
            raise StoreUnavailable(f'ConfigMap {self._name}: {error}') from error
        self._version = made['metadata']['resourceVersion']
        return True

    def _document(self, content: Mapping[str, Any]) -> dict[str, Any]:
        return {
            'metadata': {'name': self._name, 'labels': {'app.kubernetes.io/managed-by': 'sluice-controlplane'}},
            'data': {_TERM: str(content['term'])},
            'binaryData': {_DATA: packed(content)},
        }


def _term(document: Mapping[str, Any]) -> int:
    text = str((document.get('data') or {}).get(_TERM, '0'))
    return int(text) if text.isdecimal() else 0


def _content(document: Mapping[str, Any]) -> dict[str, Any]:
    text = (document.get('binaryData') or {}).get(_DATA)
    if text is None:
        return {}
    found = unpacked(text)
    if not isinstance(found, dict) or found.get('format') != FORMAT:
        raise ValueError(f'it is not of format {FORMAT}')
    return found
