"""`python -m interp_pool demo` and `python -m interp_pool bench`: see it work, and measure it.

This file owns the names of the commands and imports a command only when it is the one to run.
"""

import sys

_USAGE = """\
usage: python -m interp_pool demo [DIR] [--workers N] [--all] [--verbose]
       python -m interp_pool bench [--quick] [--out DIR] [--rounds N] [--workers N] [--only NAME ...]
                                   [--peer NAME ...] [--soak] [--check]"""


def main(argv: list[str]) -> int:
    """Run the command named first; return the exit status."""
    if argv[:1] == ["demo"]:
        from interp_pool.demo.cli import main as demo

        return demo(argv[1:])
    if argv[:1] == ["bench"]:
        from interp_pool.bench.cli import main as bench

        return bench(argv[1:])
    print(_USAGE, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
