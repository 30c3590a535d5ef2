"""Tasks of a module that no worker interpreter can load."""

from __future__ import annotations

import numpy as np
from dask_tasks import place


def mean(numbers: list[float]) -> float:
    return float(np.mean(numbers))


def place_of(_: object = None) -> tuple[int, bool]:
    return place()


def worker_address(_: object = None) -> str:
    from distributed import get_worker

    return get_worker().address
