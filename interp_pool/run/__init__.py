"""The command that runs a program as it is, with executors of interpreters in the place of its processes.

This file owns nothing and imports nothing: the program to come is to find as little as possible. Run it with
`python -m interp_pool run`; the entry point is `interp_pool.run.cli.main`.
"""
