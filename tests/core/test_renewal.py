"""When the queues of a pool may be renewed."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from interp_pool._core.states import WorkerState
from interp_pool._pool.renewal import SPACING, Renewal


class Queue:
    def __init__(self):
        self.times = 0

    def renew(self):
        self.times += 1


def worker(state=WorkerState.READY, is_quiet=True):
    return SimpleNamespace(state=state, is_quiet=is_quiet)


def kernel(*workers, stuck=(), stop_sentinels=0, max_tasks_per_child=None, max_leftover_threads=None):
    return SimpleNamespace(
        calls=SimpleNamespace(queue=Queue()),
        results=Queue(),
        tasks=SimpleNamespace(last_work_id=0),
        staff=SimpleNamespace(
            workers=dict(enumerate(workers)), stuck=dict(enumerate(stuck)), stop_sentinels=stop_sentinels
        ),
        options=SimpleNamespace(max_tasks_per_child=max_tasks_per_child, max_leftover_threads=max_leftover_threads),
    )


def times(kernel):
    assert kernel.calls.queue.times == kernel.results.times
    return kernel.results.times


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_both_queues_move_while_all_workers_are_idle(workers):
    own = kernel(*(worker() for _ in range(workers)))
    Renewal(own).look()
    assert times(own) == 1


@pytest.mark.parametrize(
    "own",
    [
        *(kernel(worker(), worker(state)) for state in WorkerState if state is not WorkerState.READY),
        kernel(worker(), worker(is_quiet=False)),
        kernel(worker(), stuck=[worker(WorkerState.STUCK)]),
        kernel(worker(), stop_sentinels=1),
        kernel(worker(), max_tasks_per_child=1),
        kernel(worker(), max_leftover_threads=0),
    ],
)
def test_no_queue_moves_while_a_worker_may_have_something_to_tell(own):
    Renewal(own).look()
    assert times(own) == 0


def test_look_comes_once_in_so_many_tasks():
    own = kernel(worker())
    renewal = Renewal(own)
    found = []
    for number in (0, 1, SPACING - 1, SPACING, SPACING + 1, 3 * SPACING):
        own.tasks.last_work_id = number
        renewal.look()
        found.append(times(own))
    assert found == [1, 1, 1, 2, 2, 3]


def test_forked_child_counts_from_its_own_beginning():
    own = kernel(worker())
    renewal = Renewal(own)
    own.tasks.last_work_id = 5 * SPACING
    renewal.look()
    own.tasks.last_work_id = 0
    renewal.look()
    assert times(own) == 2


def test_look_that_found_somebody_busy_comes_again():
    busy = worker(is_quiet=False)
    own = kernel(busy)
    renewal = Renewal(own)
    renewal.look()
    busy.is_quiet = True
    renewal.look()
    assert times(own) == 1
