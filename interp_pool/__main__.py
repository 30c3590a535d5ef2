"""`python -m interp_pool`: see it work, measure it, try it on a program of yours, and look at one that runs or has run.

This file owns the names of the commands and imports a command only when it is the one to run.
"""

import sys

_USAGE = """\
usage: python -m interp_pool demo [DIR] [--workers N] [--all] [--verbose]
       python -m interp_pool bench [--quick] [--out DIR] [--rounds N] [--workers N] [--only NAME ...]
                                   [--peer NAME ...] [--soak] [--check]
       python -m interp_pool doctor [MODULE | MODULE:FUNCTION | SCRIPT.py | -r requirements.txt] [--json]
       python -m interp_pool run [--fallback process|thread] [--compare] SCRIPT.py | -m MODULE | CONSOLE_SCRIPT [...]
       python -m interp_pool report [-o FILE.html] TRACE.json
       python -m interp_pool top [PID] [--once] [--json] [--stacks] [--interval SECONDS]"""


def main(argv: list[str]) -> int:
    """Run the command named first; return the exit status."""
    if argv[:1] == ["demo"]:
        from interp_pool.demo.cli import main as demo

        return demo(argv[1:])
    if argv[:1] == ["bench"]:
        from interp_pool.bench.cli import main as bench

        return bench(argv[1:])
    if argv[:1] == ["doctor"]:
        from interp_pool.doctor.cli import main as doctor

        return doctor(argv[1:])
    if argv[:1] == ["run"]:
        from interp_pool.run.cli import main as run

        return run(argv[1:])
    if argv[:1] == ["report"]:
        from interp_pool.report_page.cli import main as report

        return report(argv[1:])
    if argv[:1] == ["top"]:
        from interp_pool.top.cli import main as top

        return top(argv[1:])
    print(_USAGE, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
