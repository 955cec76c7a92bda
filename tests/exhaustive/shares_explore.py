"""The exploration of the worlds of shares: what may come next, and breadth first through all of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from controlplane.domain.holding import ANY, Holding, held
from controlplane.domain.shares import Shares
from controlplane.domain.version import Version
from tests.exhaustive.shares_world import DataPlane, Says, State, Told, World, named

PARTITION, KILL, LEAVE, RESTART, DISMISS, JOIN = range(6)


@dataclass
class Found:
    """What an exploration came to: `broken` in words, with the way there."""

    states: int
    steps: int
    broken: str | None = None
    trace: list[str] = field(default_factory=list)


class Rules:
    """What happens around the books. A mutant of the surroundings is another class of this kind."""

    def may_forget(self, x: State, number: int) -> bool:
        """A data plane that stops is forgotten when its lease has ended and what it had in flight was ended."""
        dp = x.dps[number]
        return x.w.stops[number] and (not dp.alive or (dp.lapsed and not any(dp.flight)))

    def may_renew(self, dp: DataPlane) -> bool:
        """A lease is for who has acknowledged, on this link, what it was last told."""
        return dp.confirmed

    def inventory(self, x: State, number: int) -> dict[Any, Holding]:
        """What a data plane says with its hello."""
        dp = x.dps[number]
        shares = [dp.may_use(server) for server in range(len(x.limits))]
        return {
            key: held(dp.force.version, shares[server], dp.flight[server]) for server, key in enumerate(x.w.servers())
        }

    def goodbye(self, dp: DataPlane) -> DataPlane:
        """Who leaves on purpose has no share any more, not even on its disk."""
        return dp._replace(alive=False, disk=None)

    def known_after_restart(self, x: State, number: int) -> bool:
        """Who is known is known durably."""
        return f'd{number}' in x.books.planes


class Explorer:
    """All states of one world."""

    def __init__(self, world: World, rules: Rules | None = None) -> None:
        self.w, self.rules = world, rules or Rules()

    def run(self, most: int) -> Found:
        """Breadth first; ends at the first broken promise, or after `most` states."""
        first = State(self.w)
        seen: dict[Any, tuple[Any, str] | None] = {first.key(): None}
        todo, steps = [(first, first.key())], 0
        while todo and len(seen) < most:
            following = []
            for x, key in todo:
                for label, n in self.steps(x):
                    steps += 1
                    n.lower_ceilings()
                    after = n.key()
                    if after in seen:
                        continue
                    seen[after] = (key, label)
                    broken = n.broken() or self.unsettled(n)
                    if broken:
                        return Found(len(seen), steps, broken, trace(seen, after))
                    following.append((n, after))
            todo = following
        return Found(len(seen), steps)

    def steps(self, x: State) -> Iterator[tuple[str, State]]:
        """Everything that may come next."""
        yield from self.control_plane(x)
        for number, dp in enumerate(x.dps):
            for label, do in (*self.by_itself(x, number, dp), *self.trouble(x, number, dp)):
                n = x.clone()
                do(n, number)
                yield f'd{number} {label}', n

    # the control plane

    def control_plane(self, x: State) -> Iterator[tuple[str, State]]:
        """It divides, is told another limit, or is started anew."""
        n = x.clone()
        if divide(n):
            yield 'divide', n
        if x.change < len(x.w.changes):
            n = x.clone()
            change(n)
            yield f'limit {n.limits}', n
        if x.left[RESTART]:
            n = x.clone()
            n.left[RESTART] -= 1
            self.restart(n)
            yield 'control plane restarts', n

    def restart(self, n: State) -> None:
        """It knows what is durable: the limits, and who is known."""
        known = [number for number in range(len(n.dps)) if self.rules.known_after_restart(n, number)]
        n.books, n.head = Shares(), Version(n.head.term + 1, 1)
        for number in known:
            n.books.expect(f'd{number}', stops=n.w.stops[number])
        n.books.want('b', named(n.limits), n.head)
        for number in range(len(n.dps)):
            n.put(number, linked=False, held=None, confirmed=False, parcel=None, up=())

    # one data plane

    def by_itself(self, x: State, number: int, dp: DataPlane) -> Iterator[tuple[str, Any]]:
        """What goes on without anybody's doing, in any order."""
        for server in range(len(x.limits)):
            if dp.flight[server] < dp.may_use(server):
                yield f'begins s{server}', lambda n, d, s=server: flies(n, d, s, 1)
            if dp.flight[server]:
                yield f'ends s{server}', lambda n, d, s=server: flies(n, d, s, -1)
        if dp.adopting:
            yield 'keeps', keep
        if not dp.linked:
            if dp.alive and not dp.adopting:
                yield 'connects', self.connect
            return
        if dp.parcel is None and dp.held != Told(x.head, told(x, number)):
            yield 'is told', tell
        if dp.parcel is not None and not dp.adopting and dp.parcel.version > dp.force.version:
            yield 'adopts', adopt
        if not dp.adopting and x.books._unsettled.get(f'd{number}') and not any(says.flight for says in dp.up):
            yield 'reports', report
        if dp.up:
            yield 'is heard', hear
        if dp.lapsed and self.rules.may_renew(dp):
            yield 'is renewed', renew

    def trouble(self, x: State, number: int, dp: DataPlane) -> Iterator[tuple[str, Any]]:
        """What somebody or something does to it."""
        stops = x.w.stops[number]
        known = f'd{number}' in x.books.planes
        if dp.linked and x.left[PARTITION]:
            yield 'is cut off', cut
        if dp.alive and x.left[KILL]:
            yield 'is killed', kill
        if not dp.alive and (known or dp.disk is not None):
            yield 'starts again', lambda n, d: n.start(d)
        if not dp.alive and not known and dp.disk is None and x.left[JOIN] and number >= len(x.dps) - x.w.away:
            yield 'joins', join
        if dp.alive and not dp.linked and stops and not dp.lapsed:
            yield 'lapses', lambda n, d: n.put(d, lapsed=True)
        if dp.alive and not dp.linked and dp.lapsed and any(dp.flight):
            yield 'ends all', lambda n, d: n.put(d, flight=(0,) * len(n.limits))
        if known and not dp.linked and self.rules.may_forget(x, number):
            yield 'is forgotten', lambda n, d: n.books.leave(f'd{d}')
        if dp.linked and x.left[LEAVE] and not any(dp.flight) and not dp.adopting:
            yield 'leaves', self.leave
        if known and not dp.linked and x.left[DISMISS]:
            yield 'is dismissed', dismiss

    def connect(self, n: State, number: int) -> None:
        """Its hello, with what it holds."""
        dp = n.dps[number]
        n.books.join(f'd{number}', self.rules.inventory(n, number), n.head)
        n.dismissed &= ~(1 << number)
        n.ceiling = tuple(max(c, b(n, s)) for s, c in enumerate(n.ceiling)) if n.w.dismissals else n.ceiling
        n.put(number, linked=True, held=dp.force, confirmed=dp.force == Told(n.head, told(n, number)))

    def leave(self, n: State, number: int) -> None:
        """It says goodbye, with nothing in flight."""
        n.left[LEAVE] -= 1
        n.unlink(number)
        n.books.leave(f'd{number}')
        n.dps[number] = self.rules.goodbye(n.dps[number])

    # what comes of it

    def unsettled(self, x: State) -> str | None:
        """With everybody there, and once all is heard and ended, the whole limit is given out, and as equally as can be (S3, S4)."""
        if x.books._dirty or not all(dp.linked and not (dp.up or dp.parcel or any(dp.flight)) for dp in x.dps):
            return None
        n = x.clone()
        for _ in range(200):
            if not self.calm(n):
                break
        else:
            return 'what comes by itself does not come to an end'
        extras = [0] * len(n.dps)
        for server, limit in enumerate(n.limits):
            shares = [dp.may_use(server) for dp in n.dps]
            if sum(shares) != limit or max(shares) - min(shares) > 1:
                return f'S3: at rest the shares of s{server} are {shares}, its limit is {limit}'
            extras = [extra + (share > min(shares)) for extra, share in zip(extras, shares, strict=True)]
        if max(extras) - min(extras) > 1:
            return f'S3: at rest the remainders are {extras}'
        due = [g for grants in n.books.grants().values() for g in grants.get('b', {}).values() if g.due]
        return f'S4: at rest {due} is due' if due else None

    def calm(self, n: State) -> bool:
        """One round of all that comes by itself, but no new requests. Returns whether anything did."""
        moved = divide(n)
        for number in range(len(n.dps)):
            for label, do in tuple(self.by_itself(n, number, n.dps[number])):
                if label.startswith(('begins', 'reports')):
                    continue
                do(n, number)
                moved = True
                break
            else:
                if not n.dps[number].up and n.books._unsettled.get(f'd{number}'):
                    report(n, number)
                    moved = True
        return moved


def b(n: State, server: int) -> int:
    """What is booked of a server."""
    account = n.account(server)
    return 0 if account is None else account.booked


def told(x: State, number: int) -> tuple[int, ...]:
    """What a data plane is told of every server, as things stand."""
    accounts, name = x.books.accounts.get('b', {}), f'd{number}'
    open_ = {server: account.holdings[name].share for server, account in accounts.items() if account.limit}
    shares = [open_.get(f's{server}', 0) for server in range(len(x.limits))]
    return tuple(share if share < ANY else 0 for share in shares)


def divide(n: State) -> bool:
    """The control plane looks at its books."""
    proposal = n.books.proposed()
    if not proposal.shares and not proposal.targets:
        return False
    n.head = n.head.following()
    n.books.assign(proposal, n.head)
    return True


def change(n: State) -> None:
    """The next change of a limit."""
    server, limit = n.w.changes[n.change]
    n.change += 1
    new = [f's{server}'] if not n.limits[server] else []
    n.limits = (*n.limits[:server], limit, *n.limits[server + 1 :])
    n.ceiling = tuple(max(b(n, s), most) if s == server else n.ceiling[s] for s, most in enumerate(n.limits))
    n.head = n.head.following()
    n.books.want('b', named(n.limits), n.head, new=new)


def flies(n: State, number: int, server: int, more: int) -> None:
    """A request begins or ends."""
    flight = n.dps[number].flight
    n.put(number, flight=(*flight[:server], flight[server] + more, *flight[server + 1 :]))


def tell(n: State, number: int) -> None:
    """A parcel is sent. Without a difference but the number it is a renumbering: all the same here."""
    n.put(number, parcel=Told(n.head, told(n, number)), confirmed=n.dps[number].confirmed)


def adopt(n: State, number: int) -> None:
    """The parcel comes into force, in one instant."""
    dp = n.dps[number]
    assert dp.parcel is not None
    n.put(number, force=dp.parcel, adopting=True)


def keep(n: State, number: int) -> None:
    """What is in force is on the disk, then it is acknowledged, if there is a link."""
    dp = n.dps[number]
    up = (*dp.up, Says(dp.force.version, None)) if dp.linked else ()
    n.put(number, disk=dp.force, adopting=False, up=up)


def report(n: State, number: int) -> None:
    """A status."""
    dp = n.dps[number]
    n.put(number, up=(*dp.up, Says(dp.force.version, dp.flight)))


def hear(n: State, number: int) -> None:
    """The control plane takes the first of what is on its way up."""
    dp = n.dps[number]
    says = dp.up[0]
    if says.flight is None:
        n.books.acked(f'd{number}', says.version)
        n.put(number, held=dp.parcel, parcel=None, confirmed=True)
    else:
        n.books.reported(f'd{number}', says.version, dict(zip(n.w.servers(), says.flight, strict=True)))
    n.put(number, up=dp.up[1:])


def renew(n: State, number: int) -> None:
    """A lease."""
    n.put(number, lapsed=False)


def cut(n: State, number: int) -> None:
    """The link is lost."""
    n.left[PARTITION] -= 1
    n.unlink(number)


def kill(n: State, number: int) -> None:
    """SIGKILL: its sockets are closed, what was not on the disk is forgotten."""
    n.left[KILL] -= 1
    if n.dps[number].linked:
        n.unlink(number)
    n.put(number, alive=False, adopting=False, flight=(0,) * len(n.limits))


def join(n: State, number: int) -> None:
    """A data plane that never was."""
    n.left[JOIN] -= 1
    n.start(number)


def dismiss(n: State, number: int) -> None:
    """Somebody says that it is gone, which nobody checks."""
    n.left[DISMISS] -= 1
    n.books.leave(f'd{number}')
    n.dismissed |= 1 << number


def trace(seen: dict[Any, tuple[Any, str] | None], key: Any) -> list[str]:
    """The steps that led to a state."""
    out = []
    while (step := seen[key]) is not None:
        key, label = step
        out.append(label)
    return out[::-1]
