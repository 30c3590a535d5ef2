"""Print what every upstream test did: `cd tests && python -m conformance [SUITE...] [--only PATTERN]`."""

from __future__ import annotations

import argparse
import concurrent.futures
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from ._harness import Result, disagreements, run_suite, skips_of
from ._runner import SUITES
from .skips import Outcome


def main() -> int:
    """Run suites and print outcomes; the status is 1 when one of ours disagrees with the table."""
    parser = argparse.ArgumentParser(prog="conformance", description=__doc__)
    parser.add_argument("suites", nargs="*", default=list(SUITES), metavar="SUITE", help=", ".join(SUITES))
    parser.add_argument("--target", choices=["ours", "stdlib"], default="ours")
    parser.add_argument("--only", default="*", help="pattern on the test id without its module")
    parser.add_argument("--verbose", action="store_true", help="print each failure's traceback")
    options = parser.parse_args()

    wrong = 0
    with tempfile.TemporaryDirectory() as scratch, concurrent.futures.ThreadPoolExecutor(2) as threads:

        def run(suite: str) -> tuple[list[Result], float]:
            begin = time.monotonic()
            exclude = [skip.test for skip in skips_of(suite) if not skip.run and options.target == "ours"]
            results = run_suite(suite, options.target, Path(scratch, suite), only=options.only, exclude=exclude)
            return results, time.monotonic() - begin

        for suite, (results, seconds) in zip(options.suites, threads.map(run, options.suites), strict=True):
            counts = Counter(result.outcome.value for result in results)
            print(f"{suite}: {dict(counts)} in {seconds:.1f} s", flush=True)
            for result in results:
                if result.outcome not in (Outcome.PASSED, Outcome.EXPECTED_FAILURE):
                    detail = result.detail.strip() or "?"
                    print(f"  {result.outcome.value:10} {result.test}: {detail.splitlines()[-1][:200]}")
                    if options.verbose and result.outcome is not Outcome.SKIPPED:
                        print(detail)
            if options.target == "ours" and options.only == "*":
                for text in disagreements(suite, results):
                    wrong = 1
                    print(f"  WRONG {text.splitlines()[0]}")
    return wrong


if __name__ == "__main__":
    sys.exit(main())
