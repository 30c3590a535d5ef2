"""The doctor: what a program imports, tried in real workers, and what to write where that does not work.

This file owns nothing and imports nothing: worker interpreters import it on their way to `inside`. Run it with
`python -m interp_pool doctor`; the entry point is `interp_pool.doctor.cli.main`.
"""
