"""Futures without a pool."""

from __future__ import annotations

from interp_pool._futures.claims import start_new
from interp_pool._futures.task_future import TaskFuture


def running():
    future = TaskFuture()
    start_new(future)
    return future
