"""`python -m interp_pool top`: what the workers and tasks of a running program do.

This file owns nothing and imports nothing. The entry point is `interp_pool.top.cli.main`.
"""
