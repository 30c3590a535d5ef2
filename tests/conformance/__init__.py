"""The installed Python's own tests of interpreters and executors, run against interp_api and interp_pool.

Nothing of CPython's tests is copied here. `_runner.py` loads them in a process of its own; `sitedir/` is
put first on that process's PYTHONPATH, so that its `sitecustomize` gives every interpreter our packages
under the standard names; `_harness.py` starts the processes and collects the outcomes; `skips.py` is the
one table of what is not expected to pass, with the reasons; `test_conformance.py` compares the two.

    python -m pytest tests/conformance
    cd tests && python -m conformance --target stdlib    # the baseline: the standard library against itself
"""
