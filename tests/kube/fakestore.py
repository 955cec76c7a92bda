"""The fake API server's objects: one version counter for all, a history that watches read, and the rules of every write.

Documents are never changed in place: each write makes a new one, so that events and the pages of a list still hold what was.
"""

from __future__ import annotations

import copy
import random
import re
import string
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from controlplane.kube import resources
from controlplane.kube.resources import Resource
from tests.kube import fakeapply
from tests.kube.fakeapply import ApplyConflict, Owners

Json = dict[str, Any]
Key = tuple[Resource, str, str]  # resource, namespace or '', name

# kinds whose status is written through its own path only
WITH_STATUS = frozenset({resources.SERVICES, resources.PODS, resources.BACKEND_POLICIES, resources.SERVER_OVERRIDES})
WITH_GENERATION = frozenset({resources.ENDPOINT_SLICES, resources.BACKEND_POLICIES, resources.SERVER_OVERRIDES})
# kinds for which a PUT must say which version it replaces
NEVER_BLIND = frozenset({resources.LEASES, resources.BACKEND_POLICIES, resources.SERVER_OVERRIDES})
_NAME = re.compile(r'^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$')


class Refused(Exception):
    """An answer that is no success."""

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        *,
        causes: list[Json] | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.reason, self.message = status, reason, message
        self.causes, self.retry_after = causes or [], retry_after

    def document(self) -> Json:
        details: Json = {}
        if self.causes:
            details['causes'] = self.causes
        if self.retry_after is not None:
            details['retryAfterSeconds'] = self.retry_after
        return {
            'kind': 'Status', 'apiVersion': 'v1', 'metadata': {}, 'status': 'Failure', 'message': self.message,
            'reason': self.reason, 'code': self.status, **({'details': details} if details else {}),
        }  # fmt: skip


def expired(message: str = 'The resourceVersion for the provided watch is too old.') -> Refused:
    return Refused(410, 'Expired', message)


@dataclass(frozen=True, slots=True)
class Change:
    version: int
    resource: Resource
    before: Json | None
    after: Json | None  # None: deleted; `last` is then what it was, with the deletion's version
    last: Json


class FakeStore:
    """Objects by key. `kinds` are those that exist; a custom kind not in it answers 404."""

    def __init__(self, seed: int = 1) -> None:
        self.version = 1_000
        self.oldest = 1_000  # watches from before this are too old
        self.history: list[Change] = []
        self.objects: dict[Key, Json] = {}
        self.listeners: list[Callable[[Change], None]] = []
        self._owners: dict[Key, Owners] = {}
        self._random = random.Random(seed)
        self._pages: dict[tuple[int, Resource, str], list[Json]] = {}

    # --- reading

    def get(self, key: Key) -> Json:
        found = self.objects.get(key)
        if found is None:
            raise Refused(404, 'NotFound', f'{key[0].label} "{key[2]}" not found')
        return found

    def listed(self, resource: Resource, namespace: str) -> list[Json]:
        keys = sorted((ns, name) for kind, ns, name in self.objects if kind == resource and namespace in {'', ns})
        return [self.objects[resource, ns, name] for ns, name in keys]

    def snapshot(self, resource: Resource, namespace: str) -> int:
        """Keep what a list at this version shows, for its later pages."""
        self._pages[self.version, resource, namespace] = self.listed(resource, namespace)
        return self.version

    def at(self, version: int, resource: Resource, namespace: str) -> list[Json]:
        try:
            return self._pages[version, resource, namespace]
        except KeyError:
            raise expired('The provided continue parameter is too old to display a consistent list result.') from None

    def since(self, version: int, resource: Resource) -> Iterator[Change]:
        return (change for change in self.history if change.version > version and change.resource == resource)

    def compact(self) -> None:
        """Forget all history and all lists that were begun: who asks for the past is told 410."""
        self.oldest = self.version
        self.history.clear()
        self._pages.clear()

    # --- writing

    def create(
        self, resource: Resource, namespace: str, body: Json, manager: str = 'test', how: str = 'Update'
    ) -> Json:
        made = copy.deepcopy(body)
        meta = made.setdefault('metadata', {})
        if not meta.get('name') and meta.get('generateName'):
            meta['name'] = meta['generateName'] + ''.join(
                self._random.choices(string.ascii_lowercase + string.digits, k=5)
            )
        self._check(resource, namespace, made)
        key = (resource, namespace, meta['name'])
        if key in self.objects:
            raise Refused(409, 'AlreadyExists', f'{resource.label} "{meta["name"]}" already exists')
        if meta.get('resourceVersion'):
            raise Refused(400, 'BadRequest', 'resourceVersion should not be set on objects to be created')
        if resource in WITH_STATUS:
            made.pop('status', None)
        if namespace:
            meta['namespace'] = namespace
        meta['uid'] = str(uuid.UUID(int=self._random.getrandbits(128), version=4))
        meta['creationTimestamp'] = _now()
        if resource in WITH_GENERATION:
            meta['generation'] = 1
        self._owners[key] = {(manager, how): set(fakeapply.leaves(made))}
        return self._commit(key, None, made)

    def replace(self, key: Key, body: Json, status: bool = False, manager: str = 'test') -> Json:
        before = self.get(key)
        wanted = copy.deepcopy(body)
        meta = wanted.setdefault('metadata', {})
        self._expect(key, before, meta)
        if key[0] in NEVER_BLIND and not meta.get('resourceVersion'):
            message = 'metadata.resourceVersion: Invalid value: 0x0: must be specified for an update'
            raise Refused(422, 'Invalid', message)
        if not status:
            self._check(key[0], key[1], wanted)
        return self._write(key, before, wanted, status, manager)

    def merge(self, key: Key, patch: Json, status: bool = False, manager: str = 'test') -> Json:
        before = self.get(key)
        self._expect(key, before, patch.get('metadata') or {})
        return self._write(key, before, _merged(before, patch), status, manager)

    def apply(self, key: Key, body: Json, manager: str, force: bool, status: bool = False) -> tuple[Json, bool]:
        """Returns the object and whether it was made."""
        resource, namespace, name = key
        before = self.objects.get(key)
        if (body.get('metadata') or {}).get('managedFields'):
            raise Refused(400, 'BadRequest', 'metadata.managedFields must be nil')
        if before is None:
            if status:
                self.get(key)
            wanted = copy.deepcopy(body)
            wanted.setdefault('metadata', {})['name'] = name
            return self.create(resource, namespace, wanted, manager, 'Apply'), True
        self._expect(key, before, body.get('metadata') or {})
        owners, wanted = copy.deepcopy(self._owners[key]), copy.deepcopy(before)
        try:
            fakeapply.apply(wanted, body, owners, manager, force, 'status' if status else '')
        except ApplyConflict as error:
            causes = [
                {'reason': 'FieldManagerConflict', 'message': f'conflict with "{who}"', 'field': field}
                for who, field in error.fields
            ]
            raise Refused(409, 'Conflict', str(error), causes=causes) from error
        is_owner_new = owners != self._owners[key]
        self._owners[key] = owners
        after = self._write(key, before, wanted, status, None)
        if after is before and is_owner_new:
            after = self._commit(key, before, copy.deepcopy(before))
        return after, False

    def delete(self, key: Key, options: Json | None = None) -> None:
        before = self.get(key)
        expected = (options or {}).get('preconditions') or {}
        for name, field in (('uid', 'uid'), ('resourceVersion', 'resourceVersion')):
            if expected.get(name) and expected[name] != before['metadata'][field]:
                message = f'Precondition failed: {name} in precondition: {expected[name]}, in object: {before["metadata"][field]}'
                raise Refused(409, 'Conflict', message)
        if before['metadata'].get('finalizers'):
            if 'deletionTimestamp' not in before['metadata']:
                after = copy.deepcopy(before)
                after['metadata']['deletionTimestamp'] = _now()
                self._commit(key, before, after)
            return
        self._remove(key, before)

    def _remove(self, key: Key, before: Json) -> None:
        del self.objects[key]
        self._owners.pop(key, None)
        self.version += 1
        last = copy.deepcopy(before)
        last['metadata']['resourceVersion'] = str(self.version)
        self._tell(Change(self.version, key[0], before, None, last))
        self._collect()

    def _collect(self) -> None:
        """The garbage collector: what had owners and has none of them any more goes too."""
        alive = {document['metadata']['uid'] for document in self.objects.values()}
        for key, document in list(self.objects.items()):
            owners = document['metadata'].get('ownerReferences') or []
            if owners and not any(owner.get('uid') in alive for owner in owners) and key in self.objects:
                self.delete(key)

    def _write(self, key: Key, before: Json, wanted: Json, status: bool, manager: str | None) -> Json:
        """One new document from two, each giving the half that this kind of write may change. `manager` None: apply."""
        resource = key[0]
        if status:
            after = copy.deepcopy(before)
            after.pop('status', None)
            if 'status' in wanted:
                after['status'] = wanted['status']
        else:
            after = wanted
            if resource in WITH_STATUS:
                after.pop('status', None)
                if 'status' in before:
                    after['status'] = copy.deepcopy(before['status'])
        meta = after['metadata']
        for field in (
            'name',
            'namespace',
            'uid',
            'creationTimestamp',
            'generation',
            'deletionTimestamp',
            'managedFields',
        ):
            meta.pop(field, None)
            if field in before['metadata']:
                meta[field] = copy.deepcopy(before['metadata'][field])
        meta['resourceVersion'] = before['metadata']['resourceVersion']
        if after == before:
            return before  # nothing changes, no version, no event
        if manager is not None:
            fakeapply.updated(before, after, self._owners[key], manager)
        if resource in WITH_GENERATION and _wish(after) != _wish(before):
            meta['generation'] = before['metadata']['generation'] + 1
        if 'deletionTimestamp' in meta and not meta.get('finalizers'):
            self._remove(key, after)
            return after
        return self._commit(key, before, after)

    def _commit(self, key: Key, before: Json | None, after: Json) -> Json:
        self.version += 1
        after['metadata']['resourceVersion'] = str(self.version)
        after['metadata']['managedFields'] = fakeapply.rendered(self._owners[key], key[0].api_version, _now())
        self.objects[key] = after
        self._tell(Change(self.version, key[0], before, after, after))
        return after

    def _tell(self, change: Change) -> None:
        self.history.append(change)
        for listener in list(self.listeners):
            listener(change)

    def _check(self, resource: Resource, namespace: str, body: Json) -> None:
        if (body.get('apiVersion'), body.get('kind')) != (resource.api_version, resource.kind):
            raise Refused(400, 'BadRequest', f'the object is no {resource.kind} of {resource.api_version}')
        meta = body['metadata']
        if meta.get('namespace') not in {None, namespace}:
            raise Refused(400, 'BadRequest', 'the namespace of the provided object does not match the namespace sent')
        if not _NAME.match(meta.get('name') or ''):
            raise Refused(422, 'Invalid', f'metadata.name: Invalid value: {meta.get("name")!r}')

    def _expect(self, key: Key, before: Json, meta: Json) -> None:
        named = meta.get('resourceVersion')
        if (named and named != before['metadata']['resourceVersion']) or meta.get('uid', before['metadata']['uid']) != (
            before['metadata']['uid']
        ):
            message = (
                f'Operation cannot be fulfilled on {key[0].label} "{key[2]}": the object has been modified; please apply '
                'your changes to the latest version and try again'
            )
            raise Refused(409, 'Conflict', message)


def _wish(document: Json) -> Json:
    return {name: value for name, value in document.items() if name not in {'metadata', 'status'}}


def _merged(target: Any, patch: Any) -> Any:
    """RFC 7396."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = _merged(result.get(name), value)
    return copy.deepcopy(result)


def _now() -> str:
    return datetime.now(UTC).strftime('%Y-%m-%dT%H:%M:%SZ')
