"""`python -m interp_pool demo`: measure the standard library's sources with four executors."""

import sys


def main(argv: list[str]) -> int:
    """Run the command named first; return the exit status."""
    if argv[:1] == ["demo"]:
        from interp_pool.demo.cli import main as demo

        return demo(argv[1:])
    print("usage: python -m interp_pool demo [DIR] [--workers N] [--all] [--verbose]", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
