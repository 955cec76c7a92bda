"""Which servers a bulk verb is about: by labels, by a pattern for the name, by address; all that is given must hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from controlplane.domain.desired import Desired, Key
from controlplane.domain.refusals import Invalid


@dataclass(frozen=True, slots=True)
class Selector:
    """`name` is a shell pattern; `address` an address, or address:port; `backend` limits it to one backend."""

    labels: Mapping[str, str] = field(default_factory=dict)
    name: str | None = None
    address: str | None = None
    backend: str | None = None

    def select(self, desired: Desired) -> list[Key]:
        """The servers it selects, in order. Invalid: it says nothing. NotFound: it names a backend that is not there."""
        if not self.labels and self.name is None and self.address is None:
            raise Invalid(['selector: give labels, name or address (name "*" means every server)'])
        backends = sorted(desired.state['backends']) if self.backend is None else [self.backend]
        return [key for backend in backends for key in desired.servers(backend) if self._matches(desired, key)]

    def _matches(self, desired: Desired, key: Key) -> bool:
        spec = desired.require(key)
        labels = desired.labels.get(key, {})
        if self.name is not None and not fnmatchcase(key.name, self.name):
            return False
        if self.address is not None and self.address not in {spec['address'], f'{spec["address"]}:{spec["port"]}'}:
            return False
        return all(labels.get(name) == value for name, value in self.labels.items())
