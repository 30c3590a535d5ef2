"""Tasks that leave something to the exit functions of their worker, and a worker without its modules."""

from __future__ import annotations

import concurrent.futures
import socket

import tasks

import interp_api
import interp_pool

kept: list[object] = []  # until the interpreter ends


def leave_error():
    """Fail a task of the pool's whose error nobody asks for."""
    future = interp_pool.current_executor().submit(divmod, 1, 0)
    concurrent.futures.wait([future])
    kept.append(future)


def leave_pool():
    """Use a pool of this task's own, with a timer, and do not shut it down."""
    executor = interp_pool.InterpreterPoolExecutor(1)
    assert executor.options(timeout=60).submit(abs, -1).result(60) == 1
    kept.append(executor)


def leave_socket():
    """Send sockets to nobody."""
    queue = interp_api.create_queue()
    for each in socket.socketpair():
        queue.put(each)
        each.close()
    kept.append(queue)


def leave_children():
    assert [*interp_pool.current_executor().map(abs, range(-3, 0))] == [3, 2, 1]


def damage(leave):
    """End in a way that the worker cannot tell of."""
    leave()
    tasks.damage_worker("modules")
    raise ValueError("nobody hears of it")
