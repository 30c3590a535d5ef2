"""The demo of interp_pool: measure a tree of Python source with four executors and compare them.

This file owns nothing and imports nothing: worker interpreters import it on their way to `measure`. Run it
with `python -m interp_pool demo`; the entry point is `interp_pool.demo.cli.main`.
"""
