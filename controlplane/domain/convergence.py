"""Convergence: which data planes are known, how far each one is, and what that means for every operation (G6).

A data plane is *known* from its first hello until it says goodbye, its traffic lease has ended (it promised to stop
carrying traffic on a partition), or a person says that it is gone. Being disconnected does not end it: it may still
carry traffic. Known data planes are the members of the barrier whose arithmetic is `dataplane.wire.progress`.

What must hold: an operation is done only if every member acknowledged its version or a later one, none of them kept an
older definition of a backend it is about when it did so (that there is a newer one by now, which it may accept, makes it
no less kept), and - for `drained` - each of them stated itself that each server has nothing
in flight and nothing queued, at that version or later. Nothing is ever concluded from status frames except that a
statement no longer holds.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from controlplane.domain.desired import Desired, Key
from controlplane.domain.operations import Goal, Operation, Progressed
from controlplane.domain.planes import Plane
from controlplane.domain.quarantine import Quarantine, active
from controlplane.domain.refusals import Conflict, NotFound
from controlplane.domain.store import KEPT_OPERATIONS
from controlplane.domain.unfinished import Unfinished
from controlplane.domain.version import NOTHING, Version
from dataplane.wire import state as wire
from dataplane.wire.events import Ack, Drained, Hello, Nack, Status
from dataplane.wire.progress import Progress

Listener = Callable[[], None]
KEPT_TARGETS = 200_000  # of all operations together; the newest is kept however many it has


class Convergence:
    """The data planes, the operations, and everybody who wants to know when one of them moved."""

    def __init__(self, planes: Iterable[Plane] = (), operations: Iterable[Operation] = ()) -> None:
        self.planes: dict[str, Plane] = {plane.id: plane for plane in planes}
        self.operations: OrderedDict[str, Operation] = OrderedDict()
        self.progress: Progress[str, Version] = Progress()
        self._listeners: set[Listener] = set()
        self._watchers: dict[str, set[Listener]] = {}
        self._unfinished = Unfinished()
        self._refusing = {plane.id: plane for plane in self.planes.values() if plane.quarantine}
        self._targets = 0
        for name in self.planes:
            self.progress.join(name, NOTHING)
            self._unfinished.join(name, ())
        for operation in operations:
            self._keep(operation)

    def watch(self, operation: Operation, listener: Listener) -> Callable[[], None]:
        """Call `listener` whenever the operation's state changes, until the function returned is called."""
        self._watchers.setdefault(operation.id, set()).add(listener)

        def stop() -> None:
            watchers = self._watchers.get(operation.id, set())
            watchers.discard(listener)
            if not watchers:
                self._watchers.pop(operation.id, None)

        return stop

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` after every move, until the function returned is called."""
        self._listeners.add(listener)
        return lambda: self._listeners.discard(listener)

    def _moved(self) -> None:
        for listener in tuple(self._listeners):
            listener()

    # data planes

    def connected(
        self, hello: Hello, at: Version, desired: Desired, now_ms: int, wanted: wire.State | None = None
    ) -> Plane:
        """A data plane said hello; `at` is the version it is known to be at (NOTHING: it must be sent a snapshot).

        `wanted`: what was desired at that version; None: what is desired now.
        """
        plane = self.planes.setdefault(hello.dp_id, Plane(hello.dp_id))
        plane.hello, plane.connected, plane.heard_ms, plane.lease_ends_ms = hello, True, now_ms, None
        plane.pod_uid, plane.stops = hello.pod_uid, hello.on_partition == 'stop'
        plane.forget_told()
        plane.acked, plane.kept = at, _kept(plane, wanted, desired)
        self.progress.join(plane.id, at)
        for operation in self._unfinished:
            if at < operation.version:
                operation.reached.pop(plane.id, None)  # it came back without what it had done
        self._join(plane)
        self._settle(desired)
        return plane

    def _join(self, plane: Plane) -> None:
        self._unfinished.join(
            plane.id, (o for o in self._unfinished if plane.id not in o.reached and not _by_ack(plane, o))
        )

    def disconnected(self, name: str, lease_left_ms: int, now_ms: int) -> None:
        """The link is gone. Only a data plane that promised to stop on a partition stops being known, after its lease."""
        plane = self.planes.get(name)
        if plane is None:
            return
        plane.connected = False
        if plane.stops:
            plane.lease_ends_ms = now_ms + lease_left_ms
        self._moved()

    def expired(self, now_ms: int) -> list[str]:
        """Data planes whose traffic lease has ended by now."""
        return [p.id for p in self.planes.values() if p.lease_ends_ms is not None and p.lease_ends_ms <= now_ms]

    def forget(self, name: str, desired: Desired) -> None:
        """It carries no traffic any more (goodbye, end of lease, or a person's word). Nobody waits for it from here on."""
        if self.planes.pop(name, None) is not None:
            self.progress.leave(name)
            self._unfinished.leave(name)
            self._refusing.pop(name, None)
            for operation in self._unfinished:
                operation.reached.pop(name, None)  # should it come back, it has to do it again
            self._settle(desired)

    def may_forget(self, name: str) -> None:
        """NotFound: no such data plane. Conflict: it is connected."""
        if name not in self.planes:
            raise NotFound(f'There is no data plane {name}.')
        if self.planes[name].connected:
            raise Conflict(f'Data plane {name} is connected.')

    def acked(
        self, name: str, ack: Ack, desired: Desired, now_ms: int, changed: Collection[Key] | None = (),
        wanted: wire.State | None = None,
    ) -> None:  # fmt: skip
        """Everything up to the ack's version is in force there, but for backends that it refuses.

        `changed`: the servers that are something else by it. What it stated of those is over, and it will state them again; of
        all others it holds at this version, too. None: not known. `wanted`: what was desired at that version; None: what is now.
        """
        plane = self.planes[name]
        plane.heard_ms, plane.last_ack = now_ms, ack
        if changed is None:
            plane.statements.clear()
        plane.statements.difference_update(changed or ())
        version = Version(ack.term, ack.seq)
        if self.progress.acked(name, version):
            plane.acked = version
        if version == plane.acked:
            plane.kept = _kept(plane, wanted, desired)
        self._advanced(plane, desired)

    def nacked(self, name: str, nack: Nack, quarantine: Quarantine, desired: Desired, now_ms: int) -> None:
        """It refused a version as a whole, and is kept at an older definition of what `quarantine` names from now on.

        What it did before that, it did.
        """
        plane = self.planes[name]
        plane.heard_ms, plane.last_nack = now_ms, nack
        for operation in self._unfinished:
            if self._did(plane, operation):
                operation.reached.setdefault(name, plane.acked)
        plane.quarantine = quarantine
        self._refusing.pop(name, None)
        if quarantine:
            self._refusing[name] = plane
        else:
            plane.kept = {}
        self._join(plane)
        self._settle(desired)

    def stated(self, name: str, drained: Drained, desired: Desired, now_ms: int) -> None:
        """Its own statement that these servers have nothing in flight and nothing queued there."""
        plane = self.planes[name]
        plane.heard_ms = now_ms
        if Version(drained.term, drained.seq) >= plane.acked:  # else it is about servers as they were
            plane.statements.update(Key('server', server, backend) for backend, server, _ in drained.servers)
        self._advanced(plane, desired)
        self._forget_statements(plane, desired)

    def _forget_statements(self, plane: Plane, desired: Desired) -> None:
        """Of servers that there are no more, and that no open operation waits for."""
        gone = {key for key in plane.statements if desired.spec(key) is None}
        if gone:
            gone.difference_update(*(operation.servers for operation in self._unfinished))
            plane.statements.difference_update(gone)

    def reported(self, name: str, status: Status, now_ms: int) -> None:
        """Figures. They prove nothing except that a server with something in flight is not drained now."""
        plane = self.planes[name]
        plane.heard_ms = now_ms
        for key, (flight, queued, _) in plane.tell(status).items():
            if flight or queued:
                plane.statements.discard(key)
        self._moved()

    # operations

    def begin(self, operation: Operation, desired: Desired, written: Iterable[Key]) -> None:
        """A verb was made durable, and changed `written`. The oldest operations are forgotten."""
        self._keep(operation)
        for earlier in self._unfinished.about(written):
            self._look_at(earlier, desired)
        self._look_at(operation, desired)
        self._moved()

    def rewritten(self, desired: Desired, written: Iterable[Key]) -> None:
        """The desired state changed, though nobody asked for it by a verb: operations about `written` may have ended."""
        for operation in self._unfinished.about(written):
            self._look_at(operation, desired)
        self._moved()

    def _keep(self, operation: Operation) -> None:
        self.operations[operation.id] = operation
        self._targets += len(operation.targets)
        while len(self.operations) > KEPT_OPERATIONS or (self._targets > KEPT_TARGETS and len(self.operations) > 1):
            _, oldest = self.operations.popitem(last=False)
            self._targets -= len(oldest.targets)
            self._unfinished.remove(oldest)
            self._watchers.pop(oldest.id, None)
        self._unfinished.add(operation, [plane.id for plane in self._asked(operation)])

    def operation(self, name: str) -> Operation:
        """NotFound: there is none of this name, or it is too long ago."""
        if name not in self.operations:
            raise NotFound(f'There is no operation {name}.')
        return self.operations[name]

    def changed(self, desired: Desired) -> None:
        """The desired state changed other than by a verb."""
        self._settle(desired)

    def missing(self, operation: Operation) -> tuple[list[str], list[str]]:
        """(connected, not connected): the data planes that have yet to do their part."""
        late = list(self._late(operation))
        return [p.id for p in late if p.connected], [p.id for p in late if not p.connected]

    def parts(self, operation: Operation) -> Mapping[str, Version]:
        """The data planes that have done their part, each with a version at which it was seen to have."""
        if not operation.open:
            return operation.reached
        parts = self.progress.all() | operation.reached
        for plane in self._late(operation):
            del parts[plane.id]
        return parts

    def refusing(self, operation: Operation, desired: Desired) -> list[str]:
        """Data planes that keep an older definition of a backend the operation is about, and say no to the new one."""
        return [
            plane.id
            for plane in self._refusing.values()
            if plane.id not in operation.reached and _keeps_back(plane, operation, desired)
        ]

    def _settle(self, desired: Desired) -> None:
        for operation in tuple(self._unfinished):
            self._look_at(operation, desired)
        self._moved()

    def _advanced(self, plane: Plane, desired: Desired) -> None:
        """One data plane is further than it was. Only what waits for it is looked at: there may be many that do not."""
        for operation in self._unfinished.waiting_for(plane.id, plane.acked):
            if self._does(plane, operation, desired):
                self._reached(operation, plane)
            if len(operation.reached) == len(self.planes) or self._refusing:
                self._look_at(operation, desired)  # who has not done its part may be one that refuses it
        while (oldest := self._unfinished.oldest()) is not None and self._passed(oldest.version):
            self._unfinished.passed(oldest)
            self._look_at(oldest, desired)
        self._moved()

    def _passed(self, version: Version) -> bool:
        """Whether everybody of whom nothing but an acknowledgement is asked has given it."""
        if not self._refusing:
            return self.progress.passed(version)
        return all(plane.acked >= version for plane in self.planes.values() if not plane.quarantine)

    def _reached(self, operation: Operation, plane: Plane) -> None:
        operation.reached[plane.id] = plane.acked
        self._unfinished.reached(operation, plane.id)

    def _look_at(self, operation: Operation, desired: Desired) -> None:
        for plane in self._asked(operation):
            if plane.id not in operation.reached and self._does(plane, operation, desired):
                self._reached(operation, plane)
        if any(target.contradicted(desired) for target in operation.targets):
            self._move(operation, Progressed.SUPERSEDED)
        else:
            self._move(operation, self._come_to(operation, desired))

    def _asked(self, operation: Operation) -> Iterable[Plane]:
        """Those of whom more than an acknowledgement is asked."""
        if operation.goal is not Goal.ACKED:
            return self.planes.values()
        return self._refusing.values()

    def _come_to(self, operation: Operation, desired: Desired) -> Progressed:
        come_to = Progressed.DONE
        for plane in self._late(operation):
            if not _keeps_back(plane, operation, desired):
                return Progressed.PENDING
            come_to = Progressed.REFUSED
        return come_to

    def _late(self, operation: Operation) -> Iterator[Plane]:
        """Those that are not known to have done their part."""
        version, reached, by_ack = operation.version, operation.reached, operation.goal is Goal.ACKED
        if by_ack and not self._refusing and self.progress.passed(version):
            return  # the same, without a look at each of a hundred
        for plane in self.planes.values():
            if plane.acked < version or plane.quarantine or not by_ack:
                if plane.id not in reached:
                    yield plane

    def _move(self, operation: Operation, state: Progressed) -> None:
        if operation.state is state:
            return
        parts = self.parts(operation)
        operation.move(state)
        if not operation.open:
            operation.reached = dict(parts)
        self._unfinished.moved(operation)
        for listener in tuple(self._watchers.get(operation.id, ())):
            listener()

    def _did(self, plane: Plane, operation: Operation) -> bool:
        """Whether it is known to have done its part."""
        return plane.id in operation.reached or (_by_ack(plane, operation) and plane.acked >= operation.version)

    def _does(self, plane: Plane, operation: Operation, desired: Desired) -> bool:
        """Whether it does its part at this moment."""
        if plane.acked < operation.version:
            return False
        if plane.kept and _concerns(plane.kept, operation, desired):
            return False
        if operation.goal is Goal.ACKED:
            return True
        return plane.statements.issuperset(operation.servers)


def _by_ack(plane: Plane, operation: Operation) -> bool:
    """Whether its acknowledgement alone tells that it has done its part."""
    return operation.goal is Goal.ACKED and not plane.quarantine


def _keeps_back(plane: Plane, operation: Operation, desired: Desired) -> bool:
    """Whether the data plane refuses, and is therefore not sent, something that the operation set."""
    return bool(plane.quarantine) and _concerns(active(plane.quarantine, desired.state), operation, desired)


def _kept(plane: Plane, wanted: wire.State | None, desired: Desired) -> Quarantine:
    """What of its quarantine keeps something back from a data plane that was sent `wanted`."""
    return active(plane.quarantine, desired.state if wanted is None else wanted) if plane.quarantine else {}


def _concerns(kept: Quarantine, operation: Operation, desired: Desired) -> bool:
    """Whether the operation set something of what is kept back."""
    if operation.backends & kept.keys():
        return True
    routes = (desired.spec(target.key) for target in operation.targets if target.key.kind == 'route')
    unrouted = {name for name, entry in kept.items() if not entry.routed}
    return any(route is not None and route['backend'] in unrouted for route in routes)
