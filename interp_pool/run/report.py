"""What `run` tells at the end, as text or as JSON.

This file owns the words. It must not know how the numbers came about. Invariant: every function is pure.
"""

import os
from dataclasses import asdict
from typing import Any

from interp_pool._commands.layout import plural
from interp_pool._swap.ledger import Swapped

__all__ = ["PREFIX", "as_json", "as_text"]

PREFIX = "interp_pool run: "


def as_json(swapped: Swapped, seconds: float, directory: str) -> dict[str, Any]:
    """Return everything, for a program to read.

    Args:
        swapped: What the ledger says.
        seconds: How long the program took.
        directory: Where the program was started; files below are named from there.
    """
    told = asdict(swapped)
    if swapped.first is not None:
        told["first"] = swapped.first.removeprefix(os.path.join(directory, ""))
    return {**told, "seconds": seconds}


def as_text(swapped: "dict[str, Any]") -> str:
    """Return lines about what was swapped, where tasks ran, and how long it took.

    Args:
        swapped: what `as_json` returns.
    """
    tasks = swapped["tasks"]
    lines = [_made(swapped)]
    lines += [f"left as it is: {left}" for left in swapped["left"]]
    if swapped["executors"] or swapped["pools"]:
        lines.append(f"tasks, a batch of a map being one: {_places(tasks)}")
    lines += [f"fell back: {reason}" for reason in tasks["reasons"]]
    lines.append(f"it took {swapped['seconds']:.2f} s")
    return "".join(f"{PREFIX}{line}\n" for line in lines)


def _made(swapped: "dict[str, Any]") -> str:
    counts = [
        plural(swapped[key], noun) for key, noun in (("executors", "executor"), ("pools", "pool")) if swapped[key]
    ]
    if not counts:
        return "nothing was swapped: the program made no ProcessPoolExecutor and no multiprocessing.Pool"
    return f"swapped {' and '.join(counts)}, the first at {swapped['first']}"


def _places(tasks: "dict[str, Any]") -> str:
    counts = [f"{tasks['interpreters']:,} in interpreters"]
    counts += [f"{tasks[place]:,} in {place}" for place in ("processes", "threads") if tasks[place]]
    return ", ".join(counts)
