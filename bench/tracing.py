"""What a trace costs: `python bench/tracing.py` prints the table of docs/design/seeing.md, all of it from one run.

Processor time of the whole process, in microseconds, looking for the next message included. Rounds without and with a
trace take turns, each with its own executor of two workers, and the median of each is told.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import interp_pool
from interp_pool import InterpreterPoolExecutor

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 9


def burst(ex: InterpreterPoolExecutor) -> int:
    for future in [ex.submit(abs, -1) for _ in range(5_000)]:
        future.result()
    return 5_000


def round_trips(ex: InterpreterPoolExecutor) -> int:
    for _ in range(3_000):
        ex.submit(abs, -1).result()
    return 3_000


def items(ex: InterpreterPoolExecutor) -> int:
    return sum(ex.map(abs, [-1] * 500_000))


CASES: dict[str, Callable[[InterpreterPoolExecutor], int]] = {
    "a task of a burst": burst,
    "a round trip": round_trips,
    "an item of `map`": items,
}


def microseconds(case: Callable[[InterpreterPoolExecutor], int], trace: Path | None) -> float:
    with (
        nullcontext() if trace is None else interp_pool.trace(trace),
        InterpreterPoolExecutor(2, min_workers=2) as ex,
    ):
        case(ex)
        before = time.process_time()
        count = case(ex)
        return (time.process_time() - before) / count * 1e6


def main() -> None:
    print(f"| CPython {sys.version.split()[0]}, us of CPU | without a trace | with one |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as directory:
        trace = Path(directory, "run.json")
        for name, case in CASES.items():
            rounds = [(microseconds(case, None), microseconds(case, trace)) for _ in range(ROUNDS)]
            without, traced = (statistics.median(each) for each in zip(*rounds, strict=True))
            print(f"| {name} | {without:.3g} | {traced:.3g} |")


if __name__ == "__main__":
    main()
