"""CPU-bound work that many people know, in pieces that a pool can share out.

This file owns the work and how it is cut. It must not know executors, and it is imported INSIDE workers, so what only
one workload needs is imported by its function. Invariants: a piece's result depends on its argument alone, and the
result is small, so that results can be compared and next to none of the time is copying.
"""

import math
import sysconfig
from collections.abc import Callable, Sequence
from typing import NamedTuple

__all__ = ["WORKLOADS", "Workload"]

_LARGEST_SOURCE = 120_000  # bytes: larger ones would be most of the work in one piece
_PASSES = 4  # over the same text: searching it once takes little longer than reading it


class Workload(NamedTuple):
    """A function and the arguments that make one run of it.

    Attributes:
        name: What reports call it.
        title: What it does, in a few words.
        work: Does one piece.
        pieces: Returns the arguments of all pieces; True for a run of about 0.2 s, False for one of 1 to 2 s.
    """

    name: str
    title: str
    work: Callable[..., object]
    pieces: Callable[[bool], Sequence[object]]


def simulate_planets(steps: int) -> float:
    """Move five bodies under their gravity with the symplectic Euler method; return the energy at the end."""
    bodies = [
        # x, y, z, vx, vy, vz, mass: a sun and four planets in units of the sun's mass, 1 distance and G = 1
        [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0],
        [1.0, 0.0, 0.0, 0.0, 1.0, 0.02, 3e-6],
        [0.0, 1.6, 0.1, -0.79, 0.0, 0.0, 4e-7],
        [-5.2, 0.0, 0.0, 0.0, -0.44, 0.01, 1e-3],
        [0.0, -9.6, 0.2, 0.32, 0.0, 0.0, 3e-4],
    ]
    pairs = [(one, other) for index, one in enumerate(bodies) for other in bodies[index + 1 :]]
    dt = 0.001
    for _ in range(steps):
        for one, other in pairs:
            dx, dy, dz = one[0] - other[0], one[1] - other[1], one[2] - other[2]
            pull = dt / (dx * dx + dy * dy + dz * dz) ** 1.5
            towards, away = other[6] * pull, one[6] * pull
            one[3] -= dx * towards
            one[4] -= dy * towards
            one[5] -= dz * towards
            other[3] += dx * away
            other[4] += dy * away
            other[5] += dz * away
        for body in bodies:
            body[0] += dt * body[3]
            body[1] += dt * body[4]
            body[2] += dt * body[5]
    energy = sum(body[6] * (body[3] * body[3] + body[4] * body[4] + body[5] * body[5]) / 2 for body in bodies)
    for one, other in pairs:
        energy -= one[6] * other[6] / math.dist(one[:3], other[:3])
    return energy


def escape_times(row: tuple[int, int]) -> int:
    """Return the sum of the escape times in one row of the Mandelbrot set.

    Args:
        row: The row's number and how many rows and columns there are.
    """
    y, size = row
    total = 0
    for x in range(size):
        c = complex(3 * x / size - 2.25, 2.5 * y / size - 1.25)
        z = 0j
        for step in range(100):
            z = z * z + c
            if z.real * z.real + z.imag * z.imag > 4:
                total += step
                break
        else:
            total += 100
    return total


def count_queens(board: tuple[int, int, int]) -> int:
    """Count the ways to place queens so that none attacks another, given the first two rows.

    Args:
        board: The size of the board, and the columns of the queens in its first two rows.
    """
    size, first, second = board
    full = (1 << size) - 1

    def place(columns: int, left: int, right: int) -> int:
        if columns == full:
            return 1
        found = 0
        free = full & ~(columns | left | right)
        while free:
            queen = free & -free
            free ^= queen
            found += place(columns | queen, (left | queen) << 1, (right | queen) >> 1)
        return found

    one, two = 1 << first, 1 << second
    if two & (one | one << 1 | one >> 1):
        return 0
    return place(one | two, (one << 1 | two) << 1, (one >> 1 | two) >> 1)


def json_round_trips(path: str) -> int:
    """Turn a source file into JSON and back, line by line and as a whole; return the length of the JSON."""
    import json

    lines = _read(path).splitlines()
    document = {
        "path": path,
        "lines": [{"number": number, "text": text, "words": text.split()} for number, text in enumerate(lines, 1)],
    }
    length = 0
    for _ in range(_PASSES):
        text = json.dumps(document)
        document = json.loads(text)
        length += len(text)
    return length


def search_text(path: str) -> tuple[int, ...]:
    """Search a source file with regular expressions; return how often each matches."""
    import re

    text = _read(path)
    patterns = (
        r"\b[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+\b",
        r"\b(?:0[xX][0-9a-fA-F]+|\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)\b",
        r"(?m)^\s*(?:async\s+)?def\s+(\w+)\s*\(([^)]*)\)",
        r"([\"'])(?:(?!\1)[^\\\n]|\\.)*\1",
        r"(?i)\b(\w+)\s+\1\b",
    )
    counts: tuple[int, ...] = ()
    for _ in range(_PASSES):
        counts = tuple(sum(1 for _ in re.finditer(pattern, text)) for pattern in patterns)
    return counts


def parse_source(path: str) -> int:
    """Parse a source file and walk its tree; return the number of nodes."""
    import ast

    return sum(1 for _ in ast.walk(ast.parse(_read(path))))


def _read(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()


def _sources(size: int) -> list[str]:
    """Return modules of the standard library that come to at least `size` bytes, the same ones each time."""
    from pathlib import Path

    chosen: list[str] = []
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        if size <= 0:
            break
        length = path.stat().st_size if path.is_file() else 0  # a distribution may leave dangling links
        if 0 < length <= _LARGEST_SOURCE:
            chosen.append(str(path))
            size -= length
    return chosen


def _planets(is_quick: bool) -> Sequence[object]:
    return [1_700 if is_quick else 11_000] * 32


def _rows(is_quick: bool) -> Sequence[object]:
    size = 230 if is_quick else 580
    return [(row, size) for row in range(size)]


def _boards(is_quick: bool) -> Sequence[object]:
    size = 12 if is_quick else 13
    return [(size, first, second) for first in range(size) for second in range(size)]


def _text(is_quick: bool) -> Sequence[object]:
    return _sources(1 << 20 if is_quick else 1 << 23)


def _modules(is_quick: bool) -> Sequence[object]:
    return _sources(1 << 20 if is_quick else 1 << 23)


WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("nbody", "five bodies under gravity", simulate_planets, _planets),
        Workload("mandelbrot", "rows of the Mandelbrot set", escape_times, _rows),
        Workload("queens", "queens that do not attack each other", count_queens, _boards),
        Workload("json", "JSON and back, of source text", json_round_trips, _text),
        Workload("regex", "regular expressions over source text", search_text, _text),
        Workload("ast", "parsing source text", parse_source, _modules),
    )
}
