"""What the joblib backend consists of, as far as it can be had without joblib."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import types

import pytest

from interp_pool import InterpreterPoolExecutor
from interp_pool._worker import joblib_calls
from interp_pool._workers import environment

CHILD = "import os; print(os.environ.get('INTERP_POOL_TEST'))"


def test_module_without_joblib_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "joblib.parallel", None)
    monkeypatch.delitem(sys.modules, "interp_pool.joblib", raising=False)
    with pytest.raises(ImportError, match=r"needs joblib .*: pip install 'interp-pool\[joblib\]'"):
        importlib.import_module("interp_pool.joblib")


def test_module_with_a_joblib_that_is_too_old_says_so(monkeypatch):
    names = (
        *("EXTERNAL_BACKENDS", "AutoBatchingMixin", "FallbackToBackend", "ParallelBackendBase", "SequentialBackend"),
        *("cpu_count", "register_parallel_backend"),
    )
    old = types.ModuleType("joblib.parallel")
    old.__dict__.update(dict.fromkeys(names, object))
    monkeypatch.setitem(sys.modules, "joblib.parallel", old)
    monkeypatch.delitem(sys.modules, "interp_pool.joblib", raising=False)
    with pytest.raises(ImportError, match=r"needs joblib 1\.5 or newer: pip install 'interp-pool\[joblib\]'"):
        importlib.import_module("interp_pool.joblib")


@pytest.mark.programs
def test_added_variable_is_in_workers_and_in_no_child_process(monkeypatch):
    monkeypatch.setattr(environment, "_added", {})
    environment.add_variable("INTERP_POOL_TEST", "0")
    run = (
        "__import__('subprocess').run([__import__('sys').executable, '-c', %r], capture_output=True, text=True).stdout"
    )
    with InterpreterPoolExecutor(1) as executor:
        assert executor.submit(eval, "__import__('os').environ['INTERP_POOL_TEST']").result() == "0"
        assert executor.submit(eval, run % CHILD).result().strip() == "None"
    done = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, check=True, text=True)
    assert (done.stdout.strip(), "INTERP_POOL_TEST" in os.environ) == ("None", False)


def test_added_variable_goes_before_the_programs_own(monkeypatch):
    monkeypatch.setattr(environment, "_added", {})
    monkeypatch.setenv("INTERP_POOL_TEST", "1")
    environment.add_variable("INTERP_POOL_TEST", "0")
    with InterpreterPoolExecutor(1) as executor:
        assert executor.submit(eval, "__import__('os').environ['INTERP_POOL_TEST']").result() == "0"
    assert os.environ["INTERP_POOL_TEST"] == "1"


def test_calls_run_as_they_are_where_nobody_has_imported_joblib(monkeypatch):
    monkeypatch.delitem(sys.modules, "joblib.parallel", raising=False)
    assert joblib_calls.run_calls([(pow, (2, 3), {}), (int, ("11",), {"base": 2})]) == [8, 3]


def test_calls_run_as_they_are_while_joblib_is_being_imported(monkeypatch):
    monkeypatch.setitem(sys.modules, "joblib.parallel", types.ModuleType("joblib.parallel"))
    assert joblib_calls.run_calls([(pow, (2, 3), {})]) == [8]
