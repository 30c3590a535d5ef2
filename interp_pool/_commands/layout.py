"""Lay out text for a terminal.

This file owns the shape of tables and plurals. It must not know what is in them. Invariant: every function is pure.
"""

from collections.abc import Iterable, Sequence

__all__ = ["plural", "table"]


def table(headers: Sequence[str], rows: Iterable[Sequence[str]], align: str) -> str:
    """Lay out columns, each as wide as its widest cell.

    Args:
        headers: One header for each column.
        rows: The cells; each row has as many as there are headers.
        align: One character for each column, "<" or ">".
    """
    cells = [list(headers), *(list(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(f"{cell:{side}{width}}" for cell, side, width in zip(row, align, widths, strict=True))
        for row in cells
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join("  " + line.rstrip() for line in lines)


def plural(count: int, noun: str) -> str:
    """Return the count with its noun, in the plural unless it is 1."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
