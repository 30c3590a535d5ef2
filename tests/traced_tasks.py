"""Functions of tests of traces."""

from __future__ import annotations


def trace_here(path):
    import interp_pool

    with interp_pool.trace(path):
        pass
