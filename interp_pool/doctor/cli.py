"""The doctor's command line: `python -m interp_pool doctor`.

This file owns arguments, exit statuses and the order of what is shown. It must not know how anything is found out.
Invariant: nothing of the target is imported in this process.
"""

import argparse
import io
import json
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from interp_pool._commands import console
from interp_pool._commands.interrupts import KeptInterrupts
from interp_pool._commands.progress import PlainProgress
from interp_pool.doctor import report
from interp_pool.doctor.child import end_all
from interp_pool.doctor.examine import examine
from interp_pool.doctor.idioms import Idiom
from interp_pool.doctor.subjects import Subject, TargetError, find_installed, find_required, find_target
from interp_pool.doctor.verdict import Diagnosis

__all__ = ["main"]

_PROGRAM = "python -m interp_pool doctor"


def main(argv: Sequence[str]) -> int:
    """Run the doctor.

    Args:
        argv: The arguments after `doctor`.

    Returns:
        The exit status: 0 when all works in interpreters; 1 when something does not; 2 when the target does not
        exist; 130 after Ctrl-C; 141 when the reader of the output is gone.

    Raises:
        SystemExit: The arguments are wrong (status 2), or --help was asked for (status 0).

    Blocks:
        Until each subject was tried in a child process: half a second each, or what its imports take, at most twice
        the timeout.
    """
    arguments = _parse(argv)
    return console.run(_PROGRAM, lambda: _doctor(arguments), TargetError)


class _Arguments(argparse.Namespace):
    target: str | None
    requirements: list[str]
    as_json: bool
    timeout: int


def _parse(argv: Sequence[str]) -> _Arguments:
    parser = console.Parser(
        prog=_PROGRAM,
        description="Import what a program imports in real workers of a child process, and say for each extension "
        "module whether it works there, who needs it, and what to write where it does not. Without a target: all "
        "that is installed.",
    )
    parser.add_argument(
        "target",
        nargs="?",
        metavar="MODULE | MODULE:FUNCTION | SCRIPT.py",
        help="what to examine; a function is called, if it takes no arguments, and timed",
    )
    parser.add_argument(
        "-r",
        "--requirements",
        action="append",
        default=[],
        metavar="FILE",
        help="examine the distributions that a file of requirements names",
    )
    parser.add_argument("--json", action="store_true", dest="as_json", help="write one JSON document")
    parser.add_argument(
        "--timeout",
        type=console.positive,
        default=60,
        metavar="SECONDS",
        help="how long a child process may take before that counts as a crash (default: %(default)s)",
    )
    arguments = parser.parse_args(argv, _Arguments())
    if arguments.target is not None and arguments.requirements:
        parser.error("a target and --requirements cannot be given both")
    return arguments


def _doctor(arguments: _Arguments) -> int:
    is_survey = arguments.target is None and not arguments.requirements
    subjects = _subjects(arguments)
    diagnoses: list[Diagnosis] = []
    idioms: list[Idiom] = []
    for diagnosis, found in _examined(subjects, arguments.timeout):
        diagnoses.append(diagnosis)
        idioms += found
    status = report.status_of(diagnoses, idioms, is_survey=is_survey)
    python = console.python_name()
    if arguments.as_json:
        target = arguments.target or ", ".join(arguments.requirements)
        console.show(json.dumps(report.as_document(python, target, diagnoses, idioms, status), indent=2))
    else:
        console.show(report.as_text(diagnoses, idioms, python, is_survey=is_survey or bool(arguments.requirements)))
    return status


def _subjects(arguments: _Arguments) -> list[Subject]:
    if arguments.target is not None:
        return [find_target(arguments.target)]
    if not arguments.requirements:
        return find_installed()
    subjects = [subject for path in arguments.requirements for subject in find_required(path)]
    return [*{subject.name: subject for subject in subjects}.values()]


def _examined(subjects: list[Subject], timeout: int) -> Iterator[tuple[Diagnosis, list[Idiom]]]:
    if len(subjects) == 1:
        yield examine(subjects[0], timeout)
        return
    progress = PlainProgress(sys.stderr or io.StringIO(), unit="distributions")
    with KeptInterrupts(progress) as kept, ThreadPoolExecutor(os.process_cpu_count() or 1) as threads:
        try:
            results = threads.map(partial(examine, timeout=timeout), subjects)
            yield from kept.track(results, len(subjects), "trying")
        except BaseException:  # an interrupt: the program ends
            threads.shutdown(wait=False, cancel_futures=True)
            end_all()
            raise
