"""The benchmark of interp_pool: the same measurements with every executor there is, side by side.

This file owns nothing and imports nothing: workers import it on their way to `tasks` and `workloads`. Run it with
`python -m interp_pool bench`; the entry point is `interp_pool.bench.cli.main`.
"""
