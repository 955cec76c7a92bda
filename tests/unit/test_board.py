"""The board with real processes: sharing, the lock's survival of its holder, time limits, bells."""

from __future__ import annotations

import errno
import gc
import os
import random
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from dataplane.board import Bells, Board, Held
from dataplane.core.layout import Layout

LEFT, RIGHT, DEATHS = 100, 101, 102


def small_layout() -> Layout:
    return Layout(workers=2, servers=4, backends=2, frontends=1, entries=16)


@pytest.fixture
def board() -> Iterator[Board]:
    board = Board.create(small_layout())
    yield board
    board.close()


@contextmanager
def child(work: Callable[[], None]) -> Iterator[int]:
    """A forked process that does `work`; killed and reaped at the end whatever it is doing. Yields its pid."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(0)
    try:
        yield pid
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def until(condition: Callable[[], bool], what: str, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f'waited {seconds} s for: {what}'
        os.sched_yield()


def hold_forever(board: Board) -> None:
    board.lock()
    board.cells[LEFT] = 1
    signal.pause()


def test_two_programs_share_cells_and_lock(board: Board) -> None:
    program = (
        'import sys; from dataplane.board import Board; from dataplane.core.layout import Layout\n'
        'board = Board.attach(int(sys.argv[1]), Layout(workers=2, servers=4, backends=2, frontends=1, entries=16))\n'
        'for _ in range(20000):\n'
        '    board.lock(); board.cells[100] += 1; board.cells[-1] -= 1; board.unlock()\n'
    )
    others = [
        subprocess.Popen([sys.executable, '-c', program, str(board.fd)], pass_fds=[board.fd], cwd=os.getcwd())
        for _ in range(2)
    ]
    assert [other.wait(60) for other in others] == [0, 0]
    assert board.cells[LEFT] == 40_000
    assert board.cells[board.layout.size - 1] == -40_000


def test_a_new_board_is_all_zero_and_sparse() -> None:
    big = Board.create(Layout(workers=8, servers=2048, backends=256, frontends=16, entries=1 << 20))
    try:
        assert big.cells[0] == big.cells[big.layout.size - 1] == 0
        assert len(big.cells) == big.layout.size
        assert os.fstat(big.fd).st_blocks * 512 < 1 << 20
    finally:
        big.close()


def test_a_board_cannot_be_made_shorter_or_longer(board: Board) -> None:
    for size in (0, 1 << 30):
        with pytest.raises(PermissionError):
            os.ftruncate(board.fd, size)


def test_attaching_with_another_layout_is_refused(board: Board) -> None:
    other = Layout(workers=3, servers=4, backends=2, frontends=1, entries=16)
    with pytest.raises(ValueError, match=rf'descriptor {board.fd} has \d+ bytes, its layout needs \d+'):
        Board.attach(board.fd, other)


def test_death_inside_a_hold_is_told_to_the_next(board: Board) -> None:
    with child(lambda: hold_forever(board)) as pid:
        until(lambda: board.cells[LEFT] == 1, 'the child to hold the lock')
        assert board.holder() == pid
    assert board.holder() == 0
    assert board.lock() is True
    board.consistent()
    board.unlock()
    assert board.lock() is False
    board.unlock()


def test_death_inside_a_hold_is_told_to_one_who_waits_with_a_limit(board: Board) -> None:
    with child(lambda: hold_forever(board)):
        until(lambda: board.cells[LEFT] == 1, 'the child to hold the lock')
    assert board.lock_within(5) is Held.TORN
    board.consistent()
    board.unlock()
    assert board.lock_within(5) is Held.CLEAN
    board.unlock()


def test_death_of_who_was_repairing_is_told_again(board: Board) -> None:
    def repair_forever() -> None:
        board.cells[RIGHT] = 2 if board.lock() else 1
        signal.pause()

    with child(lambda: hold_forever(board)):
        until(lambda: board.cells[LEFT] == 1, 'the child to hold the lock')
    with child(repair_forever):
        until(lambda: board.cells[RIGHT] != 0, 'the second child to hold the lock')
        assert board.cells[RIGHT] == 2
    assert board.lock() is True
    board.consistent()
    board.unlock()


def test_a_torn_hold_given_up_without_repair_is_loud_for_everybody(board: Board) -> None:
    with child(lambda: hold_forever(board)):
        until(lambda: board.cells[LEFT] == 1, 'the child to hold the lock')
    assert board.lock() is True
    board.unlock()
    with pytest.raises(OSError, match='pthread_mutex_lock') as refused:
        board.lock()
    assert refused.value.errno == errno.ENOTRECOVERABLE
    with pytest.raises(OSError, match='pthread_mutex_clocklock') as refused:
        board.lock_within(1)
    assert refused.value.errno == errno.ENOTRECOVERABLE


def test_a_stopped_holder_does_not_hang_who_waits_with_a_limit(board: Board) -> None:
    with child(lambda: hold_forever(board)) as pid:
        until(lambda: board.cells[LEFT] == 1, 'the child to hold the lock')
        os.kill(pid, signal.SIGSTOP)
        os.waitpid(pid, os.WUNTRACED)
        before = time.monotonic()
        assert board.lock_within(0.1) is Held.TIMEOUT
        assert 0.1 <= time.monotonic() - before < 5
        assert board.lock_within(0) is Held.TIMEOUT
        assert board.lock_within(-1) is Held.TIMEOUT
        assert board.holder() == pid
    assert board.lock_within(5) is Held.TORN
    board.consistent()
    board.unlock()


def test_a_board_is_not_closed_inside_a_hold(board: Board) -> None:
    board.lock()
    with pytest.raises(RuntimeError, match=f'inside a hold of thread {os.getpid()}'):
        board.close()
    board.cells[LEFT] = 1
    board.unlock()
    with child(lambda: hold_forever(board)):
        until(lambda: board.cells[LEFT] == 1 and board.holder() != 0, 'another process holds the lock')
        board.close()


def test_a_board_forgotten_inside_a_hold_is_no_trap_for_the_next_one() -> None:
    program = (
        'import gc, warnings; from dataplane.board import Board; from dataplane.core.layout import Layout\n'
        'warnings.simplefilter("error")\n'
        'layout = Layout(workers=2, servers=4, backends=2, frontends=1, entries=16)\n'
        'board = Board.create(layout); board.lock(); del board; gc.collect()\n'
        # another size, so that it is not mapped where the first one was
        'board = Board.create(Layout(workers=4, servers=64, backends=8, frontends=1, entries=4096))\n'
        'board.lock(); board.unlock(); board.close()\n'
    )
    done = subprocess.run(
        [sys.executable, '-c', program], cwd=os.getcwd(), stderr=subprocess.PIPE, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert 'a board was forgotten inside a hold' in done.stderr


def test_mistakes_of_the_caller_raise(board: Board) -> None:
    with pytest.raises(OSError, match='pthread_mutex_unlock'):
        board.unlock()
    with pytest.raises(OSError, match='pthread_mutex_consistent'):
        board.consistent()
    board.lock()
    with pytest.raises(OSError, match='pthread_mutex_lock') as refused:
        board.lock()
    assert refused.value.errno == errno.EDEADLK
    with pytest.raises(OSError, match='pthread_mutex_clocklock'):
        board.lock_within(0.01)
    assert board.holder() == os.getpid()
    board.unlock()
    assert board.holder() == 0
    with pytest.raises(TypeError, match='three values'):
        bool(Held.TIMEOUT)


def hammer(board: Board) -> None:
    """Keep LEFT == RIGHT between holds; LEFT is written first, so a death leaves RIGHT one behind at most."""
    cells = board.cells
    while True:
        if board.lock():
            cells[DEATHS] += 1
            cells[RIGHT] = cells[LEFT]
            board.consistent()
        if cells[LEFT] != cells[RIGHT]:
            os._exit(9)
        cells[LEFT] += 1
        cells[RIGHT] += 1
        board.unlock()


ENOUGH = 10  # kills that hit a hold: how many do depends on what the machine does beside


def test_random_kills_never_hang_or_tear(board: Board) -> None:
    draw = random.Random(20)
    seen = 0
    with child(lambda: hammer(board)), child(lambda: hammer(board)):
        for kill in range(500):
            if kill >= 100 and seen + board.cells[DEATHS] >= ENOUGH:
                break
            victim = os.fork()
            if victim == 0:
                hammer(board)
            mark = board.cells[LEFT]
            until(lambda mark=mark: board.cells[LEFT] > mark + 50, 'the lock to go on changing hands')  # type: ignore[misc]
            for _ in range(draw.randrange(2_000)):
                pass
            os.kill(victim, signal.SIGKILL)
            _, status = os.waitpid(victim, 0)
            assert os.WTERMSIG(status) == signal.SIGKILL, f'a process saw a torn pair: status {status}'
            held = board.lock_within(10)
            assert held is not Held.TIMEOUT
            if held is Held.TORN:
                seen += 1
                assert board.cells[LEFT] - board.cells[RIGHT] in (0, 1)
                board.cells[RIGHT] = board.cells[LEFT]
                board.consistent()
            assert board.cells[LEFT] == board.cells[RIGHT]
            board.unlock()
    assert seen + board.cells[DEATHS] > 0, 'no kill ever hit a hold: this test showed nothing'


def test_close_leaves_no_descriptor() -> None:
    gc.collect()  # what other tests have left behind is not closed meanwhile
    before = set(os.listdir('/proc/self/fd'))
    board, bells = Board.create(small_layout()), Bells.create(2)
    board.close()
    board.close()
    bells.close()
    bells.close()
    assert set(os.listdir('/proc/self/fd')) <= before


def is_ringing(bells: Bells, number: int) -> bool:
    return bool(select.select([bells.fds[number]], [], [], 0)[0])


def test_bells_ring_who_was_rung_until_cleared() -> None:
    bells = Bells.create(2)
    try:
        assert bells.supervisor == 2
        bells.ring(1)
        bells.ring(1)
        assert [is_ringing(bells, number) for number in range(3)] == [False, True, False]
        bells.clear(1)
        bells.clear(1)
        assert not is_ringing(bells, 1)
    finally:
        bells.close()


def test_a_full_bell_neither_blocks_nor_raises() -> None:
    bells = Bells.create(0)
    try:
        os.eventfd_write(bells.fds[0], (1 << 64) - 2)
        bells.ring(0)
        assert is_ringing(bells, 0)
    finally:
        bells.close()


def test_bells_reach_another_process() -> None:
    bells = Bells.create(1)
    try:
        same = Bells.from_fds(bells.fds)
        with child(lambda: same.ring(0)):
            assert select.select([bells.fds[0]], [], [], 20)[0]
    finally:
        bells.close()


def test_bells_that_cannot_all_be_made_leave_none_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    real = os.eventfd

    def eventfd(value: int, flags: int) -> int:
        if len(made) == 2:
            raise OSError(errno.EMFILE, 'no more descriptors')
        made.append(real(value, flags))
        return made[-1]

    monkeypatch.setattr(os, 'eventfd', eventfd)
    with pytest.raises(OSError, match='no more descriptors'):
        Bells.create(3)
    for fd in made:
        with pytest.raises(OSError, match='Bad file descriptor'):
            os.fstat(fd)
