"""Who owns which field, and server-side apply: as much of it as is needed to find out who would fight with whom.

A path is a tuple of keys. Lists are one value each, but for `conditions` (by type) and `ownerReferences` (by uid), which are
merged entry by entry, as their schemas say.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
Path = tuple[str, ...]
Owners = dict[tuple[str, str], set[Path]]  # (manager, Apply|Update) -> fields

MAPS = {'conditions': 'type', 'ownerReferences': 'uid'}
NOBODYS = {
    ('apiVersion',), ('kind',), ('metadata', 'name'), ('metadata', 'namespace'), ('metadata', 'uid'), ('metadata', 'generation'),
    ('metadata', 'resourceVersion'), ('metadata', 'creationTimestamp'), ('metadata', 'managedFields'),
    ('metadata', 'deletionTimestamp'),
}  # fmt: skip


class ApplyConflict(Exception):
    def __init__(self, fields: list[tuple[str, Path]]) -> None:
        self.fields = [(manager, '.' + '.'.join(path)) for manager, path in fields]
        listed = ', '.join(f'conflict with "{manager}": {path}' for manager, path in self.fields)
        super().__init__(f'Apply failed with {len(fields)} conflict{"s" * (len(fields) > 1)}: {listed}')


def leaves(document: Json) -> dict[Path, Any]:
    """Every field that somebody can own, with its value."""
    found: dict[Path, Any] = {}

    def walk(value: Any, path: Path) -> None:
        if path in NOBODYS:
            return
        key = MAPS.get(path[-1]) if path else None
        if key and isinstance(value, list):
            for entry in value:
                for name, inner in entry.items():
                    found[*path, f'{key}={entry.get(key)}', name] = inner
        elif isinstance(value, dict) and value:
            for name, inner in value.items():
                walk(inner, (*path, name))
        elif path:
            found[path] = value

    walk(document, ())
    return found


def _listed(into: Json, path: Path) -> tuple[list[Json], Json] | None:
    """For a path into an entry of a merged list: the list and the entry (made when missing)."""
    *outer, list_name, entry_name, _ = path
    for part in outer:
        into = into.setdefault(part, {})
    entries: list[Json] = into.setdefault(list_name, [])
    key, _, value = entry_name.partition('=')
    for entry in entries:
        if str(entry.get(key)) == value:
            return entries, entry
    made: Json = {key: value}
    entries.append(made)
    return entries, made


def _is_entry(path: Path) -> bool:
    return len(path) >= 3 and path[-3] in MAPS and path[-2].startswith(MAPS[path[-3]] + '=')


def put(document: Json, path: Path, value: Any) -> None:
    if _is_entry(path):
        found = _listed(document, path)
        assert found is not None
        found[1][path[-1]] = value
        return
    for part in path[:-1]:
        inner = document.get(part)
        if not isinstance(inner, dict):
            inner = document[part] = {}
        document = inner
    document[path[-1]] = value


def remove(document: Json, path: Path) -> None:
    if _is_entry(path):
        found = _listed(document, path)
        assert found is not None
        entries, entry = found
        entry.pop(path[-1], None)
        if set(entry) <= {MAPS[path[-3]]}:
            entries.remove(entry)
        return
    trail = []
    for part in path[:-1]:
        trail.append((document, part))
        document = document.get(part, {})
    document.pop(path[-1], None)
    for outer, part in reversed(trail):  # what is empty now was there for this field only
        if outer.get(part) == {}:
            del outer[part]


def apply(document: Json, wanted: Json, owners: Owners, manager: str, force: bool, only: str) -> None:
    """Change `document` and `owners` to what `manager` wants. `only`: 'status' or '' for all else. ApplyConflict."""
    asked = {path: value for path, value in leaves(wanted).items() if (path[0] == 'status') is (only == 'status')}
    present = leaves(document)
    mine = owners.setdefault((manager, 'Apply'), set())
    conflicts = [
        (other, path)
        for (other, how), fields in owners.items()
        if (other, how) != (manager, 'Apply')
        for path in sorted(fields & asked.keys())
        if path in present and present[path] != asked[path]
    ]
    if conflicts and not force:
        raise ApplyConflict(conflicts)
    for who, fields in owners.items():
        if who != (manager, 'Apply'):
            fields -= {path for other, path in conflicts if other == who[0]}
    for path in [path for path in mine if path not in asked and (path[0] == 'status') is (only == 'status')]:
        mine.discard(path)
        if not any(path in fields for fields in owners.values()):
            remove(document, path)
    for path, value in asked.items():
        if value != {} or not any(other[: len(path)] == path for other in leaves(document)):  # {}: is there, somehow
            put(document, path, value)
    mine.update(asked)


def updated(before: Json, after: Json, owners: Owners, manager: str) -> None:
    """After a write that is no apply: what it changed is its writer's."""
    old, new = leaves(before), leaves(after)
    changed = {path for path, value in new.items() if path not in old or old[path] != value}
    gone = old.keys() - new.keys()
    for fields in owners.values():
        fields -= changed | gone
    if changed:
        owners.setdefault((manager, 'Update'), set()).update(changed)


def rendered(owners: Owners, api_version: str, time: str) -> list[Json]:
    """`metadata.managedFields`."""
    listed = []
    for (manager, how), fields in sorted(owners.items()):
        if not fields:
            continue
        tree: Json = {}
        for path in sorted(fields):
            inner = tree
            for part in path:
                inner = inner.setdefault(f'f:{part}', {})
        listed.append({
            'manager': manager, 'operation': how, 'apiVersion': api_version, 'time': time, 'fieldsType': 'FieldsV1',
            'fieldsV1': tree,
        })  # fmt: skip
    return listed
