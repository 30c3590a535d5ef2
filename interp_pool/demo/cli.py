"""The demo's command line: `python -m interp_pool demo`.

This file owns arguments, exit statuses and the order of what is shown. It must not know how anything is
measured, compared or laid out. Invariant: whatever the user gives, presses or closes, there is no traceback.
"""

import argparse
import contextlib
import io
import os
import platform
import sys
import time
from collections.abc import Sequence
from typing import NoReturn

from interp_pool.demo import report
from interp_pool.demo.compare import compare, contenders
from interp_pool.demo.interrupts import KeptInterrupts
from interp_pool.demo.progress import choose_progress
from interp_pool.demo.sources import (
    DEFAULT_SAMPLE_SIZE,
    SourceError,
    SourceFile,
    Sources,
    find_sources,
    sample,
)

__all__ = ["main"]

_PROGRAM = "python -m interp_pool demo"
_FAILED, _USAGE, _INTERRUPTED, _BROKEN_PIPE = (
    1,
    2,
    130,
    141,
)  # the last two: 128 + the signal, as the shell says it


def main(argv: Sequence[str]) -> int:
    """Run the demo.

    Args:
        argv: The arguments after `demo`.

    Returns:
        The exit status: 0; 1 when an executor failed or gave other results than the serial run, or the report
        cannot be written; 2 when the directory cannot be used; 130 after Ctrl-C; 141 when the reader of the
        output is gone.

    Raises:
        SystemExit: The arguments are wrong (status 2), or --help was asked for (status 0).

    Blocks:
        Until every executor has run: about half a minute on 2 cores with the default arguments.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # file names need not be text, nor fit the encoding
    arguments = _parse(argv)
    try:
        return _demo(arguments)
    except SourceError as exc:
        return _give_up(str(exc), _USAGE)
    except KeyboardInterrupt:
        return _give_up("interrupted", _INTERRUPTED)
    except BrokenPipeError:
        _discard_output()
        return _BROKEN_PIPE
    except OSError as exc:  # files and executors report theirs elsewhere: this one is the output's
        _discard_output()
        return _give_up(f"cannot write the report: {exc.strerror or exc}", _FAILED)


class _Arguments(argparse.Namespace):
    directory: str | None
    workers: int
    files: int | None
    use_all: bool
    is_verbose: bool


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Exit with one line instead of the whole usage."""
        self.exit(_USAGE, f"{_PROGRAM}: error: {message} (--help lists the arguments)\n")


def _parse(argv: Sequence[str]) -> _Arguments:
    parser = _Parser(
        prog=_PROGRAM,
        description="Measure Python source files serially, with threads, with processes and with "
        "interpreters, and compare times and results.",
    )
    parser.add_argument(
        "directory",
        nargs="?",
        metavar="DIR",
        help="measure the .py files under it (default: the standard library)",
    )
    parser.add_argument(
        "--workers",
        type=_positive,
        default=os.process_cpu_count() or 1,
        metavar="N",
        help="workers of each executor (default: the cores this process may use, %(default)s)",
    )
    amount = parser.add_mutually_exclusive_group()
    amount.add_argument("--all", action="store_true", dest="use_all", help="use every file")
    amount.add_argument(
        "--files",
        type=_positive,
        metavar="N",
        help=f"use N files spread over the sizes (default: about {DEFAULT_SAMPLE_SIZE >> 20} MiB of them)",
    )
    parser.add_argument(
        "--verbose", action="store_true", dest="is_verbose", help="list the files that could not be measured"
    )
    return parser.parse_args(argv, _Arguments())


def _positive(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number >= 1, got {text!r}")
    return value


def _demo(arguments: _Arguments) -> int:
    start = time.perf_counter()
    sources = find_sources(arguments.directory)
    chosen = _choose(sources, arguments)
    facts = _facts(arguments.workers)
    _show(report.heading(sources, chosen, facts))
    paths = [file.path for file in chosen]
    entrants = contenders(len(paths), arguments.workers)
    with KeptInterrupts(choose_progress(sys.stderr or io.StringIO())) as progress:
        runs = list(compare(paths, entrants, progress))
    print(file=sys.stderr, flush=True)  # apart from the progress, when both go to one terminal
    measures = runs[0].measures
    _show(report.summary(measures, sources.root))
    _show(report.problems(measures, sources, is_verbose=arguments.is_verbose))
    _show(report.most_complex(measures, sources.root))
    _show(report.timings(runs, facts))
    _show(f"The whole demo took {time.perf_counter() - start:.1f} s.")
    is_good = all(run.error is None and run.is_identical is not False for run in runs)
    return 0 if is_good else _FAILED


def _choose(sources: Sources, arguments: _Arguments) -> list[SourceFile]:
    if arguments.use_all:
        return sources.files
    return sample(sources.files, count=arguments.files, size=DEFAULT_SAMPLE_SIZE)


def _facts(workers: int) -> report.Facts:
    import multiprocessing

    python = f"{platform.python_implementation()} {platform.python_version()}"
    if not sys._is_gil_enabled():  # pyright: ignore[reportPrivateUsage]  # documented since 3.13
        python += " without GIL"
    return report.Facts(
        python=python,
        platform=f"{platform.system()} {platform.machine()}",
        cores=os.process_cpu_count() or 1,
        workers=workers,
        start_method=multiprocessing.get_start_method(),
        load=_load(),
    )


def _load() -> float | None:
    if sys.platform != "win32":  # which has none
        with contextlib.suppress(OSError):
            return os.getloadavg()[0]
    return None


def _show(text: str) -> None:
    """Print a paragraph at once, so that a reader of a pipe sees it when it is there."""
    if text:
        print(text, end="\n\n", flush=True)


def _give_up(reason: str, status: int) -> int:
    with contextlib.suppress(OSError):  # stderr may be what is broken
        print(f"{_PROGRAM}: {reason}", file=sys.stderr)
    return status


def _discard_output() -> None:
    """Point outputs that cannot be written at nowhere, else flushing them at exit would complain.

    Source: the note on SIGPIPE in the documentation of the `signal` module.
    """
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            try:
                stream.flush()
            except OSError:
                os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
