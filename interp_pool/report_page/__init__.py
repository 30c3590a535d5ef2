"""`python -m interp_pool report`: a page on what a traced program did, for people who do not know traces.

This package reads the file of a trace and imports nothing of the pool.
"""
