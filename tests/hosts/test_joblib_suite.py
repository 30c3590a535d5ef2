"""joblib's own tests of its backends, from the installed package, with ours as one of them."""

from __future__ import annotations

import subprocess
import sys
from xml.etree import ElementTree as ET

import pytest

joblib = pytest.importorskip("joblib", reason="the dependency group `hosts` is not installed")
pytest.importorskip("numpy", reason="some of these tests need it")

pytestmark = pytest.mark.hosts

# Its tests run each backend that is registered, and those of three lists.
PLUGIN = """
from joblib.test import test_parallel

for backends in (
    test_parallel.PARALLEL_BACKENDS, test_parallel.PROCESS_BACKENDS, test_parallel.all_backends_for_context_manager
):
    backends.append("interpreters")
"""
# Also in the processes that tests start. An interpreter is no process: there it is the worker that sees to it.
SITE = """
import _interpreters

if _interpreters.get_current() == _interpreters.get_main():
    import interp_pool.joblib

    interp_pool.joblib.register()
"""

NUMPY = "a worker cannot have NumPy, nor arrays mapped into memory; its error names the fallback"
STAYS = "wants the workers of an aborted call to be others: ours stay, stopped and warm"
ALL = "wants one worker where nobody says how many: as with dask's backend it is one for each processor"
FAILING = {
    "test_auto_memmap_on_arrays_from_generator[interpreters]": NUMPY,
    "test_deadlock_with_generator[-1-generator-interpreters]": NUMPY,
    "test_deadlock_with_generator[-1-generator_unordered-interpreters]": NUMPY,
    "test_deadlock_with_generator[2-generator-interpreters]": NUMPY,
    "test_deadlock_with_generator[2-generator_unordered-interpreters]": NUMPY,
    "test_memmapping_leaks[interpreters]": NUMPY,
    "test_no_blas_crash_or_freeze_with_subprocesses[interpreters]": NUMPY,
    "test_error_capture[interpreters]": STAYS,
    "test_nested_backend_in_sequential[parallel_backend-interpreters-None]": ALL,
    "test_nested_backend_in_sequential[parallel_config-interpreters-None]": ALL,
}
# With one processor n_jobs=-1 is a call in the main thread; with more than two -2 is none.
BY_PROCESSORS = {
    f"test_deadlock_with_generator[{n_jobs}-{return_as}-interpreters]"
    for n_jobs in (-1, -2)
    for return_as in ("generator", "generator_unordered")
}
FEWEST = 105  # tests that pass: 110 of 120 with joblib 1.6.0 and two processors


@pytest.mark.timeout(400)
def test_joblibs_own_tests_pass_with_interpreters_but_for_a_few_with_reasons(tmp_path, monkeypatch):
    (tmp_path / "registered_everywhere.py").write_text(PLUGIN)
    (tmp_path / "sitecustomize.py").write_text(SITE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    report = tmp_path / "report.xml"
    command = [
        *(sys.executable, "-m", "pytest", "-q", "-p", "registered_everywhere", "-p", "no:cacheprovider"),
        *("-c", tmp_path / "none.ini", "--timeout=120", f"--junitxml={report}"),
        *("-k", "interpreters or InterpreterBackend", "--pyargs", "joblib.test.test_parallel"),
    ]
    (tmp_path / "none.ini").write_text("[pytest]\n")
    done = subprocess.run(command, capture_output=True, check=False, text=True, timeout=380, cwd=tmp_path)
    assert report.exists(), done.stdout + done.stderr
    cases = [*ET.parse(report).getroot().iter("testcase")]
    bad = {case.get("name") for case in cases if case.find("failure") is not None or case.find("error") is not None}
    skipped = {case.get("name") for case in cases if case.find("skipped") is not None}
    print(f"joblib {joblib.__version__}: {len(cases) - len(bad) - len(skipped)} of {len(cases)} pass")
    assert bad - BY_PROCESSORS == FAILING.keys() - BY_PROCESSORS - skipped, done.stdout[-20_000:]
    assert len(cases) - len(bad) - len(skipped) >= FEWEST
