"""Objectives, in pure Python, for numbers in lists or arrays."""

from __future__ import annotations


def valley(x, a=1.0, b=100.0):
    """Rosenbrock's."""
    return sum(b * (x[i + 1] - x[i] * x[i]) ** 2 + (a - x[i]) ** 2 for i in range(len(x) - 1))


def parabola(x, shift=0.0):
    return (x[0] - 3.0 + shift) ** 2 + 1.0


def residuals(x):
    return [x[0] - 1.0, 10.0 * (x[1] - x[0] * x[0])]


def fail(x):
    raise LookupError(f"at {x}")


def kinds(x, *args):
    """Return what arrives, in words."""
    return [type(each).__name__ for each in (x, *args)]
