"""A small world of electors, one Lease and a network that loses, delays and repeats nothing but time.

Every process has a clock of its own rate. A write travels, is done by the API server (or never), and its answer travels
back (or never); who waits may give up at any moment, and its write may be done long after that. What a read finds is
settled when it reaches the API server, so it is asked and done in one step; its answer may be old when it is heard. A
process that does nothing for a while is a step that is not taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from controlplane.kube.lease import Attempt, Elector, Record, Times

READ = 'read'


@dataclass(slots=True)
class Process:
    """`asked`: what it waits for; `answer`: what is on its way back, in a tuple so that None can be one.

    Worlds share the processes that a step leaves alone: one that is not just copied must not be changed.
    """

    elector: Elector
    rate: int
    clock: int = 0
    asked: Attempt | str | None = None
    is_done: bool = False  # by the API server
    answer: tuple[Record | str | None] | None = None
    number: int | None = None  # of its key among all, once it was asked for

    def copied(self) -> Process:
        elector = Elector.__new__(Elector)
        vars(elector).update(vars(self.elector))
        return Process(elector, self.rate, self.clock, self.asked, self.is_done, self.answer)

    def ticked(self) -> Process:
        """The same a tick later; an elector knows no clock, so nothing happens to it."""
        return Process(self.elector, self.rate, self.clock + self.rate, self.asked, self.is_done, self.answer)

    def key(self) -> tuple[Any, ...]:
        """What decides its future: spans instead of times, and nothing that is over."""
        elector, times = self.elector, self.elector.times
        left = max(0, elector.until_ms - self.clock)
        fresh = max(0, (elector._fresh_until_ms or 0) - self.clock)
        age = min(self.clock - elector._changed_ms, times.lease_ms)
        asked: Any = self.asked
        if isinstance(asked, Attempt):
            asked = (asked.over, asked.holder, asked.term, min(self.clock - asked.sent_ms, times.renew_ms))
        return (
            elector.identity, elector.record, elector.floor, elector._is_known, elector._was_read, elector._term if left else 0,
            left, fresh, age, asked, self.is_done, self.answer,
        )  # fmt: skip


@dataclass(slots=True)
class World:
    """`stray`: writes whose sender has given up on them; they may be done at any later time."""

    processes: list[Process]
    lease: Record | None = None
    writes: int = 0
    stray: tuple[Attempt, ...] = ()
    is_traced: bool = False  # somebody has led here, or is about to
    reigns: tuple[tuple[int, str], ...] = ()
    starts: int = 0
    trail: tuple[str, ...] = field(default=(), compare=False)

    @classmethod
    def of(cls, times: Times, rates: tuple[int, ...]) -> World:
        return cls([Process(Elector(f'p{number}', times), rate) for number, rate in enumerate(rates)])

    def key(self, numbers: dict[Any, int]) -> tuple[Any, ...]:
        """Two worlds of one key have the same future. A stray that would be refused is none.

        `numbers` is the caller's: every different part has a number there, which is compared sooner than the part itself.
        """
        strays: frozenset[Any] = frozenset()
        if self.stray:
            at = None if self.lease is None else self.lease.version
            strays = frozenset(
                (one.over, one.holder, one.term)
                for one in self.stray
                if (None if one.over is None else one.over.version) == at
            )
        for process in self.processes:
            if process.number is None:
                process.number = numbers.setdefault((process.clock, process.key()), len(numbers))
        return (
            *(p.number for p in self.processes),
            numbers.setdefault(self.lease, len(numbers)),
            self.writes,
            strays,
            self.is_traced,
            self.starts,
        )

    def copied(self, step: str, of: int | None = None) -> World:
        """The same world before a step, by process number `of` if it is one's."""
        processes = list(self.processes)
        if of is not None:
            processes[of] = processes[of].copied()
        return World(
            processes, self.lease, self.writes, self.stray, self.is_traced, self.reigns, self.starts, (*self.trail, step)
        )  # fmt: skip

    # steps, all of which change this world

    def tick(self) -> None:
        self.processes = [process.ticked() for process in self.processes]

    def ask(self, process: Process) -> bool:
        """Send the next question; False: there is none."""
        elector = process.elector
        if process.asked is not None:
            return False
        process.asked = READ if elector.must_read else elector.attempt(process.clock)
        process.is_done, process.answer = False, None
        if process.asked == READ:
            self.arrive(process)
        return process.asked is not None

    def arrive(self, process: Process) -> None:
        """The API server does what is asked, and answers."""
        asked = process.asked
        assert asked is not None
        process.is_done = True
        process.answer = (self.lease,) if isinstance(asked, str) else (self.do(asked),)

    def do(self, attempt: Attempt) -> Record | str:
        """Write if the Lease is still what it was decided on."""
        at = None if attempt.over is None else attempt.over.version
        if at != (None if self.lease is None else self.lease.version):
            return 'conflict'
        self.writes += 1
        before = self.lease
        times = self.processes[0].elector.times
        self.lease = Record(
            uid='u' if before is None else before.uid,
            version=str(self.writes),
            holder=attempt.holder,
            term=attempt.term,
            renewed=str(self.writes) if attempt.holder or before is not None else '',
            duration_ms=times.lease_ms if attempt.holder else 1,
        )
        if attempt.holder and (before is None or before.holder != attempt.holder or before.term != attempt.term):
            assert all(attempt.term > term for term, _ in self.reigns), (attempt, self.reigns, self.trail)
            self.reigns = (*self.reigns, (attempt.term, attempt.holder))
        return self.lease

    def hear(self, process: Process) -> None:
        """The answer arrives."""
        assert process.answer is not None
        assert process.asked is not None
        (answer,), asked, elector = process.answer, process.asked, process.elector
        process.asked = process.answer = None
        if isinstance(asked, str):
            assert not isinstance(answer, str)
            elector.read(answer, process.clock)
            if answer is None and not self.is_traced:  # asked of another object, in one step for simplicity
                self.is_traced = True
                elector.fresh(process.clock)
        elif isinstance(answer, str):
            elector.refused()
        else:
            assert answer is not None
            elector.accepted(asked, answer, process.clock)

    def give_up(self, process: Process) -> None:
        """Whoever waits stops waiting; what it asked may still be done."""
        asked = process.asked
        if isinstance(asked, Attempt) and not process.is_done:
            self.stray = (*self.stray, asked)
        process.asked = process.answer = None
        process.elector.unanswered()

    def restart(self, process: Process) -> None:
        """The process dies and comes back, as somebody else."""
        if isinstance(process.asked, Attempt) and not process.is_done:
            self.stray = (*self.stray, process.asked)
        self.starts += 1
        process.elector = Elector(f'r{self.starts}', process.elector.times)
        process.asked = process.answer = None

    def release(self, process: Process) -> bool:
        """It ends in order: leads no more, then lets go."""
        elector = process.elector
        if process.asked is not None or not elector.is_leading(process.clock):
            return False
        elector.resign()
        process.asked = elector.release(process.clock)
        process.is_done, process.answer = False, None
        return process.asked is not None

    def leaders(self) -> list[str]:
        return [p.elector.identity for p in self.processes if p.elector.is_leading(p.clock)]

    def steps(self, *, writes: int, deletes: bool, strays: int, starts: int) -> Iterator[World]:
        """Every world that one step can make of this one, but for time. At most `writes` are done in all."""
        for number, process in enumerate(self.processes):
            name = f'p{number}'
            if process.asked is None:
                for verb in ('ask', 'release') if process.elector.is_leading(process.clock) else ('ask',):
                    world = self.copied(f'{name} {verb}', number)
                    if getattr(world, verb)(world.processes[number]):
                        yield world
            else:
                if not process.is_done and self.writes < writes:
                    yield self._after('arrive', number)
                if process.answer is not None:
                    yield self._after('hear', number)
                if isinstance(process.asked, Attempt) and (len(self.stray) < strays or process.is_done):
                    yield self._after('give_up', number)
            if self.starts < starts:
                yield self._after('restart', number)
        for index, attempt in enumerate(self.stray if self.writes < writes else ()):
            world = self.copied(f'stray {attempt.holder or "release"} done')
            world.stray = self.stray[:index] + self.stray[index + 1 :]
            world.do(attempt)
            yield world
        if deletes and self.lease is not None:
            world = self.copied('deleted by hand')
            world.lease = None
            world.reigns = ()  # the terms it counted are forgotten with it
            yield world

    def _after(self, verb: str, number: int) -> World:
        world = self.copied(f'p{number} {verb}', number)
        getattr(world, verb)(world.processes[number])
        return world
