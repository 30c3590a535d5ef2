"""What strikes while a failure is described, in a process of its own."""

from __future__ import annotations

import pytest
from scripts import run_text

STRUCK_WHILE_DESCRIBED = """
import traceback
from interp_pool import InterpreterPoolExecutor

def fail(depth):
    def strike(*args, **kwargs):
        raise KeyboardInterrupt  # as an interrupt, a timeout or a signal handler would

    traceback.TracebackException.__init__ = strike
    return fail(depth - 1) if depth else 1 / 0

if __name__ == "__main__":
    with InterpreterPoolExecutor(2, reuse=False) as executor:
        for depth in range(100):
            error = executor.submit(fail, depth).exception()
            assert type(error) is ZeroDivisionError, error
            assert "in fail" in str(error.__cause__), error.__cause__
    print("survived")
"""


@pytest.mark.programs
def test_exception_that_strikes_while_a_failure_is_described_keeps_the_failure(tmp_path):
    """It ended the process when the runtime made the text. The places are told, if the text cannot be made."""
    assert run_text(tmp_path, STRUCK_WHILE_DESCRIBED) == (0, "survived\n", "")
